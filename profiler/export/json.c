#include "export.h"

#include <jansson.h>
#include <stdlib.h>

#include "profiler/json.h"

static void set_ns(json_t *object, const char *key, bool known, uint64_t ns)
{
    json_object_set_new(object, key, known ? json_integer((json_int_t)ns) : json_null());
}

static json_t *load_block(const struct mls_loaded *loaded)
{
    json_t *stages = json_array();
    for (enum mls_stage i = 0; i < MLS_STAGE_COUNT; i++)
        if (loaded->stages[i].entered)
            json_array_append_new(stages, json_pack("{s:s, s:I}", "name", mls_stage_name(i), "ns",
                                                    (json_int_t)loaded->stages[i].ns));
    return json_pack("{s:I, s:o}", "total_ns", (json_int_t)loaded->total_ns, "stages", stages);
}

/* The statistics that predictions and operations have in common. */
static void set_series(json_t *object, const struct mls_series_stats *stats)
{
    bool known = stats->runs > 0;
    json_object_set_new(object, "runs", json_integer((json_int_t)stats->runs));
    set_ns(object, "first_ns", stats->has_first, stats->first_ns);
    set_ns(object, "min_ns", known, stats->min_ns);
    set_ns(object, "p50_ns", known, stats->p50_ns);
    set_ns(object, "p90_ns", known, stats->p90_ns);
    set_ns(object, "p95_ns", known, stats->p95_ns);
    set_ns(object, "p99_ns", known, stats->p99_ns);
    set_ns(object, "max_ns", known, stats->max_ns);
    set_ns(object, "mean_ns", known, stats->mean_ns);
    set_ns(object, "std_ns", known, stats->std_ns);
    json_object_set_new(object, "percentiles_approximate", json_boolean(stats->approximate));
}

static json_t *predict_block(const struct mls_profile *profile)
{
    json_t *predict = json_object();
    struct mls_series_stats stats = mls_profile_predictions(profile);
    set_series(predict, &stats);
    json_object_set_new(predict, "warmup", json_integer((json_int_t)mls_profile_warmup(profile)));
    size_t n;
    const uint64_t *samples = mls_profile_samples(profile, &n);
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_integer((json_int_t)samples[i]));
    json_object_set_new(predict, "samples_ns", array);
    json_object_set_new(predict, "lost_events", json_integer((json_int_t)mls_profile_lost(profile)));
    return predict;
}

static json_t *wall_block(const struct mls_profile *profile)
{
    struct mls_wall wall = mls_profile_wall(profile);
    return json_pack("{s:I, s:I, s:I, s:I}", "ops_ns", (json_int_t)wall.ops_ns, "dispatch_ns",
                     (json_int_t)wall.dispatch_ns, "hooks_ns", (json_int_t)wall.hooks_ns, "other_ns",
                     (json_int_t)wall.other_ns);
}

static json_t *memory_block(const struct mls_memory_use *use)
{
    json_t *memory = json_object();
    const struct {
        const char *key;
        uint64_t bytes;
    } rows[] = {{"weights_bytes", use->plan.weights_bytes},
                {"packed_bytes", use->plan.packed_bytes},
                {"arena_bytes", use->plan.arena_bytes},
                {"planned_peak_bytes", use->plan.planned_peak_bytes},
                {"lower_bound_bytes", use->plan.lower_bound_bytes},
                {"scratch_bytes", use->plan.scratch_bytes},
                {"states_bytes", use->plan.states_bytes},
                {"dynamic_bytes", use->dynamic_bytes}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_object_set_new(memory, rows[i].key, json_integer((json_int_t)rows[i].bytes));
    json_object_set_new(memory, "per_prediction_bytes", json_integer((json_int_t)use->run_bytes));
    json_object_set_new(memory, "predictions_at_once", json_integer(use->runs));
    set_ns(memory, "rss_bytes", use->rss_bytes, use->rss_bytes);
    set_ns(memory, "peak_rss_bytes", use->peak_rss_bytes, use->peak_rss_bytes);
    return memory;
}

/* null: the input shapes are fixed. */
static json_t *reshape_block(const struct mls_document *document)
{
    const struct mls_reshape_cost *cost = &document->reshape;
    if (!cost->measured)
        return json_null();
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "hint",
                     document->reshape_hint == MLS_RESHAPE_FREQUENT ? "frequent" : "infrequent", "shapes",
                     mls_json_text(cost->shapes), "plan_ns", (json_int_t)cost->plan_ns, "prepare_ns",
                     (json_int_t)cost->prepare_ns, "first_ns", (json_int_t)cost->first_ns, "next_ns",
                     (json_int_t)cost->next_ns);
}

