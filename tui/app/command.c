#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/export.h"
#include "app/frame.h"
#include "app/state.h"

static bool quit(struct mls_state *state, const char *argument)
{
    (void)argument;
    state->quit = true;
    return true;
}

static bool sort(struct mls_state *state, const char *argument)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    int column = mls_rows_find_column(rows.columns, rows.n_columns, argument, strlen(argument));
    if (column < 0) {
        mls_state_say(state, true, "cannot sort by %s: there is no such column here", argument);
        return false;
    }
    mls_listing_sort(&view->list, &rows, column);
    mls_listing_update(&view->list, &rows);
    return true;
}

static bool go_to(struct mls_state *state, const char *argument)
{
    const struct mls_snapshot *snapshot = state->snapshot;
    char *end;
    unsigned long number = strtoul(argument, &end, 10);
    if (*argument >= '0' && *argument <= '9' && *end == '\0' && number < snapshot->n_steps)
        return mls_state_go_op(state, mls_snapshot_step(snapshot, number)->op);
    for (int exactly = 1; exactly >= 0; exactly--)
        for (size_t i = 0; i < snapshot->n_steps; i++) {
            const struct mls_step *step = mls_snapshot_step(snapshot, i);
            if (exactly ? strcmp(step->name, argument) == 0 : mls_text_holds(step->path, argument))
                return mls_state_go_op(state, step->op);
        }
    mls_state_say(state, true, "cannot go to %s: no operation has this number or name", argument);
    return false;
}

static bool save_screen(struct mls_state *state, const char *argument)
{
    struct mls_grid grid = {.ascii = state->ascii};
    struct mls_cursor_place cursor;
    bool ok = mls_grid_resize(&grid, state->columns, state->rows);
    FILE *file = ok ? fopen(argument, "w") : NULL;
    if (file) {
        mls_frame_draw(state, &grid, &cursor);
        ok = mls_grid_write(&grid, file);
        ok = fclose(file) == 0 && ok;
    }
    mls_grid_done(&grid);
    if (!file || !ok)
        mls_state_say(state, true, "cannot write %s: %s", argument, strerror(errno));
    else
        mls_state_say(state, false, "screen saved to %s", argument);
    return file && ok;
}

static bool export_view(struct mls_state *state, const char *argument)
{
    const char *reason;
    if (!mls_export(mls_state_view(state), argument, &reason)) {
        mls_state_say(state, true, "cannot export to %s: %s", argument, reason);
        return false;
    }
    mls_state_say(state, false, "%zu rows written to %s", mls_state_view(state)->list.n_order, argument);
    return true;
}

static bool set_ascii(struct mls_state *state, const char *value)
{
    bool on = strcmp(value, "on") == 0;
    if (!on && strcmp(value, "off") != 0)
        return false;
    state->ascii = on;
    return true;
}

static bool set_refresh(struct mls_state *state, const char *value)
{
    char *end;
    unsigned long milliseconds = strtoul(value, &end, 10);
    if (end == value || *end != '\0' || milliseconds < 20 || milliseconds > 10000)
        return false;
    state->refresh_ms = (uint32_t)milliseconds;
    return true;
}

static bool set_columns(struct mls_state *state, const char *value)
{
    struct mls_rows rows = mls_view_rows(mls_state_view(state));
    return rows.n_columns && mls_listing_set_columns(&mls_state_view(state)->list, &rows, value);
}

static bool set_limit(struct mls_state *state, const char *value)
{
    char *end;
    double percent = strtod(value, &end);
    if (end == value || (*end && strcmp(end, "%") != 0) || !(percent >= 0 && percent <= 100))
        return false;
    mls_state_view(state)->list.limit = percent / 100;
    mls_state_refresh(state);
    return true;
}

static const struct {
    const char *name;
    bool (*set)(struct mls_state *state, const char *value);
    const char *values;
} settings[] = {
    {"ascii", set_ascii, "on or off"},
    {"columns", set_columns, "keys of this view's columns, commas between"},
    {"limit", set_limit, "a percentage"},
    {"refresh", set_refresh, "milliseconds, 20 to 10000"},
};

static bool set(struct mls_state *state, const char *argument)
{
    size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strlen(settings[i].name) != length || strncmp(settings[i].name, argument, length) != 0)
            continue;
        if (argument[length] == '=' && settings[i].set(state, argument + length + 1))
            return true;
        mls_state_say(state, true, "cannot set %s: %s is expected", settings[i].name, settings[i].values);
        return false;
    }
    mls_state_say(state, true, "cannot set %s: the settings are ascii, columns, limit and refresh", argument);
    return false;
}

static const struct {
    const char *name;
    bool (*run)(struct mls_state *state, const char *argument);
    bool needs_argument;
} commands[] = {
    {"q", quit, false},
    {"quit", quit, false},
    {"sort", sort, true},
    {"filter", mls_state_filter, false},
    {"goto", go_to, true},
    {"save-screen", save_screen, true},
    {"export", export_view, true},
    {"set", set, true},
};

bool mls_state_command(struct mls_state *state, const char *line)
{
    char name[64];
    line += strspn(line, " :");
    size_t length = strcspn(line, " ");
    const char *argument = line + length + strspn(line + length, " ");
    if (length == 0)
        return true;
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), line);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) != 0 ||
            (!*argument && commands[i].needs_argument && mls_request_find(name) != MLS_REQUEST_NONE))
            continue;
        if (!*argument && commands[i].needs_argument) {
            mls_state_say(state, true, "cannot run :%s: what it acts on is missing", name);
            return false;
        }
        return commands[i].run(state, argument);
    }
    enum mls_request request = mls_request_find(name);
    if (request == MLS_REQUEST_NONE || *argument) {
        mls_state_say(state, true, "cannot run :%s: there is no such command (? lists them)", name);
        return false;
    }
    mls_state_perform(state, request);
    return true;
}
