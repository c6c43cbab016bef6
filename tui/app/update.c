#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/complete.h"
#include "app/finder.h"
#include "app/setting.h"
#include "app/state.h"

/* ---- Prompts
 * ---------------------------------------------------------------------------------------------------- */

static void begin_prompt(struct mls_state *state, enum mls_mode mode, const char *text)
{
    struct mls_view *view = mls_state_view(state);
    state->mode = mode;
    state->saved_filter = view->list.filter;
    state->saved_row = view->list.selected_row;
    snprintf(state->saved_filter_text, sizeof state->saved_filter_text, "%s", view->list.filter_text);
    mls_prompt_set(&state->prompt, text);
    state->line = state->n_lines;
}

/* Filters and searches act while they are typed; under a filter that is wrong so far the one before it stays.
 */
static void preview(struct mls_state *state)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    if (state->mode == MLS_MODE_FILTER && mls_state_filter(state, state->prompt.text)) {
        state->message[0] = '\0';
    } else if (state->mode == MLS_MODE_FILTER) {
        view->list.filter = state->saved_filter;
        snprintf(view->list.filter_text, sizeof view->list.filter_text, "%s", state->saved_filter_text);
        mls_listing_update(&view->list, &rows);
    }
    if (state->mode == MLS_MODE_SEARCH) {
        snprintf(view->list.search_text, sizeof view->list.search_text, "%s", state->prompt.text);
        mls_listing_select_row(&view->list, state->saved_row);
        bool found = mls_listing_search(&view->list, &rows, 1, true);
        state->message[0] = '\0';
        if (!found && state->prompt.length_bytes)
            mls_state_say(state, true, "not found");
    }
}

static void cancel_prompt(struct mls_state *state)
{
    struct mls_view *view = mls_state_view(state);
    if (state->mode == MLS_MODE_FILTER)
        mls_state_filter(state, state->saved_filter_text);
    if (state->mode == MLS_MODE_SEARCH) {
        view->list.search_text[0] = '\0';
        mls_listing_select_row(&view->list, state->saved_row);
    }
    state->mode = MLS_MODE_NORMAL;
    state->message[0] = '\0';
}

/* A command line that was given is kept, unless it is the same as the one before. */
static void keep_line(struct mls_state *state, const char *text)
{
    if (!*text || (state->n_lines && strcmp(state->lines[state->n_lines - 1], text) == 0))
        return;
    if (state->n_lines == MLS_LINES_MAX)
        memmove(state->lines, state->lines + 1, (--state->n_lines) * sizeof state->lines[0]);
    snprintf(state->lines[state->n_lines++], sizeof state->lines[0], "%s", text);
}

static void recall_line(struct mls_state *state, int step)
{
    if ((step < 0 && state->line == 0) || (step > 0 && state->line >= state->n_lines))
        return;
    state->line += (unsigned)step;
    mls_prompt_set(&state->prompt, state->line < state->n_lines ? state->lines[state->line] : "");
}

static void finish_prompt(struct mls_state *state)
{
    enum mls_mode mode = state->mode;
    char text[MLS_PROMPT_BYTES];
    snprintf(text, sizeof text, "%s", state->prompt.text);
    state->message[0] = '\0';
    if (mode == MLS_MODE_FILTER && !mls_state_filter(state, text))
        return; /* the prompt stays, the message says what is wrong */
    state->mode = MLS_MODE_NORMAL;
    if (mode == MLS_MODE_COMMAND) {
        keep_line(state, text);
        mls_state_command(state, text);
    }
}

static void prompt_key(struct mls_state *state, mls_keycode key)
{
    if (key == MLS_KEY_ENTER)
        finish_prompt(state);
    else if (key == MLS_KEY_ESC || key == MLS_KEY_CONTROL('g'))
        cancel_prompt(state);
    else if (key == MLS_KEY_CONTROL('c'))
        state->quit = true;
    else if (key == MLS_KEY_BACKSPACE && state->prompt.length_bytes == 0)
        cancel_prompt(state);
    else if (state->mode == MLS_MODE_COMMAND && key == MLS_KEY_TAB)
        mls_complete(state);
    else if (state->mode == MLS_MODE_COMMAND && (key == MLS_KEY_UP || key == MLS_KEY_DOWN))
        recall_line(state, key == MLS_KEY_UP ? -1 : 1);
    else if (mls_prompt_key(&state->prompt, key))
        preview(state);
}

/* ---- The menus of columns
 * --------------------------------------------------------------------------------------- */

