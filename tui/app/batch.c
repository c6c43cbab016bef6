#include "app/batch.h"

#include <stdio.h>
#include <time.h>

#include "core/clock.h"
#include "term/grid.h"
#include "widget/listing.h"

enum { LOOK_MS = 100, OVERVIEW_ROWS = 32 };

static bool is_stopped(const atomic_bool *stop)
{
    return stop && atomic_load(stop);
}

static void look(struct mls_state *state, struct mls_live *live)
{
    mls_live_update(live, false);
    mls_state_refresh(state);
}

/* Something is on its way: a load, the first numbers, or the search for models. */
static bool is_waiting(const struct mls_snapshot *snapshot)
{
    if (snapshot->recording || snapshot->phase == MLS_PHASE_FAILED)
        return false;
    if (snapshot->phase == MLS_PHASE_CHOOSING)
        return !snapshot->found_root || snapshot->finding;
    return snapshot->phase == MLS_PHASE_LOADING || !snapshot->predictions.runs;
}

static void pass_time(struct mls_state *state, struct mls_live *live, unsigned ms, const atomic_bool *stop)
{
    uint64_t end_ns = mls_clock_ns() + ms * 1000000ull;
    do {
        uint64_t now_ns = mls_clock_ns();
        uint64_t left_ns = now_ns < end_ns ? end_ns - now_ns : 0;
        uint64_t part_ns = left_ns < LOOK_MS * 1000000u ? left_ns : LOOK_MS * 1000000u;
        nanosleep(&(struct timespec){.tv_nsec = (long)part_ns}, NULL);
        look(state, live);
    } while (mls_clock_ns() < end_ns && !is_stopped(stop));
}

/* Without the empty lines at the end. */
static bool write_grid(struct mls_grid *grid, FILE *out)
{
    for (; grid->rows > 1; grid->rows--) {
        const struct mls_cell *line = grid->cells + (size_t)(grid->rows - 1) * (size_t)grid->columns;
        int x = 0;
        while (x < grid->columns && line[x].character == ' ')
            x++;
        if (x < grid->columns)
            break;
    }
    return mls_grid_write(grid, out);
}

static bool write_title(const struct mls_snapshot *snapshot, FILE *out)
{
    static const char *const words[MLS_PHASE_COUNT] = {
#define X(id, word) [MLS_PHASE_##id] = word,
        MLS_PHASE_LIST(X)
#undef X
    };
    char date[40] = "";
    time_t now = time(NULL);
    struct tm local;
    if (!snapshot->synthetic && localtime_r(&now, &local))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S  ", &local);
    if (snapshot->phase == MLS_PHASE_CHOOSING)
        return fprintf(out, "mlscope  %s%s  %zu models and recordings\n", date, snapshot->found_root,
                       snapshot->n_found) > 0;
    return fprintf(out, "mlscope  %s%s  %s  %llu predictions\n", date, snapshot->path,
                   snapshot->recording ? "recorded" : words[snapshot->phase],
                   (unsigned long long)snapshot->predictions.runs) > 0;
}

static bool write_panel(struct mls_state *state, struct mls_view *view, FILE *out)
{
    struct mls_grid grid = {.ascii = state->ascii, .blocks = state->blocks};
    bool ok = mls_view_update(view, state->snapshot) && mls_grid_resize(&grid, state->columns, OVERVIEW_ROWS);
    if (ok) {
        view->ops->draw(view, &grid, mls_grid_rect(&grid));
        ok = write_grid(&grid, out);
    }
    mls_grid_done(&grid);
    return ok;
}

/* All rows of a view, in its order; what the grid cannot hold is counted. */
static bool write_rows(struct mls_state *state, struct mls_view *view, FILE *out)
{
    struct mls_grid grid = {.ascii = state->ascii, .blocks = state->blocks};
    bool ok = mls_view_update(view, state->snapshot);
    size_t n = view->list.n_order;
    int lines = n < MLS_GRID_SIDE_MAX - 1 ? (int)n + 1 : MLS_GRID_SIDE_MAX;
    struct mls_rows rows = mls_view_rows(view);
    ok = ok && mls_grid_resize(&grid, state->columns, lines);
    if (ok) {
        mls_listing_draw(&view->list, &rows, &grid, mls_grid_rect(&grid), view->ops->style, "nothing");
        mls_grid_put(&grid, 0, 1, MLS_STYLE_NORMAL, ' '); /* nobody moves a selection here */
        ok = write_grid(&grid, out);
    }
    if (ok && n > (size_t)lines - 1)
        ok = fprintf(out, "and %zu more\n", n - (size_t)lines + 1) > 0;
    mls_grid_done(&grid);
    return ok;
}

static bool write_look(struct mls_state *state, FILE *out)
{
    const struct mls_snapshot *snapshot = state->snapshot;
    bool ok = write_title(snapshot, out);
    if (snapshot->phase == MLS_PHASE_CHOOSING)
        return ok && write_rows(state, &state->views[MLS_VIEW_models], out);
    ok = ok && write_panel(state, &state->views[MLS_VIEW_overview], out);
    if (snapshot->n_steps)
        ok = ok && fputc('\n', out) != EOF && write_rows(state, &state->views[MLS_VIEW_operations], out);
    return ok && fflush(out) == 0;
}

bool mls_batch_play(struct mls_state *state, struct mls_live *live, unsigned n, unsigned interval_ms,
                    const atomic_bool *stop, FILE *out)
{
    struct mls_view *operations = &state->views[MLS_VIEW_operations];
    struct mls_rows rows = mls_view_rows(operations);
    int share = mls_rows_find_column(rows.columns, rows.n_columns, "share", 5);
    mls_listing_sort(&operations->list, &rows, share);
    look(state, live);
    while (is_waiting(state->snapshot) && !is_stopped(stop))
        pass_time(state, live, 10, stop);
    for (unsigned i = 0; i < n && !is_stopped(stop); i++) {
        const struct mls_snapshot *snapshot = state->snapshot;
        bool fixed = snapshot->recording || snapshot->phase != MLS_PHASE_RUNNING;
        if (!fixed)
            pass_time(state, live, interval_ms, stop);
        if ((i && fputc('\n', out) == EOF) || !write_look(state, out))
            return false;
        if (fixed)
            break;
    }
    return true;
}
