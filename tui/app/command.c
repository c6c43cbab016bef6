#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/export.h"
#include "app/config.h"
#include "app/frame.h"
#include "app/setting.h"
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
    struct mls_grid grid = {.ascii = state->ascii, .blocks = state->blocks};
    struct mls_cursor_place cursor;
    bool ok = mls_grid_resize(&grid, state->columns, state->rows);
    FILE *file = ok ? fopen(argument, "w") : NULL;
    size_t length = strlen(argument);
    bool svg = length > 4 && strcmp(argument + length - 4, ".svg") == 0;
    if (file) {
        mls_frame_draw(state, &grid, &cursor);
        ok = svg ? mls_grid_write_svg(&grid, state->theme, file) : mls_grid_write(&grid, file);
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

static bool record(struct mls_state *state, const char *argument)
{
    if (strlen(argument) >= sizeof state->wishes.record) {
        mls_state_say(state, true, "cannot record: the path is too long");
        return false;
    }
    snprintf(state->wishes.record, sizeof state->wishes.record, "%s", argument);
    state->wishes.redact = state->snapshot->model.sealed;
    return true;
}

static bool record_redacted(struct mls_state *state, const char *argument)
{
    bool ok = record(state, argument);
    state->wishes.redact = true;
    return ok;
}

/* "threads=1 precision=high": the settings with these changed; false with a message. */
static bool compare_settings(struct mls_state *state, const char *argument)
{
    struct mls_settings now = state->settings;
    struct mls_wishes wishes = state->wishes;
    char words[MLS_PROMPT_BYTES], *rest = words;
    bool ok = true;
    snprintf(words, sizeof words, "%s", argument);
    for (char *word; ok && (word = strtok_r(rest, " ", &rest)) != NULL;)
        ok = mls_setting_set(state, word);
    bool changes = state->wishes.restart;
    wishes.others = state->settings;
    state->settings = now;
    state->wishes = wishes;
    if (!ok)
        return false;
    if (!changes) {
        mls_state_say(state, true, "cannot compare with %.160s: it runs like that already", argument);
        return false;
    }
    state->wishes.duel = true;
    snprintf(state->wishes.others_label, sizeof state->wishes.others_label, "%.190s", argument);
    mls_state_go(state, MLS_VIEW_compare);
    return true;
}

static bool compare(struct mls_state *state, const char *argument)
{
    if (strchr(argument, '=') && access(argument, F_OK) != 0)
        return compare_settings(state, argument);
    if (strlen(argument) >= sizeof state->wishes.compare) {
        mls_state_say(state, true, "cannot compare: the path is too long");
        return false;
    }
    snprintf(state->wishes.compare, sizeof state->wishes.compare, "%s", argument);
    mls_state_go(state, MLS_VIEW_compare);
    return true;
}

static bool open_model(struct mls_state *state, const char *argument)
{
    if (strlen(argument) >= sizeof state->wishes.open) {
        mls_state_say(state, true, "cannot open: the path is too long");
        return false;
    }
    snprintf(state->wishes.open, sizeof state->wishes.open, "%s", argument);
    return true;
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
    {"set", mls_setting_set, true},
    {"record", record, true},
    {"record-redacted", record_redacted, true},
    {"open", open_model, true},
    {"compare", compare, true},
    {"save-config", mls_config_save, false},
};

const char *mls_command_name(size_t index)
{
    return index < sizeof commands / sizeof commands[0] ? commands[index].name : NULL;
}

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