static void move_choice(struct mls_state *state, int step)
{
    struct mls_rows rows = mls_view_rows(mls_state_view(state));
    int first = state->mode == MLS_MODE_SORT ? MLS_LISTING_RUN_ORDER : 0; /* run order stands first */
    int count = (int)rows.n_columns - first;
    state->sort_choice = (state->sort_choice - first + step + count) % count + first;
}

/* What Enter and Space do: sort by the column and leave, or show it, or not, and stay. */
static void choose_column(struct mls_state *state)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    if (state->mode == MLS_MODE_COLUMNS) {
        mls_listing_toggle_column(&view->list, &rows, (unsigned)state->sort_choice);
        return;
    }
    mls_listing_sort(&view->list, &rows, state->sort_choice);
    mls_listing_update(&view->list, &rows);
    state->mode = MLS_MODE_NORMAL;
}

static void menu_key(struct mls_state *state, mls_keycode key)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    enum mls_request request = mls_keymap_find(&state->keymap, key);
    switch (request) {
    case MLS_REQUEST_UP:
    case MLS_REQUEST_DOWN:
        move_choice(state, request == MLS_REQUEST_UP ? -1 : 1);
        return;
    case MLS_REQUEST_OPEN:
    case MLS_REQUEST_MARK:
        choose_column(state);
        return;
    case MLS_REQUEST_SORT_LEFT:
    case MLS_REQUEST_SORT_RIGHT:
    case MLS_REQUEST_LEFT:
    case MLS_REQUEST_RIGHT:
        if (state->mode == MLS_MODE_COLUMNS)
            mls_listing_shift_column(&view->list, &rows, (unsigned)state->sort_choice,
                                     request == MLS_REQUEST_SORT_LEFT || request == MLS_REQUEST_LEFT ? -1
                                                                                                     : 1);
        return;
    case MLS_REQUEST_QUIT:
        state->quit = true;
        return;
    case MLS_REQUEST_CLOSE:
    case MLS_REQUEST_BACK:
    case MLS_REQUEST_SORT_MENU:
    case MLS_REQUEST_COLUMNS:
        state->mode = MLS_MODE_NORMAL;
        return;
    default:
        return;
    }
}

/* ---- Requests
 * --------------------------------------------------------------------------------------------------- */

static bool go_back(struct mls_state *state)
{
    if (state->n_back == 0)
        return false;
    state->current = state->back[--state->n_back];
    mls_state_refresh(state);
    return true;
}

static bool close_pane(struct mls_view *view)
{
    if (view->full) {
        view->full = false;
        return true;
    }
    if (view->detail && view->ops->detail && !view->ops->detail_open) {
        view->detail = false;
        return true;
    }
    return false;
}

static void step_back(struct mls_state *state)
{
    struct mls_view *view = mls_state_view(state);
    if (view->list.search_text[0])
        view->list.search_text[0] = '\0';
    else if (view->list.filter_text[0])
        mls_state_filter(state, "");
    else if (!close_pane(view))
        go_back(state);
}

/* The model compressed by a setting of the sweep takes the place of the one that runs. */
static void open_setting(struct mls_state *state, const struct mls_swept *swept)
{
    char line[MLS_PROMPT_BYTES];
    if (swept->result.status) {
        mls_state_say(state, true, "cannot open %s: %.180s", swept->label, swept->result.reason);
        return;
    }
    snprintf(line, sizeof line, "compress=%s", swept->label);
    if (mls_setting_set(state, line) && state->wishes.restart)
        mls_state_say(state, false, "the model is loaded anew with its weights %s", swept->label);
    else if (!state->message[0])
        mls_state_say(state, false, "the model runs with this setting already");
}

static void open_row(struct mls_state *state)
{
    struct mls_view *view = mls_state_view(state);
    mls_op_id op;
    if (state->current == MLS_VIEW_models && view->list.n_order) {
        const struct mls_found *found = &state->snapshot->found[view->list.selected_row];
        snprintf(state->wishes.open, sizeof state->wishes.open, "%s", found->path);
        mls_state_go(state, MLS_VIEW_overview);
        return;
    }
    if (state->current == MLS_VIEW_compression && view->list.n_order) {
        open_setting(state, &state->snapshot->sweep.settings[view->list.selected_row]);
        return;
    }
    if (state->current == MLS_VIEW_setup && view->list.n_order) {
        char line[MLS_PROMPT_BYTES];
        const struct mls_setup_row *row = &state->setup[view->list.selected_row];
        bool named = row->name[strlen(row->name) - 1] == '.';
        snprintf(line, sizeof line, "set %s%s%s", row->name, named ? "" : "=", named ? "" : row->value);
        begin_prompt(state, MLS_MODE_COMMAND, line);
        return;
    }
    if (view->list.n_order == 0)
        return;
    if (view->ops->detail && !view->detail)
        view->detail = true;
    else if (state->current != MLS_VIEW_operations && view->ops->op &&
             view->ops->op(view, view->list.selected_row, &op))
        mls_state_go_op(state, op);
    else if (view->ops->detail)
        view->full = !view->full;
}

