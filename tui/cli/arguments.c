#include "cli/arguments.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <strings.h>

#define ON(verb) (1u << VERB_##verb)
#define ALL UINT32_MAX
#define RUNNING (ON(sweep) | ON(run) | ON(profile) | ON(screen) | ON(diagnose) | ON(compare) | ON(record))
#define PLANNING (RUNNING | ON(inspect) | ON(plan))
#define LOADING (PLANNING | ON(compress))
#define OPENING (LOADING | ON(seal) | ON(compile))
#define PLACING (ON(sweep) | ON(plan) | ON(profile) | ON(diagnose) | ON(screen) | ON(record))

const struct verb_row verb_rows[VERB_COUNT] = {
#define X(id, name_, operand_, help_) [VERB_##id] = {.name = name_, .operand = operand_, .help = help_},
#include "cli/verbs.def"
#undef X
};

const struct option_row option_rows[OPTION_COUNT] = {
#define X(id, name_, letter_, value_, verbs_, repeat_, help_) \
    [OPTION_##id] = {.name = name_,                           \
                     .letter = letter_,                       \
                     .value = value_,                         \
                     .verbs = verbs_,                         \
                     .repeat = repeat_,                       \
                     .help = help_},
#include "cli/options.def"
#undef X
};

/* Edits (insert, delete, replace, swap neighbours) between two short texts. */
static size_t distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 32 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LENGTH_MAX || m > LENGTH_MAX)
        return SIZE_MAX;
    size_t cost[LENGTH_MAX + 1][LENGTH_MAX + 1];
    for (size_t i = 0; i <= n; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            size_t best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = cost[i - 1][j] + 1 < best ? cost[i - 1][j] + 1 : best;
            best = cost[i][j - 1] + 1 < best ? cost[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    }
    return cost[n][m];
}

const char *arguments_nearest(const char *text, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t edits = distance(text, names[i]);
        bool prefix = strlen(text) >= 3 && !strncmp(names[i], text, strlen(text));
        edits = prefix && edits > 1 ? 1 : edits;
        if (edits < least) {
            least = edits;
            nearest = names[i];
        }
    }
    return least <= 1 + strlen(text) / 4 ? nearest : NULL;
}

static enum mls_status unknown_option(const struct arguments *arguments, const char *name,
                                      struct mls_error *reterr)
{
    const char *names[OPTION_COUNT];
    size_t n = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_rows[i].verbs & 1u << arguments->verb)
            names[n++] = option_rows[i].name;
    const char *nearest = arguments_nearest(name, names, n);
    const char *verb = verb_rows[arguments->verb].name;
    mls_fail(reterr, MLS_ERR_USAGE, "unknown option --%s", name);
    if (nearest)
        mls_error_hint(reterr, "did you mean --%s?", nearest);
    else
        mls_error_hint(reterr, "mlscope %s%s--help lists the options", verb, *verb ? " " : "");
    return MLS_ERR_USAGE;
}

static enum mls_status add_given(struct arguments *arguments, enum option option, const char *value,
                                 struct mls_error *reterr)
{
    const struct option_row *row = &option_rows[option];
    if (!(row->verbs & 1u << arguments->verb)) {
        const char *verb = verb_rows[arguments->verb].name;
        mls_fail(reterr, MLS_ERR_USAGE, "option --%s does not belong to %s", row->name,
                 *verb ? verb : "the screen");
        mls_error_hint(reterr, "mlscope %s%s--help lists the options", verb, *verb ? " " : "");
        return MLS_ERR_USAGE;
    }
    if (!row->repeat && arguments_has(arguments, option) && row->value)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --%s was given twice", row->name);
    arguments->given[arguments->n_given++] = (struct given){.option = option, .value = value};
    return MLS_OK;
}

/* "--name", "--name=value" or "--name value"; `next` is what follows, and *ret_used says whether it was the
 * value. */
