#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/operation.h"
#include "view/optree.h"
#include "view/panel.h"
#include "view/view.h"

/* Columns: id, key, alias, title, kind, width, rank, and what struct mls_column says of them. */
#define COLUMN_LIST(X)                                                 \
    X(INDEX, "#", "index", "#", COUNT, 4, 0, 0)                        \
    X(SHARE, "share", NULL, "share", SHARE, 7, 0, BAR | SUM)           \
    X(MEAN, "mean", "time", "mean", TIME_NS, 7, 0, SUM)                \
    X(P50, "p50", NULL, "p50", TIME_NS, 7, 2, 0)                       \
    X(P99, "p99", NULL, "p99", TIME_NS, 7, 3, 0)                       \
    X(TREND, "trend", NULL, "trend", SERIES, 8, 5, 0)                  \
    X(GFLOPS, "gflops", NULL, "GFLOP/s", GFLOPS, 7, 6, 0)              \
    X(GBYTES, "gbytes", NULL, "GB/s", GBYTES, 6, 7, 0)                 \
    X(TYPE, "type", NULL, "type", TEXT, 12, 0, 0)                      \
    X(NAME, "name", NULL, "name", TEXT, 20, 0, FLEXIBLE)               \
    X(SHAPE, "shape", NULL, "shape", TEXT, 16, 8, 0)                   \
    X(KERNEL, "kernel", NULL, "kernel", TEXT, 22, 9, 0)                \
    X(UNIT, "unit", NULL, "unit", TEXT, 4, 1, 0)                       \
    X(LAST, "last", NULL, "last", TIME_NS, 7, 9, BARE)                 \
    X(RUNS, "runs", NULL, "runs", COUNT, 8, 9, BARE)                   \
    X(FIRST, "first", NULL, "first", TIME_NS, 7, 9, BARE)              \
    X(MIN, "min", NULL, "min", TIME_NS, 7, 9, BARE)                    \
    X(MAX, "max", NULL, "max", TIME_NS, 7, 9, BARE)                    \
    X(P90, "p90", NULL, "p90", TIME_NS, 7, 9, BARE)                    \
    X(STD, "std", NULL, "std", TIME_NS, 7, 9, BARE)                    \
    X(START, "start", NULL, "start", TIME_NS, 7, 9, BARE)              \
    X(FLOPS, "flops", NULL, "flops", COUNT, 12, 9, BARE | SUM)         \
    X(BYTES, "bytes", NULL, "bytes", BYTES, 8, 9, BARE | SUM)          \
    X(LIVE, "live", NULL, "live", BYTES, 8, 9, BARE)                   \
    X(BOUND, "bound", NULL, "bound", TEXT, 7, 9, BARE)                 \
    X(OPERATIONS, "operations", "ops", "ops", COUNT, 5, 9, BARE | SUM) \
    X(PATH, "path", NULL, "path", TEXT, 20, 9, BARE)

enum { BAR = 1, SUM = 2, FLEXIBLE = 4, BARE = 8 };

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, kind, width, rank, flags) \
    {key,                                                  \
     alias,                                                \
     title,                                                \
     MLS_DATUM_##kind,                                     \
     width,                                                \
     rank,                                                 \
     ((flags)&FLEXIBLE) != 0,                              \
     ((flags)&BAR) != 0,                                   \
     ((flags)&BARE) != 0,                                  \
     ((flags)&SUM) != 0},
    COLUMN_LIST(X)
#undef X
};

enum { SHAPE_BYTES = 40 };

/* What a step shows beyond the snapshot, made once. */
struct step_extra {
    char shape[SHAPE_BYTES];
    const struct mls_placed_op *placed; /* or NULL */
};

/* A row's numbers that add up: those of a step, or the sums of a group. */
struct sums {
    double share, mean_ns, flops, bytes;
};

struct operations {
    struct step_extra *extras;
    size_t n_extras;
    const struct mls_placement *placement; /* that the extras were made from, as is the generation */
    uint32_t generation;
    enum mls_optree_kind kind;
    struct mls_optree tree;
    struct sums *sums; /* parallel to its nodes */
    bool built;
    unsigned hottest; /* how often H was pressed in a row */
};

