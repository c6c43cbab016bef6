#include "export.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "profiler/json.h"
#include "profiler/text.h"

/* Events are written one by one: a trace may hold millions. Times are microseconds since the load began. */
struct trace {
    const struct mls_document *document;
    const struct mls_writer *writer;
    bool any;
    uint32_t first_compute; /* the number of compute thread 1; those that predict come before */
};

static bool write_string(const struct mls_writer *writer, const char *text)
{
    json_t *string = mls_json_text(text);
    char *dumped = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    bool ok = dumped && mls_write(writer, dumped);
    free(dumped);
    json_decref(string);
    return ok;
}

static bool begin_event(struct trace *trace, const char *phase, const char *name, uint32_t thread)
{
    bool ok = mls_writef(trace->writer,
                         "%s{\"ph\":\"%s\",\"pid\":1,\"tid\":%u,\"name\":", trace->any ? ",\n" : "\n", phase,
                         thread);
    trace->any = true;
    return ok && write_string(trace->writer, name);
}

static uint64_t since_load(const struct trace *trace, uint64_t ns)
{
    uint64_t begin = trace->document->loaded->begin_ns;
    return ns > begin ? ns - begin : 0;
}

/* Microseconds with all their digits, and no rounding that could make nested slices overlap. */
static bool write_time(const struct trace *trace, const char *key, uint64_t ns)
{
    return mls_writef(trace->writer, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static bool write_slice(struct trace *trace, const char *category, const char *name, uint32_t thread,
                        uint64_t begin_ns, uint64_t end_ns)
{
    return begin_event(trace, "X", name, thread) && mls_writef(trace->writer, ",\"cat\":\"%s\"", category) &&
           write_time(trace, "ts", begin_ns) &&
           write_time(trace, "dur", end_ns > begin_ns ? end_ns - begin_ns : 0);
}

static bool write_names(struct trace *trace)
{
    size_t n;
    const struct mls_trace_prediction *predictions =
        mls_profile_trace_predictions(trace->document->profile, &n);
    uint32_t n_threads = 1;
    for (size_t i = 0; i < n; i++)
        n_threads = predictions[i].recorder + 1 > n_threads ? predictions[i].recorder + 1 : n_threads;
    trace->first_compute = n_threads + 1;
    const struct mls_trace_thread *shares = mls_profile_trace_threads(trace->document->profile, &n);
    uint32_t n_compute = 0;
    for (size_t i = 0; i < n; i++)
        n_compute = shares[i].thread > n_compute ? shares[i].thread : n_compute;
    bool ok = begin_event(trace, "M", "process_name", 0) &&
              mls_write(trace->writer, ",\"args\":{\"name\":\"mlscope\"}}");
    for (uint32_t i = 0; ok && i < n_threads; i++)
        ok = begin_event(trace, "M", "thread_name", i + 1) &&
             mls_writef(trace->writer, ",\"args\":{\"name\":\"prediction thread %u\"}}", i + 1);
    for (uint32_t i = 1; ok && i <= n_compute; i++)
        ok = begin_event(trace, "M", "thread_name", trace->first_compute + i - 1) &&
             mls_writef(trace->writer, ",\"args\":{\"name\":\"compute thread %u\"}}", i);
    return ok;
}

/* Stages may come again while a load goes on; the trace shows the sum of each, one after the other. */
static bool write_load(struct trace *trace)
{
    const struct mls_loaded *loaded = trace->document->loaded;
    uint64_t at = 0;
    bool ok = true;
    for (enum mls_stage i = 0; ok && i < MLS_STAGE_FIRST_RUN; i++) {
        if (!loaded->stages[i].entered)
            continue;
        ok = write_slice(trace, "load", mls_stage_name(i), 1, at, at + loaded->stages[i].ns) &&
             mls_write(trace->writer, "}");
        at += loaded->stages[i].ns;
    }
    return ok;
}

static bool write_predictions(struct trace *trace)
{
    size_t n;
    const struct mls_trace_prediction *predictions =
        mls_profile_trace_predictions(trace->document->profile, &n);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const struct mls_trace_prediction *prediction = &predictions[i];
        ok = write_slice(trace, "prediction", prediction->timed ? "prediction" : "warm-up",
                         prediction->recorder + 1, since_load(trace, prediction->begin_ns),
                         since_load(trace, prediction->end_ns)) &&
             mls_writef(trace->writer, ",\"args\":{\"prediction\":%u}}", prediction->prediction);
    }
    return ok;
}

static bool write_shapes(const struct mls_writer *writer, const char *key,
                         const struct mls_step_operand *operands, uint32_t n)
{
    char text[MLS_RANK_MAX * 21 + 1];
    bool ok = mls_writef(writer, ",\"%s\":\"", key);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = mls_writef(writer, "%s%s", i ? " " : "", mls_shape_format(&operands[i].type, text, sizeof text));
    return ok && mls_write(writer, "\"");
}

static bool write_arguments(struct trace *trace, const struct export_row *row, uint32_t prediction)
{
    const struct mls_step *step = row->step;
    const struct mls_writer *writer = trace->writer;
    bool ok = mls_write(writer, ",\"args\":{\"type\":") && write_string(writer, step->type) &&
              mls_write(writer, ",\"path\":") && write_string(writer, step->path) &&
              mls_write(writer, ",\"kernel\":") && write_string(writer, row->kernel) &&
              write_shapes(writer, "in_shapes", step->inputs, step->n_inputs) &&
              write_shapes(writer, "out_shapes", step->outputs, step->n_outputs) &&
              mls_write(writer, ",\"dtype\":") &&
              write_string(writer, step->n_outputs ? mls_dtype_name(step->outputs[0].type.dtype) : NULL) &&
              mls_write(writer, ",\"predicted_unit\":") && write_string(writer, row->note->predicted_unit);
    if (ok && export_cost_known(step))
        ok = mls_writef(writer, ",\"flops\":%" PRIu64 ",\"bytes\":%" PRIu64, step->cost.flops,
                        step->cost.bytes_read + step->cost.bytes_written);
    return ok && mls_writef(writer, ",\"prediction\":%u}}", prediction);
}

static bool write_counter(struct trace *trace, const struct mls_trace_event *event, uint64_t bytes)
{
    return begin_event(trace, "C", "arena", event->recorder + 1) &&
           write_time(trace, "ts", since_load(trace, event->end_ns)) &&
           mls_writef(trace->writer, ",\"args\":{\"live_bytes\":%" PRIu64 "}}", bytes);
}

static bool write_operations(struct trace *trace)
{
    struct export_rows rows;
    if (!export_walk(trace->document, EXPORT_RUN_ORDER, &rows))
        return false;
    size_t n;
    const struct mls_trace_event *events = mls_profile_trace(trace->document->profile, &n);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const struct export_row *row = &rows.rows[events[i].step];
        ok = write_slice(trace, "operation", row->step->name, events[i].recorder + 1,
                         since_load(trace, events[i].begin_ns), since_load(trace, events[i].end_ns)) &&
             write_arguments(trace, row, events[i].prediction);
        if (ok && !row->step->control && !events[i].recorder)
            ok = write_counter(trace, &events[i], row->step->live_bytes_after);
    }
    free(rows.rows);
    return ok;
}

