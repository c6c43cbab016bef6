#include "view/operation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view/panel.h"
#include "widget/datum.h"
#include "widget/graph.h"

enum { OPERANDS_SHOWN = 12, FUSED_SHOWN = 8 };

static void draw_times(const struct mls_step_stats *stats, struct mls_grid *grid, struct mls_rect *rect)
{
    char a[32], b[32], c[32], d[32], share[32];
    const struct mls_series_stats *time = &stats->time;
    if (!time->runs) {
        mls_panel_fact(grid, rect, "time", "not run yet");
        return;
    }
    mls_panel_fact(grid, rect, "time", "mean %s  p50 %s  p90 %s  p99 %s",
                   mls_time_format((double)time->mean_ns, a), mls_time_format((double)time->p50_ns, b),
                   mls_time_format((double)time->p90_ns, c), mls_time_format((double)time->p99_ns, d));
    mls_panel_fact(grid, rect, "", "min %s  max %s  first %s  last %s",
                   mls_time_format((double)time->min_ns, a), mls_time_format((double)time->max_ns, b),
                   mls_time_format((double)time->first_ns, c), mls_time_format((double)time->last_ns, d));
    mls_panel_fact(grid, rect, "share", "%s of all operations  ·  %llu runs  ·  std %s",
                   mls_share_format(stats->share, share), (unsigned long long)time->runs,
                   mls_time_format((double)time->std_ns, a));
    if (stats->inclusive_mean_ns != time->mean_ns)
        mls_panel_fact(grid, rect, "inclusive", "%s with the operations that it ran",
                       mls_time_format((double)stats->inclusive_mean_ns, a));
}

/* min, p50, p90, p99 and max on one scale: the spread at a glance. */
static void draw_spread(const struct mls_step_stats *stats, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_series_stats *time = &stats->time;
    int columns = rect->columns - 2 - MLS_PANEL_LABEL_COLUMNS;
    int x = rect->x + 1 + MLS_PANEL_LABEL_COLUMNS;
    if (!time->runs || columns < 20 || time->max_ns <= time->min_ns)
        return;
    mls_panel_skip(rect, 1);
    if (rect->rows < 0)
        return;
    int y = rect->y - 1;
    const struct {
        uint64_t ns;
        uint32_t mark;
    } marks[] = {{time->p99_ns, '9'}, {time->p90_ns, 0x2502}, {time->p50_ns, 0x25cf}};
    columns = columns < 60 ? columns : 60;
    mls_grid_text(grid, rect->x + 1, y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, "spread");
    mls_grid_fill(grid, (struct mls_rect){x, y, columns, 1}, MLS_STYLE_DIM, 0x2500);
    mls_grid_put(grid, x, y, MLS_STYLE_NORMAL, 0x251c);
    mls_grid_put(grid, x + columns - 1, y, MLS_STYLE_NORMAL, 0x2502);
    for (unsigned i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        double at = (double)(marks[i].ns - time->min_ns) / (double)(time->max_ns - time->min_ns);
        mls_grid_put(grid, x + (int)(at * (columns - 1)), y, MLS_STYLE_BAR, marks[i].mark);
    }
}

static void draw_cost(const struct mls_step *step, const struct mls_step_stats *stats, struct mls_grid *grid,
                      struct mls_rect *rect)
{
    char flops[32], read[32], written[32];
    double bytes = (double)step->cost.bytes_read + (double)step->cost.bytes_written;
    if (step->dynamic) {
        mls_panel_fact(grid, rect, "cost", "shapes are computed at run time");
        return;
    }
    mls_count_format((double)step->cost.flops, flops);
    mls_panel_fact(grid, rect, "cost", "%s%sFLOP  ·  reads %s  ·  writes %s", flops,
                   strchr(flops, ' ') ? "" : " ", mls_bytes_format((double)step->cost.bytes_read, read),
                   mls_bytes_format((double)step->cost.bytes_written, written));
    if (bytes <= 0)
        return;
    char rates[80] = "";
    if (!isnan(stats->gflops) && !isnan(stats->gbytes_per_s))
        snprintf(rates, sizeof rates, "  ·  %.1f GFLOP/s  ·  %.1f GB/s", stats->gflops, stats->gbytes_per_s);
    const char *bound = mls_bound_name(stats->bound);
    mls_panel_fact(grid, rect, "intensity", "%.2f FLOP/byte%s%s%s", (double)step->cost.flops / bytes, rates,
                   bound ? "  ·  bound by " : "", bound ? bound : "");
}

