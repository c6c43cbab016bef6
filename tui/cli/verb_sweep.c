#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/open.h"
#include "cli/outfile.h"
#include "cli/recipe.h"
#include "diagnostics/sweep_advice.h"
#include "profiler/json.h"
#include "profiler/sweep_export.h"
#include "profiler/text.h"

enum { RUNS_MAX = 1 << 20, PERCENT = 100 };

struct work {
    const struct arguments *arguments;
    struct console *console;
    struct opened opened;
    struct mls_samples *samples;
    struct mls_sweep_setting settings[MLS_SWEEP_DEFAULTS];
    struct mls_sweep_options options;
    struct mls_sweep *sweep;
    enum mls_compute_units setting;
    const struct mls_placement_profile *hardware;
};

static enum mls_status read_options(struct work *work, struct mls_error *reterr)
{
    const struct arguments *arguments = work->arguments;
    enum mls_status status = annotate_setting(arguments, &work->setting, &work->hardware, reterr);
    if (!status)
        status = recipe_target(arguments, &work->options.opset, reterr);
    if (!status)
        status = arguments_count(arguments, OPTION_RUNS, 1, RUNS_MAX, &work->options.runs, reterr);
    if (!status)
        status = arguments_number(arguments, OPTION_MAX_SECONDS, &work->options.max_seconds, reterr);
    int forms = work->console->json + arguments_has(arguments, OPTION_CSV) +
                arguments_has(arguments, OPTION_MARKDOWN);
    if (!status && forms > 1)
        status = mls_fail(reterr, MLS_ERR_USAGE, "--json, --csv and --markdown exclude each other");
    work->options.opset_fixed = arguments_has(arguments, OPTION_TARGET);
    mls_sweep_defaults(work->settings);
    work->options.settings = work->settings;
    work->options.n_settings = MLS_SWEEP_DEFAULTS;
    return status;
}

static bool show_progress(void *user, size_t index, size_t n, double share, uint64_t left_ns)
{
    const struct work *work = user;
    char left[MLS_TEXT_BYTES] = "";
    if (work->console->columns && !work->console->quiet) {
        if (index + 1 == n && share >= 1)
            fputs("\r\033[K", stderr);
        else
            fprintf(stderr, "\r\033[K%zu of %zu: %s%s%s", index + 1, n, work->settings[index].label,
                    left_ns ? ", left: " : "", left_ns ? mls_text_duration(left_ns, true, left) : "");
    }
    return !atomic_load(interrupt_flag());
}

/* Where it would run on Apple's hardware: predicted, as `plan` does. */
static void examine(void *user, const struct mls_tried *tried, struct mls_sweep_result *result)
{
    const struct work *work = user;
    struct mls_placement *placement = NULL;
    if (mls_placement_create(tried->model, tried->function, tried->plan, work->hardware, work->setting,
                             &placement, NULL))
        return;
    result->predicted_us = placement->total_us;
    result->predicted_ane_share = placement->totals[MLS_UNIT_ANE].cost_share;
    result->suits = mls_sweep_suits(result->setting);
    mls_placement_free(placement);
}

static json_t *advice_json(const struct mls_sweep_advice *advice, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:s}", "id", advice[i].id, "title", advice[i].title,
                                        "evidence", mls_json_text(advice[i].evidence), "fix", advice[i].fix));
    return list;
}

static bool write_json(struct work *work, const struct mls_sweep_advice *advice, size_t n_advice)
{
    const struct mls_sweep *sweep = work->sweep;
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    json_t *root =
        json_pack("{s:s, s:i, s:o, s:o, s:o, s:I, s:o, s:o, s:b, s:o}", "schema", "mlscope.sweep", "version",
                  1, "environment", mls_document_environment(&environment, work->opened.loaded, NULL),
                  "model", mls_document_model(work->opened.loaded), "settings", mls_sweep_json(sweep),
                  "samples", (json_int_t)sweep->n_samples, "plain_accuracy", mls_json_number(sweep->accuracy),
                  "seconds", mls_json_number((double)sweep->elapsed_ns / 1e9), "cancelled",
                  (int)sweep->cancelled, "findings", advice_json(advice, n_advice));
    bool written = mls_json_write(root, &work->console->out);
    json_decref(root);
    return written;
}