static bool perform_move(struct mls_state *state, enum mls_request request)
{
    struct mls_listing *list = &mls_state_view(state)->list;
    long page = list->page > 1 ? (long)list->page - 1 : 1;
    switch (request) {
    case MLS_REQUEST_UP:
        mls_listing_move(list, -1);
        return true;
    case MLS_REQUEST_DOWN:
        mls_listing_move(list, 1);
        return true;
    case MLS_REQUEST_PAGE_UP:
        mls_listing_move(list, -page);
        return true;
    case MLS_REQUEST_PAGE_DOWN:
        mls_listing_move(list, page);
        return true;
    case MLS_REQUEST_HALF_UP:
        mls_listing_move(list, -(page + 1) / 2);
        return true;
    case MLS_REQUEST_HALF_DOWN:
        mls_listing_move(list, (page + 1) / 2);
        return true;
    case MLS_REQUEST_FIRST:
        mls_listing_move(list, -(long)list->n_order);
        return true;
    case MLS_REQUEST_LAST:
        mls_listing_move(list, (long)list->n_order);
        return true;
    case MLS_REQUEST_LEFT:
        list->pan = list->pan > state->columns / 4 ? list->pan - state->columns / 4 : 0;
        return true;
    case MLS_REQUEST_RIGHT:
        list->pan = list->pan < MLS_GRID_SIDE_MAX ? list->pan + state->columns / 4 : list->pan;
        return true;
    default:
        return false;
    }
}

/* Two marked rows in the column that the list is sorted by, or else in the first that can be summed. */
static void compare_marks(struct mls_state *state)
{
    const struct mls_listing *list = &mls_state_view(state)->list;
    struct mls_rows rows = mls_view_rows(mls_state_view(state));
    size_t marked[2] = {0, 0}, n = 0;
    for (size_t row = 0; row < list->n_rows && n < 2; row++)
        if (list->state[row].marked)
            marked[n++] = row;
    unsigned column = list->sort_column >= 0 ? (unsigned)list->sort_column : 0;
    while (column < rows.n_columns &&
           !(list->sort_column >= 0 ? mls_datum_is_number(rows.columns[column].kind)
                                    : rows.columns[column].kind == MLS_DATUM_TIME_NS))
        column++;
    if (n < 2 || list->n_marked != 2 || column >= rows.n_columns) {
        mls_state_say(state, true, "mark exactly two rows to compare them (Space marks)");
        return;
    }
    char before[MLS_DATUM_TEXT_BYTES], after[MLS_DATUM_TEXT_BYTES];
    struct mls_datum a = mls_rows_cell(&rows, marked[0], column), b = mls_rows_cell(&rows, marked[1], column);
    mls_state_say(state, false, "%s: %s against %s: %.3g times as much", rows.columns[column].title,
                  mls_datum_format(&b, before), mls_datum_format(&a, after),
                  a.number != 0 ? b.number / a.number : 0);
}

static bool perform_marks(struct mls_state *state, enum mls_request request)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    switch (request) {
    case MLS_REQUEST_MARK:
        mls_listing_mark(&view->list, &rows);
        mls_listing_move(&view->list, 1);
        return true;
    case MLS_REQUEST_UNMARK:
        mls_listing_unmark_all(&view->list);
        return true;
    case MLS_REQUEST_COMPARE_MARKS:
        compare_marks(state);
        return true;
    case MLS_REQUEST_SHARES:
        view->list.share_mode = (view->list.share_mode + 1) % MLS_SHARE_MODE_COUNT;
        return true;
    case MLS_REQUEST_COLUMNS:
        state->sort_choice = 0;
        state->mode = MLS_MODE_COLUMNS;
        return true;
    default:
        return false;
    }
}

