#include "app/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/batch.h"
#include "app/config.h"
#include "app/frame.h"
#include "app/live.h"
#include "app/script.h"
#include "app/state.h"
#include "app/wishes.h"
#include "core/clock.h"
#include "term/terminal.h"

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_INTERNAL = 4, DEFAULT_COLUMNS = 80, DEFAULT_ROWS = 24 };

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

static int print(const struct mls_screen_options *options, struct mls_state *state, struct mls_live *live)
{
    const struct mls_snapshot *snapshot = mls_live_snapshot(live);
    if (!mls_batch_play(state, live, options->batch_looks, options->batch_interval_ms, options->batch_stop,
                        stdout)) {
        if (errno == EPIPE)
            return EXIT_DONE; /* the reader has seen enough */
        fprintf(stderr, "mlscope: cannot write to standard output: %s\n", strerror(errno));
        return EXIT_INTERNAL;
    }
    if (snapshot->error) {
        fprintf(stderr, "mlscope: %s\n", snapshot->error->text);
        const struct mls_report *report = snapshot->report;
        if (snapshot->error->hint[0])
            fprintf(stderr, "hint: %s\n", snapshot->error->hint);
        else if (report && report->n_findings)
            fprintf(stderr, "hint: %s (%s)\n", report->findings[0].fix, report->findings[0].id);
    }
    return exit_code(live);
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
    grid->blocks = state->blocks;
    mls_terminal_set_theme(terminal, state->theme);
    mls_terminal_set_mouse(terminal, state->mouse);
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
        if (key == MLS_KEY_MOUSE)
            mls_state_mouse(state, mls_terminal_mouse(terminal));
        else if (key != 0)
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
        mls_wishes_fulfil(state, live, terminal);
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
    if (options->batch_looks)
        return print(options, state, live);
    *ret_deadly = interact(state, live, terminal);
    return exit_code(live);
}

static struct mls_terminal *open_terminal(const struct mls_screen_options *options)
{
    const char *reason = "out of memory";
    const char *no_color = getenv("NO_COLOR");
    bool color = !options->colorless && !(no_color && *no_color);
    struct mls_terminal *terminal = mls_terminal_open(color, &reason);
    if (!terminal)
        fprintf(stderr,
                "mlscope: cannot show the screen: %s\nhint: `mlscope profile MODEL` prints to any output\n",
                reason);
    return terminal;
}

/* Nobody looks at a terminal. */
static bool is_silent(const struct mls_screen_options *options)
{
    return options->script_path || options->batch_looks;
}

static bool prepare(const struct mls_screen_options *options, const struct mls_live *live,
                    struct mls_state *state)
{
    bool ascii = options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (!mls_state_init(state, mls_live_snapshot(live), options->columns ? options->columns : DEFAULT_COLUMNS,
                        options->rows ? options->rows : DEFAULT_ROWS, ascii))
        return false;
    state->settings = options->settings;
    /* Scripts are the same for everyone: they read a configuration only when it is named. */
    if ((options->config_path || !is_silent(options)) && !mls_config_load(state, options->config_path))
        mls_state_say(state, true, "cannot read the configuration %.180s", options->config_path);
    state->ascii = state->ascii || ascii;
    state->mouse = state->mouse && !options->no_mouse;
    if (options->folder)
        mls_state_go(state, MLS_VIEW_models);
    return true;
}

int mls_screen_main(const struct mls_screen_options *options)
{
    struct mls_state *state = calloc(1, sizeof *state);
    int deadly = 0;
    int code = EXIT_INTERNAL;
    setlocale(LC_CTYPE, "");
    struct mls_terminal *terminal = is_silent(options) ? NULL : open_terminal(options);
    if (!is_silent(options) && !terminal) {
        mls_recording_free(options->recording);
        free(state);
        return EXIT_USAGE;
    }
    struct mls_live *live =
        mls_live_start(&(struct mls_live_options){.loader = options->loader,
                                                  .settings = options->settings,
                                                  .compute_units = options->compute_units,
                                                  .environment = options->environment,
                                                  .synthetic = options->deterministic,
                                                  .recording = options->recording,
                                                  .recording_path = options->recording_path,
                                                  .folder = options->folder});
    bool ready = live && state && prepare(options, live, state);
    if (ready) {
        code = run_screen(options, state, live, terminal, &deadly);
        mls_state_done(state);
    }
    mls_terminal_close(terminal); /* first the terminal: ending a long operation may take a moment */
    if (!ready)
        fprintf(stderr, "mlscope: cannot show the screen: out of memory\n");
    mls_live_free(live);
    free(state);
    if (deadly)
        raise(deadly); /* the default action again: whoever waits for us sees the signal */
    return code;
}

int mls_screen_default_config(void)
{
    struct mls_snapshot *nothing = calloc(1, sizeof *nothing);
    struct mls_state *state = calloc(1, sizeof *state);
    bool ok = nothing && state && mls_state_init(state, nothing, DEFAULT_COLUMNS, DEFAULT_ROWS, false);
    if (ok) {
        ok = mls_config_write(state, stdout);
        mls_state_done(state);
    }
    free(state);
    free(nothing);
    return ok && fflush(stdout) == 0 ? EXIT_DONE : EXIT_INTERNAL;
}
