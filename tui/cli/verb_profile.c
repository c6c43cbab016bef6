#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/open.h"
#include "cli/outfile.h"
#include "profiler/export.h"
#include "profiler/measure.h"
#include "profiler/perf.h"

enum {
    RUNS_DEFAULT = 50,
    WARMUP_DEFAULT = 3,
    TOP_DEFAULT = 40,
    TRACE_EVENTS_MAX = 1 << 20,
    COUNT_MAX = 1 << 30
};

/* Everything of one profile, from the command line to the document. */
struct work {
    const struct arguments *arguments;
    struct console *console;
    struct mls_measure_options measure;
    uint64_t top;
    double max_ratio;
    double sample_rate_hz;
    enum mls_compute_units setting;
    const struct mls_placement_profile *hardware;
    struct opened opened;
    struct mls_sampler *sampler;   /* outlives the threads that it sampled */
    struct mls_counters *counters; /* opened before the load, so that compute threads inherit them */
    struct mls_perf *perf;
    struct mls_hot *hot;
    struct mls_profile *profile;
    struct mls_memory_use memory;
    struct mls_reshape_cost reshape;
    struct mls_environment environment;
    struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT];
    struct mls_memory_use loaded_memory; /* of the process, once the model was loaded */
    struct mls_growth growth;
    struct mls_step_note *notes;
    json_t *findings;
    struct mls_document document;
};

static enum mls_status read_options(struct work *work, struct mls_error *reterr)
{
    const struct arguments *arguments = work->arguments;
    struct mls_measure_options *measure = &work->measure;
    *measure = (struct mls_measure_options){
        .runs = RUNS_DEFAULT, .warmup = WARMUP_DEFAULT, .stop = interrupt_flag()};
    work->top = TOP_DEFAULT;
    work->max_ratio = 1.05;
    work->sample_rate_hz = MLS_SAMPLER_RATE_HZ;
    uint64_t concurrency = 1;
    const struct {
        enum option option;
        uint64_t low, high;
        uint64_t *value;
    } counts[] = {{OPTION_RUNS, 1, COUNT_MAX, &measure->runs},
                  {OPTION_WARMUP, 0, COUNT_MAX, &measure->warmup},
                  {OPTION_CONCURRENCY, 1, 256, &concurrency},
                  {OPTION_TOP, 0, COUNT_MAX, &work->top}};
    const struct {
        enum option option;
        double *value;
    } numbers[] = {{OPTION_MIN_SECONDS, &measure->min_seconds}, {OPTION_MAX_SECONDS, &measure->max_seconds},
                   {OPTION_DELAY, &measure->delay_ms},          {OPTION_RATE, &measure->rate_hz},
                   {OPTION_SAMPLE_RATE, &work->sample_rate_hz}, {OPTION_MAX_RATIO, &work->max_ratio}};
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < sizeof counts / sizeof counts[0]; i++)
        status = arguments_count(arguments, counts[i].option, counts[i].low, counts[i].high, counts[i].value,
                                 reterr);
    for (size_t i = 0; !status && i < sizeof numbers / sizeof numbers[0]; i++)
        status = arguments_number(arguments, numbers[i].option, numbers[i].value, reterr);
    measure->concurrency = (uint32_t)concurrency;
    if (!status)
        status = annotate_setting(arguments, &work->setting, &work->hardware, reterr);
    int formats = work->console->json + arguments_has(arguments, OPTION_CSV) +
                  arguments_has(arguments, OPTION_MARKDOWN);
    if (!status && formats > 1)
        status = mls_fail(reterr, MLS_ERR_USAGE, "--json, --csv and --markdown exclude each other");
    const char *base = arguments_text(arguments, OPTION_FOLDED_BASE);
    if (!status && base && !arguments_has(arguments, OPTION_FOLDED))
        status = mls_fail(reterr, MLS_ERR_USAGE, "--folded-base goes with --folded");
    if (!status && base && access(base, R_OK))
        status = mls_fail(reterr, MLS_ERR_NOT_FOUND, "cannot read %s: %s", base, strerror(errno));
    if (!status && arguments_has(arguments, OPTION_SAMPLE) && arguments_has(arguments, OPTION_PERF))
        status = mls_fail(reterr, MLS_ERR_USAGE, "--sample and --perf exclude each other");
    if (!status && arguments_has(arguments, OPTION_MAX_RATIO) && !arguments_has(arguments, OPTION_BASELINE))
        status = mls_fail(reterr, MLS_ERR_USAGE, "--max-ratio goes with --baseline");
    return status;
}