static bool make_extras(struct operations *operations, const struct mls_snapshot *snapshot)
{
    const struct mls_placement *placement = mls_snapshot_placement(snapshot);
    if (operations->extras && operations->generation == snapshot->generation &&
        operations->n_extras == snapshot->n_steps && operations->placement == placement)
        return true;
    free(operations->extras);
    operations->extras = calloc(snapshot->n_steps ? snapshot->n_steps : 1, sizeof *operations->extras);
    operations->n_extras = operations->extras ? snapshot->n_steps : 0;
    operations->placement = placement;
    if (operations->generation != snapshot->generation)
        operations->built = false;
    operations->generation = snapshot->generation;
    for (size_t i = 0; i < operations->n_extras; i++) {
        const struct mls_step *step = mls_snapshot_step(snapshot, i);
        struct step_extra *extra = &operations->extras[i];
        if (step->n_outputs)
            mls_shape_format(&step->outputs[0].type, extra->shape, sizeof extra->shape);
        if (placement)
            extra->placed = mls_placement_find(placement, step->op);
    }
    return operations->extras != NULL;
}

/* Arranges the rows anew when the plan or the arrangement is another. */
static bool build(struct mls_view *view)
{
    struct operations *operations = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    if (operations->built && operations->tree.n_steps == snapshot->n_steps)
        return true;
    mls_optree_done(&operations->tree);
    free(operations->sums);
    operations->sums = NULL;
    operations->built = mls_optree_build(snapshot, operations->kind, &operations->tree);
    if (operations->built)
        operations->sums = calloc(operations->tree.n_nodes + 1, sizeof *operations->sums);
    view->tree = operations->kind != MLS_OPTREE_FLAT;
    return operations->built && operations->sums;
}

static void add_up(struct operations *operations, const struct mls_snapshot *snapshot)
{
    const struct mls_optree *tree = &operations->tree;
    memset(operations->sums, 0, tree->n_nodes * sizeof *operations->sums);
    for (size_t row = tree->n_nodes; row-- > 0;) { /* what stands under a row comes first */
        const struct mls_optree_node *node = &tree->nodes[row];
        struct sums *own = &operations->sums[row];
        if (node->step != MLS_NO_STEP) {
            const struct mls_step *step = mls_snapshot_step(snapshot, node->step);
            const struct mls_step_stats *stats = &snapshot->steps[node->step];
            *own = (struct sums){.share = stats->share,
                                 .mean_ns = (double)stats->mean_per_prediction_ns,
                                 .flops = (double)step->cost.flops,
                                 .bytes = (double)step->cost.bytes_read + (double)step->cost.bytes_written};
        }
        if (node->parent == MLS_NO_ROW)
            continue;
        struct sums *above = &operations->sums[node->parent];
        above->share += own->share;
        above->mean_ns += own->mean_ns;
        above->flops += own->flops;
        above->bytes += own->bytes;
    }
}

static bool update(struct mls_view *view)
{
    struct operations *operations = view->private;
    if (!make_extras(operations, view->snapshot) || !build(view))
        return false;
    add_up(operations, view->snapshot);
    return true;
}

static void close_view(struct mls_view *view)
{
    struct operations *operations = view->private;
    free(operations->extras);
    free(operations->sums);
    mls_optree_done(&operations->tree);
}

static size_t rows(const struct mls_view *view)
{
    const struct operations *operations = view->private;
    return operations->built && operations->tree.n_steps == view->snapshot->n_steps ? operations->tree.n_nodes
                                                                                    : 0;
}

static size_t parent(const void *user, size_t row)
{
    const struct mls_view *view = user;
    const struct operations *operations = view->private;
    return operations->tree.nodes[row].parent;
}

static const char *arranged(const struct mls_view *view)
{
    const struct operations *operations = view->private;
    return mls_optree_words(operations->kind);
}

static size_t row_of_step(const struct mls_view *view, size_t step)
{
    const struct operations *operations = view->private;
    return step < operations->tree.n_steps ? operations->tree.of_step[step] : MLS_NO_ROW;
}

