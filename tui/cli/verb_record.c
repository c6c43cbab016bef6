#include "app/record.h"
#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/live_settings.h"
#include "profiler/text.h"

static const double default_seconds = 5;

static enum mls_status read_options(const struct arguments *arguments, const struct opened *opened,
                                    struct mls_record_options *options, struct mls_error *reterr)
{
    const struct mls_placement_profile *hardware;
    options->path = arguments_text(arguments, OPTION_OUTPUT);
    options->redact = arguments_has(arguments, OPTION_REDACT);
    options->keep_names = arguments_has(arguments, OPTION_KEEP_NAMES);
    options->environment = mls_environment_read(cli_version(), cli_commit());
    options->stop = interrupt_flag();
    if (!options->path) {
        mls_fail(reterr, MLS_ERR_USAGE, "no file to write was given");
        mls_error_hint(reterr, "usage: mlscope record MODEL -o FILE");
        return MLS_ERR_USAGE;
    }
    enum mls_status status = live_settings_read(arguments, &opened->options, &options->settings, reterr);
    if (!status)
        status = annotate_setting(arguments, &options->compute_units, &hardware, reterr);
    if (!status)
        status = arguments_count(arguments, OPTION_RUNS, 1, UINT32_MAX, &options->runs, reterr);
    if (!status)
        status = arguments_number(arguments, OPTION_MAX_SECONDS, &options->seconds, reterr);
    if (!options->runs && options->seconds <= 0)
        options->seconds = default_seconds;
    return status;
}

static enum mls_status record(const struct arguments *arguments, struct console *console,
                              struct mls_error *reterr)
{
    struct opened opened = {0};
    struct mls_record_options options = {.loader = &opened.options};
    struct mls_record_outcome outcome = {.runs = 0};
    enum mls_status status = open_options(arguments, &opened, reterr);
    if (!status)
        status = read_options(arguments, &opened, &options, reterr);
    if (!status)
        status = mls_record_run(&options, &outcome, reterr);
    if (!status && !console->quiet) {
        char p50[MLS_TEXT_BYTES];
        console_printf(console, "recorded %llu predictions of %zu operations, p50 %s, in %s%s\n",
                       (unsigned long long)outcome.runs, outcome.n_steps,
                       mls_text_duration(outcome.p50_ns, console->ascii, p50), options.path,
                       outcome.redacted ? " (names replaced)" : "");
        console_note(console, "open it with: mlscope %s", options.path);
    }
    open_close(&opened);
    return status;
}

int verb_record(const struct arguments *arguments, struct console *console)
{
    struct mls_error error;
    return record(arguments, console, &error) ? console_error(&error) : 0;
}
