#include "compare/side_record.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/recording.h"

/* Copies a text to the end of what was copied before; NULL stays NULL. */
static const char *copy_text(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t bytes = strlen(text) + 1;
    char *copy = memcpy(*at, text, bytes);
    *at += bytes;
    return copy;
}

/* Texts borrowed from the record; returns the bytes that their copies take. Kernels are noted by another
 * thread when they first run, so they are looked at once. */
static size_t fill_ops(struct mls_side *side, struct mls_side_op *ops, const struct mls_record *record)
{
    size_t bytes = 1;
    for (size_t i = 0; i < record->n_steps; i++) {
        const struct mls_step *step = record->steps[i];
        const struct mls_series_stats *time = &record->stats[i].time;
        ops[i] = (struct mls_side_op){.type = step->type,
                                      .name = step->name,
                                      .kernel = atomic_load_explicit(&step->kernel, memory_order_relaxed),
                                      .runs = time->runs,
                                      .p50_ns = time->p50_ns,
                                      .p90_ns = time->p90_ns,
                                      .bytes = step->cost.bytes_read + step->cost.bytes_written,
                                      .flops = step->cost.flops};
        side->flops += step->cost.flops;
        bytes += strlen(step->type) + strlen(step->name) + (ops[i].kernel ? strlen(ops[i].kernel) : 0) + 3;
    }
    return bytes;
}

static bool own_texts(struct mls_side *side, struct mls_side_op *ops, size_t bytes)
{
    char *at = side->texts = malloc(bytes);
    if (!at)
        return false;
    for (size_t i = 0; i < side->n_ops; i++) {
        ops[i].type = copy_text(&at, ops[i].type);
        ops[i].name = copy_text(&at, ops[i].name);
        ops[i].kernel = copy_text(&at, ops[i].kernel);
    }
    return true;
}

enum mls_status mls_side_from_record(const struct mls_record *record, const char *label,
                                     struct mls_side **ret_side, struct mls_error *reterr)
{
    struct mls_side_op *ops;
    struct mls_side *side = side_create(record->n_steps, &ops);
    if (!side || !own_texts(side, ops, fill_ops(side, ops, record))) {
        mls_side_free(side);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    }
    side->label = label;
    side->runs = record->predictions.runs;
    side->p50_ns = record->predictions.p50_ns;
    side->p90_ns = record->predictions.p90_ns;
    side->p99_ns = record->predictions.p99_ns;
    side->load_ns = record->load_ns;
    side->weights_bytes = record->memory.plan.weights_bytes;
    side->arena_bytes = record->memory.plan.arena_bytes;
    side->planned_peak_bytes = record->memory.plan.planned_peak_bytes;
    side->peak_rss_bytes = record->memory.peak_rss_bytes;
    side->file_bytes = record->model.file_bytes;
    side->spec_version = record->model.spec_version;
    side->opset = record->model.opset;
    *ret_side = side;
    return MLS_OK;
}

enum mls_status side_from_recording(const char *path, struct mls_side **ret_side, struct mls_error *reterr)
{
    struct mls_recording *recording = NULL;
    enum mls_status status = mls_recording_open(path, &recording, reterr);
    if (!status)
        status = mls_side_from_record(mls_recording_record(recording), path, ret_side, reterr);
    mls_recording_free(recording);
    return status;
}
