#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/finder.h"
#include "app/screen.h"
#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/live_settings.h"
#include "cli/manual.h"

enum { LOOKS_MAX = 1000000000, SECONDS_MAX = 86400, BATCH_COLUMNS = 100 };

static enum mls_status read_options(const struct arguments *arguments, const struct console *console,
                                    struct mls_screen_options *options, struct mls_error *reterr)
{
    const struct mls_placement_profile *hardware;
    enum mls_status status = annotate_setting(arguments, &options->compute_units, &hardware, reterr);
    if (status)
        return status;
    unsigned columns = 0, rows = 0;
    const char *size = arguments_text(arguments, OPTION_SIZE);
    if (size && (sscanf(size, "%4ux%4u", &columns, &rows) != 2 || !columns || !rows))
        return mls_fail(reterr, MLS_ERR_USAGE, "option --size: '%s' is not COLUMNSxROWS", size);
    const char *color = arguments_text(arguments, OPTION_COLOR);
    uint64_t looks = 0;
    double interval_s = 1;
    status = arguments_count(arguments, OPTION_BATCH, 1, LOOKS_MAX, &looks, reterr);
    if (!status)
        status = arguments_number(arguments, OPTION_INTERVAL, &interval_s, reterr);
    if (!status && interval_s > SECONDS_MAX)
        status = mls_fail(reterr, MLS_ERR_USAGE, "option --interval: more than %d seconds", SECONDS_MAX);
    if (!status && looks && (console->json || arguments_has(arguments, OPTION_SCRIPT)))
        status = mls_fail(reterr, MLS_ERR_USAGE, "--batch goes neither with --json nor with --script");
    if (status)
        return status;
    options->batch_looks = (unsigned)looks;
    options->batch_interval_ms = (unsigned)(interval_s * 1000);
    options->batch_stop = interrupt_flag();
    options->colorless = color && !strcmp(color, "never");
    options->environment = mls_environment_read(cli_version(), cli_commit());
    options->config_path = arguments_text(arguments, OPTION_CONFIG);
    options->script_path = arguments_text(arguments, OPTION_SCRIPT);
    options->columns = (uint16_t)columns;
    options->rows = (uint16_t)rows;
    options->deterministic = arguments_has(arguments, OPTION_DETERMINISTIC);
    options->no_mouse = arguments_has(arguments, OPTION_NO_MOUSE);
    options->ascii = console->ascii;
    return MLS_OK;
}

static bool is_recording(const char *path)
{
    char first[8];
    FILE *file = path ? fopen(path, "re") : NULL;
    size_t n = file ? fread(first, 1, sizeof first, file) : 0;
    if (file)
        fclose(file);
    return mls_recording_probe(first, n);
}

static enum mls_status show_recording(const struct arguments *arguments, struct mls_screen_options *options,
                                      int *ret_code, struct mls_error *reterr)
{
    struct mls_recording *recording;
    enum mls_status status = mls_recording_open(arguments->operand, &recording, reterr);
    if (status)
        return status;
    options->recording = recording;
    options->recording_path = arguments->operand;
    *ret_code = mls_screen_main(options);
    return MLS_OK;
}

/* What was given is a folder, or nothing: the user chooses. Keys and inputs of the command line stay. */
static enum mls_status show_folder(const struct arguments *arguments, struct mls_screen_options *options,
                                   int *ret_code, struct mls_error *reterr)
{
    struct arguments chosen = *arguments;
    struct opened opened = {0};
    chosen.operand = options->folder;
    enum mls_status status = open_options(&chosen, &opened, reterr);
    opened.options.path = NULL;
    if (!status)
        status = live_settings_read(arguments, &opened.options, &options->settings, reterr);
    options->loader = &opened.options;
    if (!status)
        *ret_code = mls_screen_main(options);
    open_close(&opened);
    return status;
}

static enum mls_status show_model(const struct arguments *arguments, struct mls_screen_options *options,
                                  int *ret_code, struct mls_error *reterr)
{
    struct opened opened = {0};
    enum mls_status status = open_options(arguments, &opened, reterr);
    if (!status)
        status = live_settings_read(arguments, &opened.options, &options->settings, reterr);
    options->loader = &opened.options;
    if (!status)
        *ret_code = mls_screen_main(options);
    open_close(&opened);
    return status;
}

static int show_manual(const struct arguments *arguments, struct console *console)
{
    struct mls_error error;
    const char *shell = arguments_text(arguments, OPTION_COMPLETION);
    if (shell)
        return manual_completion(console, shell, &error) ? console_error(&error) : 0;
    manual_page(console);
    return 0;
}

int verb_screen(const struct arguments *arguments, struct console *console)
{
    bool script = arguments_has(arguments, OPTION_SCRIPT);
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (arguments_has(arguments, OPTION_DEFAULT_CONFIG))
        return mls_screen_default_config();
    if (arguments_has(arguments, OPTION_MAN) || arguments_has(arguments, OPTION_COMPLETION))
        return show_manual(arguments, console);
    struct mls_error error;
    struct mls_screen_options options = {.ascii = false};
    int code = 0;
    bool asset = arguments_has(arguments, OPTION_SPEC);
    bool recording = is_recording(arguments->operand);
    bool printed = arguments_has(arguments, OPTION_ONCE) || (!script && !terminal);
    if (!arguments->operand && !asset)
        options.folder = ".";
    else if (arguments->operand && mls_is_folder_of_models(arguments->operand))
        options.folder = arguments->operand;
    if (!recording && !arguments_has(arguments, OPTION_BATCH) &&
        (console->json || (printed && !options.folder)))
        return verb_profile(arguments, console);
    enum mls_status status = read_options(arguments, console, &options, &error);
    if (printed && !options.batch_looks)
        options.batch_looks = 1; /* a recording, or the models of a folder */
    if (options.batch_looks && !options.columns)
        options.columns = BATCH_COLUMNS;
    if (!status && recording)
        status = show_recording(arguments, &options, &code, &error);
    else if (!status && options.folder)
        status = show_folder(arguments, &options, &code, &error);
    else if (!status)
        status = show_model(arguments, &options, &code, &error);
    return status ? console_error(&error) : code;
}
