#include <stdio.h>
#include <stdlib.h>

#include "view/panel.h"
#include "view/view.h"

/* One column of units for each setting: they stand side by side. */
#define COLUMN_LIST(X)                                                    \
    X(INDEX, "#", "index", "#", COUNT, 4, 2, false)                       \
    X(TYPE, "type", NULL, "type", TEXT, 12, 0, false)                     \
    X(NAME, "name", NULL, "name", TEXT, 12, 0, true)                      \
    X(SHARE, "share", "cost", "cost", SHARE, 7, 0, false)                 \
    X(ESTIMATE, "estimate", "time", "estimate", TIME_NS, 8, 3, false)     \
    X(ALL, "all", "unit", "all", TEXT, 4, 0, false)                       \
    X(CPU_ONLY, "cpuOnly", NULL, "cpu", TEXT, 4, 4, false)                \
    X(CPU_AND_GPU, "cpuAndGPU", NULL, "+gpu", TEXT, 4, 0, false)          \
    X(CPU_AND_ANE, "cpuAndNeuralEngine", NULL, "+ane", TEXT, 4, 0, false) \
    X(CONFIDENCE, "confidence", NULL, "sure", TEXT, 6, 1, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {COLUMN_LIST(MLS_COLUMN_ROW)};

struct placement {
    unsigned ahead; /* of the snapshot's setting: the one whose segments and reasons are shown */
};

static enum mls_compute_units setting_shown(const struct mls_view *view)
{
    const struct placement *placement = view->private;
    return (enum mls_compute_units)(((unsigned)view->snapshot->setting + placement->ahead) %
                                    MLS_COMPUTE_UNITS_COUNT);
}

static const struct mls_placement *shown(const struct mls_view *view)
{
    return view->snapshot->placements[setting_shown(view)];
}

static size_t rows(const struct mls_view *view)
{
    const struct mls_placement *placement = shown(view);
    return placement ? placement->n_ops : 0;
}

static const char *unit_under(const struct mls_view *view, enum mls_compute_units setting, size_t row)
{
    const struct mls_placement *placement = view->snapshot->placements[setting];
    return placement && row < placement->n_ops ? mls_unit_name(placement->ops[row].preferred) : NULL;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_placed_op *placed = &shown(view)->ops[row];
    *ret_datum = (struct mls_datum){.kind = columns[column].kind};
    switch ((enum column)column) {
    case COLUMN_INDEX:
        ret_datum->number = placed->index;
        return;
    case COLUMN_TYPE:
        ret_datum->text = placed->type;
        return;
    case COLUMN_NAME:
        ret_datum->text = placed->name;
        return;
    case COLUMN_SHARE:
        ret_datum->number = placed->cost_share;
        return;
    case COLUMN_ESTIMATE:
        ret_datum->number = placed->estimate_us[placed->backend] * 1000;
        ret_datum->kind = ret_datum->number < 0 ? MLS_DATUM_NONE : MLS_DATUM_TIME_NS;
        return;
    case COLUMN_CONFIDENCE:
        ret_datum->text = mls_confidence_name(placed->confidence);
        return;
    default: /* the settings stand in the order of their enum */
        ret_datum->text = unit_under(view, (enum mls_compute_units)(column - COLUMN_ALL), row);
        ret_datum->kind = ret_datum->text ? MLS_DATUM_TEXT : MLS_DATUM_NONE;
    }
}

static enum mls_style style(const void *user, size_t row)
{
    return mls_panel_unit_style(shown(user)->ops[row].preferred);
}

static bool perform(struct mls_view *view, enum mls_request request)
{
    struct placement *placement = view->private;
    if (request != MLS_REQUEST_NEXT_SETTING)
        return false;
    placement->ahead = (placement->ahead + 1) % MLS_COMPUTE_UNITS_COUNT;
    return true;
}

/* The operations in file order, each column of the screen in the unit of the operation that falls on it. */
static void draw_segments(const struct mls_view *view, struct mls_grid *grid, struct mls_rect *rect)
{
    const struct mls_placement *placement = shown(view);
    int columns_left = rect->columns - 2;
    if (!placement || !placement->n_ops || rect->rows < 2)
        return;
    for (int i = 0; i < columns_left; i++) {
        size_t at = (size_t)i * placement->n_ops / (size_t)columns_left;
        enum mls_unit unit = placement->ops[at].preferred;
        mls_grid_put(grid, rect->x + 1 + i, rect->y, mls_panel_unit_style(unit), mls_panel_unit_glyph(unit));
    }
    size_t selected = view->list.n_order ? view->list.selected_row : 0;
    int at = (int)((selected * 2 + 1) * (size_t)columns_left / (placement->n_ops * 2));
    mls_grid_put(grid, rect->x + 1 + at, rect->y + 1, MLS_STYLE_KEY, 0x25b2);
    bool before = at > columns_left / 2;
    uint32_t longest = placement->n_segments ? placement->segments[placement->longest_segment].last -
                                                   placement->segments[placement->longest_segment].first + 1
                                             : 0;
    mls_grid_format(grid, before ? rect->x + 1 : rect->x + at + 3, rect->y + 1,
                    before ? at - 1 : columns_left - at - 2, MLS_STYLE_DIM,
                    "%u segment%s, the longest of %u operations", placement->n_segments,
                    placement->n_segments == 1 ? "" : "s", longest);
    mls_panel_skip(rect, 2);
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    enum mls_compute_units setting = setting_shown(view);
    const struct mls_snapshot *snapshot = view->snapshot;
    int top = rect.y;
    static const char *const labels[MLS_COMPUTE_UNITS_COUNT] = {
        [MLS_COMPUTE_UNITS_ALL] = "all",
        [MLS_COMPUTE_UNITS_CPU_ONLY] = "cpuOnly",
        [MLS_COMPUTE_UNITS_CPU_AND_GPU] = "cpu+GPU",
        [MLS_COMPUTE_UNITS_CPU_AND_ANE] = "cpu+ANE",
    };
    if (!shown(view))
        return 0;
    mls_panel_fact(grid, &rect, "Predicted", "%s  ·  not measured",
                   mls_placement_profile_name(shown(view)->profile));
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        struct mls_rect line = {rect.x + 2, rect.y, rect.columns - 12, 1};
        char total[32];
        if (snapshot->placements[i])
            mls_grid_right(grid, rect.x + rect.columns - 10, rect.y, 9, MLS_STYLE_NORMAL,
                           mls_time_format(snapshot->placements[i]->total_us * 1000, total));
        if (i == (unsigned)setting)
            mls_grid_put(grid, rect.x + 1, rect.y, MLS_STYLE_KEY, 0x25b8);
        mls_panel_units(grid, &line, labels[i], snapshot->placements[i]);
        mls_panel_skip(&rect, 1);
    }
    char title[96];
    snprintf(title, sizeof title, "Along the graph: %s", mls_compute_units_name(setting));
    mls_panel_rule(grid, &rect, title);
    draw_segments(view, grid, &rect);
    return rect.y - top;
}

