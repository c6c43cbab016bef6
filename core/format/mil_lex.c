#include "format/mil_lex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAX = 64, SHOWN_BYTES_MAX = 32 };

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@' || c >= 0x80;
}

/* Names of coremltools hold '.', ':' and '@' now and then; none of them means anything else in MIL text. */
static bool is_name(unsigned char c)
{
    return is_name_start(c) || is_digit(c) || c == '.' || c == ':' || c == '$';
}

static unsigned char peek(const struct mil_lexer *lexer, size_t ahead)
{
    return lexer->at + ahead < lexer->bytes.size_bytes ? lexer->bytes.data[lexer->at + ahead] : 0;
}

/* White space, and comments from // to the end of the line. */
static void skip_space(struct mil_lexer *lexer)
{
    const uint8_t *data = lexer->bytes.data;
    size_t size_bytes = lexer->bytes.size_bytes;
    while (lexer->at < size_bytes) {
        unsigned char c = data[lexer->at];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            lexer->at++;
        } else if (c == '/' && peek(lexer, 1) == '/') {
            const uint8_t *end = memchr(data + lexer->at, '\n', size_bytes - lexer->at);
            lexer->at = end ? (size_t)(end - data) : size_bytes;
        } else {
            break;
        }
    }
}

/* Length of the token that begins here, and its kind. */
static size_t measure(const struct mil_lexer *lexer, enum mil_kind *ret_kind)
{
    unsigned char c = peek(lexer, 0);
    size_t n = 1;
    *ret_kind = MIL_SIGN;
    if (is_name_start(c)) {
        *ret_kind = MIL_NAME;
        while (is_name(peek(lexer, n)))
            n++;
    } else if (c == '-' && peek(lexer, 1) == '>') {
        *ret_kind = MIL_ARROW;
        n = 2;
    } else if (c == '.' && peek(lexer, 1) == '.' && peek(lexer, 2) == '.') {
        *ret_kind = MIL_DOTS;
        n = 3;
    } else if (is_digit(c) || c == '-' || c == '+' || c == '.') {
        *ret_kind = MIL_NUMBER;
        for (unsigned char next; (next = peek(lexer, n)) != 0; n++) {
            unsigned char before = (unsigned char)(peek(lexer, n - 1) | 0x20);
            bool exponent_sign = (next == '-' || next == '+') && (before == 'e' || before == 'p');
            if (!is_digit(next) && !is_name_start(next) && next != '.' && !exponent_sign)
                break;
        }
    } else if (c == '"') {
        *ret_kind = MIL_STRING;
        while (lexer->at + n < lexer->bytes.size_bytes && peek(lexer, n) != '"')
            n += peek(lexer, n) == '\\' ? 2 : 1;
        if (lexer->at + n >= lexer->bytes.size_bytes)
            *ret_kind = MIL_END; /* never closed */
        n++;
    }
    return n;
}

void mil_next(struct mil_lexer *lexer)
{
    skip_space(lexer);
    const char *text = (const char *)lexer->bytes.data + lexer->at;
    if (lexer->at >= lexer->bytes.size_bytes) {
        lexer->token = (struct mil_token){.kind = MIL_END, .text = text};
        return;
    }
    enum mil_kind kind;
    size_t n = measure(lexer, &kind);
    if (kind == MIL_END) {
        lexer->at = lexer->bytes.size_bytes;
        n = 0;
    }
    lexer->token = (struct mil_token){kind, text, n};
    lexer->at += n;
}

struct mil_lexer mil_lexer_begin(struct mls_bytes bytes)
{
    struct mil_lexer lexer = {.bytes = bytes};
    mil_next(&lexer);
    return lexer;
}

bool mil_is(const struct mil_lexer *lexer, char sign)
{
    return lexer->token.kind == MIL_SIGN && lexer->token.text[0] == sign;
}

bool mil_is_word(const struct mil_lexer *lexer, const char *word)
{
    return lexer->token.kind == MIL_NAME && lexer->token.length_bytes == strlen(word) &&
           !memcmp(lexer->token.text, word, lexer->token.length_bytes);
}

bool mil_accept(struct mil_lexer *lexer, char sign)
{
    if (!mil_is(lexer, sign))
        return false;
    mil_next(lexer);
    return true;
}

