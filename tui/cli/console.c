#include "cli/console.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool write_out(void *user, const char *text, size_t length_bytes)
{
    struct console *console = user;
    if (console->write_errno)
        return false;
    if (fwrite(text, 1, length_bytes, stdout) == length_bytes)
        return true;
    console->write_errno = errno ? errno : EIO;
    return false;
}

enum mls_status console_init(struct console *ret_console, const struct arguments *arguments,
                             struct mls_error *reterr)
{
    bool terminal = isatty(STDOUT_FILENO);
    const char *when = arguments_text(arguments, OPTION_COLOR);
    if (when && strcmp(when, "auto") != 0 && strcmp(when, "always") != 0 && strcmp(when, "never") != 0)
        return mls_fail(reterr, MLS_ERR_USAGE, "option --color: '%s' is none of auto, always, never", when);
    when = when ? when : arguments->color;
    const char *term = getenv("TERM");
    bool dumb = !term || !strcmp(term, "dumb");
    struct winsize size;
    *ret_console = (struct console){
        .ascii = arguments_has(arguments, OPTION_ASCII) || strcmp(nl_langinfo(CODESET), "UTF-8") != 0,
        .color = !strcmp(when, "always") || (!strcmp(when, "auto") && terminal && !dumb),
        .quiet = arguments_has(arguments, OPTION_QUIET),
        .verbose = arguments_has(arguments, OPTION_VERBOSE),
        .json = arguments_has(arguments, OPTION_JSON),
        .columns = terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0,
        .out = {.user = ret_console, .write = write_out},
    };
    return MLS_OK;
}

void console_printf(struct console *console, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    errno = 0;
    if (!console->write_errno && vprintf(format, arguments) < 0)
        console->write_errno = errno ? errno : EIO;
    va_end(arguments);
}

void console_note(const struct console *console, const char *format, ...)
{
    if (console->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    fputs("mlscope: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int console_error(const struct mls_error *error)
{
    fflush(stdout);
    fprintf(stderr, "mlscope: %s\n", error->text);
    if (error->hint[0])
        fprintf(stderr, "hint: %s\n", error->hint);
    return mls_status_exit_code(error->status);
}

int console_finish(struct console *console, int code)
{
    errno = 0;
    if (fflush(stdout) && !console->write_errno)
        console->write_errno = errno ? errno : EIO;
    if (!console->write_errno || console->write_errno == EPIPE)
        return code;
    struct mls_error error;
    mls_fail(&error, MLS_ERR_OUTPUT, "cannot write to standard output: %s", strerror(console->write_errno));
    return console_error(&error);
}
