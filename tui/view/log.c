#include <stdio.h>

#include "view/panel.h"
#include "view/view.h"
#include "widget/graph.h"

#define COLUMN_LIST(X)                               \
    X(AT, "at", "time", "at", TIME_NS, 9, 0, false)  \
    X(KIND, "kind", NULL, "kind", TEXT, 8, 0, false) \
    X(TEXT, "text", "name", "what happened", TEXT, 40, 0, true)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {COLUMN_LIST(MLS_COLUMN_ROW)};

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->log ? view->snapshot->log->n_lines : 0;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_log_line *line = &view->snapshot->log->lines[row];
    *ret_datum = (struct mls_datum){.kind = columns[column].kind};
    if (column == COLUMN_AT)
        ret_datum->number = line->at_s * 1e9;
    else
        ret_datum->text = column == COLUMN_KIND ? mls_log_kind_name(line->kind) : line->text;
}

static enum mls_style style(const void *user, size_t row)
{
    static const enum mls_style kind_styles[MLS_LOG_KIND_COUNT] = {[MLS_LOG_NOTE] = MLS_STYLE_NORMAL,
                                                                   [MLS_LOG_CHANGE] = MLS_STYLE_TITLE,
                                                                   [MLS_LOG_WARNING] = MLS_STYLE_WARNING,
                                                                   [MLS_LOG_ERROR] = MLS_STYLE_BAD};
    const struct mls_view *view = user;
    return kind_styles[view->snapshot->log->lines[row].kind];
}

/* Latency, the worst of it, and memory over the whole time, with changes marked where they happened. */
static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_history *history = view->snapshot->history;
    const struct mls_log *log = view->snapshot->log;
    double mean[MLS_HISTORY_POINTS], worst[MLS_HISTORY_POINTS], rss[MLS_HISTORY_POINTS];
    double most_ns = 0, most_bytes = 0;
    char a[32], b[32];
    int top = rect.y;
    size_t n = history ? history->n_points : 0;
    if (n < 2 || rect.rows < 16)
        return 0;
    for (size_t i = 0; i < n; i++) {
        mean[i] = history->points[i].mean_ns;
        worst[i] = history->points[i].worst_ns;
        rss[i] = (double)history->points[i].rss_bytes;
        most_ns = worst[i] > most_ns ? worst[i] : most_ns;
        most_bytes = rss[i] > most_bytes ? rss[i] : most_bytes;
    }
    double end_s = history->points[n - 1].at_s;
    char title[128];
    snprintf(title, sizeof title, "Latency (worst behind mean) and memory over %s: up to %s, %s",
             mls_time_format(end_s * 1e9, (char[32]){0}), mls_time_format(most_ns, a),
             mls_bytes_format(most_bytes, b));
    mls_panel_rule(grid, &rect, title);
    struct mls_rect graph = {rect.x + 1, rect.y, rect.columns - 2, rect.rows >= 40 ? 8 : 4};
    mls_graph_columns(grid, graph, MLS_STYLE_BAR_REST, worst, n, most_ns);
    mls_graph_columns(grid, graph, MLS_STYLE_BAR, mean, n, most_ns);
    mls_panel_skip(&rect, graph.rows);
    mls_grid_fill(grid, (struct mls_rect){graph.x, rect.y, graph.columns, 1}, MLS_STYLE_DIM, 0x2500);
    for (size_t i = 0; log && i < log->n_lines && end_s > 0; i++)
        if (log->lines[i].kind == MLS_LOG_CHANGE)
            mls_grid_put(grid, graph.x + (int)(log->lines[i].at_s / end_s * (graph.columns - 1)), rect.y,
                         MLS_STYLE_KEY, 0x25b2);
    mls_panel_skip(&rect, 1);
    struct mls_rect memory = {graph.x, rect.y, graph.columns, graph.rows / 2};
    mls_graph_columns(grid, memory, MLS_STYLE_PART_3, rss, n, most_bytes);
    mls_panel_skip(&rect, memory.rows + 1);
    return rect.y - top;
}

const struct mls_view_ops mls_view_log = {
    .title = "Log",
    .request = MLS_REQUEST_LOG,
    .where = MLS_IN_LIST,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .rows = rows,
    .cell = cell,
    .style = style,
    .draw = draw,
};
