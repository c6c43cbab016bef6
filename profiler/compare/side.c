#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/side_record.h"
#include "profiler/compare.h"
#include "profiler/recording.h"

struct mls_side *side_create(size_t n_ops, struct mls_side_op **ret_ops)
{
    struct mls_side *side = calloc(1, sizeof *side);
    struct mls_side_op *ops = calloc(n_ops ? n_ops : 1, sizeof *ops);
    if (!side || !ops) {
        free(side);
        free(ops);
        return NULL;
    }
    side->ops = ops;
    side->n_ops = n_ops;
    *ret_ops = ops;
    return side;
}

void mls_side_free(struct mls_side *side)
{
    if (!side)
        return;
    free((void *)(uintptr_t)side->ops); /* const for readers only */
    json_decref(side->document);
    free(side->texts);
    free(side);
}

/* ---- From a measurement
 * ---------------------------------------------------------------------------------------- */

static struct mls_side_op measured_op(const struct mls_step *step, const struct mls_step_stats *stats)
{
    return (struct mls_side_op){.type = step->type,
                                .name = step->name,
                                .kernel = atomic_load_explicit(&step->kernel, memory_order_relaxed),
                                .runs = stats->time.runs,
                                .p50_ns = stats->time.p50_ns,
                                .p90_ns = stats->time.p90_ns,
                                .bytes = step->cost.bytes_read + step->cost.bytes_written,
                                .flops = step->cost.flops};
}

enum mls_status mls_side_from_profile(const struct mls_loaded *loaded, const struct mls_profile *profile,
                                      const struct mls_memory_use *memory, struct mls_side **ret_side,
                                      struct mls_error *reterr)
{
    struct mls_side_op *ops;
    struct mls_side *side = side_create(mls_profile_step_count(profile), &ops);
    if (!side)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    const struct mls_package_info *info = mls_package_info(loaded->package);
    struct mls_series_stats predictions = mls_profile_predictions(profile);
    for (size_t i = 0; i < side->n_ops; i++) {
        struct mls_step_stats stats = mls_profile_step(profile, i);
        ops[i] = measured_op(mls_plan_step(loaded->plan, i), &stats);
        side->flops += ops[i].flops;
    }
    side->label = info->path;
    side->file_bytes = info->file_bytes;
    side->runs = predictions.runs;
    side->p50_ns = predictions.p50_ns;
    side->p90_ns = predictions.p90_ns;
    side->p99_ns = predictions.p99_ns;
    side->load_ns = loaded->total_ns;
    side->weights_bytes = memory->plan.weights_bytes;
    side->arena_bytes = memory->plan.arena_bytes;
    side->planned_peak_bytes = memory->plan.planned_peak_bytes;
    side->peak_rss_bytes = memory->peak_rss_bytes;
    side->spec_version = loaded->model->spec_version;
    side->opset = loaded->model->program.functions[loaded->function.i].opset;
    *ret_side = side;
    return MLS_OK;
}

/* ---- From a recording
 * ------------------------------------------------------------------------------------------ */

static enum mls_status not_a_profile(const char *path, const char *why, struct mls_error *reterr)
{
    mls_fail(reterr, MLS_ERR_USAGE, "cannot compare %s: %s", path, why);
    mls_error_hint(reterr, "make a recording with: mlscope profile MODEL --json > FILE");
    return MLS_ERR_USAGE;
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

static uint64_t count_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

static struct mls_side_op recorded_op(const json_t *op)
{
    return (struct mls_side_op){.type = text_of(op, "type", ""),
                                .name = text_of(op, "name", ""),
                                .kernel = text_of(op, "kernel", NULL),
                                .runs = count_of(op, "runs"),
                                .p50_ns = count_of(op, "p50_ns"),
                                .p90_ns = count_of(op, "p90_ns"),
                                .bytes = count_of(op, "bytes_read") + count_of(op, "bytes_written"),
                                .flops = count_of(op, "flops")};
}

static void fill_recorded(struct mls_side *side, struct mls_side_op *ops, const json_t *root)
{
    const json_t *list = json_object_get(root, "ops");
    for (size_t i = 0; i < side->n_ops; i++) {
        ops[i] = recorded_op(json_array_get(list, i));
        side->flops += ops[i].flops;
    }
    const json_t *predict = json_object_get(root, "predict"), *memory = json_object_get(root, "memory");
    const json_t *model = json_object_get(root, "model");
    side->runs = count_of(predict, "runs");
    side->p50_ns = count_of(predict, "p50_ns");
    side->p90_ns = count_of(predict, "p90_ns");
    side->p99_ns = count_of(predict, "p99_ns");
    side->load_ns = count_of(json_object_get(root, "load"), "total_ns");
    side->weights_bytes = count_of(memory, "weights_bytes");
    side->arena_bytes = count_of(memory, "arena_bytes");
    side->planned_peak_bytes = count_of(memory, "planned_peak_bytes");
    side->peak_rss_bytes = count_of(memory, "peak_rss_bytes");
    side->file_bytes = count_of(model, "file_bytes");
    side->spec_version = (int32_t)(count_of(model, "spec_version") & INT32_MAX);
    side->opset = (uint32_t)(count_of(model, "opset") & UINT32_MAX);
}

static bool is_record(const char *path)
{
    char first[8];
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(first, 1, sizeof first, file) : 0;
    if (file)
        fclose(file);
    return mls_recording_probe(first, n);
}

enum mls_status mls_side_from_file(const char *path, struct mls_side **ret_side, struct mls_error *reterr)
{
    if (is_record(path))
        return side_from_recording(path, ret_side, reterr);
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return not_a_profile(path, why.text, reterr);
    struct mls_side *side = NULL;
    struct mls_side_op *ops;
    enum mls_status status = MLS_OK;
    if (strcmp(text_of(root, "schema", ""), "mlscope.profile") != 0)
        status = not_a_profile(path, "its schema is not mlscope.profile", reterr);
    else if (!json_is_array(json_object_get(root, "ops")) ||
             !count_of(json_object_get(root, "predict"), "p50_ns"))
        status = not_a_profile(path, "it holds no operations or no predict.p50_ns", reterr);
    else if ((side = side_create(json_array_size(json_object_get(root, "ops")), &ops)) == NULL)
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    if (status) {
        json_decref(root);
        return status;
    }
    side->label = path;
    side->document = root;
    fill_recorded(side, ops, root);
    *ret_side = side;
    return MLS_OK;
}

bool mls_side_is_recording(const char *path)
{
    if (is_record(path))
        return true;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    int first;
    do
        first = fgetc(file);
    while (first == ' ' || first == '\n' || first == '\r' || first == '\t');
    fclose(file);
    return first == '{';
}
