#include <stdio.h>
#include <string.h>

#include "widget/listing.h"

unsigned mls_listing_columns(const struct mls_listing *list, const struct mls_rows *rows,
                             unsigned ret_columns[MLS_LISTING_COLUMNS_MAX])
{
    unsigned n = 0;
    for (unsigned i = 0; i < list->n_columns; i++)
        if (list->columns[i] < rows->n_columns)
            ret_columns[n++] = list->columns[i];
    for (unsigned i = 0; i < rows->n_columns && !list->n_columns && n < MLS_LISTING_COLUMNS_MAX; i++)
        if (!rows->columns[i].bare)
            ret_columns[n++] = i;
    return n;
}

/* What was the default so far becomes the user's own choice. */
static int own_column(struct mls_listing *list, const struct mls_rows *rows, unsigned column)
{
    unsigned columns[MLS_LISTING_COLUMNS_MAX];
    list->n_columns = mls_listing_columns(list, rows, columns);
    memcpy(list->columns, columns, list->n_columns * sizeof *columns);
    for (unsigned i = 0; i < list->n_columns; i++)
        if (list->columns[i] == column)
            return (int)i;
    return -1;
}

void mls_listing_toggle_column(struct mls_listing *list, const struct mls_rows *rows, unsigned column)
{
    int at = own_column(list, rows, column);
    if (at < 0 && list->n_columns < MLS_LISTING_COLUMNS_MAX) {
        list->columns[list->n_columns++] = column;
    } else if (at >= 0 && list->n_columns > 1) {
        list->n_columns--;
        for (unsigned i = (unsigned)at; i < list->n_columns; i++)
            list->columns[i] = list->columns[i + 1];
    }
}

void mls_listing_shift_column(struct mls_listing *list, const struct mls_rows *rows, unsigned column,
                              int step)
{
    int at = own_column(list, rows, column);
    int to = at + step;
    if (at < 0 || to < 0 || to >= (int)list->n_columns)
        return;
    list->columns[at] = list->columns[to];
    list->columns[to] = column;
}

bool mls_listing_set_columns(struct mls_listing *list, const struct mls_rows *rows, const char *keys)
{
    unsigned columns[MLS_LISTING_COLUMNS_MAX];
    unsigned n = 0;
    for (const char *at = keys; *at;) {
        size_t length = strcspn(at, ", ");
        int column = mls_rows_find_column(rows->columns, rows->n_columns, at, length);
        if (length && (column < 0 || n == MLS_LISTING_COLUMNS_MAX))
            return false;
        if (length)
            columns[n++] = (unsigned)column;
        at += length;
        at += strspn(at, ", ");
    }
    if (n)
        memcpy(list->columns, columns, n * sizeof *columns);
    list->n_columns = n ? n : list->n_columns;
    return n > 0;
}

void mls_listing_format_columns(const struct mls_listing *list, const struct mls_rows *rows, char *text,
                                size_t size)
{
    unsigned columns[MLS_LISTING_COLUMNS_MAX];
    unsigned n = mls_listing_columns(list, rows, columns);
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < n && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", rows->columns[columns[i]].key);
}
