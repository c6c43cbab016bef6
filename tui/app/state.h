/*
 * state.h: the screen as a model: a snapshot, keys and commands go in, a grid comes out. No terminal, no
 * threads and no clock in here, so that scripts and tests see what users see.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/requests.h"
#include "app/snapshot.h"
#include "term/grid.h"
#include "view/view.h"
#include "widget/prompt.h"

/* What keys go to. */
enum mls_mode {
    MLS_MODE_NORMAL,
    MLS_MODE_COMMAND,
    MLS_MODE_FILTER,
    MLS_MODE_SEARCH,
    MLS_MODE_SORT,   /* the menu of columns to sort by */
    MLS_MODE_COLUMNS /* the menu of columns to show */
};

enum { MLS_MESSAGE_BYTES = 256, MLS_BACK_MAX = 16 };

struct mls_state {
    struct mls_keymap keymap;
    struct mls_view views[MLS_VIEW_COUNT];
    enum mls_view_index current;
    enum mls_view_index back[MLS_BACK_MAX]; /* views to go back to, the latest last */
    unsigned n_back;
    enum mls_mode mode;
    struct mls_prompt prompt;
    struct mls_filter saved_filter; /* of the list, while a filter is typed */
    char saved_filter_text[MLS_FILTER_TEXT_BYTES];
    size_t saved_row;                /* selection, while a search is typed */
    int sort_choice;                 /* in a menu of columns; MLS_LISTING_RUN_ORDER too */
    char message[MLS_MESSAGE_BYTES]; /* until the next key, or "" */
    bool message_bad;
    size_t wrong_at; /* byte of the last wrong filter where it is wrong */
    bool frozen;
    uint64_t frozen_ns;                  /* for how long, as whoever has a clock says; 0: not shown */
    const struct mls_snapshot *snapshot; /* borrowed */
    bool failure_shown;                  /* the findings were brought up for a failed load */
    int columns;                         /* size of the screen */
    int rows;
    bool ascii;
    uint32_t refresh_ms; /* between snapshots */
    bool quit;
    bool suspend; /* asked for; whoever has the terminal does it and clears it */
    bool redraw;
};

/* mls_state_init: a screen of this size that shows the overview of `snapshot`; false when out of memory. */
bool mls_state_init(struct mls_state *state, const struct mls_snapshot *snapshot, int columns, int rows,
                    bool ascii);
void mls_state_done(struct mls_state *state);

/* mls_state_refresh: takes over a changed snapshot. */
void mls_state_refresh(struct mls_state *state);

/* mls_state_key: one key was typed. */
void mls_state_key(struct mls_state *state, mls_keycode key);

/* mls_state_perform: one request. */
void mls_state_perform(struct mls_state *state, enum mls_request request);

/* mls_state_command: a command line without its colon; what it says is in `message`. False when it failed. */
bool mls_state_command(struct mls_state *state, const char *line);

/* mls_state_go: to a view, remembering the way back. */
void mls_state_go(struct mls_state *state, enum mls_view_index view);

/* mls_state_go_op: to an operation in the operations view, lifting its filter if it hides it; false when it
 * has no row. */
bool mls_state_go_op(struct mls_state *state, mls_op_id op);

/* mls_state_filter: sets the filter of the current list; false with a message when the expression is wrong.
 */
bool mls_state_filter(struct mls_state *state, const char *expression);

/* mls_state_say: shows a message until the next key. */
void mls_state_say(struct mls_state *state, bool bad, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct mls_view *mls_state_view(struct mls_state *state);