/* perf's file names what runs: not while content is open that was sealed. */
static enum mls_status start_perf(struct work *work, const char *path, struct mls_error *reterr)
{
    if (!mls_package_info(work->opened.loaded->package)->sealed)
        return mls_perf_start(work->sample_rate_hz, path, &work->perf, reterr);
    mls_fail(reterr, MLS_ERR_USAGE, "cannot run perf on a sealed model: perf writes what it sees to a file");
    mls_error_hint(reterr, "--sample keeps everything in memory");
    return MLS_ERR_USAGE;
}

static enum mls_status start_sampling(struct work *work, struct mls_error *reterr)
{
    const char *perf_path = arguments_text(work->arguments, OPTION_PERF);
    bool sample =
        arguments_has(work->arguments, OPTION_SAMPLE) || arguments_has(work->arguments, OPTION_SAMPLE_RATE);
    struct mls_error error;
    if (perf_path) {
        enum mls_status status = start_perf(work, perf_path, reterr);
        if (status)
            return status;
    } else if (!sample) {
        return MLS_OK;
    } else if (mls_sampler_start(work->sample_rate_hz, &work->sampler, &error)) {
        if (error.status == MLS_ERR_USAGE)
            return mls_fail(reterr, error.status, "%s", error.text);
        console_note(work->console, "%s; the profile goes on without", error.text);
        return MLS_OK;
    }
    work->hot = mls_hot_create(work->sampler);
    if (!work->hot)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot sample stacks: out of memory");
    if (work->sampler)
        mls_profile_set_hot(work->profile, work->hot);
    return MLS_OK;
}

/* Ends what samples, on every way out. */
static enum mls_status stop_sampling(struct work *work, bool wanted, struct mls_error *reterr)
{
    if (work->sampler)
        mls_sampler_stop(work->sampler);
    struct mls_perf *perf = work->perf;
    work->perf = NULL;
    return perf ? mls_perf_stop(perf, work->profile, wanted ? work->hot : NULL, reterr) : MLS_OK;
}

static enum mls_status measure(struct work *work, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    bool traced = arguments_has(work->arguments, OPTION_TRACE) || arguments_has(work->arguments, OPTION_PERF);
    const struct mls_profile_options options = {.max_trace_events = traced ? TRACE_EVENTS_MAX : 0};
    enum mls_status status = mls_profile_create(loaded->plan, &options, &work->profile, reterr);
    if (!status)
        status = start_sampling(work, reterr);
    if (status)
        return status;
    work->loaded_memory = mls_memory_read(NULL, NULL);
    work->measure.counters = work->counters;
    work->measure.ret_growth = &work->growth;
    work->measure.watch_threads = arguments_has(work->arguments, OPTION_TRACE);
    if (work->counters && !mls_counters_reserve(work->counters, mls_plan_step_count(loaded->plan)))
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot count: out of memory");
    interrupt_watch(NULL, loaded->run);
    status = mls_measure(work->opened.loader, &work->measure, work->profile, reterr);
    interrupt_watch(NULL, NULL);
    struct mls_error ignored;
    enum mls_status stopped = stop_sampling(work, !status, status ? &ignored : reterr);
    if (!status)
        status = stopped;
    work->memory = mls_memory_read(loaded->plan, loaded->run); /* before this report takes any itself */
    work->memory.runs = work->measure.concurrency;
    if (!status)
        work->reshape = mls_reshape_measure(work->opened.loader);
    if (!status)
        mls_profile_set_roofline(work->profile, mls_roofline_get(mls_session_isa(loaded->session),
                                                                 mls_session_threads(loaded->session),
                                                                 !mls_package_info(loaded->package)->sealed));
    return status;
}

/* Placement and findings are additions: where they cannot be had, the measurements still stand. */
static enum mls_status annotate(struct work *work, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    struct mls_error ignored;
    for (enum mls_compute_units i = 0; loaded->interface && i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_create(loaded->model, loaded->function, loaded->plan, work->hardware, i,
                             &work->placements[i], &ignored);
    if (work->placements[work->setting])
        work->notes = annotate_notes(loaded->plan, work->placements[work->setting]);
    struct mls_measurement measurement;
    enum mls_status status = mls_measurement_read(loaded, work->profile, &measurement, reterr);
    if (status)
        return status;
    measurement.growth = work->growth;
    measurement.load_rss_bytes = work->loaded_memory.rss_bytes;
    measurement.load_peak_rss_bytes = work->loaded_memory.peak_rss_bytes;
    struct mls_facts facts =
        mls_facts_read(loaded, (const struct mls_placement *const *)work->placements, work->setting);
    facts.measurement = &measurement;
    facts.inputs_given =
        arguments_has(work->arguments, OPTION_INPUT) || arguments_has(work->arguments, OPTION_INPUTS);
    struct mls_report *report = NULL;
    if (!mls_diagnose(&facts, &report, &ignored))
        work->findings = annotate_findings(report, loaded->model);
    mls_report_free(report);
    mls_measurement_done(&measurement);
    return MLS_OK;
}

static void fill_document(struct work *work)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    work->environment = mls_environment_read(cli_version(), cli_commit());
    work->document = (struct mls_document){.environment = &work->environment,
                                           .loaded = loaded,
                                           .profile = work->profile,
                                           .hot = work->hot,
                                           .counters = work->counters,
                                           .folded_base = arguments_text(work->arguments, OPTION_FOLDED_BASE),
                                           .memory = work->memory,
                                           .reshape = work->reshape,
                                           .reshape_hint = work->opened.options.reshape,
                                           .random_seed = work->opened.options.random_seed,
                                           .notes = work->notes,
                                           .findings = work->findings};
}