static json_t *operands(const struct mls_step_operand *operand, uint32_t n)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "name", mls_json_text(operand[i].name));
        if (operand[i].parameter[0])
            json_object_set_new(object, "parameter", mls_json_text(operand[i].parameter));
        json_object_set_new(object, "dtype", json_string(mls_dtype_name(operand[i].type.dtype)));
        json_object_set_new(object, "shape", mls_json_shape(&operand[i].type));
        json_object_set_new(object, "constant", json_boolean(operand[i].constant));
        json_array_append_new(array, object);
    }
    return array;
}

static void set_cost(json_t *op, const struct export_row *row)
{
    const struct mls_cost *cost = &row->step->cost;
    bool known = export_cost_known(row->step);
    set_ns(op, "flops", known, cost->flops);
    set_ns(op, "bytes_read", known, cost->bytes_read);
    set_ns(op, "bytes_written", known, cost->bytes_written);
    json_object_set_new(op, "gflops", mls_json_number(row->stats.gflops));
    json_object_set_new(op, "gbytes_per_s", mls_json_number(row->stats.gbytes_per_s));
    json_object_set_new(op, "bound", mls_json_text(mls_bound_name(row->stats.bound)));
}

static void set_note(json_t *op, const struct mls_step_note *note)
{
    json_object_set_new(op, "unit", json_string("CPU"));
    json_object_set_new(op, "predicted_unit", mls_json_text(note->predicted_unit));
    json_object_set_new(op, "unit_confidence", mls_json_text(note->unit_confidence));
    json_t *reasons = json_array();
    for (size_t i = 0; i < note->n_reasons; i++)
        json_array_append_new(reasons, mls_json_text(note->reasons[i]));
    json_object_set_new(op, "reasons", reasons);
}

enum { HOT_FUNCTIONS_MAX = 20 };

/* The functions that a step spends its CPU time in; null when stacks were not sampled. */
static json_t *hot_block(struct mls_hot *hot, uint32_t step)
{
    if (!hot)
        return json_null();
    struct mls_hot_function functions[HOT_FUNCTIONS_MAX];
    size_t n = mls_hot_functions(hot, step, functions, HOT_FUNCTIONS_MAX);
    json_t *block = json_array();
    for (size_t i = 0; i < n && i < HOT_FUNCTIONS_MAX; i++)
        json_array_append_new(block,
                              json_pack("{s:o, s:I, s:I, s:I}", "function", mls_json_text(functions[i].name),
                                        "samples", (json_int_t)functions[i].samples, "self_cpu_ns",
                                        (json_int_t)functions[i].self_ns, "total_cpu_ns",
                                        (json_int_t)functions[i].total_ns));
    return block;
}

/* Means for one execution; null when nothing was counted, or this counter is not there. */
static json_t *counters_block(const struct mls_counters *counters, const struct export_row *row)
{
    if (!counters)
        return json_null();
    json_t *block = json_object();
    for (enum mls_counter i = 0; i < MLS_COUNTER_COUNT; i++) {
        bool known = !mls_counters_missing(counters, i) && row->stats.time.runs;
        double mean =
            known ? (double)mls_counters_sum(counters, row->step->index, i) / (double)row->stats.time.runs
                  : 0;
        json_object_set_new(block, mls_counter_name(i), known ? mls_json_number(mean) : json_null());
    }
    return block;
}

/* Which counters there are, and why the others are not: name to reason, or null. */
static json_t *counter_reasons(const struct mls_counters *counters)
{
    if (!counters)
        return json_null();
    json_t *block = json_object();
    for (enum mls_counter i = 0; i < MLS_COUNTER_COUNT; i++)
        json_object_set_new(block, mls_counter_name(i), mls_json_text(mls_counters_missing(counters, i)));
    return block;
}

