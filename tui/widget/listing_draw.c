#include <stdio.h>
#include <string.h>

#include "widget/graph.h"
#include "widget/listing.h"

enum { GAP = 2, BAR_COLUMNS = 8, SERIES_MAX = 64, INDENT = 2 };

struct layout {
    unsigned column[MLS_LISTING_COLUMNS_MAX];
    int width[MLS_LISTING_COLUMNS_MAX]; /* 0: no room */
    unsigned n;
};

static int width_of(const struct mls_column *column, enum mls_share_mode mode)
{
    if (!column->bar || mode == MLS_SHARE_NUMBER)
        return column->columns;
    return mode == MLS_SHARE_BAR ? BAR_COLUMNS : column->columns + BAR_COLUMNS + 1;
}

/* Columns of the highest rank go until the rest fits; the flexible one takes what is left. */
static struct layout lay_out(const struct mls_listing *list, const struct mls_rows *rows, int columns)
{
    struct layout layout = {.n = 0};
    int needed = 0;
    int flexible = -1;
    layout.n = mls_listing_columns(list, rows, layout.column);
    for (unsigned i = 0; i < layout.n; i++) {
        const struct mls_column *column = &rows->columns[layout.column[i]];
        layout.width[i] = width_of(column, list->share_mode);
        if (column->flexible) {
            flexible = (int)i;
            /* On wide screens names are worth more than the last columns. */
            layout.width[i] += columns > 80 ? (columns - 80) / 4 : 0;
        }
        needed += layout.width[i] + GAP;
    }
    while (needed - GAP > columns) {
        int victim = -1;
        for (unsigned i = 0; i < layout.n; i++) {
            unsigned rank = rows->columns[layout.column[i]].rank;
            if (layout.width[i] && rank > 0 &&
                (victim < 0 || rank >= rows->columns[layout.column[victim]].rank))
                victim = (int)i;
        }
        if (victim < 0)
            break;
        needed -= layout.width[victim] + GAP;
        layout.width[victim] = 0;
    }
    if (flexible >= 0 && layout.width[flexible] && columns > needed - GAP)
        layout.width[flexible] += columns - (needed - GAP);
    return layout;
}

static void draw_header(struct mls_listing *list, const struct mls_rows *rows, const struct layout *layout,
                        struct mls_grid *grid, struct mls_rect rect)
{
    int x = rect.x;
    memset(&list->place, 0, sizeof list->place);
    list->place.rect = rect;
    mls_grid_restyle(grid, (struct mls_rect){rect.x, rect.y, rect.columns, 1}, MLS_STYLE_HEADER);
    for (unsigned i = 0; i < layout->n; i++) {
        const struct mls_column *column = &rows->columns[layout->column[i]];
        if (!layout->width[i])
            continue;
        char title[48];
        bool sorted = (int)layout->column[i] == list->sort_column;
        snprintf(title, sizeof title, "%.36s%s", column->title, !sorted ? "" : list->descending ? "▼" : "▲");
        if (mls_datum_is_number(column->kind))
            mls_grid_right(grid, x, rect.y, layout->width[i], MLS_STYLE_HEADER, title);
        else
            mls_grid_text(grid, x, rect.y, layout->width[i], MLS_STYLE_HEADER, title);
        list->place.x[layout->column[i]] = x;
        list->place.width[layout->column[i]] = layout->width[i] + GAP;
        x += layout->width[i] + GAP;
    }
}

static const char *skip_columns(const char *text, int columns)
{
    while (columns-- > 0 && *text) {
        text++;
        while (((unsigned char)*text & 0xc0) == 0x80)
            text++;
    }
    return text;
}

static void draw_series(struct mls_grid *grid, struct mls_rect rect, const struct mls_datum *datum)
{
    double numbers[SERIES_MAX], least, most;
    unsigned n = datum->n_series < SERIES_MAX ? datum->n_series : SERIES_MAX;
    if (!n)
        return;
    const float *from = datum->series + (datum->n_series - n);
    least = most = (double)from[0];
    for (unsigned i = 0; i < n; i++) {
        numbers[i] = (double)from[i];
        least = numbers[i] < least ? numbers[i] : least;
        most = numbers[i] > most ? numbers[i] : most;
    }
    /* A calm series lies in the middle: the scale is never finer than a quarter of the value. */
    double range = most - least > most / 4 ? most - least : most / 4;
    mls_graph_line(grid, rect, MLS_STYLE_BAR, numbers, n, least - range, least + range);
}

/* The flexible column of a tree: indented, with a sign that tells whether there is more under it. */
static int draw_branch(const struct mls_listing *list, struct mls_grid *grid, int x, int y, int width,
                       size_t row, enum mls_style style)
{
    int indent = (int)list->depth[row] * INDENT;
    indent = indent < width / 2 ? indent : width / 2;
    uint32_t sign = !list->parents[row] ? ' ' : list->state[row].closed ? 0x25b6u : 0x25bcu;
    mls_grid_put(grid, x + indent, y, style, sign);
    return indent + 2;
}

