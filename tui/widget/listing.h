/* listing.h: any view's rows as a table: sorting, filtering, searching, selecting and drawing, the same for
 * all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "term/grid.h"
#include "widget/datum.h"
#include "widget/filter.h"

enum { MLS_LISTING_RUN_ORDER = -1 };

/* State of one list; zeros with sort_column = MLS_LISTING_RUN_ORDER are a list without order and filter. */
struct mls_listing {
    size_t *order;             /* rows as shown: filtered and sorted */
    struct mls_sort_key *keys; /* room for sorting, parallel to `order` */
    size_t n_order;
    size_t capacity;
    size_t selected;     /* index into `order` */
    size_t selected_row; /* the row there */
    size_t top;          /* first line shown */
    int sort_column;     /* or MLS_LISTING_RUN_ORDER */
    bool descending;
    bool follow; /* the selection stays on the row when lines move */
    int pan;     /* columns of the screen that the flexible column is shifted by */
    size_t page; /* lines shown at the last drawing */
    struct mls_filter filter;
    char filter_text[MLS_FILTER_TEXT_BYTES];
    char search_text[MLS_FILTER_TEXT_BYTES];
};

void mls_listing_done(struct mls_listing *list);

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

/* mls_listing_sort_beside: the neighbouring column that can be sorted by (step 1 or -1); past the first: run
 * order. */
void mls_listing_sort_beside(struct mls_listing *list, const struct mls_rows *rows, int step);

/*
 * mls_listing_draw: header and lines; scrolls so that the selection is seen. `style`: of a row, or NULL;
 * `empty`: what to say when there are no rows at all.
 */
void mls_listing_draw(struct mls_listing *list, const struct mls_rows *rows, struct mls_grid *grid,
                      struct mls_rect rect, enum mls_style (*style)(const void *user, size_t row),
                      const char *empty);
