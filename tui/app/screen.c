#include "app/screen.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/frame.h"
#include "app/live.h"
#include "app/script.h"
#include "app/state.h"
#include "core/clock.h"
#include "term/terminal.h"

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_INTERNAL = 4, DEFAULT_COLUMNS = 80, DEFAULT_ROWS = 24 };

static bool use_color(enum mls_screen_color color)
{
    const char *no_color = getenv("NO_COLOR");
    return color == MLS_SCREEN_COLOR_ALWAYS || (color == MLS_SCREEN_COLOR_AUTO && !(no_color && *no_color));
}

/* The exit code of a screen that is left: that of the failure that it showed. */
static int exit_code(const struct mls_live *live)
{
    const struct mls_snapshot *snapshot = mls_live_snapshot(live);
    return snapshot->error ? mls_status_exit_code(snapshot->error->status) : EXIT_DONE;
}

static int play(const struct mls_screen_options *options, struct mls_state *state, struct mls_live *live)
{
    char text[512];
    if (mls_script_play(state, live, options->script_path, text, sizeof text))
        return exit_code(live);
    fprintf(stderr, "mlscope: %s\n", text);
    return EXIT_USAGE;
}

/* ---- On a terminal
 * ---------------------------------------------------------------------------------------------- */

static void show(struct mls_state *state, struct mls_terminal *terminal, struct mls_grid *grid)
{
    struct mls_cursor_place cursor;
    mls_terminal_size(terminal, &state->columns, &state->rows);
    if ((grid->columns != state->columns || grid->rows != state->rows) &&
        !mls_grid_resize(grid, state->columns, state->rows))
        return;
    grid->ascii = state->ascii;
    mls_frame_draw(state, grid, &cursor);
    if (state->redraw)
        mls_terminal_redraw(terminal);
    state->redraw = false;
    mls_terminal_show(terminal, grid, cursor.x, cursor.y);
}

/* Signals and keys since the last look; returns the signal that asks for an end, or 0. */
static int take_input(struct mls_state *state, struct mls_terminal *terminal)
{
    struct mls_signals signals = mls_signals_take();
    mls_keycode key;
    if (signals.resized)
        mls_terminal_resized(terminal);
    while (!signals.deadly && !state->quit && !state->suspend && mls_terminal_key(terminal, &key))
        if (key != 0)
            mls_state_key(state, key);
    if (signals.suspend || state->suspend) {
        state->suspend = false;
        mls_terminal_suspend(terminal);
    }
    if (mls_terminal_lost(terminal))
        return SIGHUP;
    return signals.deadly;
}

static int interact(struct mls_state *state, struct mls_live *live, struct mls_terminal *terminal)
{
    struct mls_grid grid = {.ascii = state->ascii};
    uint64_t next_ns = 0;
    uint64_t last_ns = 0;
    int deadly = 0;
    while (!state->quit && !deadly) {
        uint64_t now_ns = mls_clock_ns();
        if (now_ns >= next_ns) {
            mls_live_update(live, state->frozen);
            state->frozen_ns += state->frozen && last_ns ? now_ns - last_ns : 0;
            last_ns = now_ns;
            mls_state_refresh(state);
            next_ns = now_ns + (uint64_t)state->refresh_ms * 1000000;
        }
        show(state, terminal, &grid);
        now_ns = mls_clock_ns();
        mls_terminal_wait(terminal, now_ns < next_ns ? (int)((next_ns - now_ns) / 1000000) + 1 : 0);
        deadly = take_input(state, terminal);
    }
    mls_grid_done(&grid);
    return deadly;
}

static int run_screen(const struct mls_screen_options *options, struct mls_state *state,
                      struct mls_live *live, struct mls_terminal *terminal, int *ret_deadly)
{
    if (options->script_path)
        return play(options, state, live);
    *ret_deadly = interact(state, live, terminal);
    return exit_code(live);
}

int mls_screen_main(const struct mls_screen_options *options)
{
    const char *reason = "out of memory";
    struct mls_terminal *terminal = NULL;
    struct mls_state state;
    int deadly = 0;
    int code = EXIT_INTERNAL;
    setlocale(LC_CTYPE, "");
    bool ascii = options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (!options->script_path) {
        terminal = mls_terminal_open(use_color(options->color), &reason);
        if (!terminal) {
            fprintf(
                stderr,
                "mlscope: cannot show the screen: %s\nhint: `mlscope profile MODEL` prints to any output\n",
                reason);
            return EXIT_USAGE;
        }
    }
    struct mls_live *live = mls_live_start(&(struct mls_live_options){.loader = options->loader,
                                                                      .delay_ms = options->delay_ms,
                                                                      .compute_units = options->compute_units,
                                                                      .synthetic = options->deterministic});
    bool ready = live && mls_state_init(&state, mls_live_snapshot(live),
                                        options->columns ? options->columns : DEFAULT_COLUMNS,
                                        options->rows ? options->rows : DEFAULT_ROWS, ascii);
    if (ready) {
        code = run_screen(options, &state, live, terminal, &deadly);
        mls_state_done(&state);
    }
    mls_terminal_close(terminal); /* first the terminal: ending a long operation may take a moment */
    if (!ready)
        fprintf(stderr, "mlscope: cannot show the screen: out of memory\n");
    mls_live_free(live);
    if (deadly)
        raise(deadly); /* the default action again: whoever waits for us sees the signal */
    return code;
}
