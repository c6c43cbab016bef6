#include "app/wishes.h"

#include <stdio.h>
#include <string.h>

#include "profiler/compare.h"
#include "term/terminal.h"

static void save(struct mls_state *state, struct mls_live *live, const struct mls_wishes *wishes)
{
    struct mls_error error;
    if (state->snapshot->phase == MLS_PHASE_LOADING) {
        mls_state_say(state, true, "there is nothing to record yet: the model is loading");
        return;
    }
    if (mls_live_save(live, wishes->record, wishes->redact, &error) == MLS_OK)
        mls_state_say(state, false, "recorded to %.180s%s", wishes->record,
                      wishes->redact ? ", names replaced" : "");
    else
        mls_state_say(state, true, "%.250s", error.text);
}

static void duel(struct mls_state *state, struct mls_live *live, const char *path, const struct mls_settings *settings,
                 const char *label)
{
    if (mls_live_duel(live, path, settings, label))
        mls_state_say(state, false, "%.150s: in turns for some seconds, the model pauses (x cancels)", label);
    else
        mls_state_say(state, true, "cannot compare with %.180s: no model runs here", label);
    mls_state_refresh(state);
}

/* The settings as they were come back when the model cannot be started with the new ones. */
static void compare(struct mls_state *state, struct mls_live *live, const struct mls_wishes *wishes)
{
    struct mls_error error;
    const char *path = wishes->compare[0] ? wishes->compare : NULL;
    if (path && !mls_side_is_recording(path)) {
        duel(state, live, path, NULL, path);
        return;
    }
    if (mls_live_set_baseline(live, path, &error) != MLS_OK)
        mls_state_say(state, true, "%.250s", error.text);
    else if (path)
        mls_state_say(state, false, "compared with %.200s", path);
    else
        mls_state_say(state, false, "the statistics so far are the baseline now (9 compares)");
    mls_state_refresh(state);
}

static void restart(struct mls_state *state, struct mls_live *live, const struct mls_wishes *wishes)
{
    char why[MLS_LOG_TEXT_BYTES];
    const char *path = wishes->open[0] ? wishes->open : NULL;
    snprintf(why, sizeof why, "%s%.180s", path ? "opened " : "", path ? path : wishes->why);
    if (!mls_live_restart(live, &state->settings, path, why))
        mls_state_say(state, true, "cannot start the model anew: out of memory or threads");
    mls_state_refresh(state);
}

void mls_wishes_fulfil(struct mls_state *state, struct mls_live *live, struct mls_terminal *terminal)
{
    struct mls_wishes wishes = state->wishes;
    struct mls_error error;
    memset(&state->wishes, 0, sizeof state->wishes);
    if (wishes.set_units) {
        mls_live_set_units(live, wishes.units);
        mls_state_refresh(state);
    }
    if (wishes.record[0])
        save(state, live, &wishes);
    if (wishes.cancel)
        mls_live_cancel(live);
    if (wishes.reset)
        mls_live_reset(live, wishes.why);
    if (wishes.baseline || wishes.compare[0])
        compare(state, live, &wishes);
    if (wishes.duel)
        duel(state, live, NULL, &wishes.others, wishes.others_label);
    if (wishes.sweep && !mls_live_sweep(live))
        mls_state_say(state, true, "cannot sweep: no model runs, or one goes on already");
    if (wishes.sample && !mls_live_sample(live, &error))
        mls_state_say(state, true, "%.250s", error.text);
    if (wishes.probe)
        mls_live_probe(live, wishes.probe_step);
    if (wishes.find)
        mls_live_find(live, NULL);
    if (wishes.restart || wishes.open[0])
        restart(state, live, &wishes);
    mls_live_watch_threads(live, state->current == MLS_VIEW_timeline);
    if (wishes.copy[0] && terminal && !mls_terminal_copy(terminal, wishes.copy))
        mls_state_say(state, true, "cannot copy: the row is too long");
}
