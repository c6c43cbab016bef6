/*
 * screen_day: a day in front of the screen, time compressed: as many looks as ten a second for 24 hours (or COUNT),
 * each drawn at 200x60, with keys, filters, baselines and restarts of the model in between, while the model runs.
 *     screen_day MODEL [COUNT [RESTART_EVERY]]
 * Prints the resident memory on the way; exit code 1 when it grew after the first tenth: a model that ends while the next one
 * loads counts for a moment, so the least of both halves is compared.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/frame.h"
#include "app/live.h"
#include "app/state.h"
#include "app/wishes.h"
#include "core/clock.h"
#include "profiler/memory.h"

enum { DAY = 864000, KEYS_EVERY = 40, RESTART_EVERY = 40000, COLUMNS = 200, ROWS = 60 };

/* What is typed, one after the other, again and again. Nothing that writes files or leaves. */
static const char *const lines[] = {
    "overview", "operations", "sort share", "tree", "toggle-all", "down", "open", "full", "close", "by-type", "limit",
    "filter time>1us", "filter", "timeline", "next-slow", "expand", "toggle-all", "memory", "down", "open", "placement",
    "next-setting", "findings", "compare", "baseline", "log", "setup", "help", "operations", "mark", "down", "mark",
    "unmark-all", "set columns=#,mean,p99,name", "hottest", "reset", "freeze", "freeze", "set theme=mono",
    "set graphs=blocks", "set graphs=braille"};

static void act(struct mls_state *state, struct mls_live *live, unsigned long look, unsigned long restart_every)
{
    char line[64];
    snprintf(line, sizeof line, "%s", lines[look / KEYS_EVERY % (sizeof lines / sizeof lines[0])]);
    mls_state_command(state, line);
    if (look % restart_every == 0) {
        snprintf(line, sizeof line, "set seed=%lu", look);
        mls_state_command(state, line);
    }
    state->quit = state->suspend = false;
    mls_wishes_fulfil(state, live, NULL);
}

int main(int argc, char **argv)
{
    static struct mls_state state;
    struct mls_loader_options loader = {.path = argc > 1 ? argv[1] : NULL};
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : DAY;
    unsigned long restart_every = argc > 3 ? strtoul(argv[3], NULL, 10) : RESTART_EVERY;
    struct mls_grid grid = {.columns = 0};
    struct mls_cursor_place cursor;
    uint64_t least_bytes[2] = {UINT64_MAX, UINT64_MAX}; /* in the first half after warm-up, and in the second */
    setlocale(LC_ALL, "C.UTF-8");
    struct mls_live *live = mls_live_start(&(struct mls_live_options){.loader = &loader, .settings = {.threads = 1}});
    if (argc < 2 || !live || !mls_state_init(&state, mls_live_snapshot(live), COLUMNS, ROWS, false) ||
        !mls_grid_resize(&grid, COLUMNS, ROWS))
        return 2;
    uint64_t begin_ns = mls_clock_ns();
    for (unsigned long look = 1; look <= n; look++) {
        mls_live_update(live, state.frozen);
        mls_state_refresh(&state);
        if (look % KEYS_EVERY == 0)
            act(&state, live, look, restart_every);
        mls_frame_draw(&state, &grid, &cursor);
        if (look % (n / 10 ? n / 10 : 1) != 0)
            continue;
        uint64_t now_bytes = mls_memory_read(NULL, NULL).rss_bytes, *least = &least_bytes[look > n / 2];
        printf("%3.0f %%: %llu KiB resident\n", (double)look * 100 / (double)n, (unsigned long long)now_bytes / 1024);
        fflush(stdout);
        if (look > n / 10 && now_bytes < *least)
            *least = now_bytes;
    }
    printf("%lu looks in %.1f s, %.0f us each\n", n, (double)(mls_clock_ns() - begin_ns) * 1e-9,
           (double)(mls_clock_ns() - begin_ns) * 1e-3 / (double)n);
    mls_state_done(&state);
    mls_live_free(live);
    mls_grid_done(&grid);
    return least_bytes[1] > least_bytes[0] + (1u << 20);
}
