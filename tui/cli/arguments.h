/* arguments.h: the command line as data: a command, what it is about, and options from one table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum verb {
#define X(id, name, operand, help) VERB_##id,
#include "cli/verbs.def"
#undef X
    VERB_COUNT
};

enum option {
#define X(id, name, letter, value, verbs, repeat, help) OPTION_##id,
#include "cli/options.def"
#undef X
    OPTION_COUNT
};

struct verb_row {
    const char *name;    /* "": what runs when no command is named */
    const char *operand; /* "MODEL", "A B" for two, or NULL */
    const char *help;
};

struct option_row {
    const char *name;
    char letter;       /* short form, or 0 */
    const char *value; /* what its value is, or NULL for none */
    uint32_t verbs;    /* bit i stands for enum value i */
    bool repeat;
    const char *help;
};

extern const struct verb_row verb_rows[VERB_COUNT];
extern const struct option_row option_rows[OPTION_COUNT];

struct given {
    enum option option;
    const char *value; /* NULL when it takes none */
};

/* A parsed command line. Texts are those of argv. */
struct arguments {
    enum verb verb;
    bool help;           /* `help`, `help VERB`, or --help */
    bool help_all;       /* help without a command */
    const char *operand; /* MODEL or PACKAGE, or NULL */
    const char *second;  /* what is compared with it, or NULL */
    const char *color;   /* environment: NO_COLOR set and not empty is "never", else "auto" */
    struct given *given;
    size_t n_given;
};

/* arguments_parse: USAGE with a hint when it does not fit. The caller frees with arguments_free, after
 * failures too. */
enum mls_status arguments_parse(int argc, char *const *argv, struct arguments *ret_arguments,
                                struct mls_error *reterr);
void arguments_free(struct arguments *arguments);

/* arguments_text: the value of an option (the last one given), or NULL. */
const char *arguments_text(const struct arguments *arguments, enum option option);

/* arguments_has: whether the option was given. */
bool arguments_has(const struct arguments *arguments, enum option option);

/* arguments_count: a whole number from `low` to `high`; *value stays as it is when the option was not given.
 */
enum mls_status arguments_count(const struct arguments *arguments, enum option option, uint64_t low,
                                uint64_t high, uint64_t *value, struct mls_error *reterr);

/* arguments_number: a number, not below 0; *value stays as it is when the option was not given. */
enum mls_status arguments_number(const struct arguments *arguments, enum option option, double *value,
                                 struct mls_error *reterr);

/* arguments_size: an amount of memory, as "8MB", "7.5MiB", "800k" or plain bytes; *bytes stays as it is when the option was not
 * given. */
enum mls_status arguments_size(const struct arguments *arguments, enum option option, uint64_t *bytes,
                               struct mls_error *reterr);

/* arguments_nearest: of n names the one most like `text`, or NULL when none is near enough to be meant. */
const char *arguments_nearest(const char *text, const char *const *names, size_t n);