/* Where the operation stands under the machine's limits, on a logarithmic scale of FLOP a byte: the roof
 * rises with the memory's bandwidth up to the ridge, then compute limits. */
static void draw_roofline(const struct mls_snapshot *snapshot, const struct mls_step *step,
                          const struct mls_step_stats *stats, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_roofline *roof = &snapshot->roofline;
    double bytes = (double)step->cost.bytes_read + (double)step->cost.bytes_written;
    int columns = rect->columns - 2 - MLS_PANEL_LABEL_COLUMNS;
    if (roof->gflops <= 0 || roof->gbytes_per_s <= 0 || !step->cost.flops || bytes <= 0 ||
        isnan(stats->gflops) || columns < 30)
        return;
    double intensity = (double)step->cost.flops / bytes;
    double limit =
        intensity * roof->gbytes_per_s < roof->gflops ? intensity * roof->gbytes_per_s : roof->gflops;
    double ridge = roof->gflops / roof->gbytes_per_s;
    enum { DECADES = 5 }; /* 0.01 to 1000 FLOP a byte */
    columns = columns < 50 ? columns : 50;
    int at = (int)((log10(intensity) + 2) / DECADES * (columns - 1) + 0.5);
    int knee = (int)((log10(ridge) + 2) / DECADES * (columns - 1) + 0.5);
    at = at < 0 ? 0 : at >= columns ? columns - 1 : at;
    int x = rect->x + 1 + MLS_PANEL_LABEL_COLUMNS;
    if (rect->rows > 0) {
        mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, "roofline");
        for (int i = 0; i < columns; i++)
            mls_grid_put(grid, x + i, rect->y, MLS_STYLE_BAR, i < knee ? 0x2571 : 0x2500);
        mls_grid_put(grid, x + at, rect->y, MLS_STYLE_STRONG, 0x25cf);
    }
    mls_panel_skip(rect, 1);
    mls_panel_fact(
        grid, rect, "",
        "%.1f GFLOP/s, %.0f %% of the roof here%s  ·  roof %.0f GFLOP/s in fp32, %.1f GB/s, all threads",
        stats->gflops, stats->gflops / limit * 100,
        stats->gflops <= limit          ? ""
        : limit < roof->gflops * 0.9999 ? " (values in the cache)"
                                        : " (integers, or fewer operations)",
        roof->gflops, roof->gbytes_per_s);
}

/* What flowed through it in one prediction: range, mean, what is not finite, and a histogram from min to max.
 */
static void draw_values(const struct mls_snapshot *snapshot, size_t index, struct mls_grid *grid,
                        struct mls_rect *rect)
{
    const struct mls_probe *probe = &snapshot->probe;
    if (probe->step != index)
        return;
    for (size_t i = 0; i < probe->n_values; i++) {
        const struct mls_probe_value *value = &probe->values[i];
        double classes[MLS_PROBE_CLASSES], most = 0;
        char odd[80] = "";
        if (value->n_nan || value->n_infinite)
            snprintf(odd, sizeof odd, "  ·  %zu NaN, %zu infinite", value->n_nan, value->n_infinite);
        mls_panel_fact(
            grid, rect, i ? "" : "values", "%s %.40s  ·  %.4g … %.4g, mean %.4g, std %.3g, %.1f %% zero%s",
            value->output ? "out" : "in", value->name, value->min, value->max, value->mean, value->std,
            value->n_elems ? (double)value->n_zero * 100 / (double)value->n_elems : 0, odd);
        for (size_t k = 0; k < MLS_PROBE_CLASSES; k++) {
            classes[k] = sqrt((double)value->classes[k]); /* so that small classes are seen */
            most = classes[k] > most ? classes[k] : most;
        }
        struct mls_rect graph = {rect->x + 1 + MLS_PANEL_LABEL_COLUMNS, rect->y, MLS_PROBE_CLASSES, 1};
        if (rect->rows > 0)
            mls_graph_columns(grid, graph, value->n_nan ? MLS_STYLE_BAD : MLS_STYLE_PART_3, classes,
                              MLS_PROBE_CLASSES, most);
        mls_panel_skip(rect, 1);
    }
}

/* Where the processor is inside it, as far as stacks were sampled (the view Hot begins that). */
static void draw_functions(const struct mls_snapshot *snapshot, size_t index, struct mls_grid *grid,
                           struct mls_rect *rect)
{
    char self[32];
    for (size_t i = 0; i < snapshot->n_step_functions && snapshot->probe.step == index; i++)
        mls_panel_fact(grid, rect, i ? "" : "functions", "%9s  %s",
                       mls_time_format((double)snapshot->step_functions[i].self_ns, self),
                       snapshot->step_functions[i].name);
}

