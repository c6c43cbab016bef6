/*
 * state.h: the screen as a model: a snapshot, keys and commands go in, a grid comes out. No terminal, no
 * threads and no clock in here, so that scripts and tests see what users see.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/requests.h"
#include "app/settings.h"
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

enum {
    MLS_MESSAGE_BYTES = 256,
    MLS_BACK_MAX = 16,
    MLS_PLACES_MAX = 32,
    MLS_HOTS_MAX = 64,
    MLS_SETUP_MAX = 32,
    MLS_LINES_MAX = 32,
    MLS_PATH_BYTES = 1024,
    MLS_COPY_BYTES = 4096
};

/* What the state asks of whoever has the model, the clock and the terminal: set here, cleared there. */
struct mls_wishes {
    bool restart; /* with the settings, because of `why` */
    bool reset;
    bool cancel;
    bool set_units;
    enum mls_compute_units units;
    char why[MLS_LOG_TEXT_BYTES];
    char record[MLS_PATH_BYTES]; /* write a recording there; "": no */
    bool redact;
    char open[MLS_PATH_BYTES];    /* open this model instead; "": no */
    bool baseline;                /* the statistics so far become the baseline */
    char compare[MLS_PATH_BYTES]; /* take this file as the baseline, or run this model in turns with ours; "": no */
    bool duel;                    /* run the model in turns with itself under the settings below */
    struct mls_settings others;
    char others_label[MLS_LOG_TEXT_BYTES];
    bool find;                    /* look for models */
    bool sweep;                   /* of compression settings */
    bool sample;                  /* stacks of the threads */
    bool probe;                   /* look into a step */
    uint32_t probe_step;
    char copy[MLS_COPY_BYTES]; /* into the clipboard; "": nothing */
};

/* A part of the screen that a click on means a request. */
struct mls_hot {
    int x, y, columns;
    enum mls_request request;
};

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
    uint32_t failure_shown;              /* generation for whose failed load the findings were brought up */
    struct mls_settings settings;        /* of the model */
    struct mls_wishes wishes;
    struct mls_setup_row setup[MLS_SETUP_MAX];  /* the settings as texts, for the setup view */
    enum mls_view_index places[MLS_PLACES_MAX]; /* views visited, the latest last */
    unsigned n_places;
    unsigned place;                              /* where [ and ] stand among them */
    char lines[MLS_LINES_MAX][MLS_PROMPT_BYTES]; /* command lines that were given, the latest last */
    unsigned n_lines;
    unsigned line; /* of them, while one is typed; n_lines: a new one */
    struct mls_hot hots[MLS_HOTS_MAX];
    unsigned n_hots;
    int columns; /* size of the screen */
    int rows;
    bool ascii;
    bool blocks; /* graphs of blocks, not of braille */
    bool mouse;
    bool hints;
    enum mls_theme theme;
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

/* mls_state_mouse: a click or the wheel. */
void mls_state_mouse(struct mls_state *state, struct mls_mouse mouse);

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
