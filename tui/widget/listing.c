#include "widget/listing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "widget/graph.h"

struct mls_sort_key {
    size_t row;
    bool known;
    double number;
    const char *text;
    bool descending;
};

void mls_listing_done(struct mls_listing *list)
{
    free(list->order);
    free(list->keys);
    list->order = NULL;
    list->keys = NULL;
    list->n_order = list->capacity = 0;
}

/* Unknown values stand last in both directions; equal ones keep run order. */
static int compare_keys(const void *left, const void *right)
{
    const struct mls_sort_key *a = left;
    const struct mls_sort_key *b = right;
    int order;
    if (a->known != b->known)
        return a->known ? -1 : 1;
    if (a->text && b->text)
        order = strcasecmp(a->text, b->text);
    else
        order = (a->number > b->number) - (a->number < b->number);
    if (order != 0)
        return a->descending ? -order : order;
    return (a->row > b->row) - (a->row < b->row);
}

static bool reserve(struct mls_listing *list, size_t n_rows)
{
    if (n_rows <= list->capacity)
        return true;
    size_t *order = realloc(list->order, n_rows * sizeof *order);
    if (order)
        list->order = order;
    struct mls_sort_key *keys = realloc(list->keys, n_rows * sizeof *keys);
    if (keys)
        list->keys = keys;
    if (!order || !keys)
        return false;
    list->capacity = n_rows;
    return true;
}

static void sort_rows(struct mls_listing *list, const struct mls_rows *rows)
{
    for (size_t i = 0; i < list->n_order; i++) {
        struct mls_datum datum = {.kind = MLS_DATUM_NONE};
        rows->cell(rows->user, list->order[i], (unsigned)list->sort_column, &datum);
        list->keys[i] = (struct mls_sort_key){.row = list->order[i],
                                              .known = datum.kind != MLS_DATUM_NONE && !isnan(datum.number),
                                              .number = datum.number,
                                              .text = datum.kind == MLS_DATUM_TEXT ? datum.text : NULL,
                                              .descending = list->descending};
    }
    qsort(list->keys, list->n_order, sizeof *list->keys, compare_keys);
    for (size_t i = 0; i < list->n_order; i++)
        list->order[i] = list->keys[i].row;
}

bool mls_listing_select_row(struct mls_listing *list, size_t row)
{
    for (size_t i = 0; i < list->n_order; i++)
        if (list->order[i] == row) {
            list->selected = i;
            list->selected_row = row;
            return true;
        }
    return false;
}

bool mls_listing_update(struct mls_listing *list, const struct mls_rows *rows)
{
    if (!reserve(list, rows->n_rows))
        return false;
    list->n_order = 0;
    for (size_t row = 0; row < rows->n_rows; row++)
        if (mls_filter_matches(&list->filter, rows, row))
            list->order[list->n_order++] = row;
    if (list->sort_column >= (int)rows->n_columns)
        list->sort_column = MLS_LISTING_RUN_ORDER;
    if (list->sort_column != MLS_LISTING_RUN_ORDER && list->n_order > 1)
        sort_rows(list, rows);
    if (list->follow && mls_listing_select_row(list, list->selected_row))
        return true;
    if (list->n_order == 0)
        return true;
    if (list->selected >= list->n_order)
        list->selected = list->n_order - 1;
    list->selected_row = list->order[list->selected];
    return true;
}

void mls_listing_move(struct mls_listing *list, long lines)
{
    if (list->n_order == 0)
        return;
    long target = (long)list->selected + lines;
    target = target < 0 ? 0 : target >= (long)list->n_order ? (long)list->n_order - 1 : target;
    list->selected = (size_t)target;
    list->selected_row = list->order[target];
}

