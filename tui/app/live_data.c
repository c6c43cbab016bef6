#include "app/live_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnostics/recorded.h"

void live_data_describe(const struct mls_loaded *loaded, const struct mls_settings *settings,
                        struct mls_snapshot *snapshot)
{
    struct mls_record_model *model = &snapshot->model;
    const struct mls_package_info *info = loaded->package ? mls_package_info(loaded->package) : NULL;
    if (info) {
        model->form = mls_form_name(info->form);
        model->sealed = info->sealed || loaded->sealed;
        model->cipher = info->cipher;
        model->file_bytes = info->file_bytes;
        model->lock_message = info->sealed && !info->memory_locked ? info->lock_message : NULL;
    }
    if (loaded->model) {
        const struct mls_program *program = &loaded->model->program;
        model->spec_version = loaded->model->spec_version;
        bool chosen = loaded->function.i < program->n_functions; /* not when its name was wrong */
        model->opset = chosen ? program->functions[loaded->function.i].opset : 0;
    }
    model->function = loaded->interface ? loaded->interface->function : NULL;
    snprintf(snapshot->precision, sizeof snapshot->precision, "%s%s%s%s", settings->compress,
             settings->compress[0] ? " weights, " : "",
             settings->n_compressions ? "operations compressed, " : "",
             settings->precision == MLS_PRECISION_HIGH ? "high" : "declared");
    model->precision = snapshot->precision;
    model->concurrency = settings->concurrency ? settings->concurrency : 1;
    if (loaded->session) {
        model->isa = mls_isa_name(mls_session_isa(loaded->session));
        model->threads = mls_session_threads(loaded->session);
    }
}

static bool reserve_events(struct live_data *data, size_t slot, size_t n)
{
    if (n <= data->kept_capacity[slot])
        return true;
    struct mls_kept_event *grown = realloc(data->kept_events[slot], n * sizeof **data->kept_events);
    if (!grown)
        return false;
    data->kept_events[slot] = grown;
    data->kept_capacity[slot] = n;
    return true;
}

static bool reserve_threads(struct live_data *data, size_t slot, size_t n)
{
    if (n <= data->threads_capacity[slot])
        return true;
    struct mls_kept_thread *grown = realloc(data->kept_threads[slot], n * sizeof **data->kept_threads);
    if (!grown)
        return false;
    data->kept_threads[slot] = grown;
    data->threads_capacity[slot] = n;
    return true;
}

static bool make_room(struct live_data *data, size_t n_steps)
{
    data->stats = calloc(n_steps + 1, sizeof *data->stats);
    data->trends = calloc(n_steps + 1, sizeof *data->trends);
    return data->stats && data->trends;
}

bool live_data_fill(struct live_data *data, const struct mls_loaded *loaded, struct mls_snapshot *snapshot)
{
    const struct mls_program *program = &loaded->model->program;
    size_t n_steps = mls_plan_step_count(loaded->plan), n_buffers = mls_plan_buffer_count(loaded->plan);
    data->steps = calloc(n_steps + 1, sizeof *data->steps);
    data->buffers = calloc(n_buffers + 1, sizeof *data->buffers);
    data->ops = calloc((size_t)program->n_ops + 1, sizeof *data->ops);
    if (!make_room(data, n_steps) || !data->steps || !data->buffers || !data->ops)
        return false;
    for (size_t i = 0; i < n_steps; i++)
        data->steps[i] = mls_plan_step(loaded->plan, i);
    for (size_t i = 0; i < n_buffers; i++)
        data->buffers[i] = mls_plan_buffer(loaded->plan, i);
    for (uint32_t i = 0; i < program->n_ops; i++)
        if (strcmp(program->ops[i].type, "const") != 0)
            data->ops[i] = (struct mls_op_label){.type = program->ops[i].type, .name = program->ops[i].name};
    snapshot->step_table = data->steps;
    snapshot->n_steps = n_steps;
    snapshot->steps = data->stats;
    snapshot->trends = data->trends;
    snapshot->buffer_table = data->buffers;
    snapshot->n_buffers = n_buffers;
    snapshot->ops = data->ops;
    snapshot->n_ops = program->n_ops;
    return true;
}

bool live_data_replay(struct live_data *data, const struct mls_recording *recording, const char *path,
                      struct mls_snapshot *snapshot)
{
    const struct mls_record *record = mls_recording_record(recording);
    if (!make_room(data, record->n_steps))
        return false;
    memcpy(data->stats, record->stats, record->n_steps * sizeof *data->stats);
    snapshot->recording = path;
    snapshot->incomplete = !mls_recording_complete(recording);
    snapshot->phase = MLS_PHASE_RUNNING;
    snapshot->environment = record->environment;
    snapshot->model = record->model;
    snapshot->path = record->model.path;
    memcpy(snapshot->stages, record->stages, sizeof snapshot->stages);
    snapshot->load_ns = record->load_ns;
    snapshot->predictions = record->predictions;
    snapshot->wall = record->wall;
    snapshot->roofline = record->roofline;
    snapshot->rate_hz = record->rate_hz;
    snapshot->lost = record->lost;
    snapshot->n_recent = record->n_recent < MLS_SNAPSHOT_RECENT ? record->n_recent : MLS_SNAPSHOT_RECENT;
    for (size_t i = 0; i < snapshot->n_recent; i++)
        snapshot->recent_ns[i] = record->recent_ns[record->n_recent - snapshot->n_recent + i];
    snapshot->memory = record->memory;
    snapshot->step_table = record->steps;
    snapshot->steps = data->stats;
    snapshot->trends = data->trends;
    snapshot->n_steps = record->n_steps;
    snapshot->buffer_table = record->buffers;
    snapshot->n_buffers = record->n_buffers;
    snapshot->ops = record->ops;
    snapshot->n_ops = record->n_ops;
    snapshot->attributes = record->attributes;
    snapshot->n_attributes = record->n_attributes;
    snapshot->n_kept = record->n_kept < MLS_KEPT_MAX ? record->n_kept : MLS_KEPT_MAX;
    for (size_t i = 0; i < snapshot->n_kept; i++)
        snapshot->kept[i] = record->kept[i];
    snapshot->history = record->history;
    snapshot->log = record->log;
    struct mls_arena *arena = mls_recording_arena(recording);
    struct mls_cursor placements = mls_recording_section(recording, MLS_RECORD_PLACEMENTS);
    struct mls_cursor findings = mls_recording_section(recording, MLS_RECORD_FINDINGS);
    mls_placements_take(&placements, arena, snapshot->placements);
    snapshot->report = findings.size_bytes ? mls_report_take(&findings, arena) : NULL;
    return true;
}