static bool write_text(struct work *work, const struct mls_sweep_advice *advice, size_t n_advice)
{
    struct console *console = work->console;
    const struct mls_sweep *sweep = work->sweep;
    char time[MLS_TEXT_BYTES];
    if (!mls_sweep_write_table(sweep, console->ascii, console->columns, console->color, &console->out))
        return false;
    console_printf(console,
                   "\n* on the front: no other setting is both smaller and %s. %zu samples, %zu of %zu "
                   "settings in %s%s\n",
                   isnan(sweep->accuracy) ? "nearer to the model" : "more accurate", sweep->n_samples,
                   sweep->n_done, sweep->n, mls_text_duration(sweep->elapsed_ns, console->ascii, time),
                   sweep->cancelled ? ", cancelled" : "");
    console_printf(console, "times: this machine, in turns with the plain model; Apple: predicted for %s\n",
                   mls_placement_profile_name(work->hardware));
    console_printf(console, "suits: what Apple's guide advises the technique for; the estimates know nothing of that\n");
    for (size_t i = 0; i < n_advice; i++)
        console_printf(console, "\n%s %s\n  %s\n  fix: %s\n", advice[i].id, advice[i].title,
                       advice[i].evidence, advice[i].fix);
    return true;
}

static enum mls_status write_svg(struct work *work, struct mls_error *reterr)
{
    const char *path = arguments_text(work->arguments, OPTION_SVG);
    struct outfile file;
    enum mls_status status = path ? outfile_open(path, &file, reterr) : MLS_OK;
    if (status || !path)
        return status;
    bool written = mls_sweep_write_svg(work->sweep, &file.writer);
    status = outfile_close(&file, written, reterr);
    return status || written ? status : mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write %s", path);
}

static enum mls_status write_out(struct work *work, struct mls_error *reterr)
{
    struct console *console = work->console;
    struct mls_sweep_advice advice[MLS_SWEEP_ADVICE_MAX];
    size_t n_advice = mls_sweep_advise(work->sweep, advice);
    bool ok = console->json                                ? write_json(work, advice, n_advice)
              : arguments_has(work->arguments, OPTION_CSV) ? mls_sweep_write_csv(work->sweep, &console->out)
              : arguments_has(work->arguments, OPTION_MARKDOWN)
                  ? mls_sweep_write_markdown(work->sweep, &console->out)
              : console->quiet ? true
                               : write_text(work, advice, n_advice);
    if (!ok && !console->write_errno)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write the report: out of memory");
    return write_svg(work, reterr);
}

static enum mls_status sweep(struct work *work, struct mls_error *reterr)
{
    enum mls_status status = read_options(work, reterr);
    if (!status)
        status = open_options(work->arguments, &work->opened, reterr);
    if (!status)
        status = open_model(&work->opened, MLS_LOAD_ALL, reterr);
    const char *samples = arguments_text(work->arguments, OPTION_SAMPLES);
    if (!status && samples)
        status = mls_samples_open(work->opened.loaded->interface, samples, &work->samples, reterr);
    if (status)
        return status;
    const struct mls_sweep_listener listener = {.user = work, .at = show_progress, .examine = examine};
    work->options.listener = &listener;
    work->options.trial = (struct mls_trial_options){
        .samples = work->samples, .random_seed = work->opened.options.random_seed, .stop = interrupt_flag()};
    interrupt_watch(NULL, work->opened.loaded->run);
    status = mls_sweep_run(work->opened.loaded, &work->options, &work->sweep, reterr);
    interrupt_watch(NULL, NULL);
    if (!status)
        status = write_out(work, reterr);
    if (!status && work->sweep->cancelled)
        status = mls_fail(reterr, MLS_ERR_CANCELLED, "the sweep was cancelled: %zu of %zu settings are done",
                          work->sweep->n_done, work->sweep->n);
    return status;
}

int verb_sweep(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments, .console = console};
    struct mls_error error;
    enum mls_status status = sweep(&work, &error);
    mls_sweep_free(work.sweep);
    mls_samples_free(work.samples);
    open_close(&work.opened);
    return status ? console_error(&error) : 0;
}