static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    const struct mls_placed_op *placed = &shown(view)->ops[row];
    char title[256], estimates[160] = "";
    size_t used = 0;
    int top = rect.y;
    snprintf(title, sizeof title, "%s  %s", placed->type, placed->name);
    mls_panel_rule(grid, &rect, title);
    mls_panel_fact(grid, &rect, "unit", "%s by %s  ·  %s confidence", mls_unit_name(placed->preferred),
                   mls_backend_name(placed->backend), mls_confidence_name(placed->confidence));
    for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++) {
        char time[32];
        if (placed->estimate_us[i] < 0)
            continue;
        int n = snprintf(estimates + used, sizeof estimates - used, "%s%s %s", used ? "  ·  " : "",
                         mls_backend_name((enum mls_backend)i),
                         mls_time_format(placed->estimate_us[i] * 1000, time));
        used += n > 0 && (size_t)n < sizeof estimates - used ? (size_t)n : 0;
    }
    mls_panel_fact(grid, &rect, "estimates", "%s", used ? estimates : "none");
    for (uint32_t i = 0; i < placed->n_reasons; i++) {
        if (i == 0 && rect.rows > 0)
            mls_grid_text(grid, rect.x + 1, rect.y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, "reasons");
        mls_panel_text(grid, &rect, MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_NORMAL, placed->reasons[i]);
    }
    return rect.y - top;
}

static bool op(const struct mls_view *view, size_t row, mls_op_id *ret_op)
{
    *ret_op = shown(view)->ops[row].op;
    return true;
}

const struct mls_view_ops mls_view_placement = {
    .title = "Placement",
    .request = MLS_REQUEST_PLACEMENT,
    .where = MLS_IN_LIST | MLS_IN_PLACEMENT,
    .private_size = sizeof(struct placement),
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .detail_open = true,
    .rows = rows,
    .cell = cell,
    .style = style,
    .perform = perform,
    .draw = draw,
    .detail = detail,
    .op = op,
};