void live_data_keep_predictions(struct live_data *data, struct mls_snapshot *snapshot)
{
    size_t n = snapshot->n_kept;
    snapshot->n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct mls_kept_prediction *kept = &snapshot->kept[i];
        if (!reserve_events(data, i, kept->n_events) || !reserve_threads(data, i, kept->n_threads))
            return;
        if (kept->n_events)
            memcpy(data->kept_events[i], kept->events, kept->n_events * sizeof **data->kept_events);
        if (kept->n_threads)
            memcpy(data->kept_threads[i], kept->threads, kept->n_threads * sizeof **data->kept_threads);
        kept->events = data->kept_events[i];
        kept->threads = data->kept_threads[i];
        snapshot->n_kept = i + 1;
    }
}

void live_data_synthesize_predictions(struct live_data *data, struct mls_snapshot *snapshot)
{
    enum { PREDICTIONS = 4 };
    snapshot->n_kept = 0;
    for (unsigned k = 0; k < PREDICTIONS && snapshot->predictions.runs; k++) {
        uint32_t n_threads = snapshot->model.threads > 1 ? snapshot->model.threads : 0;
        if (!reserve_events(data, k, snapshot->n_steps) ||
            !reserve_threads(data, k, snapshot->n_steps * n_threads))
            return;
        uint64_t at_ns = 100;
        for (size_t i = 0; i < snapshot->n_steps; i++) {
            uint64_t slow = k == 0 && i % 37 == 5 ? 3 : 1;
            uint64_t ns = snapshot->steps[i].time.p50_ns * slow * (100 + (i + k) % 5) / 100;
            data->kept_events[k][i] =
                (struct mls_kept_event){.step = (uint32_t)i, .begin_ns = at_ns, .ns = ns};
            for (uint32_t t = 0; t < n_threads; t++)
                data->kept_threads[k][t * snapshot->n_steps + i] = (struct mls_kept_thread){
                    .step = (uint32_t)i, .thread = t, .begin_ns = at_ns, .ns = ns - ns * t / 8};
            at_ns += ns + 20;
        }
        snapshot->kept[k] = (struct mls_kept_prediction){.number = k ? snapshot->predictions.runs - k : 7,
                                                         .ns = at_ns,
                                                         .events = data->kept_events[k],
                                                         .n_events = snapshot->n_steps,
                                                         .threads = data->kept_threads[k],
                                                         .n_threads = snapshot->n_steps * n_threads};
        snapshot->n_kept = k + 1;
    }
}

static enum mls_status put_diagnostics(struct mls_record_writer *writer, const struct mls_snapshot *snapshot,
                                       bool redact, struct mls_error *reterr)
{
    struct mls_bytes_out placements = {.data = NULL}, findings = {.data = NULL};
    struct mls_record_section sections[] = {{.bytes = &placements}, {.bytes = &findings}};
    memcpy(sections[0].tag, MLS_RECORD_PLACEMENTS, sizeof sections[0].tag);
    memcpy(sections[1].tag, MLS_RECORD_FINDINGS, sizeof sections[1].tag);
    mls_placements_put(&placements, snapshot->placements, redact);
    mls_report_put(&findings, snapshot->report, redact);
    enum mls_status status = mls_record_put(writer, &sections[0], reterr);
    if (!status)
        status = mls_record_put(writer, &sections[1], reterr);
    free(placements.data);
    free(findings.data);
    return status;
}

enum mls_status live_data_save(const struct mls_snapshot *snapshot, const char *path, bool redact,
                               struct mls_error *reterr)
{
    struct mls_record record = mls_snapshot_record(snapshot);
    struct mls_record_writer *writer;
    enum mls_status status = mls_record_create(path, redact, &writer, reterr);
    if (status)
        return status;
    status = mls_record_facts(writer, &record, reterr);
    if (!status)
        status = mls_record_measured(writer, &record, reterr);
    if (!status)
        status = put_diagnostics(writer, snapshot, redact, reterr);
    enum mls_status closed = mls_record_close(writer, status ? NULL : reterr);
    return status ? status : closed;
}

void live_data_clear(struct live_data *data)
{
    free(data->steps);
    free(data->buffers);
    free(data->ops);
    free(data->stats);
    free(data->trends);
    data->steps = NULL;
    data->buffers = NULL;
    data->ops = NULL;
    data->stats = NULL;
    data->trends = NULL;
}

void live_data_done(struct live_data *data)
{
    live_data_clear(data);
    for (unsigned i = 0; i < MLS_KEPT_MAX; i++)
        free(data->kept_events[i]);
    for (unsigned i = 0; i < MLS_KEPT_MAX; i++)
        free(data->kept_threads[i]);
}