static size_t step_of(const struct mls_view *view, size_t row)
{
    const struct operations *operations = view->private;
    return operations->tree.nodes[row].step;
}

static struct mls_datum time_of(const struct mls_series_stats *time, uint64_t ns)
{
    return (struct mls_datum){.kind = time->runs ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE, .number = (double)ns};
}

static struct mls_datum text_of(const char *text)
{
    return (struct mls_datum){.kind = text ? MLS_DATUM_TEXT : MLS_DATUM_NONE, .text = text};
}

static struct mls_datum number_of(enum mls_datum_kind kind, double number)
{
    return (struct mls_datum){.kind = isnan(number) ? MLS_DATUM_NONE : kind, .number = number};
}

static struct mls_datum measured_cell(const struct mls_step_stats *stats, enum column column)
{
    const struct mls_series_stats *time = &stats->time;
    switch (column) {
    case COLUMN_SHARE:
        return number_of(time->runs ? MLS_DATUM_SHARE : MLS_DATUM_NONE, stats->share);
    case COLUMN_MEAN:
        return time_of(time, time->mean_ns);
    case COLUMN_P50:
        return time_of(time, time->p50_ns);
    case COLUMN_P90:
        return time_of(time, time->p90_ns);
    case COLUMN_P99:
        return time_of(time, time->p99_ns);
    case COLUMN_LAST:
        return time_of(time, time->last_ns);
    case COLUMN_MIN:
        return time_of(time, time->min_ns);
    case COLUMN_MAX:
        return time_of(time, time->max_ns);
    case COLUMN_STD:
        return time_of(time, time->std_ns);
    case COLUMN_START:
        return time_of(time, stats->start_ns);
    case COLUMN_FIRST:
        return number_of(time->has_first ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE, (double)time->first_ns);
    case COLUMN_RUNS:
        return number_of(MLS_DATUM_COUNT, (double)time->runs);
    case COLUMN_BOUND:
        return text_of(mls_bound_name(stats->bound));
    case COLUMN_GFLOPS:
        return number_of(stats->gflops > 0 ? MLS_DATUM_GFLOPS : MLS_DATUM_NONE, stats->gflops);
    default:
        return number_of(stats->gbytes_per_s > 0 ? MLS_DATUM_GBYTES : MLS_DATUM_NONE, stats->gbytes_per_s);
    }
}

/* What does not change from one look to the next. */
static struct mls_datum fixed_cell(const struct mls_step *step, const struct step_extra *extra,
                                   enum column column)
{
    switch (column) {
    case COLUMN_TYPE:
        return text_of(step->type);
    case COLUMN_PATH:
        return text_of(step->path);
    case COLUMN_SHAPE:
        return text_of(extra->shape);
    case COLUMN_KERNEL:
        return text_of(step->kernel);
    case COLUMN_UNIT:
        return text_of(extra->placed ? mls_unit_name(extra->placed->preferred) : NULL);
    case COLUMN_LIVE:
        return number_of(MLS_DATUM_BYTES, (double)step->live_bytes_after);
    default:
        return number_of(MLS_DATUM_COUNT, 1);
    }
}

