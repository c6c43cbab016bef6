#include "widget/filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 16 };

struct parser {
    const char *start;
    const char *at;
    const struct mls_column *columns;
    unsigned n_columns;
    unsigned depth;
    struct mls_filter filter;
    struct mls_filter_error error;
};

static bool fail_at(struct parser *parser, const char *place, const char *reason)
{
    if (!parser->error.reason)
        parser->error =
            (struct mls_filter_error){.position = (size_t)(place - parser->start), .reason = reason};
    return false;
}

static void skip_blanks(struct parser *parser)
{
    while (isspace((unsigned char)*parser->at))
        parser->at++;
}

static bool add_node(struct parser *parser, struct mls_filter_node node)
{
    if (parser->filter.n_nodes == MLS_FILTER_NODES_MAX)
        return fail_at(parser, parser->at, "the expression is too long");
    parser->filter.nodes[parser->filter.n_nodes++] = node;
    return true;
}

/* Whether the word stands here, as a word of its own. */
static bool at_word(const struct parser *parser, const char *word)
{
    size_t length = strlen(word);
    return strncasecmp(parser->at, word, length) == 0 && !isalnum((unsigned char)parser->at[length]) &&
           !strchr("=!~<>_", parser->at[length] ? parser->at[length] : ' ');
}

/* A value: quoted, or up to a blank or closing parenthesis; its copy goes to the filter's texts. */
static bool take_value(struct parser *parser, size_t *ret_text)
{
    const char *place = parser->at;
    char quote = *parser->at == '"' || *parser->at == '\'' ? *parser->at++ : '\0';
    const char *begin = parser->at;
    while (*parser->at &&
           (quote ? *parser->at != quote : !isspace((unsigned char)*parser->at) && *parser->at != ')'))
        parser->at++;
    size_t length = (size_t)(parser->at - begin);
    if (quote && *parser->at++ != quote) {
        parser->at--;
        return fail_at(parser, place, "the quote is not closed");
    }
    if (length == 0)
        return fail_at(parser, place, "a value is missing");
    if (length + 1 > sizeof parser->filter.texts - parser->filter.texts_bytes)
        return fail_at(parser, place, "the expression is too long");
    *ret_text = parser->filter.texts_bytes;
    memcpy(parser->filter.texts + parser->filter.texts_bytes, begin, length);
    parser->filter.texts[parser->filter.texts_bytes + length] = '\0';
    parser->filter.texts_bytes += length + 1;
    return true;
}

static const struct {
    const char *text;
    enum mls_filter_operator operation;
} operators[] = {
    {"!=", MLS_FILTER_NOT_EQUAL},     {"!~", MLS_FILTER_HAS_NOT}, {"<=", MLS_FILTER_LESS_EQUAL},
    {">=", MLS_FILTER_GREATER_EQUAL}, {"=", MLS_FILTER_EQUAL},    {"~", MLS_FILTER_HAS},
    {"<", MLS_FILTER_LESS},           {">", MLS_FILTER_GREATER},
};

static bool take_operator(struct parser *parser, enum mls_filter_operator *ret_operator)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(parser->at, operators[i].text, length) == 0) {
            parser->at += length;
            *ret_operator = operators[i].operation;
            return true;
        }
    }
    return false;
}

/* Units of a column's kind: factor to the kind's own unit. */
static const struct {
    enum mls_datum_kind kind;
    const char *unit;
    double factor;
} units[] = {
    {MLS_DATUM_TIME_NS, "ns", 1},   {MLS_DATUM_TIME_NS, "us", 1e3},    {MLS_DATUM_TIME_NS, "µs", 1e3},
    {MLS_DATUM_TIME_NS, "ms", 1e6}, {MLS_DATUM_TIME_NS, "s", 1e9},     {MLS_DATUM_BYTES, "B", 1},
    {MLS_DATUM_BYTES, "KiB", 1024}, {MLS_DATUM_BYTES, "MiB", 1048576}, {MLS_DATUM_BYTES, "GiB", 1073741824},
    {MLS_DATUM_BYTES, "k", 1024},   {MLS_DATUM_BYTES, "M", 1048576},   {MLS_DATUM_BYTES, "G", 1073741824},
    {MLS_DATUM_SHARE, "%", 0.01},   {MLS_DATUM_COUNT, "k", 1e3},       {MLS_DATUM_COUNT, "M", 1e6},
};

static bool parse_number(const char *text, enum mls_datum_kind kind, double *ret_number)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || number != number)
        return false;
    if (*end == '\0') {
        *ret_number = kind == MLS_DATUM_SHARE ? number / 100 : number;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].kind == kind && strcasecmp(units[i].unit, end) == 0) {
            *ret_number = number * units[i].factor;
            return true;
        }
    return false;
}

static bool parse_term(struct parser *parser)
{
    const char *begin = parser->at;
    struct mls_filter_node node = {.operation = MLS_FILTER_ANY_CELL};
    if (*begin != '"' && *begin != '\'') {
        while (isalnum((unsigned char)*parser->at) || *parser->at == '_' || *parser->at == '#' ||
               *parser->at == '/')
            parser->at++;
        const char *end = parser->at;
        if (end > begin && take_operator(parser, &node.operation)) {
            int column =
                mls_rows_find_column(parser->columns, parser->n_columns, begin, (size_t)(end - begin));
            if (column < 0)
                return fail_at(parser, begin, "there is no such column");
            node.column = (unsigned)column;
            const char *place = parser->at;
            if (!take_value(parser, &node.text))
                return false;
            enum mls_datum_kind kind = parser->columns[column].kind;
            bool has = node.operation == MLS_FILTER_HAS || node.operation == MLS_FILTER_HAS_NOT;
            if (mls_datum_is_number(kind) && !has &&
                !parse_number(parser->filter.texts + node.text, kind, &node.number))
                return fail_at(parser, place, "a number with a unit of this column is expected");
            return add_node(parser, node);
        }
        parser->at = begin;
    }
    return take_value(parser, &node.text) && add_node(parser, node);
}

