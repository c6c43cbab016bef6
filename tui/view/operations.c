#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "view/operation.h"
#include "view/view.h"

/* Columns: id, key, alias, title, kind, width, rank, flexible, bar, bare. */
#define COLUMN_LIST(X)                                                      \
    X(INDEX, "#", "index", "#", COUNT, 4, 0, false, false, false)           \
    X(SHARE, "share", NULL, "share", SHARE, 7, 0, false, true, false)       \
    X(MEAN, "mean", "time", "mean", TIME_NS, 7, 0, false, false, false)     \
    X(P50, "p50", NULL, "p50", TIME_NS, 7, 2, false, false, false)          \
    X(P99, "p99", NULL, "p99", TIME_NS, 7, 3, false, false, false)          \
    X(LAST, "last", NULL, "last", TIME_NS, 7, 4, false, false, false)       \
    X(GFLOPS, "gflops", NULL, "GFLOP/s", GFLOPS, 7, 5, false, false, false) \
    X(GBYTES, "gbytes", NULL, "GB/s", GBYTES, 6, 6, false, false, false)    \
    X(TYPE, "type", NULL, "type", TEXT, 12, 0, false, false, false)         \
    X(NAME, "name", NULL, "name", TEXT, 12, 0, true, false, false)          \
    X(SHAPE, "shape", NULL, "shape", TEXT, 16, 7, false, false, false)      \
    X(KERNEL, "kernel", NULL, "kernel", TEXT, 22, 8, false, false, false)   \
    X(UNIT, "unit", NULL, "unit", TEXT, 4, 1, false, false, false)          \
    X(RUNS, "runs", NULL, "runs", COUNT, 8, 9, false, false, true)          \
    X(FIRST, "first", NULL, "first", TIME_NS, 7, 9, false, false, true)     \
    X(MIN, "min", NULL, "min", TIME_NS, 7, 9, false, false, true)           \
    X(MAX, "max", NULL, "max", TIME_NS, 7, 9, false, false, true)           \
    X(P90, "p90", NULL, "p90", TIME_NS, 7, 9, false, false, true)           \
    X(FLOPS, "flops", NULL, "flops", COUNT, 8, 9, false, false, true)       \
    X(BYTES, "bytes", NULL, "bytes", BYTES, 8, 9, false, false, true)       \
    X(PATH, "path", NULL, "path", TEXT, 20, 9, false, false, true)

enum column {
#define X(id, key, alias, title, kind, width, rank, flexible, bar, bare) COLUMN_##id,
    COLUMN_LIST(X)
#undef X
        N_COLUMNS
};

static const struct mls_column columns[] = {
#define X(id, key, alias, title, kind, width, rank, flexible, bar, bare) \
    {key, alias, title, MLS_DATUM_##kind, width, rank, flexible, bar, bare},
    COLUMN_LIST(X)
#undef X
};

enum { SHAPE_BYTES = 40 };

/* What a row shows beyond the snapshot, made once. */
struct row_extra {
    char shape[SHAPE_BYTES];
    const struct mls_placed_op *placed; /* or NULL */
};

struct operations {
    struct row_extra *extras;
    size_t n_extras;
    unsigned hottest; /* how often H was pressed in a row */
};

static bool update(struct mls_view *view)
{
    struct operations *operations = view->private;
    const struct mls_snapshot *snapshot = view->snapshot;
    if (operations->n_extras == snapshot->n_steps)
        return true;
    operations->extras = calloc(snapshot->n_steps, sizeof *operations->extras);
    if (!operations->extras)
        return false;
    operations->n_extras = snapshot->n_steps;
    for (size_t i = 0; i < snapshot->n_steps; i++) {
        const struct mls_step *step = mls_snapshot_step(snapshot, i);
        struct row_extra *extra = &operations->extras[i];
        if (step->n_outputs)
            mls_shape_format(&step->outputs[0].type, extra->shape, sizeof extra->shape);
        if (mls_snapshot_placement(snapshot))
            extra->placed = mls_placement_find(mls_snapshot_placement(snapshot), step->op);
    }
    return true;
}

static void close_view(struct mls_view *view)
{
    struct operations *operations = view->private;
    free(operations->extras);
}

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->n_steps;
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
    case COLUMN_FIRST:
        return number_of(time->has_first ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE, (double)time->first_ns);
    case COLUMN_RUNS:
        return number_of(MLS_DATUM_COUNT, (double)time->runs);
    case COLUMN_GFLOPS:
        return number_of(MLS_DATUM_GFLOPS, stats->gflops);
    default:
        return number_of(MLS_DATUM_GBYTES, stats->gbytes_per_s);
    }
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct operations *operations = view->private;
    const struct row_extra *extra = &operations->extras[row];
    const struct mls_step *step = mls_snapshot_step(view->snapshot, row);
    switch ((enum column)column) {
    case COLUMN_INDEX:
        *ret_datum = number_of(MLS_DATUM_COUNT, (double)row);
        return;
    case COLUMN_TYPE:
        *ret_datum = text_of(step->type);
        return;
    case COLUMN_NAME:
        *ret_datum = text_of(step->name);
        return;
    case COLUMN_PATH:
        *ret_datum = text_of(step->path);
        return;
    case COLUMN_SHAPE:
        *ret_datum = text_of(extra->shape);
        return;
    case COLUMN_KERNEL:
        *ret_datum = text_of(step->kernel);
        return;
    case COLUMN_UNIT:
        *ret_datum = text_of(extra->placed ? mls_unit_name(extra->placed->preferred) : NULL);
        return;
    case COLUMN_FLOPS:
        *ret_datum = number_of(MLS_DATUM_COUNT, (double)step->cost.flops);
        return;
    case COLUMN_BYTES:
        *ret_datum =
            number_of(MLS_DATUM_BYTES, (double)step->cost.bytes_read + (double)step->cost.bytes_written);
        return;
    default:
        *ret_datum = measured_cell(&view->snapshot->steps[row], (enum column)column);
    }
}

static enum mls_style style(const void *user, size_t row)
{
    const struct mls_view *view = user;
    double share = view->snapshot->steps[row].share;
    return share >= 0.10 ? MLS_STYLE_HEAT_HIGH : share >= 0.03 ? MLS_STYLE_HEAT_MIDDLE : MLS_STYLE_HEAT_LOW;
}

enum { HOTTEST_MAX = 64 };

static bool perform(struct mls_view *view, enum mls_request request)
{
    struct operations *operations = view->private;
    if (request != MLS_REQUEST_HOTTEST) {
        operations->hottest = 0;
        return false;
    }
    size_t hottest[HOTTEST_MAX];
    size_t n = mls_snapshot_hottest(view->snapshot, hottest, HOTTEST_MAX);
    if (n)
        mls_listing_select_row(&view->list, hottest[operations->hottest++ % n]);
    return true;
}

static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    return mls_operation_draw(view->snapshot, row, grid, rect);
}

static bool op(const struct mls_view *view, size_t row, mls_op_id *ret_op)
{
    *ret_op = mls_snapshot_step(view->snapshot, row)->op;
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
    .style = style,
    .perform = perform,
    .detail = detail,
    .op = op,
};
