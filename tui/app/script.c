#include "app/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/frame.h"
#include "app/wishes.h"
#include "core/clock.h"

enum { LINE_BYTES = 1024, POLL_NS = 5000000 };

static const uint64_t wait_limit_ns = 600u * 1000000000ull;

struct script {
    struct mls_state *state;
    struct mls_live *live;
    const char *reason; /* static; NULL: fine so far */
};

static void refresh(struct script *script)
{
    mls_wishes_fulfil(script->state, script->live, NULL);
    mls_live_update(script->live, script->state->frozen);
    mls_state_refresh(script->state);
}

static bool is_loaded(struct script *script, uint64_t goal)
{
    (void)goal;
    return mls_live_snapshot(script->live)->phase != MLS_PHASE_LOADING;
}

static bool are_done(struct script *script, uint64_t goal)
{
    return mls_live_done(script->live) >= goal || mls_live_snapshot(script->live)->phase == MLS_PHASE_FAILED;
}

static bool is_time(struct script *script, uint64_t goal)
{
    (void)script;
    return mls_clock_ns() >= goal;
}

static bool wait_until(struct script *script, bool (*done)(struct script *script, uint64_t goal),
                       uint64_t goal)
{
    uint64_t begin_ns = mls_clock_ns();
    for (;;) {
        refresh(script);
        if (done(script, goal))
            return true;
        if (mls_clock_ns() - begin_ns > wait_limit_ns) {
            script->reason = "waited for ten minutes";
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
}

static bool wait_for(struct script *script, const char *text)
{
    unsigned long long number;
    char unit[16];
    if (strcmp(text, "loaded") == 0)
        return wait_until(script, is_loaded, 0);
    if (sscanf(text, "%llu %15s", &number, unit) != 2 || number > 1000000) {
        script->reason = "wait takes: loaded, N predictions, N ms";
        return false;
    }
    if (strcmp(unit, "ms") == 0)
        return wait_until(script, is_time, mls_clock_ns() + number * 1000000);
    if (strcmp(unit, "predictions") != 0 && strcmp(unit, "prediction") != 0) {
        script->reason = "wait takes: loaded, N predictions, N ms";
        return false;
    }
    mls_live_expect(script->live, number);
    if (mls_live_snapshot(script->live)->synthetic)
        number = 0; /* the numbers do not come from them */
    return wait_until(script, are_done, mls_live_done(script->live) + number);
}

static bool resize(struct script *script, const char *text)
{
    int columns, rows;
    if (sscanf(text, "%dx%d", &columns, &rows) != 2 || columns < 1 || rows < 1 ||
        columns > MLS_GRID_SIDE_MAX || rows > MLS_GRID_SIDE_MAX) {
        script->reason = "resize takes COLUMNSxROWS";
        return false;
    }
    script->state->columns = columns;
    script->state->rows = rows;
    return true;
}

static bool type(struct script *script, const char *text)
{
    for (; *text; text++)
        mls_state_key(script->state, (unsigned char)*text);
    return true;
}

/* Key names and request names, blanks between. */
static bool press(struct script *script, const char *text)
{
    while (*text && !script->state->quit) {
        char word[64];
        mls_keycode key;
        size_t length = strcspn(text, " ");
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), text);
        if (mls_key_parse_name(word, strlen(word), &key))
            mls_state_key(script->state, key);
        else if (mls_request_find(word) != MLS_REQUEST_NONE)
            mls_state_perform(script->state, mls_request_find(word));
        else {
            script->reason = "there is no such key or request";
            return false;
        }
        text += length;
        text += strspn(text, " ");
    }
    return true;
}

/* "click X Y", "wheel X Y up": as if the mouse had done it on the screen as it is now. */
static bool act_mouse(struct script *script, const char *text, bool wheel)
{
    struct mls_mouse mouse = {.action = MLS_MOUSE_CLICK};
    char way[8] = "";
    struct mls_grid grid = {.ascii = false};
    struct mls_cursor_place cursor;
    if (sscanf(text, "%d %d %7s", &mouse.x, &mouse.y, way) < (wheel ? 3 : 2) ||
        !mls_grid_resize(&grid, script->state->columns, script->state->rows)) {
        script->reason = "the mouse takes X Y, the wheel X Y up or down";
        return false;
    }
    if (wheel)
        mouse.action = strcmp(way, "up") == 0 ? MLS_MOUSE_WHEEL_UP : MLS_MOUSE_WHEEL_DOWN;
    mls_frame_draw(script->state, &grid, &cursor); /* what lies where is known once it is drawn */
    mls_grid_done(&grid);
    mls_state_mouse(script->state, mouse);
    return true;
}

static bool click(struct script *script, const char *text)
{
    return act_mouse(script, text, false);
}

static bool wheel(struct script *script, const char *text)
{
    return act_mouse(script, text, true);
}

static const struct {
    const char *verb;
    bool (*play)(struct script *script, const char *text);
} verbs[] = {
    {"wait ", wait_for}, {"resize ", resize}, {"type ", type}, {"click ", click}, {"wheel ", wheel},
};

static bool play_line(struct script *script, const char *line)
{
    if (line[0] == ':' && line[1] != '\0') {
        bool ok = mls_state_command(script->state, line);
        script->reason = ok ? NULL : script->state->message;
        return ok;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strncmp(line, verbs[i].verb, strlen(verbs[i].verb)) == 0)
            return verbs[i].play(script, line + strlen(verbs[i].verb));
    return press(script, line);
}

bool mls_script_play(struct mls_state *state, struct mls_live *live, const char *path, char *text,
                     size_t size)
{
    struct script script = {.state = state, .live = live};
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    char line[LINE_BYTES];
    bool ok = true;
    if (!file) {
        snprintf(text, size, "cannot open the script %s: %s", path, strerror(errno));
        return false;
    }
    for (unsigned number = 1; ok && !state->quit && fgets(line, sizeof line, file); number++) {
        line[strcspn(line, "\r\n")] = '\0';
        const char *begin = line + strspn(line, " \t");
        if (*begin == '\0' || (*begin == '#' && begin[1] != '\0'))
            continue;
        refresh(&script);
        ok = play_line(&script, begin);
        if (!ok)
            snprintf(text, size, "cannot play line %u of %s: %s", number, path, script.reason);
    }
    mls_wishes_fulfil(state, live, NULL);
    if (!standard)
        fclose(file);
    return ok;
}
