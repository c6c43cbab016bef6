#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/screen.h"
#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/open.h"

static enum mls_status read_options(const struct arguments *arguments, const struct console *console,
                                    struct mls_screen_options *options, struct mls_error *reterr)
{
    double delay_ms = 0;
    const struct mls_placement_profile *hardware;
    enum mls_status status = arguments_number(arguments, OPTION_DELAY, &delay_ms, reterr);
    if (!status)
        status = annotate_setting(arguments, &options->compute_units, &hardware, reterr);
    if (status)
        return status;
    unsigned columns = 0, rows = 0;
    const char *size = arguments_text(arguments, OPTION_SIZE);
    if (size && (sscanf(size, "%4ux%4u", &columns, &rows) != 2 || !columns || !rows))
        return mls_fail(reterr, MLS_ERR_USAGE, "option --size: '%s' is not COLUMNSxROWS", size);
    const char *color = arguments_text(arguments, OPTION_COLOR);
    color = color ? color : arguments->color;
    options->color = !strcmp(color, "always")  ? MLS_SCREEN_COLOR_ALWAYS
                     : !strcmp(color, "never") ? MLS_SCREEN_COLOR_NEVER
                                               : MLS_SCREEN_COLOR_AUTO;
    options->delay_ms = (uint32_t)(delay_ms < 3.6e6 ? delay_ms : 3.6e6);
    options->script_path = arguments_text(arguments, OPTION_SCRIPT);
    options->columns = (uint16_t)columns;
    options->rows = (uint16_t)rows;
    options->deterministic = arguments_has(arguments, OPTION_DETERMINISTIC);
    options->ascii = console->ascii;
    return MLS_OK;
}

int verb_screen(const struct arguments *arguments, struct console *console)
{
    bool script = arguments_has(arguments, OPTION_SCRIPT);
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (arguments_has(arguments, OPTION_ONCE) || console->json || (!script && !terminal))
        return verb_profile(arguments, console);
    struct opened opened = {0};
    struct mls_error error;
    struct mls_screen_options options = {.loader = &opened.options};
    enum mls_status status = read_options(arguments, console, &options, &error);
    if (!status)
        status = open_options(arguments, &opened, &error);
    int code = status ? console_error(&error) : mls_screen_main(&options);
    open_close(&opened);
    return code;
}