static void draw_attributes(const struct mls_snapshot *snapshot, size_t step, struct mls_grid *grid,
                            struct mls_rect *rect)
{
    size_t low = 0, high = snapshot->n_attributes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->attributes[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < snapshot->n_attributes && snapshot->attributes[i].step == step; i++)
        mls_panel_fact(grid, rect, i == low ? "attributes" : "", "%s = %s", snapshot->attributes[i].name,
                       snapshot->attributes[i].value);
}

static void draw_operands(const char *label, const struct mls_step_operand *operands, uint32_t n_operands,
                          bool skip_constants, struct mls_grid *grid, struct mls_rect *rect)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < n_operands; i++) {
        char type[96];
        if (operands[i].constant && skip_constants)
            continue;
        if (shown == OPERANDS_SHOWN) {
            mls_panel_fact(grid, rect, "", "… and %u more", n_operands - i);
            return;
        }
        const char *parameter = operands[i].parameter ? operands[i].parameter : "";
        mls_panel_fact(grid, rect, shown++ ? "" : label, "%s%s%s  %s%s", parameter, *parameter ? " = " : "",
                       operands[i].name, mls_type_format(&operands[i].type, type, sizeof type),
                       operands[i].constant ? "  constant" : "");
    }
}

static void draw_placement(const struct mls_snapshot *snapshot, const struct mls_step *step,
                           struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_placement *placement = mls_snapshot_placement(snapshot);
    const struct mls_placed_op *placed = placement ? mls_placement_find(placement, step->op) : NULL;
    if (!placed)
        return;
    char share[32];
    mls_panel_fact(grid, rect, "predicted", "%s  (%s confidence, %s of the cost; %s)",
                   mls_unit_name(placed->preferred), mls_confidence_name(placed->confidence),
                   mls_share_format(placed->cost_share, share),
                   mls_placement_profile_name(placement->profile));
    for (uint32_t i = 0; i < placed->n_reasons; i++)
        mls_panel_text(grid, rect, MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_NORMAL, placed->reasons[i]);
}

static void draw_fused(const struct mls_snapshot *snapshot, const struct mls_step *step,
                       struct mls_grid *grid, struct mls_rect *rect)
{
    if (step->n_fused < 2)
        return;
    for (uint32_t i = 0; i < step->n_fused && i < FUSED_SHOWN; i++) {
        mls_panel_fact(grid, rect, i ? "" : "executes", "%s  %s",
                       mls_snapshot_op_type(snapshot, step->fused[i]),
                       mls_snapshot_op_name(snapshot, step->fused[i]));
    }
    if (step->n_fused > FUSED_SHOWN)
        mls_panel_fact(grid, rect, "", "… and %u more", step->n_fused - FUSED_SHOWN);
}

int mls_operation_draw(const struct mls_snapshot *snapshot, size_t index, struct mls_grid *grid,
                       struct mls_rect rect)
{
    const struct mls_step *step = mls_snapshot_step(snapshot, index);
    const struct mls_step_stats *stats = &snapshot->steps[index];
    const char *kernel = step->kernel;
    char live[32], scratch[32];
    int top = rect.y;
    char title[256];
    snprintf(title, sizeof title, "%s  %s", step->type, step->name);
    mls_panel_rule(grid, &rect, title);
    mls_panel_fact(grid, &rect, "path", "%s", step->path);
    draw_times(stats, grid, &rect);
    draw_spread(stats, grid, &rect);
    mls_panel_fact(grid, &rect, "kernel", "%s", kernel ? kernel : "not run yet");
    draw_cost(step, stats, grid, &rect);
    draw_roofline(snapshot, step, stats, grid, &rect);
    draw_placement(snapshot, step, grid, &rect);
    draw_operands("outputs", step->outputs, step->n_outputs, false, grid, &rect);
    draw_operands("inputs", step->inputs, step->n_inputs, snapshot->n_attributes > 0, grid, &rect);
    draw_attributes(snapshot, index, grid, &rect);
    draw_values(snapshot, index, grid, &rect);
    draw_functions(snapshot, index, grid, &rect);
    draw_fused(snapshot, step, grid, &rect);
    mls_panel_fact(grid, &rect, "memory", "%s live after it  ·  scratch %s",
                   mls_bytes_format((double)step->live_bytes_after, live),
                   mls_bytes_format((double)step->scratch_bytes, scratch));
    return rect.y - top;
}
