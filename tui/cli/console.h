/* console.h: standard output and standard error: the only place that prints. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "cli/arguments.h"
#include "core/model.h"

/* How to write for this user. */
struct console {
    bool ascii;
    bool color;
    bool quiet;
    bool verbose;
    bool json;
    unsigned columns;      /* width of the terminal; 0: no terminal */
    int write_errno;       /* of the first write to standard output that failed, or 0 */
    struct mls_writer out; /* standard output; user is this console */
};

/* console_init: from options, environment and what standard output is. */
enum mls_status console_init(struct console *ret_console, const struct arguments *arguments,
                             struct mls_error *reterr);

/* console_printf: formatted text to standard output. */
void console_printf(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* console_note: a line on standard error, unless quiet. */
void console_note(const struct console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* console_error: "mlscope: …" and "hint: …" on standard error; returns the exit code. */
int console_error(const struct mls_error *error);

/*
 * console_finish: flushes standard output; returns `code`, or that of an IO error when not all was written. A
 * reader that went away (EPIPE) has seen what it wanted: no error.
 */
int console_finish(struct console *console, int code);
