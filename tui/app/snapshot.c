#include "app/snapshot.h"

#include <math.h>
#include <string.h>

const struct mls_step *mls_snapshot_step(const struct mls_snapshot *snapshot, size_t index)
{
    return snapshot->step_table[index];
}

const char *mls_snapshot_op_name(const struct mls_snapshot *snapshot, mls_op_id op)
{
    return op.i < snapshot->n_ops && snapshot->ops[op.i].name ? snapshot->ops[op.i].name : "";
}

const char *mls_snapshot_op_type(const struct mls_snapshot *snapshot, mls_op_id op)
{
    return op.i < snapshot->n_ops && snapshot->ops[op.i].type ? snapshot->ops[op.i].type : "";
}

struct mls_record mls_snapshot_record(const struct mls_snapshot *snapshot)
{
    struct mls_record record = {.environment = snapshot->environment,
                                .model = snapshot->model,
                                .load_ns = snapshot->load_ns,
                                .steps = snapshot->step_table,
                                .stats = snapshot->steps,
                                .n_steps = snapshot->n_steps,
                                .ops = snapshot->ops,
                                .n_ops = snapshot->n_ops,
                                .buffers = snapshot->buffer_table,
                                .n_buffers = snapshot->n_buffers,
                                .attributes = snapshot->attributes,
                                .n_attributes = snapshot->n_attributes,
                                .memory = snapshot->memory,
                                .roofline = snapshot->roofline,
                                .predictions = snapshot->predictions,
                                .wall = snapshot->wall,
                                .rate_hz = snapshot->rate_hz,
                                .lost = snapshot->lost,
                                .recent_ns = snapshot->recent_ns,
                                .n_recent = snapshot->n_recent,
                                .kept = snapshot->kept,
                                .n_kept = snapshot->n_kept,
                                .history = snapshot->history,
                                .log = snapshot->log};
    memcpy(record.stages, snapshot->stages, sizeof record.stages);
    return record;
}

const struct mls_placement *mls_snapshot_placement(const struct mls_snapshot *snapshot)
{
    return snapshot->placements[snapshot->setting];
}

size_t mls_snapshot_hottest(const struct mls_snapshot *snapshot, size_t *ret_steps, size_t n)
{
    size_t found = 0;
    for (size_t step = 0; step < snapshot->n_steps && n; step++) {
        double share = snapshot->steps[step].share;
        size_t at = found;
        while (at > 0 && snapshot->steps[ret_steps[at - 1]].share < share)
            at--;
        if (at >= n)
            continue;
        found += found < n;
        for (size_t i = found - 1; i > at; i--)
            ret_steps[i] = ret_steps[i - 1];
        ret_steps[at] = step;
    }
    return found;
}

/* A series around `ns`, with the spread of a calm machine. */
static struct mls_series_stats series_of(uint64_t ns, uint64_t runs)
{
    return (struct mls_series_stats){.runs = runs,
                                     .has_first = true,
                                     .first_ns = ns * 3 / 2,
                                     .last_ns = ns + ns / 100,
                                     .min_ns = ns - ns / 50,
                                     .p50_ns = ns,
                                     .p90_ns = ns + ns / 25,
                                     .p95_ns = ns + ns / 20,
                                     .p99_ns = ns + ns / 10,
                                     .max_ns = ns + ns / 5,
                                     .mean_ns = ns + ns / 100,
                                     .std_ns = ns / 40};
}

static uint64_t cost_ns(const struct mls_step *step)
{
    uint64_t bytes = step->cost.bytes_read / 10 + step->cost.bytes_written / 10;
    uint64_t flops = step->cost.flops / 20;
    return step->control ? 0 : 400 + (bytes > flops ? bytes : flops);
}

void mls_trend_add(struct mls_trend *trend, double ns)
{
    if (trend->n == MLS_TREND)
        memmove(trend->ns, trend->ns + 1, (--trend->n) * sizeof *trend->ns);
    trend->ns[trend->n++] = (float)ns;
}

static double synthesize_steps(struct mls_snapshot *snapshot, uint64_t n_predictions)
{
    double sum_ns = 0;
    for (size_t i = 0; i < snapshot->n_steps; i++) {
        const struct mls_step *step = mls_snapshot_step(snapshot, i);
        uint64_t ns = cost_ns(step);
        struct mls_step_stats *stats = &snapshot->steps[i];
        double bytes = (double)(step->cost.bytes_read + step->cost.bytes_written);
        *stats = (struct mls_step_stats){.time = series_of(ns, n_predictions),
                                         .start_ns = (uint64_t)sum_ns,
                                         .gflops = (double)NAN,
                                         .gbytes_per_s = (double)NAN};
        stats->mean_per_prediction_ns = stats->inclusive_mean_ns = stats->time.mean_ns;
        if (step->cost.flops || bytes > 0)
            stats->bound = (double)step->cost.flops / 40 > bytes / 12 ? MLS_BOUND_COMPUTE : MLS_BOUND_MEMORY;
        if (step->cost.flops)
            stats->gflops = (double)step->cost.flops / (double)ns;
        if (bytes > 0)
            stats->gbytes_per_s = bytes / (double)ns;
        sum_ns += (double)stats->time.mean_ns;
        snapshot->trends[i].n = 0;
        for (unsigned k = 0; k < n_predictions && k < MLS_TREND; k++)
            mls_trend_add(&snapshot->trends[i], (double)ns * (1 + 0.05 * sin((double)(k + i) / 3)));
    }
    for (size_t i = 0; i < snapshot->n_steps; i++)
        snapshot->steps[i].share = sum_ns > 0 ? (double)snapshot->steps[i].time.mean_ns / sum_ns : 0;
    return sum_ns;
}

void mls_snapshot_synthesize(struct mls_snapshot *snapshot, uint64_t n_predictions)
{
    uint64_t ops_ns = (uint64_t)synthesize_steps(snapshot, n_predictions);
    uint64_t total_ns = ops_ns + ops_ns / 50;
    snapshot->synthetic = true;
    snapshot->roofline = (struct mls_roofline){.gflops = 40, .gbytes_per_s = 12};
    snapshot->load_ns = 0;
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++) {
        snapshot->stages[i].ns = snapshot->stages[i].entered ? 100000u * (i + 1) : 0;
        snapshot->load_ns += snapshot->stages[i].ns;
    }
    snapshot->predictions = series_of(total_ns - total_ns / 101, n_predictions);
    snapshot->predictions.mean_ns = total_ns;
    snapshot->wall =
        (struct mls_wall){.ops_ns = ops_ns, .dispatch_ns = ops_ns / 100, .hooks_ns = ops_ns / 500};
    snapshot->wall.other_ns = total_ns - ops_ns - snapshot->wall.dispatch_ns - snapshot->wall.hooks_ns;
    snapshot->rate_hz = total_ns ? 1e9 / (double)total_ns : 0;
    snapshot->lost = 0;
    snapshot->n_recent = n_predictions < 240 ? n_predictions : 240;
    for (size_t i = 0; i < snapshot->n_recent; i++) {
        double wave = 1 + 0.04 * sin((double)i / 7) + (i % 41 == 17 ? 0.2 : 0);
        snapshot->recent_ns[i] = (double)total_ns * wave;
    }
    snapshot->memory.rss_bytes = 64u << 20;
    snapshot->memory.peak_rss_bytes = 96u << 20;
}
