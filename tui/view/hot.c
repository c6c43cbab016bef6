#include "app/snapshot.h"
#include "view/panel.h"
#include "view/view.h"
#include "widget/graph.h"

#define COLUMN_LIST(X)                                                    \
    X(SHARE, "share", NULL, "self", SHARE, 7, 0, false, true)             \
    X(SELF, "self", "time", "CPU time", TIME_NS, 8, 1, false, false)      \
    X(TOTAL, "total", NULL, "with callees", TIME_NS, 12, 2, false, false) \
    X(SAMPLES, "samples", NULL, "samples", COUNT, 8, 3, false, false)     \
    X(NAME, "name", NULL, "function", TEXT, 24, 0, true, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, kind, width, rank, flexible, bar) \
    {key, alias, title, MLS_DATUM_##kind, width, rank, flexible, bar, false, COLUMN_##id != COLUMN_NAME},
    COLUMN_LIST(X)
#undef X
};

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->n_functions;
}

static double own_share(const struct mls_snapshot *snapshot, size_t row)
{
    double all_ns = (double)snapshot->hot.in_steps_ns + (double)snapshot->hot.between_ns;
    return all_ns > 0 ? (double)snapshot->functions[row].self_ns / all_ns : 0;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_hot_function *function = &view->snapshot->functions[row];
    *ret_datum = (struct mls_datum){.kind = columns[column].kind, .text = function->name};
    switch ((enum column)column) {
    case COLUMN_SHARE:
        ret_datum->number = own_share(view->snapshot, row);
        return;
    case COLUMN_SELF:
        ret_datum->number = (double)function->self_ns;
        return;
    case COLUMN_TOTAL:
        ret_datum->number = (double)function->total_ns;
        return;
    case COLUMN_SAMPLES:
        ret_datum->number = (double)function->samples;
        return;
    default:
        return;
    }
}

static enum mls_style style(const void *user, size_t row)
{
    const struct mls_view *view = user;
    double share = own_share(view->snapshot, row);
    return share >= 0.10 ? MLS_STYLE_HEAT_HIGH : share >= 0.03 ? MLS_STYLE_HEAT_MIDDLE : MLS_STYLE_HEAT_LOW;
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    char inside[32], between[32], elsewhere[32];
    if (!snapshot->hot.source) {
        mls_grid_text(grid, rect.x + 1, rect.y, rect.columns - 2, MLS_STYLE_DIM,
                      snapshot->recording ? "recordings hold no stacks"
                                          : "sampling begins: where the processor is inside operations");
        return 2;
    }
    mls_grid_format(grid, rect.x + 1, rect.y, rect.columns - 2, MLS_STYLE_DIM,
                    "%llu samples by %s%s · in operations %s, between %s, elsewhere %s",
                    (unsigned long long)snapshot->hot.samples, snapshot->hot.source,
                    snapshot->hot.lost ? ", some lost" : "",
                    mls_time_format((double)snapshot->hot.in_steps_ns, inside),
                    mls_time_format((double)snapshot->hot.between_ns, between),
                    mls_time_format((double)snapshot->hot.elsewhere_ns, elsewhere));
    return 2;
}

const struct mls_view_ops mls_view_hot = {
    .title = "Hot",
    .request = MLS_REQUEST_HOT,
    .where = MLS_IN_LIST,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .rows = rows,
    .cell = cell,
    .style = style,
    .draw = draw,
};
