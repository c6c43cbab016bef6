#include "widget/listing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct mls_sort_key {
    size_t row;
    size_t parent;
    bool known;
    double number;
    const char *text;
    bool descending;
};

void mls_listing_done(struct mls_listing *list)
{
    free(list->order);
    free(list->keys);
    free(list->state);
    free(list->shown);
    free(list->depth);
    free(list->position);
    free(list->parents);
    list->order = NULL;
    list->keys = NULL;
    list->state = NULL;
    list->shown = NULL;
    list->depth = NULL;
    list->position = NULL;
    list->parents = NULL;
    list->n_order = list->capacity = list->n_rows = 0;
}

void mls_listing_forget_rows(struct mls_listing *list)
{
    if (list->state)
        memset(list->state, 0, list->capacity * sizeof *list->state);
    list->n_marked = 0;
    list->selected = list->selected_row = list->top = 0;
}

/* Rows of one parent stand together; unknown values stand last in both directions; equal ones keep run order.
 */
static int compare_keys(const void *left, const void *right)
{
    const struct mls_sort_key *a = left;
    const struct mls_sort_key *b = right;
    int order;
    if (a->parent != b->parent)
        return a->parent > b->parent ? 1 : -1;
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

static bool grow(void **array, size_t n, size_t size)
{
    void *grown = realloc(*array, n * size);
    if (grown)
        *array = grown;
    return grown != NULL;
}

static bool reserve(struct mls_listing *list, size_t n_rows)
{
    if (n_rows <= list->capacity)
        return true;
    bool ok = grow((void **)&list->order, n_rows, sizeof *list->order);
    ok = grow((void **)&list->keys, n_rows, sizeof *list->keys) && ok;
    ok = grow((void **)&list->state, n_rows, sizeof *list->state) && ok;
    ok = grow((void **)&list->shown, n_rows, sizeof *list->shown) && ok;
    ok = grow((void **)&list->depth, n_rows, sizeof *list->depth) && ok;
    ok = grow((void **)&list->position, n_rows, sizeof *list->position) && ok;
    ok = grow((void **)&list->parents, n_rows, sizeof *list->parents) && ok;
    if (!ok)
        return false;
    memset(list->state + list->capacity, 0, (n_rows - list->capacity) * sizeof *list->state);
    list->capacity = n_rows;
    return true;
}

static size_t parent_of(const struct mls_rows *rows, size_t row)
{
    return rows->parent ? rows->parent(rows->user, row) : MLS_NO_ROW;
}

/* The one column of shares with a bar, which the limit is about; or -1. */
static int share_column(const struct mls_rows *rows)
{
    for (unsigned i = 0; i < rows->n_columns; i++)
        if (rows->columns[i].bar)
            return (int)i;
    return -1;
}

/* Which rows a filter and the limit let through. In trees a row that matches brings its parents along, and
 * what stands under it. */
static void choose_rows(struct mls_listing *list, const struct mls_rows *rows)
{
    int limited = list->limit > 0 ? share_column(rows) : -1;
    list->n_limited = 0;
    for (size_t row = 0; row < rows->n_rows; row++) {
        bool match = mls_filter_matches(&list->filter, rows, row);
        size_t parent = parent_of(rows, row);
        if (!match && parent != MLS_NO_ROW && list->filter.n_nodes)
            match = list->shown[parent];
        struct mls_datum share = {.number = 1};
        if (limited >= 0)
            share = mls_rows_cell(rows, row, (unsigned)limited);
        bool small = !(share.number >= list->limit) && limited >= 0;
        list->n_limited += match && small;
        list->shown[row] = match && !small;
        list->parents[row] = false;
        list->depth[row] = parent == MLS_NO_ROW ? 0 : (uint16_t)(list->depth[parent] + 1);
        if (parent != MLS_NO_ROW)
            list->parents[parent] = true;
    }
    for (size_t row = rows->n_rows; rows->parent && row-- > 0;)
        if (list->shown[row] && parent_of(rows, row) != MLS_NO_ROW)
            list->shown[parent_of(rows, row)] = true;
}

static struct mls_sort_key key_of(const struct mls_listing *list, const struct mls_rows *rows, size_t row)
{
    struct mls_sort_key key = {.row = row, .parent = parent_of(rows, row), .descending = list->descending};
    if (list->sort_column == MLS_LISTING_RUN_ORDER)
        return key;
    struct mls_datum datum = mls_rows_cell(rows, row, (unsigned)list->sort_column);
    key.known = datum.kind != MLS_DATUM_NONE && datum.kind != MLS_DATUM_SERIES && !isnan(datum.number);
    key.number = datum.number;
    key.text = datum.kind == MLS_DATUM_TEXT ? datum.text : NULL;
    return key;
}

/* The first of the sorted keys with this parent; n when there is none. */
static size_t first_child(const struct mls_sort_key *keys, size_t n, size_t parent)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keys[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && keys[low].parent == parent ? low : n;
}

/* Walks the sorted keys as a tree, without recursion: from a row's key its parent's key is found by number.
 */
static void lay_tree(struct mls_listing *list, const struct mls_sort_key *keys, size_t n)
{
    list->n_order = 0;
    for (size_t i = 0; i < n; i++)
        list->position[keys[i].row] = i;
    size_t at = first_child(keys, n, MLS_NO_ROW);
    while (at < n) {
        size_t row = keys[at].row;
        list->order[list->n_order++] = row;
        size_t child = list->parents[row] && !list->state[row].closed ? first_child(keys, n, row) : n;
        if (child < n) {
            at = child;
            continue;
        }
        size_t parent = keys[at].parent;
        while (at + 1 >= n || keys[at + 1].parent != parent) { /* the last of its parent: up, then onwards */
            if (parent == MLS_NO_ROW)
                return;
            at = list->position[parent];
            parent = keys[at].parent;
        }
        at++;
    }
}

static void order_rows(struct mls_listing *list, const struct mls_rows *rows)
{
    size_t n = 0;
    if (!rows->parent && list->sort_column == MLS_LISTING_RUN_ORDER) {
        for (size_t row = 0; row < rows->n_rows; row++)
            if (list->shown[row])
                list->order[n++] = row;
        list->n_order = n;
        return;
    }
    for (size_t row = 0; row < rows->n_rows; row++)
        if (list->shown[row])
            list->keys[n++] = key_of(list, rows, row);
    list->n_order = 0;
    if (n == 0)
        return;
    qsort(list->keys, n, sizeof *list->keys, compare_keys);
    if (rows->parent) {
        lay_tree(list, list->keys, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        list->order[i] = list->keys[i].row;
    list->n_order = n;
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
    list->n_rows = rows->n_rows;
    if (list->sort_column >= (int)rows->n_columns)
        list->sort_column = MLS_LISTING_RUN_ORDER;
    choose_rows(list, rows);
    order_rows(list, rows);
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
        if (rows->columns[i].kind != MLS_DATUM_TEXT)
            continue;
        struct mls_datum datum = mls_rows_cell(rows, row, i);
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
    unsigned columns[MLS_LISTING_COLUMNS_MAX];
    int n = (int)mls_listing_columns(list, rows, columns);
    int at = n; /* run order stands between the last and the first */
    for (int i = 0; i < n; i++)
        if ((int)columns[i] == list->sort_column)
            at = i;
    do
        at = (at + step + n + 1) % (n + 1);
    while (at < n && rows->columns[columns[at]].kind == MLS_DATUM_SERIES);
    mls_listing_sort(list, rows, at < n ? (int)columns[at] : MLS_LISTING_RUN_ORDER);
}

/* ---- Marks and trees
 * -------------------------------------------------------------------------------------------- */

static bool is_under(const struct mls_rows *rows, size_t row, size_t above)
{
    while (row != MLS_NO_ROW && row != above)
        row = parent_of(rows, row);
    return row == above;
}

void mls_listing_mark(struct mls_listing *list, const struct mls_rows *rows)
{
    if (list->n_order == 0)
        return;
    bool marked = !list->state[list->selected_row].marked;
    for (size_t row = list->selected_row; row < rows->n_rows; row++) {
        if (!is_under(rows, row, list->selected_row) || list->state[row].marked == marked)
            continue;
        list->state[row].marked = marked;
        list->n_marked = marked ? list->n_marked + 1 : list->n_marked - 1;
    }
}

void mls_listing_unmark_all(struct mls_listing *list)
{
    for (size_t row = 0; row < list->n_rows; row++)
        list->state[row].marked = false;
    list->n_marked = 0;
}

struct mls_datum mls_listing_sum(const struct mls_listing *list, const struct mls_rows *rows, unsigned column)
{
    struct mls_datum sum = {.kind = MLS_DATUM_NONE};
    if (!rows->columns[column].sum)
        return sum;
    for (size_t row = 0; row < rows->n_rows; row++) {
        if (!list->state[row].marked)
            continue;
        size_t parent = parent_of(rows, row);
        if (parent != MLS_NO_ROW && list->state[parent].marked)
            continue; /* it is in its parent's number */
        struct mls_datum datum = mls_rows_cell(rows, row, column);
        if (datum.kind == MLS_DATUM_NONE)
            continue;
        sum.kind = datum.kind;
        sum.number += datum.number;
    }
    return sum;
}

bool mls_listing_set_closed(struct mls_listing *list, const struct mls_rows *rows, bool closed)
{
    if (list->n_order == 0 || !rows->parent)
        return false;
    size_t row = list->selected_row;
    if (closed && (!list->parents[row] || list->state[row].closed) && parent_of(rows, row) != MLS_NO_ROW)
        row = parent_of(rows, row); /* nothing to close here: the row above */
    if (!list->parents[row])
        return false;
    list->state[row].closed = closed;
    list->selected_row = row;
    bool ok = mls_listing_update(list, rows);
    mls_listing_select_row(list, row);
    return ok;
}

void mls_listing_toggle_all(struct mls_listing *list, const struct mls_rows *rows)
{
    bool any = false;
    if (!rows->parent)
        return;
    for (size_t row = 0; row < rows->n_rows; row++)
        any = any || list->state[row].closed;
    for (size_t row = 0; row < rows->n_rows; row++)
        list->state[row].closed = !any && list->parents[row];
    mls_listing_update(list, rows);
}