static bool parse_or(struct parser *parser);

static bool parse_not(struct parser *parser)
{
    skip_blanks(parser);
    if (++parser->depth > DEPTH_MAX)
        return fail_at(parser, parser->at, "the expression is nested too deeply");
    bool ok;
    if (*parser->at == '!' || at_word(parser, "not")) {
        parser->at += *parser->at == '!' ? 1 : 3;
        ok = parse_not(parser) && add_node(parser, (struct mls_filter_node){.operation = MLS_FILTER_NOT});
    } else if (*parser->at == '(') {
        const char *place = parser->at++;
        ok = parse_or(parser);
        skip_blanks(parser);
        if (ok && *parser->at++ != ')')
            ok = fail_at(parser, place, "the parenthesis is not closed");
    } else {
        ok = parse_term(parser);
    }
    parser->depth--;
    return ok;
}

static bool parse_and(struct parser *parser)
{
    if (!parse_not(parser))
        return false;
    for (;;) {
        skip_blanks(parser);
        if (*parser->at == '\0' || *parser->at == ')' || at_word(parser, "or"))
            return true;
        if (at_word(parser, "and"))
            parser->at += 3;
        if (!parse_not(parser) || !add_node(parser, (struct mls_filter_node){.operation = MLS_FILTER_AND}))
            return false;
    }
}

static bool parse_or(struct parser *parser)
{
    if (!parse_and(parser))
        return false;
    while (at_word(parser, "or")) {
        parser->at += 2;
        if (!parse_and(parser) || !add_node(parser, (struct mls_filter_node){.operation = MLS_FILTER_OR}))
            return false;
    }
    return true;
}

bool mls_filter_parse(const char *expression, const struct mls_column *columns, unsigned n_columns,
                      struct mls_filter *ret_filter, struct mls_filter_error *reterr)
{
    struct parser parser = {
        .start = expression, .at = expression, .columns = columns, .n_columns = n_columns};
    skip_blanks(&parser);
    bool ok = *parser.at == '\0' || parse_or(&parser);
    if (ok && *parser.at != '\0')
        ok = fail_at(&parser, parser.at, "nothing is open that this could close");
    if (ok)
        *ret_filter = parser.filter;
    else if (reterr)
        *reterr = parser.error;
    return ok;
}

bool mls_text_holds(const char *text, const char *part)
{
    for (;; text++) {
        size_t i = 0;
        while (part[i] && text[i]) {
            unsigned char wanted = (unsigned char)part[i];
            unsigned char have = (unsigned char)text[i];
            if (wanted != have && !(islower(wanted) && tolower(have) == wanted))
                break;
            i++;
        }
        if (part[i] == '\0')
            return true;
        if (*text == '\0')
            return false;
    }
}

static bool holds_any_case(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool term_matches(const struct mls_filter *filter, const struct mls_filter_node *node,
                         const struct mls_rows *rows, size_t row)
{
    char buffer[MLS_DATUM_TEXT_BYTES];
    const char *wanted = filter->texts + node->text;
    struct mls_datum datum = {.kind = MLS_DATUM_NONE};
    if (node->operation == MLS_FILTER_ANY_CELL) {
        for (unsigned i = 0; i < rows->n_columns; i++) {
            if (rows->columns[i].kind != MLS_DATUM_TEXT)
                continue;
            rows->cell(rows->user, row, i, &datum);
            if (datum.kind == MLS_DATUM_TEXT && mls_text_holds(datum.text, wanted))
                return true;
        }
        return false;
    }
    rows->cell(rows->user, row, node->column, &datum);
    bool text = datum.kind == MLS_DATUM_TEXT || rows->columns[node->column].kind == MLS_DATUM_TEXT;
    const char *have = mls_datum_format(&datum, buffer);
    if (node->operation == MLS_FILTER_HAS || node->operation == MLS_FILTER_HAS_NOT)
        return holds_any_case(have, wanted) == (node->operation == MLS_FILTER_HAS);
    if (!text && datum.kind == MLS_DATUM_NONE)
        return node->operation == MLS_FILTER_NOT_EQUAL;
    double order = text ? strcasecmp(have, wanted) : datum.number - node->number;
    switch (node->operation) {
    case MLS_FILTER_EQUAL:
        return !(order < 0) && !(order > 0);
    case MLS_FILTER_NOT_EQUAL:
        return order < 0 || order > 0;
    case MLS_FILTER_LESS:
        return order < 0;
    case MLS_FILTER_LESS_EQUAL:
        return order <= 0;
    case MLS_FILTER_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

bool mls_filter_matches(const struct mls_filter *filter, const struct mls_rows *rows, size_t row)
{
    bool stack[MLS_FILTER_NODES_MAX + 1] = {true};
    size_t top = 0; /* values on the stack */
    for (size_t i = 0; i < filter->n_nodes; i++) {
        const struct mls_filter_node *node = &filter->nodes[i];
        if (node->operation == MLS_FILTER_NOT) {
            stack[top - 1] = !stack[top - 1];
        } else if (node->operation == MLS_FILTER_AND || node->operation == MLS_FILTER_OR) {
            bool right = stack[--top];
            stack[top - 1] =
                node->operation == MLS_FILTER_AND ? stack[top - 1] && right : stack[top - 1] || right;
        } else {
            stack[top++] = term_matches(filter, node, rows, row);
        }
    }
    return stack[0];
}