static enum mls_status parse_long(struct arguments *arguments, const char *text, const char *next,
                                  bool *ret_used, struct mls_error *reterr)
{
    char name[64];
    size_t length = strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    if (length >= sizeof name)
        length = sizeof name - 1;
    memcpy(name, text, length);
    name[length] = '\0';
    size_t i = 0;
    while (i < OPTION_COUNT && strcmp(option_rows[i].name, name) != 0)
        i++;
    if (i == OPTION_COUNT)
        return unknown_option(arguments, name, reterr);
    if (value && !option_rows[i].value)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --%s takes no value", name);
    *ret_used = !value && option_rows[i].value;
    if (*ret_used && !(value = next)) {
        mls_fail(reterr, MLS_ERR_USAGE, "option --%s needs a value", name);
        mls_error_hint(reterr, "give it as --%s %s", name, option_rows[i].value);
        return MLS_ERR_USAGE;
    }
    return add_given(arguments, (enum option)i, value, reterr);
}

/* "-o value" or "-ovalue"; letters without a value may stand together: "-qj". */
static enum mls_status parse_short(struct arguments *arguments, const char *text, const char *next,
                                   bool *ret_used, struct mls_error *reterr)
{
    *ret_used = false;
    for (; *text; text++) {
        size_t i = 0;
        while (i < OPTION_COUNT && option_rows[i].letter != *text)
            i++;
        if (i == OPTION_COUNT) {
            mls_fail(reterr, MLS_ERR_USAGE, "unknown option -%c", *text);
            mls_error_hint(reterr, "mlscope --help lists the commands and their options");
            return MLS_ERR_USAGE;
        }
        if (!option_rows[i].value) {
            enum mls_status status = add_given(arguments, (enum option)i, NULL, reterr);
            if (status)
                return status;
            continue;
        }
        *ret_used = !text[1];
        if (*ret_used && !next)
            return mls_fail(reterr, MLS_ERR_USAGE, "option -%c needs a value", *text);
        return add_given(arguments, (enum option)i, *ret_used ? next : text + 1, reterr);
    }
    return MLS_OK;
}

static bool find_verb(const char *name, enum verb *ret_verb)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (*verb_rows[i].name && !strcmp(verb_rows[i].name, name)) {
            *ret_verb = (enum verb)i;
            return true;
        }
    }
    return false;
}

/* Whether what follows the command may be two things: "A B". */
static bool takes_two(enum verb verb)
{
    return verb_rows[verb].operand && strchr(verb_rows[verb].operand, ' ');
}

static enum mls_status add_operand(struct arguments *arguments, const char *text, struct mls_error *reterr)
{
    if (arguments->operand && !arguments->second && takes_two(arguments->verb)) {
        arguments->second = text;
        return MLS_OK;
    }
    if (!verb_rows[arguments->verb].operand || arguments->operand) {
        mls_fail(reterr, MLS_ERR_USAGE, "unexpected argument '%s'", text);
        const char *names[VERB_COUNT];
        for (size_t i = 0; i < VERB_COUNT; i++)
            names[i] = verb_rows[i].name;
        const char *meant = arguments->operand && arguments->verb == VERB_screen
                                ? arguments_nearest(arguments->operand, names, VERB_COUNT)
                                : NULL;
        if (meant && *meant)
            mls_error_hint(reterr, "did you mean mlscope %s?", meant);
        else if (arguments->operand)
            mls_error_hint(reterr, "%s is '%s' already", verb_rows[arguments->verb].operand,
                           arguments->operand);
        return MLS_ERR_USAGE;
    }
    arguments->operand = text;
    return MLS_OK;
}

/* The command is the first argument when it is the name of one; a model of such a name is given as ./NAME. */
static enum mls_status find_command(int argc, char *const *argv, struct arguments *arguments, int *ret_next,
                                    struct mls_error *reterr)
{
    *ret_next = 1;
    if (argc < 2) { /* in front of a terminal: the screen, where a model can be chosen */
        bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        arguments->help = arguments->help_all = !terminal;
    } else if (!strcmp(argv[1], "help")) {
        arguments->help = true;
        arguments->help_all = argc < 3;
        *ret_next = argc;
        if (argc > 2 && !find_verb(argv[2], &arguments->verb)) {
            mls_fail(reterr, MLS_ERR_USAGE, "there is no command '%s'", argv[2]);
            mls_error_hint(reterr, "mlscope --help lists the commands");
            return MLS_ERR_USAGE;
        }
    } else if (find_verb(argv[1], &arguments->verb)) {
        *ret_next = 2;
    }
    return MLS_OK;
}