static bool perform_list(struct mls_state *state, enum mls_request request)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    switch (request) {
    case MLS_REQUEST_OPEN:
        open_row(state);
        return true;
    case MLS_REQUEST_SORT_MENU:
        state->sort_choice = view->list.sort_column;
        state->mode = MLS_MODE_SORT;
        return true;
    case MLS_REQUEST_FILTER:
        begin_prompt(state, MLS_MODE_FILTER, view->list.filter_text);
        return true;
    case MLS_REQUEST_SEARCH:
        begin_prompt(state, MLS_MODE_SEARCH, "");
        return true;
    case MLS_REQUEST_FOLLOW:
        view->list.follow = !view->list.follow;
        return true;
    case MLS_REQUEST_SEARCH_NEXT:
    case MLS_REQUEST_SEARCH_PREVIOUS:
        if (!mls_listing_search(&view->list, &rows, request == MLS_REQUEST_SEARCH_NEXT ? 1 : -1, false))
            mls_state_say(state, true,
                          view->list.search_text[0] ? "not found"
                                                    : "nothing was searched for yet: / searches");
        return true;
    case MLS_REQUEST_SORT_LEFT:
    case MLS_REQUEST_SORT_RIGHT:
        mls_listing_sort_beside(&view->list, &rows, request == MLS_REQUEST_SORT_RIGHT ? 1 : -1);
        break;
    case MLS_REQUEST_SORT_INVERT:
        view->list.descending = !view->list.descending;
        break;
    default:
        return false;
    }
    mls_listing_update(&view->list, &rows);
    return true;
}

static void go_beside(struct mls_state *state, unsigned step)
{
    unsigned n = MLS_VIEW_COUNT - 1; /* help is not in the round */
    unsigned from = state->current < n ? state->current : 0;
    mls_state_go(state, (enum mls_view_index)((from + step) % n));
}

static void toggle_full(struct mls_state *state)
{
    struct mls_view *view = mls_state_view(state);
    if (view->ops->detail && view->list.n_order) {
        view->full = !view->full;
        view->detail = true;
    }
}

/* Where [ and ] lead: the views visited, without leaving them behind. */
static void go_visited(struct mls_state *state, int step)
{
    if ((step < 0 && state->place == 0) || (step > 0 && state->place + 1 >= state->n_places))
        return;
    state->place += (unsigned)step;
    state->current = state->places[state->place];
    mls_state_refresh(state);
}

/* The selected row, its cells with tabs between. */
static void copy_row(struct mls_state *state)
{
    const struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    char *text = state->wishes.copy;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < rows.n_columns && view->list.n_order && used < sizeof state->wishes.copy; i++) {
        char buffer[MLS_DATUM_TEXT_BYTES];
        struct mls_datum datum = mls_rows_cell(&rows, view->list.selected_row, i);
        if (datum.kind != MLS_DATUM_SERIES)
            used += (size_t)snprintf(text + used, sizeof state->wishes.copy - used, "%s%s", used ? "\t" : "",
                                     mls_datum_format(&datum, buffer));
    }
    mls_state_say(state, false, "copied: %.200s", text);
}

static void next_refresh(struct mls_state *state)
{
    static const uint32_t choices_ms[] = {100, 250, 500, 1000, 2000};
    enum { N = sizeof choices_ms / sizeof choices_ms[0] };
    size_t at = 0;
    while (at < N && choices_ms[at] <= state->refresh_ms)
        at++;
    state->refresh_ms = choices_ms[at % N];
    mls_state_say(state, false, "a look every %g s", (double)state->refresh_ms / 1000);
}

/* A recording is named after its model and the time. */
static void wish_recording(struct mls_state *state)
{
    const char *path = state->snapshot->path ? state->snapshot->path : "model";
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    char date[32] = "";
    time_t now = time(NULL);
    struct tm local;
    if (!state->snapshot->synthetic && localtime_r(&now, &local))
        strftime(date, sizeof date, "-%Y%m%d-%H%M%S", &local);
    snprintf(state->wishes.record, sizeof state->wishes.record, "%.*s%s.mlsrec", (int)(end - begin),
             path + begin, date);
    state->wishes.redact = state->snapshot->model.sealed;
}

/* In the list of models, what is selected there is compared with; elsewhere the statistics so far. */
static void compare_found(struct mls_state *state)
{
    const struct mls_view *view = mls_state_view(state);
    if (state->current != MLS_VIEW_models || !view->list.n_order) {
        state->wishes.baseline = true;
        return;
    }
    snprintf(state->wishes.compare, sizeof state->wishes.compare, "%s",
             state->snapshot->found[view->list.selected_row].path);
    mls_state_go(state, MLS_VIEW_compare);
}