/* What the other threads did of an operation; the predicting one's part is the operation itself. */
static bool write_threads(struct trace *trace)
{
    size_t n;
    const struct mls_trace_thread *shares = mls_profile_trace_threads(trace->document->profile, &n);
    const struct mls_plan *plan = mls_profile_plan(trace->document->profile);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const struct mls_trace_thread *share = &shares[i];
        if (!share->thread)
            continue;
        ok = write_slice(trace, "thread", mls_plan_step(plan, share->step)->name,
                         trace->first_compute + share->thread - 1, since_load(trace, share->begin_ns),
                         since_load(trace, share->end_ns)) &&
             mls_writef(trace->writer, ",\"args\":{\"prediction\":%u}}", share->prediction);
    }
    return ok;
}

static bool write_other_data(const struct trace *trace)
{
    const struct mls_document *document = trace->document;
    json_t *other = json_pack(
        "{s:s, s:o, s:o, s:I}", "clock", document->environment->clock, "environment",
        mls_document_environment(document->environment, document->loaded, document->flags), "model",
        mls_document_model(document->loaded), "lost_events", (json_int_t)mls_profile_lost(document->profile));
    bool ok = mls_json_write(other, trace->writer);
    json_decref(other);
    return ok;
}

bool export_trace(const struct mls_document *document, const struct mls_writer *writer)
{
    struct trace trace = {.document = document, .writer = writer};
    return mls_write(writer, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[") && write_names(&trace) &&
           write_load(&trace) && write_predictions(&trace) && write_operations(&trace) && write_threads(&trace) &&
           mls_write(writer, "\n],\"otherData\":") && write_other_data(&trace) && mls_write(writer, "}\n");
}
