#include "app/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/setting.h"

static const struct mls_view_ops *const view_ops[MLS_VIEW_COUNT] = {
#define X(name) [MLS_VIEW_##name] = &mls_view_##name,
    MLS_VIEW_LIST(X)
#undef X
};

bool mls_state_init(struct mls_state *state, const struct mls_snapshot *snapshot, int columns, int rows,
                    bool ascii)
{
    memset(state, 0, sizeof *state);
    state->snapshot = snapshot;
    state->columns = columns;
    state->rows = rows;
    state->ascii = ascii;
    state->refresh_ms = 100;
    state->mouse = state->hints = true;
    state->n_places = 1;
    bool ok = mls_keymap_default(&state->keymap);
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++)
        ok = mls_view_open(&state->views[i], view_ops[i], &state->keymap) && ok;
    if (!ok) {
        mls_state_done(state);
        return false;
    }
    state->views[MLS_VIEW_setup].setup = state->setup;
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

static void read_setup(struct mls_state *state)
{
    struct mls_view *view = &state->views[MLS_VIEW_setup];
    view->n_setup = 0;
    for (size_t i = 0; i < mls_setting_count() && view->n_setup < MLS_SETUP_MAX; i++) {
        const struct mls_setting_row *row = mls_setting_at(i);
        struct mls_setup_row *shown = &state->setup[view->n_setup];
        if (!row->get)
            continue;
        *shown = (struct mls_setup_row){
            .name = row->name, .values = row->values, .help = row->help, .restart = row->restart};
        row->get(state, shown->value, sizeof shown->value);
        view->n_setup++;
    }
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

/* Whose detail is open wants to be looked into. */
static void wish_probe(struct mls_state *state)
{
    const struct mls_view *view = mls_state_view(state);
    mls_op_id op;
    if (!(view->detail || view->full) || !view->ops->op || !view->list.n_order || !state->snapshot->n_steps ||
        !view->ops->op(view, view->list.selected_row, &op))
        return;
    size_t step = step_of(state->snapshot, op);
    state->wishes.probe = step < state->snapshot->n_steps;
    state->wishes.probe_step = (uint32_t)step;
}

void mls_state_refresh(struct mls_state *state)
{
    if (state->snapshot->phase == MLS_PHASE_FAILED && state->failure_shown != state->snapshot->generation) {
        state->failure_shown = state->snapshot->generation;
        mls_state_go(state, MLS_VIEW_findings);
    }
    if (state->current == MLS_VIEW_setup)
        read_setup(state);
    if (state->current == MLS_VIEW_hot)
        state->wishes.sample = true;
    if (state->current == MLS_VIEW_models && !state->snapshot->found_root)
        state->wishes.find = true;
    if (!mls_view_update(mls_state_view(state), state->snapshot))
        mls_state_say(state, true, "out of memory");
    wish_probe(state);
}

/* The operation that is selected in the current view; false: none. */
static bool selected_op(const struct mls_state *state, mls_op_id *ret_op)
{
    const struct mls_view *view = &state->views[state->current];
    return view->ops->op && view->list.n_order && view->list.selected_row < mls_view_rows(view).n_rows &&
           view->ops->op(view, view->list.selected_row, ret_op);
}

/* Another view is about the same operation, or the one that executes it, as far as it shows one of them. */
static void select_op(struct mls_state *state, mls_op_id op)
{
    struct mls_view *view = mls_state_view(state);
    size_t step = step_of(state->snapshot, op), near = SIZE_MAX;
    if (!view->ops->op || step == state->snapshot->n_steps)
        return;
    if (view->ops->row_of_step) {
        mls_listing_select_row(&view->list, view->ops->row_of_step(view, step));
        return;
    }
    for (size_t row = 0, n = mls_view_rows(view).n_rows; row < n; row++) {
        mls_op_id here;
        if (!view->ops->op(view, row, &here))
            continue;
        if (here.i == op.i && mls_listing_select_row(&view->list, row))
            return;
        near = near == SIZE_MAX && step_of(state->snapshot, here) == step ? row : near;
    }
    if (near != SIZE_MAX)
        mls_listing_select_row(&view->list, near);
}

void mls_state_go(struct mls_state *state, enum mls_view_index view)
{
    mls_op_id op;
    if (view == state->current)
        return;
    bool follows = selected_op(state, &op) && view != MLS_VIEW_findings;
    unsigned at = 0;
    while (at < state->n_back && state->back[at] != view)
        at++;
    if (at < state->n_back)
        state->n_back = at; /* it is on the way back already */
    else if (state->n_back < MLS_BACK_MAX)
        state->back[state->n_back++] = state->current;
    state->current = view;
    if (state->n_places == MLS_PLACES_MAX) {
        memmove(state->places, state->places + 1, (MLS_PLACES_MAX - 1) * sizeof *state->places);
        state->n_places--;
    } else {
        state->n_places = state->place + 1; /* who goes elsewhere leaves the way forward */
    }
    state->places[state->n_places++] = view;
    state->place = state->n_places - 1;
    mls_state_refresh(state);
    if (follows)
        select_op(state, op);
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