static bool row_holds(const struct mls_rows *rows, size_t row, const char *part)
{
    for (unsigned i = 0; i < rows->n_columns; i++) {
        struct mls_datum datum = {.kind = MLS_DATUM_NONE};
        if (rows->columns[i].kind != MLS_DATUM_TEXT)
            continue;
        rows->cell(rows->user, row, i, &datum);
        if (datum.kind == MLS_DATUM_TEXT && datum.text && mls_text_holds(datum.text, part))
            return true;
    }
    return false;
}

bool mls_listing_search(struct mls_listing *list, const struct mls_rows *rows, int step, bool here)
{
    size_t n = list->n_order;
    if (n == 0 || list->search_text[0] == '\0')
        return false;
    for (size_t i = here ? 0 : 1; i <= n; i++) {
        size_t line = step > 0 ? (list->selected + i) % n : (list->selected + n * 2 - i) % n;
        if (row_holds(rows, list->order[line], list->search_text)) {
            list->selected = line;
            list->selected_row = list->order[line];
            return true;
        }
    }
    return false;
}

void mls_listing_sort(struct mls_listing *list, const struct mls_rows *rows, int column)
{
    if (!list->follow)
        mls_listing_move(list, -(long)list->n_order); /* who sorts wants to see what comes first */
    if (column == list->sort_column && column != MLS_LISTING_RUN_ORDER) {
        list->descending = !list->descending;
        return;
    }
    list->sort_column = column;
    list->descending = column != MLS_LISTING_RUN_ORDER && mls_datum_is_number(rows->columns[column].kind) &&
                       rows->columns[column].kind != MLS_DATUM_COUNT;
}

void mls_listing_sort_beside(struct mls_listing *list, const struct mls_rows *rows, int step)
{
    int column = list->sort_column;
    do {
        column += step;
        if (column < MLS_LISTING_RUN_ORDER)
            column = (int)rows->n_columns - 1;
        if (column >= (int)rows->n_columns)
            column = MLS_LISTING_RUN_ORDER;
    } while (column != MLS_LISTING_RUN_ORDER && rows->columns[column].bare);
    mls_listing_sort(list, rows, column);
}

/* ---- Drawing
 * ---------------------------------------------------------------------------------------------------- */

enum { COLUMNS_MAX = 24, GAP = 2, BAR_COLUMNS = 8 };

struct layout {
    int width[COLUMNS_MAX]; /* 0: not shown */
};

/* Columns of the highest rank go until the rest fits; the flexible one takes what is left. */
static struct layout lay_out(const struct mls_rows *rows, int columns)
{
    struct layout layout = {{0}};
    unsigned n = rows->n_columns < COLUMNS_MAX ? rows->n_columns : COLUMNS_MAX;
    int needed = 0;
    int flexible = -1;
    for (unsigned i = 0; i < n; i++) {
        layout.width[i] = rows->columns[i].bare
                              ? 0
                              : rows->columns[i].columns + (rows->columns[i].bar ? BAR_COLUMNS + 1 : 0);
        needed += layout.width[i] ? layout.width[i] + GAP : 0;
        if (rows->columns[i].flexible)
            flexible = (int)i;
        /* On wide screens names are worth more than the last columns. */
        if (rows->columns[i].flexible && columns > 80) {
            layout.width[i] += (columns - 80) / 4;
            needed += (columns - 80) / 4;
        }
    }
    while (needed - GAP > columns) {
        int victim = -1;
        for (unsigned i = 0; i < n; i++)
            if (layout.width[i] && rows->columns[i].rank > 0 &&
                (victim < 0 || rows->columns[i].rank >= rows->columns[victim].rank))
                victim = (int)i;
        if (victim < 0)
            break;
        needed -= layout.width[victim] + GAP;
        layout.width[victim] = 0;
    }
    if (flexible >= 0 && layout.width[flexible])
        layout.width[flexible] += columns - (needed - GAP) > 0 ? columns - (needed - GAP) : 0;
    return layout;
}

