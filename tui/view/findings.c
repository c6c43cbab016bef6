#include <stdio.h>

#include "view/panel.h"
#include "view/view.h"

#define COLUMN_LIST(X)                                           \
    X(SEVERITY, "severity", NULL, "severity", TEXT, 8, 0, false) \
    X(ID, "id", NULL, "rule", TEXT, 8, 0, false)                 \
    X(TITLE, "title", "name", "finding", TEXT, 20, 0, true)      \
    X(GAIN, "gain", NULL, "gain", TIME_NS, 8, 2, false)          \
    X(OPERATIONS, "operations", NULL, "ops", COUNT, 5, 3, false) \
    X(CONFIDENCE, "confidence", NULL, "sure", TEXT, 6, 1, false) \
    X(LAYER, "layer", NULL, "layer", TEXT, 13, 4, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {COLUMN_LIST(MLS_COLUMN_ROW)};

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->report ? view->snapshot->report->n_findings : 0;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_finding *finding = &view->snapshot->report->findings[row];
    *ret_datum = (struct mls_datum){.kind = columns[column].kind};
    switch ((enum column)column) {
    case COLUMN_SEVERITY:
        ret_datum->text = mls_severity_name(finding->severity);
        return;
    case COLUMN_ID:
        ret_datum->text = finding->id;
        return;
    case COLUMN_TITLE:
        ret_datum->text = finding->title;
        return;
    case COLUMN_GAIN:
        ret_datum->kind = finding->gain_ns ? MLS_DATUM_TIME_NS : MLS_DATUM_NONE;
        ret_datum->number = (double)finding->gain_ns;
        return;
    case COLUMN_OPERATIONS:
        ret_datum->kind = finding->n_ops ? MLS_DATUM_COUNT : MLS_DATUM_NONE;
        ret_datum->number = (double)finding->n_ops;
        return;
    case COLUMN_CONFIDENCE:
        ret_datum->text = mls_confidence_name(finding->confidence);
        return;
    default:
        ret_datum->text = mls_layer_name(finding->layer);
    }
}

static enum mls_style style(const void *user, size_t row)
{
    static const enum mls_style severity_styles[MLS_SEVERITY_COUNT] = {
        [MLS_SEVERITY_ERROR] = MLS_STYLE_BAD,
        [MLS_SEVERITY_WARNING] = MLS_STYLE_WARNING,
        [MLS_SEVERITY_INFO] = MLS_STYLE_NORMAL,
    };
    const struct mls_view *view = user;
    return severity_styles[view->snapshot->report->findings[row].severity];
}

static bool step_to(struct mls_view *view, enum mls_severity severity, int step)
{
    struct mls_listing *list = &view->list;
    for (size_t i = 1; i <= list->n_order; i++) {
        size_t line = (list->selected + (step > 0 ? i : list->n_order * 2 - i)) % list->n_order;
        if (view->snapshot->report->findings[list->order[line]].severity == severity)
            return mls_listing_select_row(list, list->order[line]);
    }
    return true;
}

static bool perform(struct mls_view *view, enum mls_request request)
{
    switch (request) {
    case MLS_REQUEST_NEXT_ERROR:
        return step_to(view, MLS_SEVERITY_ERROR, 1);
    case MLS_REQUEST_PREVIOUS_ERROR:
        return step_to(view, MLS_SEVERITY_ERROR, -1);
    case MLS_REQUEST_NEXT_WARNING:
        return step_to(view, MLS_SEVERITY_WARNING, 1);
    case MLS_REQUEST_PREVIOUS_WARNING:
        return step_to(view, MLS_SEVERITY_WARNING, -1);
    default:
        return false;
    }
}

static void draw_error(const struct mls_error *error, struct mls_grid *grid, struct mls_rect *rect)
{
    mls_panel_text(grid, rect, 0, MLS_STYLE_BAD, error->text);
    if (error->file[0] && error->byte_offset >= 0)
        mls_panel_fact(grid, rect, "file", "%s, byte %lld", error->file, (long long)error->byte_offset);
    else if (error->file[0])
        mls_panel_fact(grid, rect, "file", "%s", error->file);
    if (error->operation[0])
        mls_panel_fact(grid, rect, "operation", "%s%s%s", error->function, error->function[0] ? "/" : "",
                       error->operation);
    if (error->hint[0]) {
        mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_DIM, "hint");
        mls_panel_text(grid, rect, MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_STRONG, error->hint);
    }
    mls_panel_skip(rect, 1);
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    int top = rect.y;
    if (snapshot->error)
        draw_error(snapshot->error, grid, &rect);
    else if (snapshot->report)
        mls_panel_text(grid, &rect, 0, MLS_STYLE_DIM, snapshot->report->summary);
    return rect.y - top;
}

static void draw_labelled(struct mls_grid *grid, struct mls_rect *rect, const char *label, const char *text)
{
    if (!text || !*text)
        return;
    if (rect->rows > 0)
        mls_grid_text(grid, rect->x + 1, rect->y, MLS_PANEL_LABEL_COLUMNS - 1, MLS_STYLE_DIM, label);
    mls_panel_text(grid, rect, MLS_PANEL_LABEL_COLUMNS, MLS_STYLE_NORMAL, text);
}

static void draw_place(const struct mls_finding *finding, struct mls_grid *grid, struct mls_rect *rect)
{
    char place[512];
    if (!finding->file || !*finding->file)
        return;
    if (finding->byte_offset >= 0)
        snprintf(place, sizeof place, "%s, byte %lld", finding->file, (long long)finding->byte_offset);
    else
        snprintf(place, sizeof place, "%s", finding->file);
    draw_labelled(grid, rect, "file", place);
}

static int detail(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row)
{
    const struct mls_finding *finding = &view->snapshot->report->findings[row];
    char title[256];
    int top = rect.y;
    snprintf(title, sizeof title, "%s  %s", finding->id, finding->title);
    mls_panel_rule(grid, &rect, title);
    draw_labelled(grid, &rect, "why", finding->why);
    for (size_t i = 0; i < finding->n_evidence; i++)
        draw_labelled(grid, &rect, i ? "" : "evidence", finding->evidence[i]);
    draw_place(finding, grid, &rect);
    draw_labelled(grid, &rect, "fix", finding->fix);
    draw_labelled(grid, &rect, "source", finding->source);
    return rect.y - top;
}

static bool op(const struct mls_view *view, size_t row, mls_op_id *ret_op)
{
    const struct mls_finding *finding = &view->snapshot->report->findings[row];
    if (!finding->n_ops)
        return false;
    *ret_op = finding->ops[0];
    return true;
}

const struct mls_view_ops mls_view_findings = {
    .title = "Findings",
    .request = MLS_REQUEST_FINDINGS,
    .where = MLS_IN_LIST | MLS_IN_FINDINGS,
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
