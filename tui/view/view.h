/*
 * view.h: what a view is. A view hands over rows of typed cells and draws what is not a list; selecting,
 * sorting, filtering, searching, exporting and the frame around it are the same for all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "app/requests.h"
#include "app/snapshot.h"
#include "term/grid.h"
#include "widget/listing.h"

struct mls_view;

/* One kind of view: static, one per file of this folder. Members that are absent do nothing. */
struct mls_view_ops {
    const char *title;
    enum mls_request request;         /* that jumps to it; its number is the request's key */
    uint32_t where;                   /* requests that mean something here: bits of enum mls_where */
    size_t private_size;              /* bytes of `private`, zeroed; 0: none */
    const struct mls_column *columns; /* of its rows; NULL: no list */
    unsigned n_columns;
    int sort_column;  /* at first; MLS_LISTING_RUN_ORDER for none */
    bool detail_open; /* the detail is open at first */

    /* update: takes over a new snapshot (view->snapshot); called before rows and draw. False: out of memory.
     */
    bool (*update)(struct mls_view *view);
    /* close: frees what `update` made. */
    void (*close)(struct mls_view *view);
    /* rows: how many there are. With columns, rows and cell are there. */
    size_t (*rows)(const struct mls_view *view);
    /* cell: a cell; `view` is the struct mls_view. */
    void (*cell)(const void *view, size_t row, unsigned column, struct mls_datum *ret_datum);
    /* parent: of a row, while view->tree; see struct mls_rows. */
    size_t (*parent)(const void *view, size_t row);
    /* arranged: how rows are arranged now, for the line above the list; "" is run order. */
    const char *(*arranged)(const struct mls_view *view);
    /* row_of_step: the row that shows a step. */
    size_t (*row_of_step)(const struct mls_view *view, size_t step);
    /* style: of a row. */
    enum mls_style (*style)(const void *view, size_t row);
    /* request: does what only this view can; false: not for it. */
    bool (*perform)(struct mls_view *view, enum mls_request request);
    /* draw: what stands above the list, or everything; returns the lines used. */
    int (*draw)(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect);
    /* detail: of one row; returns the lines that it needs. */
    int (*detail)(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect, size_t row);
    /* op: the operation of the model that a row is about, for jumps between views; false: none. */
    bool (*op)(const struct mls_view *view, size_t row, mls_op_id *ret_op);
};

/* One setting as the setup view shows it. */
struct mls_setup_row {
    const char *name;
    const char *values;
    const char *help;
    bool restart;
    char value[128];
};

/* A view of the screen: its list and what it keeps. */
struct mls_view {
    const struct mls_view_ops *ops;
    const struct mls_snapshot *snapshot; /* borrowed, of the last update */
    const struct mls_keymap *keymap;     /* borrowed: the live key table */
    const struct mls_setup_row *setup;   /* borrowed: the settings now */
    size_t n_setup;
    void *private;
    struct mls_listing list;
    bool tree;   /* rows have parents */
    bool detail; /* the detail of the selected row is shown */
    bool full;   /* on the whole body */
};

/* Views in the order of their numbers. Help stands last and has no number. */
#define MLS_VIEW_LIST(X) \
    X(overview)          \
    X(operations)        \
    X(hot)               \
    X(timeline)          \
    X(memory)            \
    X(placement)         \
    X(compression)       \
    X(findings)          \
    X(compare)           \
    X(log)               \
    X(models)            \
    X(setup)             \
    X(help)

#define X(name) extern const struct mls_view_ops mls_view_##name;
MLS_VIEW_LIST(X)
#undef X

enum mls_view_index {
#define X(name) MLS_VIEW_##name,
    MLS_VIEW_LIST(X)
#undef X
        MLS_VIEW_COUNT
};

/* mls_view_open: makes a view; false when out of memory. mls_view_close: frees it. */
bool mls_view_open(struct mls_view *view, const struct mls_view_ops *ops, const struct mls_keymap *keymap);
void mls_view_close(struct mls_view *view);

/* mls_view_update: the view and its list take over a snapshot. */
bool mls_view_update(struct mls_view *view, const struct mls_snapshot *snapshot);

/* mls_view_rows: its rows at this moment; without a list, none. */
struct mls_rows mls_view_rows(const struct mls_view *view);
