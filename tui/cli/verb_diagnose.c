#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/diagnose.h"
#include "cli/interrupt.h"
#include "cli/open.h"
#include "profiler/json.h"
#include "profiler/measure.h"
#include "profiler/twins.h"

enum { LOG_BYTES_MAX = 64 << 20, RUNS = 32, SPEC_VERSION_MAX = 10 };
static const double SECONDS_MAX = 3;

static enum mls_status read_log(const char *path, char **ret_text, size_t *ret_length,
                                struct mls_error *reterr)
{
    FILE *file = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
    if (!file)
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot read the log %s: %s", path, strerror(errno));
    char *text = NULL;
    size_t length = 0, capacity = 0;
    enum mls_status status = MLS_OK;
    for (;;) {
        if (length == capacity) {
            capacity = capacity ? capacity * 2 : 1 << 16;
            char *grown = capacity <= LOG_BYTES_MAX ? realloc(text, capacity) : NULL;
            if (!grown) {
                status = mls_fail(reterr, MLS_ERR_LIMIT, "cannot read the log %s: it is longer than %d MiB",
                                  path, LOG_BYTES_MAX >> 20);
                break;
            }
            text = grown;
        }
        size_t n = fread(text + length, 1, capacity - length, file);
        if (!n)
            break;
        length += n;
    }
    if (!status && ferror(file))
        status = mls_fail(reterr, MLS_ERR_USAGE, "cannot read the log %s: %s", path, strerror(errno));
    if (file != stdin)
        fclose(file);
    if (status) {
        free(text);
        return status;
    }
    *ret_text = text;
    *ret_length = length;
    return MLS_OK;
}

/* `loaded` is NULL for logs. */
static void write_json(struct console *console, const struct mls_report *report,
                       const struct mls_loaded *loaded)
{
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    json_t *unknown = json_array();
    for (size_t i = 0; i < report->n_not_understood; i++)
        json_array_append_new(unknown, mls_json_text(report->not_understood[i]));
    json_t *root =
        json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:I, s:I, s:o}", "schema", "mlscope.diagnose", "version", 1,
                  "environment", mls_document_environment(&environment, loaded, NULL), "model",
                  loaded ? mls_document_model(loaded) : json_null(), "findings",
                  annotate_findings(report, loaded ? loaded->model : NULL), "summary",
                  mls_json_text(report->summary), "rules", (json_int_t)report->n_rules, "rules_applied",
                  (json_int_t)report->n_rules_applied, "not_understood", unknown);
    mls_json_write(root, &console->out);
    json_decref(root);
}

/* Everything of one diagnosis. */
struct work {
    const struct arguments *arguments;
    struct console *console;
    enum mls_compute_units setting;
    const struct mls_placement_profile *hardware;
    struct opened opened;
    struct mls_profile *profile;
    struct mls_measurement measurement;
    struct mls_survey *survey;
    struct opened again;     /* the options once more, with the key, which the first load has wiped */
    struct mls_twins *twins; /* only after something suspect */
    struct mls_walk *walk;
    struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT];
    int32_t system_version;
    char *log;
    size_t log_bytes;
};

/* "iOS 17", "ios17", "macOS 14": the highest specification version that this system knows. */
static enum mls_status read_system(const char *text, int32_t *ret_version, struct mls_error *reterr)
{
    char wanted[32];
    size_t n = 0;
    for (const char *at = text; *at && n + 1 < sizeof wanted; at++)
        if (*at != ' ')
            wanted[n++] = (char)tolower((unsigned char)*at);
    wanted[n] = '\0';
    for (int32_t version = 1; n && version <= SPEC_VERSION_MAX; version++) {
        char known[64], *rest = known;
        snprintf(known, sizeof known, "%s", mls_system_for_spec(version));
        for (char *name; (name = strtok_r(rest, ",", &rest)) != NULL;) {
            size_t length = 0;
            for (char *at = name; *at; at++)
                if (*at != ' ')
                    name[length++] = (char)tolower((unsigned char)*at);
            name[length] = '\0';
            if (!strcmp(name, wanted)) {
                *ret_version = version;
                return MLS_OK;
            }
        }
    }
    mls_fail(reterr, MLS_ERR_USAGE, "option --system: '%s' is no system that brought a specification version",
             text);
    mls_error_hint(reterr, "as in: iOS 15, iOS 16, iOS 17, iOS 18, iOS 26, macOS 14");
    return MLS_ERR_USAGE;
}

static enum mls_status read_options(struct work *work, struct mls_error *reterr)
{
    const char *system = arguments_text(work->arguments, OPTION_SYSTEM);
    const char *log = arguments_text(work->arguments, OPTION_LOG);
    enum mls_status status = annotate_setting(work->arguments, &work->setting, &work->hardware, reterr);
    if (!status && system)
        status = read_system(system, &work->system_version, reterr);
    if (!status && log)
        status = read_log(log, &work->log, &work->log_bytes, reterr);
    return status;
}