static struct mls_datum group_cell(const struct operations *operations, size_t row, enum column column,
                                   bool ran)
{
    const struct mls_optree_node *node = &operations->tree.nodes[row];
    const struct sums *sums = &operations->sums[row];
    double per_ns = sums->mean_ns > 0 ? 1 / sums->mean_ns : (double)NAN;
    switch (column) {
    case COLUMN_NAME:
        return text_of(operations->tree.texts + node->name);
    case COLUMN_OPERATIONS:
        return number_of(MLS_DATUM_COUNT, (double)node->n_steps);
    case COLUMN_SHARE:
        return number_of(ran ? MLS_DATUM_SHARE : MLS_DATUM_NONE, sums->share);
    case COLUMN_MEAN:
        return number_of(ran ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE, sums->mean_ns);
    case COLUMN_FLOPS:
        return number_of(MLS_DATUM_COUNT, sums->flops);
    case COLUMN_BYTES:
        return number_of(MLS_DATUM_BYTES, sums->bytes);
    case COLUMN_GFLOPS:
        return number_of(MLS_DATUM_GFLOPS, sums->flops > 0 ? sums->flops * per_ns : (double)NAN);
    case COLUMN_GBYTES:
        return number_of(MLS_DATUM_GBYTES, sums->bytes * per_ns);
    default:
        return (struct mls_datum){.kind = MLS_DATUM_NONE, .text = ""}; /* percentiles do not add up */
    }
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct operations *operations = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    size_t at = step_of(view, row);
    if (at == MLS_NO_STEP) {
        *ret_datum = group_cell(operations, row, (enum column)column, snapshot->predictions.runs > 0);
        return;
    }
    const struct mls_trend *trend = &snapshot->trends[at];
    switch ((enum column)column) {
    case COLUMN_INDEX:
        *ret_datum = number_of(MLS_DATUM_COUNT, (double)at);
        return;
    case COLUMN_TREND:
        *ret_datum = (struct mls_datum){
            .kind = trend->n ? MLS_DATUM_SERIES : MLS_DATUM_NONE, .series = trend->ns, .n_series = trend->n};
        return;
    case COLUMN_FLOPS:
        *ret_datum = number_of(MLS_DATUM_COUNT, operations->sums[row].flops);
        return;
    case COLUMN_BYTES:
        *ret_datum = number_of(MLS_DATUM_BYTES, operations->sums[row].bytes);
        return;
    case COLUMN_NAME:
        if (operations->tree.nodes[row].name) {
            *ret_datum = text_of(operations->tree.texts + operations->tree.nodes[row].name);
            return;
        }
        *ret_datum = text_of(mls_snapshot_step(snapshot, at)->name);
        return;
    case COLUMN_TYPE:
    case COLUMN_PATH:
    case COLUMN_SHAPE:
    case COLUMN_KERNEL:
    case COLUMN_UNIT:
    case COLUMN_LIVE:
    case COLUMN_OPERATIONS:
        *ret_datum =
            fixed_cell(mls_snapshot_step(snapshot, at), &operations->extras[at], (enum column)column);
        return;
    default:
        *ret_datum = measured_cell(&snapshot->steps[at], (enum column)column);
    }
}

static enum mls_style style(const void *user, size_t row)
{
    const struct mls_view *view = user;
    const struct operations *operations = view->private;
    double share = operations->sums[row].share;
    return share >= 0.10 ? MLS_STYLE_HEAT_HIGH : share >= 0.03 ? MLS_STYLE_HEAT_MIDDLE : MLS_STYLE_HEAT_LOW;
}

enum { HOTTEST_MAX = 64 };

static void select_hottest(struct mls_view *view)
{
    struct operations *operations = view->private;
    size_t hottest[HOTTEST_MAX];
    size_t n = mls_snapshot_hottest(view->snapshot, hottest, HOTTEST_MAX);
    if (n)
        mls_listing_select_row(&view->list, row_of_step(view, hottest[operations->hottest++ % n]));
}

/* Another arrangement: the selection stays on its operation, groups begin closed. */
static void arrange(struct mls_view *view, enum mls_optree_kind kind)
{
    struct operations *operations = view->private;
    size_t step = view->list.n_order ? step_of(view, view->list.selected_row) : MLS_NO_STEP;
    operations->kind = operations->kind == kind ? MLS_OPTREE_FLAT : kind;
    operations->built = false;
    mls_listing_forget_rows(&view->list);
    if (!update(view))
        return;
    struct mls_rows now = mls_view_rows(view);
    if (operations->kind == MLS_OPTREE_TYPE && view->list.sort_column == MLS_LISTING_RUN_ORDER)
        mls_listing_sort(&view->list, &now, COLUMN_SHARE); /* types have no order of their own */
    if (operations->kind != MLS_OPTREE_FLAT && mls_listing_update(&view->list, &now))
        mls_listing_toggle_all(&view->list, &now);
    else
        mls_listing_update(&view->list, &now);
    size_t row = step == MLS_NO_STEP ? MLS_NO_ROW : row_of_step(view, step);
    while (row != MLS_NO_ROW && !mls_listing_select_row(&view->list, row))
        row = operations->tree.nodes[row].parent;
}