enum mls_status arguments_parse(int argc, char *const *argv, struct arguments *ret_arguments,
                                struct mls_error *reterr)
{
    const char *no_color = getenv("NO_COLOR");
    struct arguments *arguments = ret_arguments;
    *arguments = (struct arguments){.verb = VERB_screen, .color = no_color && *no_color ? "never" : "auto"};
    size_t letters = 0; /* as short options can stand together, there may be as many options as letters */
    for (int i = 1; i < argc; i++)
        letters += strlen(argv[i]);
    arguments->given = calloc(letters + 1, sizeof *arguments->given);
    if (!arguments->given)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the command line: out of memory");
    int at;
    enum mls_status status = find_command(argc, argv, arguments, &at, reterr);
    bool only_operands = false;
    for (; !status && at < argc; at++) {
        const char *text = argv[at], *next = at + 1 < argc ? argv[at + 1] : NULL;
        bool used = false;
        if (only_operands || text[0] != '-' || !text[1])
            status = add_operand(arguments, text, reterr);
        else if (!strcmp(text, "--"))
            only_operands = true;
        else if (text[1] == '-')
            status = parse_long(arguments, text + 2, next, &used, reterr);
        else
            status = parse_short(arguments, text + 1, next, &used, reterr);
        at += used;
    }
    if (!status && arguments_has(arguments, OPTION_HELP)) {
        arguments->help = true;
        arguments->help_all = arguments->verb == VERB_screen && !arguments->operand;
    }
    return status;
}

void arguments_free(struct arguments *arguments)
{
    free(arguments->given);
}

const char *arguments_text(const struct arguments *arguments, enum option option)
{
    const char *value = NULL;
    for (size_t i = 0; i < arguments->n_given; i++)
        if (arguments->given[i].option == option)
            value = arguments->given[i].value;
    return value;
}

bool arguments_has(const struct arguments *arguments, enum option option)
{
    for (size_t i = 0; i < arguments->n_given; i++)
        if (arguments->given[i].option == option)
            return true;
    return false;
}

enum mls_status arguments_count(const struct arguments *arguments, enum option option, uint64_t low,
                                uint64_t high, uint64_t *value, struct mls_error *reterr)
{
    const char *text = arguments_text(arguments, option);
    if (!text)
        return MLS_OK;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9' && !*end && !errno;
    if (!digits || number < low || number > high)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --%s: '%s' is no whole number from %llu to %llu",
                        option_rows[option].name, text, (unsigned long long)low, (unsigned long long)high);
    *value = number;
    return MLS_OK;
}

enum mls_status arguments_number(const struct arguments *arguments, enum option option, double *value,
                                 struct mls_error *reterr)
{
    const char *text = arguments_text(arguments, option);
    if (!text)
        return MLS_OK;
    char *end;
    double number = strtod(text, &end);
    if (!*text || *end || !isfinite(number) || number < 0)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --%s: '%s' is no number of 0 or above",
                        option_rows[option].name, text);
    *value = number;
    return MLS_OK;
}

enum mls_status arguments_size(const struct arguments *arguments, enum option option, uint64_t *bytes,
                               struct mls_error *reterr)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"", 1},    {"k", 1e3},  {"kB", 1e3},   {"M", 1e6},       {"MB", 1e6},
                 {"G", 1e9}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
    const char *text = arguments_text(arguments, option);
    if (!text)
        return MLS_OK;
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; end != text && number > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (!strcasecmp(end, units[i].unit) && number * units[i].bytes < 1e15) {
            *bytes = (uint64_t)(number * units[i].bytes);
            return MLS_OK;
        }
    }
    mls_fail(reterr, MLS_ERR_USAGE, "option --%s: '%s' is no size", option_rows[option].name, text);
    mls_error_hint(reterr, "write it as 8MB, 7.5MiB or in bytes");
    return MLS_ERR_USAGE;
}