static enum mls_status write_file(struct work *work, enum option option, const char *exporter,
                                  struct mls_error *reterr)
{
    const char *path = arguments_text(work->arguments, option);
    if (!path)
        return MLS_OK;
    struct outfile file;
    enum mls_status status = outfile_open(path, &file, reterr);
    if (status)
        return status;
    status = mls_exporter_write(mls_exporter_find(exporter), &work->document, &file.writer, reterr);
    if (status) {
        outfile_close(&file, false, NULL);
        return status;
    }
    status = outfile_close(&file, true, reterr);
    if (!status)
        console_note(work->console, "wrote %s", path);
    return status;
}

static enum mls_status write_out(struct work *work, struct mls_error *reterr)
{
    struct console *console = work->console;
    const char *exporter = console->json                                     ? "json"
                           : arguments_has(work->arguments, OPTION_CSV)      ? "csv"
                           : arguments_has(work->arguments, OPTION_MARKDOWN) ? "markdown"
                                                                             : NULL;
    const struct mls_table_style style = {.ascii = console->ascii,
                                          .color = console->color,
                                          .run_order = arguments_has(work->arguments, OPTION_RUN_ORDER),
                                          .max_rows = console->verbose ? 0 : (size_t)work->top,
                                          .columns = console->columns};
    bool ok = true;
    if (exporter)
        ok =
            mls_exporter_write(mls_exporter_find(exporter), &work->document, &console->out, reterr) == MLS_OK;
    else if (!console->quiet)
        ok = mls_export_table(&work->document, &style, &console->out);
    /* What went wrong on standard output itself is told by console_finish. */
    if (!ok && !console->write_errno)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write the profile: out of memory");
    static const struct {
        enum option option;
        const char *exporter;
    } files[] = {{OPTION_TRACE, "trace"},
                 {OPTION_FOLDED, "folded"},
                 {OPTION_SPEEDSCOPE, "speedscope"},
                 {OPTION_PPROF, "pprof"}};
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < sizeof files / sizeof files[0]; i++)
        status = write_file(work, files[i].option, files[i].exporter, reterr);
    return status;
}

static enum mls_status check_gate(struct work *work, struct mls_error *reterr)
{
    const char *baseline = arguments_text(work->arguments, OPTION_BASELINE);
    if (!baseline)
        return MLS_OK;
    struct mls_gate gate;
    enum mls_status status =
        mls_gate_check(baseline, work->max_ratio, mls_profile_predictions(work->profile).p50_ns,
                       work->memory.peak_rss_bytes, &gate, reterr);
    if (!status)
        console_note(work->console, "the gate holds: P50 %.3f times, peak memory %.3f times the baseline",
                     gate.latency_ratio, gate.memory_ratio);
    return status;
}

int verb_profile(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments, .console = console};
    struct mls_error error;
    enum mls_status status = read_options(&work, &error);
    if (!status)
        status = open_options(arguments, &work.opened, &error);
    if (!status && arguments_has(arguments, OPTION_COUNTERS)) {
        work.counters = mls_counters_open();
        if (!work.counters)
            status = mls_fail(&error, MLS_ERR_MEMORY, "cannot count: out of memory");
    }
    if (!status)
        status = open_model(&work.opened, MLS_LOAD_ALL, &error);
    if (!status)
        status = measure(&work, &error);
    if (!status)
        status = annotate(&work, &error);
    if (!status) {
        fill_document(&work);
        status = write_out(&work, &error);
    }
    if (!status)
        status = check_gate(&work, &error);
    json_decref(work.findings);
    free(work.notes);
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_free(work.placements[i]);
    mls_profile_free(work.profile);
    mls_hot_free(work.hot);
    open_close(&work.opened);
    mls_sampler_free(work.sampler);
    mls_counters_close(work.counters);
    return status ? console_error(&error) : 0;
}