static void draw_cell(const struct mls_listing *list, const struct mls_rows *rows, struct mls_grid *grid,
                      struct mls_rect place, size_t row, unsigned at, enum mls_style style)
{
    char buffer[MLS_DATUM_TEXT_BYTES];
    const struct mls_column *column = &rows->columns[at];
    struct mls_datum datum = mls_rows_cell(rows, row, at);
    const char *text = mls_datum_format(&datum, buffer);
    if (column->kind == MLS_DATUM_SERIES) {
        if (datum.kind == MLS_DATUM_SERIES)
            draw_series(grid, place, &datum);
        return;
    }
    bool bar = column->bar && datum.kind == MLS_DATUM_SHARE && list->share_mode != MLS_SHARE_NUMBER;
    if (bar)
        mls_graph_share(grid, place.x, place.y, BAR_COLUMNS, datum.number);
    if (bar && list->share_mode == MLS_SHARE_BAR)
        return;
    if (mls_datum_is_number(column->kind)) {
        mls_grid_right(grid, place.x, place.y, place.columns, style, text);
        return;
    }
    int indent = column->flexible && rows->parent
                     ? draw_branch(list, grid, place.x, place.y, place.columns, row, style)
                     : 0;
    bool match =
        list->search_text[0] && datum.kind == MLS_DATUM_TEXT && mls_text_holds(text, list->search_text);
    mls_grid_text(grid, place.x + indent, place.y, place.columns - indent, match ? MLS_STYLE_MATCH : style,
                  column->flexible ? skip_columns(text, list->pan) : text);
}

static void draw_line(const struct mls_listing *list, const struct mls_rows *rows,
                      const struct layout *layout, struct mls_grid *grid, struct mls_rect line, size_t row,
                      enum mls_style style)
{
    int x = line.x;
    for (unsigned i = 0; i < layout->n; i++) {
        if (!layout->width[i])
            continue;
        draw_cell(list, rows, grid, (struct mls_rect){x, line.y, layout->width[i], 1}, row, layout->column[i],
                  style);
        x += layout->width[i] + GAP;
    }
}

/* Under the list: how many rows are marked, and their sums where a column can be summed. */
static void draw_sums(const struct mls_listing *list, const struct mls_rows *rows,
                      const struct layout *layout, struct mls_grid *grid, struct mls_rect line)
{
    int x = line.x;
    bool named = false;
    mls_grid_restyle(grid, line, MLS_STYLE_STRONG);
    for (unsigned i = 0; i < layout->n; i++) {
        char buffer[MLS_DATUM_TEXT_BYTES];
        if (!layout->width[i])
            continue;
        const struct mls_column *column = &rows->columns[layout->column[i]];
        struct mls_datum sum = mls_listing_sum(list, rows, layout->column[i]);
        if (sum.kind != MLS_DATUM_NONE) {
            mls_grid_right(grid, x, line.y, layout->width[i], MLS_STYLE_STRONG,
                           mls_datum_format(&sum, buffer));
        } else if (column->flexible && !named) {
            mls_grid_format(grid, x, line.y, layout->width[i], MLS_STYLE_STRONG, "* sum of %zu marked",
                            list->n_marked);
            named = true;
        }
        x += layout->width[i] + GAP;
    }
}

static void scroll(struct mls_listing *list, size_t page)
{
    list->page = page;
    if (list->selected < list->top)
        list->top = list->selected;
    if (page && list->selected >= list->top + page)
        list->top = list->selected - page + 1;
    if (list->top + page > list->n_order)
        list->top = list->n_order > page ? list->n_order - page : 0;
}

static void draw_empty(const struct mls_listing *list, struct mls_grid *grid, struct mls_rect inner,
                       const char *empty)
{
    const char *text = list->filter.n_nodes ? "no row matches the filter (Esc clears it)"
                       : list->n_limited    ? "all rows are below the limit (L changes it)"
                                            : empty;
    mls_grid_text(grid, inner.x, inner.y + 1, inner.columns, MLS_STYLE_DIM, text);
}

void mls_listing_draw(struct mls_listing *list, const struct mls_rows *rows, struct mls_grid *grid,
                      struct mls_rect rect, enum mls_style (*style)(const void *user, size_t row),
                      const char *empty)
{
    if (rect.rows < 2)
        return;
    int sums = list->n_marked > 0 && rect.rows > 3;
    struct mls_rect inner = {rect.x + 1, rect.y, rect.columns - 2, rect.rows - sums};
    struct layout layout = lay_out(list, rows, inner.columns);
    draw_header(list, rows, &layout, grid, inner);
    scroll(list, (size_t)inner.rows - 1);
    for (size_t i = 0; i + 1 < (size_t)inner.rows && list->top + i < list->n_order; i++) {
        size_t row = list->order[list->top + i];
        struct mls_rect line = {inner.x, rect.y + 1 + (int)i, inner.columns, 1};
        bool selected = list->top + i == list->selected;
        draw_line(list, rows, &layout, grid, line, row, style ? style(rows->user, row) : MLS_STYLE_NORMAL);
        if (selected)
            mls_grid_restyle(grid, (struct mls_rect){rect.x, line.y, rect.columns, 1}, MLS_STYLE_SELECTED);
        if (selected || list->state[row].marked)
            mls_grid_put(grid, rect.x, line.y, selected ? MLS_STYLE_SELECTED : MLS_STYLE_KEY,
                         list->state[row].marked ? '*'
                         : list->follow          ? 0x25cfu
                                                 : 0x25b8u);
    }
    if (sums)
        draw_sums(list, rows, &layout, grid,
                  (struct mls_rect){inner.x, rect.y + rect.rows - 1, inner.columns, 1});
    if (list->n_order == 0)
        draw_empty(list, grid, inner, empty);
}

void mls_listing_hit(const struct mls_listing *list, int x, int y, long *ret_line, int *ret_column)
{
    const struct mls_rect *rect = &list->place.rect;
    *ret_line = -1;
    *ret_column = -1;
    if (y < rect->y || y >= rect->y + rect->rows || x < rect->x - 1 || x > rect->x + rect->columns)
        return;
    if (y > rect->y && list->top + (size_t)(y - rect->y - 1) < list->n_order)
        *ret_line = (long)list->top + y - rect->y - 1;
    for (int i = 0; i < MLS_LISTING_COLUMNS_MAX && y == rect->y; i++)
        if (list->place.width[i] && x >= list->place.x[i] && x < list->place.x[i] + list->place.width[i])
            *ret_column = i;
}