static json_t *sampling_block(const struct mls_hot *hot)
{
    if (!hot)
        return json_null();
    struct mls_hot_totals totals = mls_hot_totals(hot);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "source", totals.source, "samples",
                     (json_int_t)totals.samples, "in_ops_cpu_ns", (json_int_t)totals.in_steps_ns,
                     "between_ops_cpu_ns", (json_int_t)totals.between_ns, "elsewhere_cpu_ns",
                     (json_int_t)totals.elsewhere_ns, "ambiguous_cpu_ns", (json_int_t)totals.ambiguous_ns,
                     "lost", (json_int_t)totals.lost, "own_ns", (json_int_t)totals.own_ns);
}

static json_t *op_block(const struct mls_document *document, const struct export_row *row)
{
    const struct mls_step *step = row->step;
    json_t *op = json_object();
    json_object_set_new(op, "index", json_integer(step->index));
    json_object_set_new(op, "function", mls_json_text(step->function));
    json_object_set_new(op, "path", mls_json_text(step->path));
    json_object_set_new(op, "type", mls_json_text(step->type));
    json_object_set_new(op, "name", mls_json_text(step->name));
    json_object_set_new(op, "kernel", mls_json_text(row->kernel));
    set_series(op, &row->stats.time);
    json_object_set_new(op, "share", mls_json_number(row->stats.share));
    set_ns(op, "start_ns", row->stats.time.runs, row->stats.start_ns);
    set_ns(op, "inclusive_mean_ns", row->stats.time.runs, row->stats.inclusive_mean_ns);
    set_cost(op, row);
    json_object_set_new(op, "peak_bytes_after", json_integer((json_int_t)step->live_bytes_after));
    json_object_set_new(op, "scratch_bytes", json_integer((json_int_t)step->scratch_bytes));
    json_object_set_new(op, "inputs", operands(step->inputs, step->n_inputs));
    json_object_set_new(op, "outputs", operands(step->outputs, step->n_outputs));
    set_note(op, row->note);
    json_t *fused = json_array();
    for (uint32_t i = 0; i < step->n_fused; i++)
        json_array_append_new(fused, mls_json_text(export_fused_name(document, step, i)));
    json_object_set_new(op, "fused", fused);
    json_object_set_new(op, "counters", counters_block(document->counters, row));
    json_object_set_new(op, "hot", hot_block(document->hot, step->index));
    return op;
}

bool export_json(const struct mls_document *document, const struct mls_writer *writer)
{
    struct export_rows rows;
    if (!export_walk(document, EXPORT_RUN_ORDER, &rows))
        return false;
    json_t *ops = json_array();
    for (size_t i = 0; i < rows.n_rows; i++)
        json_array_append_new(ops, op_block(document, &rows.rows[i]));
    free(rows.rows);
    json_t *root = json_pack("{s:s, s:i}", "schema", "mlscope.profile", "version", 1);
    json_t *environment = mls_document_environment(document->environment, document->loaded, document->flags);
    json_object_set_new(environment, "seed", json_integer((json_int_t)document->random_seed));
    struct mls_roofline roofline = mls_profile_roofline(document->profile);
    json_object_set_new(environment, "peak_gflops",
                        roofline.gflops > 0 ? mls_json_number(roofline.gflops) : json_null());
    json_object_set_new(environment, "peak_gbytes_per_s",
                        roofline.gbytes_per_s > 0 ? mls_json_number(roofline.gbytes_per_s) : json_null());
    json_object_set_new(root, "environment", environment);
    json_object_set_new(root, "model", mls_document_model(document->loaded));
    json_object_set_new(root, "load", load_block(document->loaded));
    json_object_set_new(root, "predict", predict_block(document->profile));
    json_object_set_new(root, "wall", wall_block(document->profile));
    json_object_set_new(root, "memory", memory_block(&document->memory));
    json_object_set_new(root, "reshape", reshape_block(document));
    json_object_set_new(root, "sampling", sampling_block(document->hot));
    json_object_set_new(root, "counters_missing", counter_reasons(document->counters));
    json_object_set_new(root, "ops", ops);
    json_object_set_new(root, "findings",
                        document->findings ? json_deep_copy(document->findings) : json_array());
    bool ok = mls_json_write(root, writer);
    json_decref(root);
    return ok;
}
