#include "app/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct mls_view_ops *const view_ops[MLS_VIEW_COUNT] = {
#define X(name) [MLS_VIEW_##name] = &mls_view_##name,
    MLS_VIEW_LIST(X)
#undef X
};

bool mls_state_init(struct mls_state *state, const struct mls_snapshot *snapshot, int columns, int rows,
                    bool ascii)
{
    *state = (struct mls_state){
        .snapshot = snapshot, .columns = columns, .rows = rows, .ascii = ascii, .refresh_ms = 100};
    bool ok = mls_keymap_default(&state->keymap);
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++)
        ok = mls_view_open(&state->views[i], view_ops[i], &state->keymap) && ok;
    if (!ok) {
        mls_state_done(state);
        return false;
    }
    mls_state_refresh(state);
    return true;
}

void mls_state_done(struct mls_state *state)
{
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++)
        mls_view_close(&state->views[i]);
}

struct mls_view *mls_state_view(struct mls_state *state)
{
    return &state->views[state->current];
}

void mls_state_say(struct mls_state *state, bool bad, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(state->message, sizeof state->message, format, arguments);
    va_end(arguments);
    state->message_bad = bad;
}

void mls_state_refresh(struct mls_state *state)
{
    if (state->snapshot->phase == MLS_PHASE_FAILED && !state->failure_shown) {
        state->failure_shown = true;
        mls_state_go(state, MLS_VIEW_findings);
    }
    if (!mls_view_update(mls_state_view(state), state->snapshot))
        mls_state_say(state, true, "out of memory");
}

void mls_state_go(struct mls_state *state, enum mls_view_index view)
{
    if (view == state->current)
        return;
    unsigned at = 0;
    while (at < state->n_back && state->back[at] != view)
        at++;
    if (at < state->n_back)
        state->n_back = at; /* it is on the way back already */
    else if (state->n_back < MLS_BACK_MAX)
        state->back[state->n_back++] = state->current;
    state->current = view;
    mls_state_refresh(state);
}

/* The step that executes an operation, or n_steps. */
static size_t step_of(const struct mls_snapshot *snapshot, mls_op_id op)
{
    for (size_t i = 0; i < snapshot->n_steps; i++) {
        const struct mls_step *step = mls_snapshot_step(snapshot, i);
        if (step->op.i == op.i)
            return i;
        for (uint32_t fused = 0; fused < step->n_fused; fused++)
            if (step->fused[fused].i == op.i)
                return i;
    }
    return snapshot->n_steps;
}

bool mls_state_go_op(struct mls_state *state, mls_op_id op)
{
    size_t step = step_of(state->snapshot, op);
    if (step == state->snapshot->n_steps)
        return false;
    mls_state_go(state, MLS_VIEW_operations);
    struct mls_view *view = mls_state_view(state);
    if (mls_listing_select_row(&view->list, view->ops->row_of_step(view, step)))
        return true;
    view->list.limit = 0; /* something hides it: a filter, the limit, or a closed row */
    mls_listing_forget_rows(&view->list);
    mls_state_filter(state, "");
    return mls_listing_select_row(&view->list, view->ops->row_of_step(view, step));
}

bool mls_state_filter(struct mls_state *state, const char *expression)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    struct mls_filter_error error;
    if (!rows.n_columns) {
        mls_state_say(state, true, "this view has no rows to filter");
        return false;
    }
    if (!mls_filter_parse(expression, rows.columns, rows.n_columns, &view->list.filter, &error)) {
        mls_state_say(state, true, "%s: %s", error.reason, expression + error.position);
        state->wrong_at = error.position;
        return false;
    }
    snprintf(view->list.filter_text, sizeof view->list.filter_text, "%s", expression);
    mls_listing_update(&view->list, &rows);
    return true;
}
