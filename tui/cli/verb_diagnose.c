#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/annotate.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/open.h"
#include "profiler/json.h"
#include "profiler/measure.h"
#include "profiler/text.h"

enum { LOG_BYTES_MAX = 64 << 20, RUNS = 10 };
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

static bool write_texts(struct console *console, const char *label, const char *text)
{
    if (!*text)
        return true;
    char *safe = mls_text_safe(text, console->ascii);
    bool ok = safe && mls_writef(&console->out, "    %-12s", label) && mls_write(&console->out, safe) &&
              mls_write(&console->out, "\n");
    free(safe);
    return ok;
}

static bool write_finding(struct console *console, const struct mls_finding *finding)
{
    static const char *const colors[MLS_SEVERITY_COUNT] = {[MLS_SEVERITY_ERROR] = "\033[1;31m",
                                                           [MLS_SEVERITY_WARNING] = "\033[1;33m",
                                                           [MLS_SEVERITY_INFO] = "\033[1;36m"};
    char *title = mls_text_safe(finding->title, console->ascii);
    bool ok =
        title &&
        mls_writef(&console->out, "%s%s%s  %s  ", console->color ? colors[finding->severity] : "",
                   mls_severity_name(finding->severity), console->color ? "\033[0m" : "", finding->id) &&
        mls_write(&console->out, title) && mls_write(&console->out, "\n");
    free(title);
    for (size_t i = 0; ok && i < finding->n_evidence; i++)
        ok = write_texts(console, i ? "" : "evidence", finding->evidence[i]);
    ok = ok && write_texts(console, "why", finding->why) && write_texts(console, "fix", finding->fix);
    if (ok && console->verbose)
        ok = write_texts(console, "source", finding->source);
    return ok && mls_writef(&console->out, "    %-12s%s\n\n", "confidence",
                            mls_confidence_name(finding->confidence));
}

static void write_report(struct console *console, const struct mls_report *report)
{
    bool ok = true;
    for (size_t i = 0; ok && i < report->n_findings; i++)
        ok = write_finding(console, &report->findings[i]);
    for (size_t i = 0; ok && i < report->n_not_understood; i++)
        ok = write_texts(console, i ? "" : "unknown", report->not_understood[i]);
    char *summary = mls_text_safe(report->summary, console->ascii);
    console_printf(console, "%s\n", summary ? summary : "");
    free(summary);
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

static enum mls_status diagnose_log(const char *path, struct console *console, struct mls_error *reterr)
{
    char *text = NULL;
    size_t length = 0;
    enum mls_status status = read_log(path, &text, &length, reterr);
    if (status)
        return status;
    struct mls_report *report;
    status = mls_diagnose_log(text, length, &report, reterr);
    if (!status) {
        if (console->json)
            write_json(console, report, NULL);
        else
            write_report(console, report);
        mls_report_free(report);
    }
    free(text);
    return status;
}

/* A short measurement, so that the rules on speed have something to look at. */
static enum mls_status measure(struct opened *opened, struct mls_profile **ret_profile,
                               struct mls_error *reterr)
{
    const struct mls_loaded *loaded = opened->loaded;
    enum mls_status status = mls_profile_create(loaded->plan, NULL, ret_profile, reterr);
    if (status)
        return status;
    const struct mls_measure_options options = {
        .runs = RUNS, .warmup = 1, .max_seconds = SECONDS_MAX, .stop = interrupt_flag()};
    interrupt_watch(NULL, loaded->run);
    status = mls_measure(opened->loader, &options, *ret_profile, reterr);
    interrupt_watch(NULL, NULL);
    return status;
}

/* From everything that could be found out; `failure` is what ended it, if anything did. */
static enum mls_status report_facts(const struct arguments *arguments, struct console *console,
                                    const struct opened *opened, const struct mls_profile *profile,
                                    const struct mls_error *failure, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = opened->loaded;
    enum mls_compute_units setting;
    const struct mls_placement_profile *hardware;
    enum mls_status status = annotate_setting(arguments, &setting, &hardware, reterr);
    if (status)
        return status;
    struct mls_placement *placement = NULL;
    struct mls_measurement measurement = {0};
    if (loaded->interface)
        mls_placement_create(loaded->model, loaded->function, loaded->plan, hardware, setting, &placement,
                             NULL);
    if (profile)
        status = annotate_measurement(loaded, profile, &measurement, reterr);
    const struct mls_facts facts = {.package = loaded->package,
                                    .model = loaded->model,
                                    .error = failure,
                                    .interface = loaded->interface,
                                    .plan = loaded->plan,
                                    .measurement = profile ? &measurement : NULL,
                                    .placement = placement};
    struct mls_report *report = NULL;
    if (!status)
        status = mls_diagnose(&facts, &report, reterr);
    if (!status && console->json)
        write_json(console, report, loaded);
    else if (!status)
        write_report(console, report);
    mls_report_free(report);
    annotate_done(&measurement);
    mls_placement_free(placement);
    return status;
}

static int diagnose_model(const struct arguments *arguments, struct console *console)
{
    struct opened opened;
    struct mls_error error, report_error;
    struct mls_profile *profile = NULL;
    enum mls_status status = open_options(arguments, &opened, &error);
    if (status) {
        open_close(&opened);
        return console_error(&error);
    }
    status = open_model(&opened, MLS_LOAD_ALL, &error);
    if (!status)
        status = measure(&opened, &profile, &error);
    int code = 0;
    if (status == MLS_ERR_CANCELLED || !opened.loaded)
        code = console_error(&error);
    else if (report_facts(arguments, console, &opened, status ? NULL : profile, status ? &error : NULL,
                          &report_error))
        code = console_error(&report_error);
    else if (status)
        code = console_error(&error);
    mls_profile_free(profile);
    open_close(&opened);
    return code;
}

int verb_diagnose(const struct arguments *arguments, struct console *console)
{
    const char *log = arguments_text(arguments, OPTION_LOG);
    struct mls_error error;
    if (!log)
        return diagnose_model(arguments, console);
    if (arguments->operand) {
        mls_fail(&error, MLS_ERR_USAGE, "MODEL and --log exclude each other");
        return console_error(&error);
    }
    return diagnose_log(log, console, &error) ? console_error(&error) : 0;
}