enum mls_status mil_wrong(const struct mil_lexer *lexer, const char *expected, struct mls_error *reterr)
{
    const char *start = (const char *)lexer->bytes.data;
    size_t offset = (size_t)(lexer->token.text - start), line = 1;
    for (const char *at = start; (at = memchr(at, '\n', (size_t)(lexer->token.text - at))) != NULL; at++)
        line++;
    int shown =
        (int)(lexer->token.length_bytes < SHOWN_BYTES_MAX ? lexer->token.length_bytes : SHOWN_BYTES_MAX);
    enum mls_status status =
        lexer->token.kind == MIL_END
            ? mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                       "cannot read the program: line %zu: expected %s, and the text ends", line, expected)
            : mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                       "cannot read the program: line %zu: expected %s, found \"%.*s\"", line, expected,
                       shown, lexer->token.text);
    mls_error_at(reterr, NULL, (int64_t)offset);
    return status;
}

enum mls_status mil_expect(struct mil_lexer *lexer, char sign, struct mls_error *reterr)
{
    if (mil_accept(lexer, sign))
        return MLS_OK;
    return mil_wrong(lexer, (const char[]){'\'', sign, '\'', '\0'}, reterr);
}

enum mls_status mil_expect_word(struct mil_lexer *lexer, const char *word, struct mls_error *reterr)
{
    if (!mil_is_word(lexer, word))
        return mil_wrong(lexer, word, reterr);
    mil_next(lexer);
    return MLS_OK;
}

enum mls_status mil_expect_arrow(struct mil_lexer *lexer, struct mls_error *reterr)
{
    if (lexer->token.kind != MIL_ARROW)
        return mil_wrong(lexer, "'->'", reterr);
    mil_next(lexer);
    return MLS_OK;
}

static enum mls_status no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the program: out of memory");
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes escapes in place of the copy; the length of what is left. */
static size_t unescape(char *text, size_t length_bytes)
{
    static const char escapes[] = "n\nt\tr\rb\bf\f0\0";
    char *out = text;
    for (size_t i = 0; i < length_bytes; i++) {
        if (text[i] != '\\' || i + 1 >= length_bytes) {
            *out++ = text[i];
            continue;
        }
        char c = text[++i];
        if (c == 'x' && i + 2 < length_bytes && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            *out++ = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
            i += 2;
            continue;
        }
        for (size_t k = 0; k + 1 < sizeof escapes - 1; k += 2)
            if (escapes[k] == c) {
                c = escapes[k + 1];
                break;
            }
        *out++ = c;
    }
    *out = '\0';
    return (size_t)(out - text);
}

enum mls_status mil_take_string(struct mil_lexer *lexer, struct mls_arena *arena, const char **ret_text,
                                size_t *ret_length_bytes, struct mls_error *reterr)
{
    if (lexer->token.kind != MIL_STRING)
        return mil_wrong(lexer, "a string", reterr);
    char *text = mls_arena_text(arena, lexer->token.text + 1, lexer->token.length_bytes - 2);
    if (!text)
        return no_memory(reterr);
    *ret_length_bytes = unescape(text, lexer->token.length_bytes - 2);
    *ret_text = text;
    mil_next(lexer);
    return MLS_OK;
}

enum mls_status mil_take_name(struct mil_lexer *lexer, struct mls_arena *arena, const char **ret_name,
                              struct mls_error *reterr)
{
    size_t length_bytes;
    if (lexer->token.kind == MIL_STRING)
        return mil_take_string(lexer, arena, ret_name, &length_bytes, reterr);
    if (lexer->token.kind != MIL_NAME)
        return mil_wrong(lexer, "a name", reterr);
    *ret_name = mls_arena_text(arena, lexer->token.text, lexer->token.length_bytes);
    mil_next(lexer);
    return *ret_name ? MLS_OK : no_memory(reterr);
}

enum mls_status mil_take_integer(struct mil_lexer *lexer, int64_t low, int64_t high, int64_t *ret_value,
                                 struct mls_error *reterr)
{
    char text[NUMBER_BYTES_MAX];
    size_t n = lexer->token.length_bytes;
    if (lexer->token.kind != MIL_NUMBER || n >= sizeof text)
        return mil_wrong(lexer, "an integer", reterr);
    memcpy(text, lexer->token.text, n);
    text[n] = '\0';
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (*end || errno || value < low || value > high)
        return mil_wrong(lexer, "an integer that fits its type", reterr);
    mil_next(lexer);
    *ret_value = value;
    return MLS_OK;
}

enum mls_status mil_skip(struct mil_lexer *lexer, char a, char b, struct mls_error *reterr)
{
    for (size_t depth = 0; lexer->token.kind != MIL_END; mil_next(lexer)) {
        if (lexer->token.kind != MIL_SIGN)
            continue;
        char sign = lexer->token.text[0];
        if (!depth && (sign == a || sign == b))
            return MLS_OK;
        if (strchr("([{<", sign))
            depth++;
        else if (strchr(")]}>", sign)) {
            if (!depth)
                break;
            depth--;
        }
    }
    return mil_wrong(lexer, (const char[]){'\'', a, '\'', '\0'}, reterr);
}