static void next_limit(struct mls_listing *list)
{
    static const double limits[] = {0, 0.001, 0.005, 0.01, 0.05};
    enum { N_LIMITS = sizeof limits / sizeof limits[0] };
    size_t at = 0;
    while (at < N_LIMITS && limits[at] <= list->limit)
        at++;
    list->limit = at < N_LIMITS ? limits[at] : 0;
}

static bool perform(struct mls_view *view, enum mls_request request)
{
    struct operations *operations = view->private;
    struct mls_rows now = mls_view_rows(view);
    if (request != MLS_REQUEST_HOTTEST)
        operations->hottest = 0;
    switch (request) {
    case MLS_REQUEST_HOTTEST:
        select_hottest(view);
        return true;
    case MLS_REQUEST_TREE:
        arrange(view, MLS_OPTREE_MODULE);
        return true;
    case MLS_REQUEST_BY_TYPE:
        arrange(view, MLS_OPTREE_TYPE);
        return true;
    case MLS_REQUEST_LIMIT:
        next_limit(&view->list);
        return true;
    case MLS_REQUEST_OPEN:
        if (!view->list.n_order || step_of(view, view->list.selected_row) != MLS_NO_STEP)
            return false;
        mls_listing_set_closed(&view->list, &now, !view->list.state[view->list.selected_row].closed);
        return true;
    case MLS_REQUEST_EXPAND:
    case MLS_REQUEST_COLLAPSE:
        mls_listing_set_closed(&view->list, &now, request == MLS_REQUEST_COLLAPSE);
        return true;
    case MLS_REQUEST_TOGGLE_ALL:
        mls_listing_toggle_all(&view->list, &now);
        return true;
    default:
        return false;
    }
}

/* A group: what it sums up, and the most expensive of what stands under it. */
static int group_detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    const struct operations *operations = view->private;
    const struct mls_optree_node *node = &operations->tree.nodes[row];
    const struct sums *sums = &operations->sums[row];
    char a[32], b[32], c[32];
    int top = rect.y;
    mls_panel_rule(grid, &rect, operations->tree.texts + node->name);
    mls_panel_fact(grid, &rect, "time", "%s in a prediction, %s of all operations",
                   mls_time_format(sums->mean_ns, a), mls_share_format(sums->share, b));
    mls_panel_fact(grid, &rect, "cost", "%sFLOP  ·  %s moved", mls_count_format(sums->flops, a),
                   mls_bytes_format(sums->bytes, c));
    for (size_t i = row + 1, n = 0; i < operations->tree.n_nodes && n < 12; i++) {
        if (operations->tree.nodes[i].parent != row)
            continue;
        struct mls_datum name;
        cell(view, i, COLUMN_NAME, &name);
        mls_panel_fact(grid, &rect, n++ ? "" : "holds", "%8s  %9s  %s",
                       mls_share_format(operations->sums[i].share, a),
                       mls_time_format(operations->sums[i].mean_ns, b), name.text);
    }
    return rect.y - top;
}

static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    size_t step = step_of(view, row);
    return step == MLS_NO_STEP ? group_detail(view, grid, rect, row)
                               : mls_operation_draw(view->snapshot, step, grid, rect);
}

static bool op(const struct mls_view *view, size_t row, mls_op_id *ret_op)
{
    size_t step = step_of(view, row);
    if (step == MLS_NO_STEP)
        return false;
    *ret_op = mls_snapshot_step(view->snapshot, step)->op;
    return true;
}

const struct mls_view_ops mls_view_operations = {
    .title = "Operations",
    .request = MLS_REQUEST_OPERATIONS,
    .where = MLS_IN_LIST | MLS_IN_OPERATIONS,
    .private_size = sizeof(struct operations),
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .update = update,
    .close = close_view,
    .rows = rows,
    .cell = cell,
    .parent = parent,
    .arranged = arranged,
    .row_of_step = row_of_step,
    .style = style,
    .perform = perform,
    .detail = detail,
    .op = op,
};