/* A short measurement, so that the rules on speed and memory have something to look at. */
static enum mls_status measure(struct work *work, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    struct mls_memory_use memory = mls_memory_read(NULL, NULL);
    enum mls_status status = mls_profile_create(loaded->plan, NULL, &work->profile, reterr);
    if (status)
        return status;
    struct mls_growth growth = {0};
    const struct mls_measure_options options = {.runs = RUNS,
                                                .warmup = 1,
                                                .max_seconds = SECONDS_MAX,
                                                .stop = interrupt_flag(),
                                                .ret_growth = &growth};
    interrupt_watch(NULL, loaded->run);
    status = mls_measure(work->opened.loader, &options, work->profile, reterr);
    if (!status)
        status = mls_survey_run(loaded->run, loaded->plan, &work->survey, reterr);
    interrupt_watch(NULL, NULL);
    if (status)
        return status;
    mls_profile_set_roofline(work->profile, mls_roofline_get(mls_session_isa(loaded->session),
                                                             mls_session_threads(loaded->session),
                                                             !mls_package_info(loaded->package)->sealed));
    status = mls_measurement_read(loaded, work->profile, &work->measurement, reterr);
    work->measurement.growth = growth;
    work->measurement.load_rss_bytes = memory.rss_bytes;
    work->measurement.load_peak_rss_bytes = memory.peak_rss_bytes;
    return status;
}

/* Values that are lost: is it the precision? Only then the model is run in fp32 as well. What fails here is
 * left out. */
static void look_closer(struct work *work)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    if (!work->survey || !mls_survey_is_suspect(work->survey, loaded->run, loaded->interface))
        return;
    if (open_options(work->arguments, &work->again, NULL))
        return;
    work->twins = mls_twins_create(&work->again.options, interrupt_flag());
    if (work->twins)
        mls_twins_walk(work->twins, &work->walk, NULL);
}

static void place(struct work *work)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    for (enum mls_compute_units i = 0; loaded->interface && i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_create(loaded->model, loaded->function, loaded->plan, work->hardware, i,
                             &work->placements[i], NULL);
}

/* From everything that could be found out; `failure` is what ended it, if anything did. */
static enum mls_status report_facts(struct work *work, const struct mls_error *failure,
                                    struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->opened.loaded;
    bool given =
        arguments_has(work->arguments, OPTION_INPUT) || arguments_has(work->arguments, OPTION_INPUTS);
    place(work);
    struct mls_facts facts =
        mls_facts_read(loaded, (const struct mls_placement *const *)work->placements, work->setting);
    facts.error = failure;
    facts.measurement = !failure && work->measurement.n_runs ? &work->measurement : NULL;
    facts.survey = work->survey;
    facts.walk = work->walk;
    facts.inputs_given = given;
    facts.system_version = work->system_version;
    struct mls_report *report = NULL;
    enum mls_status status = work->log ? mls_diagnose_log(work->log, work->log_bytes, &facts, &report, reterr)
                                       : mls_diagnose(&facts, &report, reterr);
    if (!status && work->console->json)
        write_json(work->console, report, loaded);
    else if (!status)
        diagnose_write_text(work->console, report);
    mls_report_free(report);
    return status;
}

static void close_all(struct work *work)
{
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_free(work->placements[i]);
    mls_walk_free(work->walk);
    mls_survey_free(work->survey);
    mls_measurement_done(&work->measurement);
    mls_profile_free(work->profile);
    mls_twins_free(work->twins);
    open_close(&work->again);
    open_close(&work->opened);
}

static int diagnose_model(struct work *work)
{
    struct mls_error error, report_error;
    enum mls_status status = open_options(work->arguments, &work->opened, &error);
    if (status)
        return console_error(&error);
    status = open_model(&work->opened, MLS_LOAD_ALL, &error);
    if (!status)
        status = measure(work, &error);
    if (!status)
        look_closer(work);
    if (status == MLS_ERR_CANCELLED || !work->opened.loaded)
        return console_error(&error);
    if (report_facts(work, status ? &error : NULL, &report_error))
        return console_error(&report_error);
    return status ? console_error(&error) : 0;
}

/* A log without the model that it is about. */
static int diagnose_log(struct work *work)
{
    struct mls_error error;
    struct mls_report *report;
    if (mls_diagnose_log(work->log, work->log_bytes, NULL, &report, &error))
        return console_error(&error);
    if (work->console->json)
        write_json(work->console, report, NULL);
    else
        diagnose_write_text(work->console, report);
    mls_report_free(report);
    return 0;
}

int verb_diagnose(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments, .console = console};
    struct mls_error error;
    int code;
    if (read_options(&work, &error))
        code = console_error(&error);
    else if (work.log && !arguments->operand && !arguments_has(arguments, OPTION_SPEC))
        code = diagnose_log(&work);
    else
        code = diagnose_model(&work);
    close_all(&work);
    free(work.log);
    return code;
}
