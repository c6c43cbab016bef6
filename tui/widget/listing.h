/*
 * listing.h: any view's rows as a table or a tree: columns, sorting, filtering, searching, marking, selecting
 * and drawing, the same for all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "term/grid.h"
#include "widget/datum.h"
#include "widget/filter.h"

enum { MLS_LISTING_RUN_ORDER = -1, MLS_LISTING_COLUMNS_MAX = 40 };

/* How columns of shares with a bar are drawn. */
enum mls_share_mode { MLS_SHARE_BOTH, MLS_SHARE_NUMBER, MLS_SHARE_BAR, MLS_SHARE_MODE_COUNT };

/* What one row has to itself. */
struct mls_row_state {
    bool marked;
    bool closed; /* trees: the rows under it are not shown */
};

/* Where the list was drawn last, for the mouse. */
struct mls_listing_place {
    struct mls_rect rect; /* header and lines */
    int x[MLS_LISTING_COLUMNS_MAX];
    int width[MLS_LISTING_COLUMNS_MAX]; /* 0: not shown */
};

/* State of one list; zeros with sort_column = MLS_LISTING_RUN_ORDER are a list without order and filter. */
struct mls_listing {
    size_t *order;               /* rows as shown: filtered and sorted */
    struct mls_sort_key *keys;   /* room for sorting, parallel to `order` */
    struct mls_row_state *state; /* by row */
    bool *shown;                 /* by row: room for filtering */
    uint16_t *depth;             /* by row: in a tree; 0 at the top */
    size_t *position;            /* by row: in a tree, of its key */
    bool *parents;               /* by row: has rows under it */
    size_t n_order;
    size_t n_rows;
    size_t capacity;
    size_t n_marked;
    size_t n_limited;    /* rows that the limit hides */
    size_t selected;     /* index into `order` */
    size_t selected_row; /* the row there */
    size_t top;          /* first line shown */
    int sort_column;     /* or MLS_LISTING_RUN_ORDER */
    bool descending;
    bool follow;  /* the selection stays on the row when lines move */
    int pan;      /* columns of the screen that the flexible column is shifted by */
    size_t page;  /* lines shown at the last drawing */
    double limit; /* rows with a smaller share are not shown; 0: none */
    enum mls_share_mode share_mode;
    unsigned columns[MLS_LISTING_COLUMNS_MAX]; /* shown, from left to right */
    unsigned n_columns;                        /* 0: those that are not bare, in their own order */
    struct mls_filter filter;
    char filter_text[MLS_FILTER_TEXT_BYTES];
    char search_text[MLS_FILTER_TEXT_BYTES];
    struct mls_listing_place place;
};

void mls_listing_done(struct mls_listing *list);

/* mls_listing_forget_rows: rows are others than before: marks, closed rows and the selection go. */
void mls_listing_forget_rows(struct mls_listing *list);

/* mls_listing_update: filters and sorts the rows of this moment; the selection is kept. False when there is
 * no memory. */
bool mls_listing_update(struct mls_listing *list, const struct mls_rows *rows);

/* mls_listing_move: the selection by so many lines, stopping at the ends. */
void mls_listing_move(struct mls_listing *list, long lines);

/* mls_listing_select_row: selects a row if it is shown; false when a filter hides it. */
bool mls_listing_select_row(struct mls_listing *list, size_t row);

/*
 * mls_listing_search: the next line (step 1 or -1) from the selection whose texts hold the search text, round
 * the end. `here`: the selected line may match too. False when there is none.
 */
bool mls_listing_search(struct mls_listing *list, const struct mls_rows *rows, int step, bool here);

/* mls_listing_sort: sorts by a column in its natural direction, or turns it round when it is the one already.
 */
void mls_listing_sort(struct mls_listing *list, const struct mls_rows *rows, int column);

/* mls_listing_sort_beside: the neighbouring column on the screen (step 1 or -1); past the first: run order.
 */
void mls_listing_sort_beside(struct mls_listing *list, const struct mls_rows *rows, int step);

/* ---- Marks and trees --------------------------------------------------------------------------------------
 */

/* mls_listing_mark: marks the selected row, with the rows under it in a tree, or takes the mark away. */
void mls_listing_mark(struct mls_listing *list, const struct mls_rows *rows);
void mls_listing_unmark_all(struct mls_listing *list);

/* mls_listing_sum: the sum over the marked rows of a column that can be summed; NONE for the others. */
struct mls_datum mls_listing_sum(const struct mls_listing *list, const struct mls_rows *rows,
                                 unsigned column);

/* mls_listing_set_closed: opens or closes the selected row; false when there is nothing under it. */
bool mls_listing_set_closed(struct mls_listing *list, const struct mls_rows *rows, bool closed);

/* mls_listing_toggle_all: closes all rows, or opens all when any is closed. */
void mls_listing_toggle_all(struct mls_listing *list, const struct mls_rows *rows);

/* ---- Columns
 * ------------------------------------------------------------------------------------------------ */

/* mls_listing_columns: the columns shown, into ret_columns; returns how many. */
unsigned mls_listing_columns(const struct mls_listing *list, const struct mls_rows *rows,
                             unsigned ret_columns[MLS_LISTING_COLUMNS_MAX]);

/* mls_listing_toggle_column: shows a column as the last one, or hides it; the last one left stays. */
void mls_listing_toggle_column(struct mls_listing *list, const struct mls_rows *rows, unsigned column);

/* mls_listing_shift_column: moves a shown column to the left or right by one. */
void mls_listing_shift_column(struct mls_listing *list, const struct mls_rows *rows, unsigned column,
                              int step);

/* mls_listing_set_columns: from keys with commas between; false when one is unknown or none is named. */
bool mls_listing_set_columns(struct mls_listing *list, const struct mls_rows *rows, const char *keys);

/* mls_listing_format_columns: the keys of the columns shown, commas between, into text[size]. */
void mls_listing_format_columns(const struct mls_listing *list, const struct mls_rows *rows, char *text,
                                size_t size);

/*
 * mls_listing_draw: header, lines and, with marks, a line of sums; scrolls so that the selection is seen.
 * `style`: of a row, or NULL; `empty`: what to say when there are no rows at all.
 */
void mls_listing_draw(struct mls_listing *list, const struct mls_rows *rows, struct mls_grid *grid,
                      struct mls_rect rect, enum mls_style (*style)(const void *user, size_t row),
                      const char *empty);

/* mls_listing_hit: the line under a place of the screen into *ret_line, or the column of the header into
 * *ret_column; -1 for what was not hit. */
void mls_listing_hit(const struct mls_listing *list, int x, int y, long *ret_line, int *ret_column);