static void draw_header(const struct mls_listing *list, const struct mls_rows *rows,
                        const struct layout *layout, struct mls_grid *grid, struct mls_rect rect)
{
    int x = rect.x;
    mls_grid_restyle(grid, (struct mls_rect){rect.x, rect.y, rect.columns, 1}, MLS_STYLE_HEADER);
    for (unsigned i = 0; i < rows->n_columns && i < COLUMNS_MAX; i++) {
        int width = layout->width[i];
        if (!width)
            continue;
        char title[48];
        bool sorted = (int)i == list->sort_column;
        const char *arrow = sorted ? list->descending ? "▼" : "▲" : "";
        size_t n = 0;
        for (const char *part = rows->columns[i].title; *part && n < sizeof title - 8; part++)
            title[n++] = *part;
        strcpy(title + n, arrow);
        bool right = mls_datum_is_number(rows->columns[i].kind);
        enum mls_style style = MLS_STYLE_HEADER;
        if (right)
            mls_grid_right(grid, x, rect.y, width, style, title);
        else
            mls_grid_text(grid, x, rect.y, width, style, title);
        x += width + GAP;
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

static void draw_line(const struct mls_listing *list, const struct mls_rows *rows,
                      const struct layout *layout, struct mls_grid *grid, struct mls_rect line, size_t row,
                      enum mls_style style)
{
    int x = line.x;
    for (unsigned i = 0; i < rows->n_columns && i < COLUMNS_MAX; i++) {
        int width = layout->width[i];
        const struct mls_column *column = &rows->columns[i];
        if (!width)
            continue;
        char buffer[MLS_DATUM_TEXT_BYTES];
        struct mls_datum datum = {.kind = MLS_DATUM_NONE};
        rows->cell(rows->user, row, i, &datum);
        const char *text = mls_datum_format(&datum, buffer);
        if (column->bar && datum.kind == MLS_DATUM_SHARE)
            mls_graph_share(grid, x, line.y, BAR_COLUMNS, datum.number);
        if (mls_datum_is_number(column->kind)) {
            mls_grid_right(grid, x, line.y, width, style, text);
        } else {
            bool match = list->search_text[0] && datum.kind == MLS_DATUM_TEXT &&
                         mls_text_holds(text, list->search_text);
            mls_grid_text(grid, x, line.y, width, match ? MLS_STYLE_MATCH : style,
                          column->flexible ? skip_columns(text, list->pan) : text);
        }
        x += width + GAP;
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

void mls_listing_draw(struct mls_listing *list, const struct mls_rows *rows, struct mls_grid *grid,
                      struct mls_rect rect, enum mls_style (*style)(const void *user, size_t row),
                      const char *empty)
{
    if (rect.rows < 2)
        return;
    struct mls_rect inner = {rect.x + 1, rect.y, rect.columns - 2, rect.rows};
    struct layout layout = lay_out(rows, inner.columns);
    draw_header(list, rows, &layout, grid, inner);
    scroll(list, (size_t)rect.rows - 1);
    for (size_t i = 0; i + 1 < (size_t)rect.rows && list->top + i < list->n_order; i++) {
        size_t row = list->order[list->top + i];
        struct mls_rect line = {inner.x, rect.y + 1 + (int)i, inner.columns, 1};
        bool selected = list->top + i == list->selected;
        draw_line(list, rows, &layout, grid, line, row, style ? style(rows->user, row) : MLS_STYLE_NORMAL);
        if (selected) {
            mls_grid_restyle(grid, (struct mls_rect){rect.x, line.y, rect.columns, 1}, MLS_STYLE_SELECTED);
            mls_grid_put(grid, rect.x, line.y, MLS_STYLE_SELECTED, list->follow ? 0x25cf : 0x25b8);
        }
    }
    if (list->n_order == 0)
        mls_grid_text(grid, inner.x, rect.y + 1, inner.columns, MLS_STYLE_DIM,
                      list->filter.n_nodes ? "no row matches the filter (Esc clears it)" : empty);
}