/* What is asked of whoever has the model. */
static bool perform_wish(struct mls_state *state, enum mls_request request)
{
    switch (request) {
    case MLS_REQUEST_RESET:
        if (state->snapshot->recording)
            return true;
        state->wishes.reset = true;
        snprintf(state->wishes.why, sizeof state->wishes.why, "statistics begin again");
        mls_state_say(state, false, "statistics begin again");
        return true;
    case MLS_REQUEST_SWEEP:
        state->wishes.sweep = true;
        return true;
    case MLS_REQUEST_CANCEL:
        state->wishes.cancel = true;
        return true;
    case MLS_REQUEST_RECORD:
        if (state->snapshot->recording)
            mls_state_say(state, true, "this is a recording already");
        else
            wish_recording(state);
        return true;
    case MLS_REQUEST_BASELINE:
        compare_found(state);
        return true;
    case MLS_REQUEST_COPY:
        copy_row(state);
        return true;
    case MLS_REQUEST_REFRESH:
        next_refresh(state);
        return true;
    case MLS_REQUEST_BACKWARD:
    case MLS_REQUEST_FORWARD:
        go_visited(state, request == MLS_REQUEST_BACKWARD ? -1 : 1);
        return true;
    default:
        return false;
    }
}

static void perform_any(struct mls_state *state, enum mls_request request)
{
    switch (request) {
    case MLS_REQUEST_QUIT:
        state->quit = true;
        return;
    case MLS_REQUEST_CLOSE:
        if (!close_pane(mls_state_view(state)) && !go_back(state))
            state->quit = true;
        return;
    case MLS_REQUEST_BACK:
        step_back(state);
        return;
    case MLS_REQUEST_FREEZE:
        state->frozen = !state->frozen;
        state->frozen_ns = 0;
        return;
    case MLS_REQUEST_FULL:
        toggle_full(state);
        return;
    case MLS_REQUEST_COMMAND:
        begin_prompt(state, MLS_MODE_COMMAND, "");
        return;
    case MLS_REQUEST_NEXT_VIEW:
        go_beside(state, 1);
        return;
    case MLS_REQUEST_PREVIOUS_VIEW:
        go_beside(state, MLS_VIEW_COUNT - 2);
        return;
    case MLS_REQUEST_REDRAW:
        state->redraw = true;
        return;
    case MLS_REQUEST_SUSPEND:
        state->suspend = true;
        return;
    default:
        for (unsigned i = 0; i < MLS_VIEW_COUNT; i++)
            if (state->views[i].ops->request == request)
                mls_state_go(state, (enum mls_view_index)i);
    }
}

void mls_state_perform(struct mls_state *state, enum mls_request request)
{
    struct mls_view *view = mls_state_view(state);
    if (request == MLS_REQUEST_NONE)
        return;
    bool own = view->ops->perform && view->ops->perform(view, request);
    if (own) {
        mls_state_refresh(state);
        return;
    }
    if (view->ops->columns &&
        (perform_move(state, request) || perform_list(state, request) || perform_marks(state, request)))
        return;
    if (!perform_wish(state, request))
        perform_any(state, request);
}

void mls_state_mouse(struct mls_state *state, struct mls_mouse mouse)
{
    struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    long line;
    int column;
    if (state->mode != MLS_MODE_NORMAL || !state->mouse)
        return;
    state->message[0] = '\0';
    if (mouse.action != MLS_MOUSE_CLICK) {
        mls_listing_move(&view->list, mouse.action == MLS_MOUSE_WHEEL_UP ? -3 : 3);
        return;
    }
    for (unsigned i = 0; i < state->n_hots; i++) {
        const struct mls_hot *hot = &state->hots[i];
        if (mouse.y == hot->y && mouse.x >= hot->x && mouse.x < hot->x + hot->columns) {
            mls_state_perform(state, hot->request);
            return;
        }
    }
    if (!rows.n_columns || view->full)
        return;
    mls_listing_hit(&view->list, mouse.x, mouse.y, &line, &column);
    if (column >= 0) {
        mls_listing_sort(&view->list, &rows, column);
        mls_listing_update(&view->list, &rows);
    } else if (line >= 0 && (size_t)line == view->list.selected) {
        mls_state_perform(state, MLS_REQUEST_OPEN); /* the second click opens */
    } else if (line >= 0) {
        mls_listing_move(&view->list, line - (long)view->list.selected);
    }
}

void mls_state_key(struct mls_state *state, mls_keycode key)
{
    if (state->mode == MLS_MODE_SORT || state->mode == MLS_MODE_COLUMNS) {
        menu_key(state, key);
        return;
    }
    if (state->mode != MLS_MODE_NORMAL) {
        prompt_key(state, key);
        return;
    }
    state->message[0] = '\0';
    mls_state_perform(state, mls_keymap_find(&state->keymap, key));
}
