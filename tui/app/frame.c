#include "app/frame.h"

#include <stdio.h>
#include <string.h>

#include "term/text.h"
#include "widget/graph.h"

enum {
    LEAST_COLUMNS = 40,
    LEAST_ROWS = 10,
    PANE_COLUMNS = 80, /* below this size side panes go */
    PANE_ROWS = 20,
    BESIDE_COLUMNS = 140,
    LIST_LINES_MIN = 5,
    OPENS_ROWS =
        MLS_IN_SETUP | MLS_IN_MODELS | MLS_IN_COMPRESSION /* Enter does more there than show a detail */
};

/* ---- Title and tabs
 * --------------------------------------------------------------------------------------------- */

static const char *model_name(const char *path)
{
    size_t end = path ? strlen(path) : 0;
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    return path ? path + begin : "";
}

static void format_state(const struct mls_state *state, bool numbers_fit, char *text, size_t size)
{
    static const char *const words[MLS_PHASE_COUNT] = {
#define X(id, word) [MLS_PHASE_##id] = word,
        MLS_PHASE_LIST(X)
#undef X
    };
    const struct mls_snapshot *snapshot = state->snapshot;
    char p50[32], age[40] = "", numbers[80] = "";
    if (numbers_fit && snapshot->predictions.runs)
        snprintf(numbers, sizeof numbers, "%.*f/s  p50 %s  ", snapshot->rate_hz < 10 ? 2 : 0,
                 snapshot->rate_hz, mls_time_format((double)snapshot->predictions.p50_ns, p50));
    if (state->frozen && state->frozen_ns)
        snprintf(age, sizeof age, " for %llu s", (unsigned long long)(state->frozen_ns / 1000000000));
    const char *word = state->frozen         ? "frozen"
                       : snapshot->recording ? snapshot->incomplete ? "recorded, cut short" : "recorded"
                                             : words[snapshot->phase];
    snprintf(text, size, "%s%s %s%s%s ", numbers, state->frozen ? "‖" : "●", word, age,
             snapshot->synthetic ? ", synthetic" : "");
}

/* The path: program, model, view, selected operation. */
static void draw_title(struct mls_state *state, struct mls_grid *grid)
{
    const struct mls_snapshot *snapshot = state->snapshot;
    const struct mls_view *view = mls_state_view(state);
    char path[512], right[160];
    const char *compress = snapshot->recording ? "" : state->settings.compress;
    size_t used = (size_t)snprintf(path, sizeof path, " mlscope ▸ %.128s%s%s%s%s%s",
                                   model_name(snapshot->path), *compress ? " (" : "", compress,
                                   *compress ? ")" : "", snapshot->path ? " ▸ " : "", view->ops->title);
    mls_op_id op;
    if (used < sizeof path && view->ops->op && view->list.n_order && view->detail &&
        view->ops->op(view, view->list.selected_row, &op))
        snprintf(path + used, sizeof path - used, " ▸ %.200s", mls_snapshot_op_name(snapshot, op));
    format_state(state, true, right, sizeof right);
    if ((int)(mls_text_columns(path) + mls_text_columns(right)) >= grid->columns)
        format_state(state, false, right, sizeof right);
    int width = (int)mls_text_columns(right);
    int left = mls_grid_text(grid, 0, 0, grid->columns - (width < grid->columns ? width : 0) - 1,
                             MLS_STYLE_TITLE, path);
    enum mls_style style = snapshot->phase == MLS_PHASE_FAILED    ? MLS_STYLE_BAD
                           : state->frozen                        ? MLS_STYLE_WARNING
                           : snapshot->phase == MLS_PHASE_LOADING ? MLS_STYLE_STRONG
                                                                  : MLS_STYLE_GOOD;
    if (left + width < grid->columns)
        mls_grid_text(grid, grid->columns - width, 0, width, style, right);
}

static void format_list_state(const struct mls_view *view, char *text, size_t size)
{
    const struct mls_listing *list = &view->list;
    struct mls_rows rows = mls_view_rows(view);
    char filter[MLS_FILTER_TEXT_BYTES + 16] = "", sort[48] = "", limit[64] = "";
    text[0] = '\0';
    if (!rows.n_columns)
        return;
    if (list->filter_text[0])
        snprintf(filter, sizeof filter, "filter %.200s  ", list->filter_text);
    if (list->limit > 0)
        snprintf(limit, sizeof limit, "%zu below %g %% hidden  ", list->n_limited, list->limit * 100);
    if (list->sort_column >= 0)
        snprintf(sort, sizeof sort, "  by %s %s", rows.columns[list->sort_column].title,
                 list->descending ? "▼" : "▲");
    const char *arranged = view->ops->arranged ? view->ops->arranged(view) : "";
    snprintf(text, size, "%s%s%s%s%zu/%zu%s%s ", filter, limit, arranged, *arranged ? "  " : "",
             list->n_order ? list->selected + 1 : 0, list->n_order, sort, list->follow ? "  follow" : "");
}

/* A click there will mean the request. */
static void add_hot(struct mls_state *state, int x, int y, int columns, enum mls_request request)
{
    if (state->n_hots < MLS_HOTS_MAX)
        state->hots[state->n_hots++] =
            (struct mls_hot){.x = x, .y = y, .columns = columns, .request = request};
}

static void format_tab(const struct mls_state *state, unsigned view, bool named, char *tab, size_t size)
{
    char key[MLS_KEY_NAME_BYTES * 2];
    const struct mls_view_ops *ops = state->views[view].ops;
    mls_keymap_keys(&state->keymap, ops->request, key, sizeof key);
    key[strcspn(key, " ")] = '\0';
    snprintf(tab, size, " %s%s%s ", key, named ? " " : "", named ? ops->title : "");
}

/* The keys of all views; their names as far as there is room, that of the current one always. */
static void draw_tabs(struct mls_state *state, struct mls_grid *grid)
{
    char right[384], tab[64];
    bool named[MLS_VIEW_COUNT] = {false};
    format_list_state(mls_state_view(state), right, sizeof right);
    int room = grid->columns - (int)mls_text_columns(right) - 1;
    named[state->current] = true;
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++) {
        format_tab(state, i, named[i], tab, sizeof tab);
        room -= (int)mls_text_columns(tab);
    }
    for (unsigned i = 0; i < MLS_VIEW_COUNT; i++) {
        int more = (int)mls_text_columns(state->views[i].ops->title) + 1;
        if (named[i])
            continue;
        if (more > room)
            break;
        named[i] = true;
        room -= more;
    }
    int x = 0;
    for (unsigned i = 0; i < MLS_VIEW_COUNT && x < grid->columns; i++) {
        format_tab(state, i, named[i], tab, sizeof tab);
        int columns =
            mls_grid_text(grid, x, 1, grid->columns - x,
                          i == (unsigned)state->current ? MLS_STYLE_TAB_CURRENT : MLS_STYLE_NORMAL, tab);
        add_hot(state, x, 1, columns, state->views[i].ops->request);
        x += columns;
    }
    mls_grid_right(grid, x + 1, 1, grid->columns - x - 1, MLS_STYLE_DIM, right);
}

/* ---- The bottom line
 * -------------------------------------------------------------------------------------------- */

static uint32_t where_now(struct mls_state *state)
{
    const struct mls_view *view = mls_state_view(state);
    uint32_t where = MLS_IN_ANY | view->ops->where;
    where |= view->detail && view->ops->detail ? (uint32_t)MLS_IN_DETAIL : 0;
    where |= state->snapshot->phase == MLS_PHASE_LOADING || state->snapshot->sweep.busy
                 ? (uint32_t)MLS_IN_LOADING
                 : 0;
    return where | (state->snapshot->recording ? 0 : (uint32_t)MLS_IN_LIVE);
}

static void draw_hints(struct mls_state *state, struct mls_grid *grid, int y)
{
    uint32_t where = where_now(state);
    const struct mls_view *view = mls_state_view(state);
    bool pane =
        view->full || (view->detail && view->ops->detail && !view->ops->detail_open) || state->n_back > 0;
    int x = 1;
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++) {
        const struct mls_request_info *info = mls_request_info((enum mls_request)i);
        char keys[64];
        if (!*info->hint || !(info->where & where))
            continue;
        if (i == MLS_REQUEST_OPEN && !view->ops->detail && !(where & OPENS_ROWS))
            continue;
        mls_keymap_keys(&state->keymap, (enum mls_request)i, keys, sizeof keys);
        keys[strcspn(keys, " ")] = '\0';
        const char *hint = i == MLS_REQUEST_CLOSE && pane                  ? "close"
                           : i == MLS_REQUEST_OPEN && (where & OPENS_ROWS) ? "open"
                                                                           : info->hint;
        int columns = (int)(mls_text_columns(keys) + 1 + mls_text_columns(hint));
        if (x + columns + 1 > grid->columns)
            break;
        add_hot(state, x, y, columns, (enum mls_request)i);
        x += mls_grid_text(grid, x, y, columns, MLS_STYLE_KEY, keys) + 1;
        x += mls_grid_text(grid, x, y, columns, MLS_STYLE_DIM, hint) + 2;
    }
}

static void draw_prompt(struct mls_state *state, struct mls_grid *grid, int y,
                        struct mls_cursor_place *ret_cursor)
{
    static const char *const marks[] = {
        [MLS_MODE_NORMAL] = "",  [MLS_MODE_COMMAND] = ":", [MLS_MODE_FILTER] = "filter: ",
        [MLS_MODE_SEARCH] = "/", [MLS_MODE_SORT] = "",     [MLS_MODE_COLUMNS] = ""};
    int x = mls_grid_text(grid, 0, y, grid->columns, MLS_STYLE_PROMPT, marks[state->mode]);
    char before[MLS_PROMPT_BYTES];
    snprintf(before, sizeof before, "%.*s", (int)state->prompt.cursor, state->prompt.text);
    ret_cursor->x = x + (int)mls_text_columns(before);
    ret_cursor->y = y;
    int begin = x;
    x += mls_grid_text(grid, x, y, grid->columns - x, MLS_STYLE_PROMPT, state->prompt.text);
    if (state->mode == MLS_MODE_FILTER && state->message[0])
        mls_grid_restyle(
            grid, (struct mls_rect){begin + (int)state->wrong_at, y, x - begin - (int)state->wrong_at, 1},
            MLS_STYLE_BAD);
    if (ret_cursor->x >= grid->columns)
        ret_cursor->x = grid->columns - 1;
    if (state->message[0])
        mls_grid_right(grid, x + 2, y, grid->columns - x - 3,
                       state->message_bad ? MLS_STYLE_BAD : MLS_STYLE_GOOD, state->message);
}

static void draw_bottom(struct mls_state *state, struct mls_grid *grid, struct mls_cursor_place *ret_cursor)
{
    int y = grid->rows - 1;
    mls_grid_fill(grid, (struct mls_rect){0, y, grid->columns, 1}, MLS_STYLE_NORMAL, ' ');
    if (state->mode == MLS_MODE_COMMAND || state->mode == MLS_MODE_FILTER || state->mode == MLS_MODE_SEARCH)
        draw_prompt(state, grid, y, ret_cursor);
    else if (state->message[0])
        mls_grid_text(grid, 1, y, grid->columns - 2, state->message_bad ? MLS_STYLE_BAD : MLS_STYLE_GOOD,
                      state->message);
    else if (state->hints)
        draw_hints(state, grid, y);
}

/* ---- The body
 * --------------------------------------------------------------------------------------------------- */

static void draw_list(struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    struct mls_rows rows = mls_view_rows(view);
    const char *empty = view->snapshot->phase == MLS_PHASE_LOADING ? "loading …"
                        : view->snapshot->phase == MLS_PHASE_FAILED
                            ? "not known: the model did not load or run (8 says why)"
                            : "nothing";
    mls_listing_draw(&view->list, &rows, grid, rect, view->ops->style, empty);
}

static void draw_beside(struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    int columns = rect.columns * 58 / 100;
    struct mls_rect right = {rect.x + columns + 1, rect.y, rect.columns - columns - 1, rect.rows};
    draw_list(view, grid, (struct mls_rect){rect.x, rect.y, columns, rect.rows});
    mls_grid_fill(grid, (struct mls_rect){rect.x + columns, rect.y, 1, rect.rows}, MLS_STYLE_DIM, 0x2502);
    view->ops->detail(view, grid, right, view->list.selected_row);
}

/* The detail takes what it needs below the list, up to three fifths. */
static void draw_below(struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    struct mls_rect nothing = {rect.x, rect.y, rect.columns, 0};
    int needed = view->ops->detail(view, grid, nothing, view->list.selected_row);
    int most = rect.rows * 3 / 5;
    int lines = needed < most ? needed : most;
    if (rect.rows - lines < LIST_LINES_MIN)
        lines = rect.rows - LIST_LINES_MIN;
    struct mls_rect below = {rect.x, rect.y + rect.rows - lines, rect.columns, lines};
    draw_list(view, grid, (struct mls_rect){rect.x, rect.y, rect.columns, rect.rows - lines});
    if (lines > 1)
        view->ops->detail(view, grid, below, view->list.selected_row);
}

static void draw_body(struct mls_state *state, struct mls_grid *grid, struct mls_rect rect)
{
    struct mls_view *view = mls_state_view(state);
    bool detail = view->detail && view->ops->detail && view->list.n_order > 0;
    bool panes = grid->columns >= PANE_COLUMNS && grid->rows >= PANE_ROWS;
    if (detail && view->full) {
        view->ops->detail(view, grid, rect, view->list.selected_row);
        return;
    }
    int used = view->ops->draw ? view->ops->draw(view, grid, rect) : 0;
    if (!view->ops->columns)
        return;
    rect.y += used;
    rect.rows -= used;
    if (detail && panes && grid->columns >= BESIDE_COLUMNS)
        draw_beside(view, grid, rect);
    else if (detail && panes)
        draw_below(view, grid, rect);
    else
        draw_list(view, grid, rect);
}

/* Where a column stands on the screen from the left, from 1; 0: it is not shown. */
static unsigned place_of(const struct mls_view *view, const struct mls_rows *rows, unsigned column)
{
    unsigned columns[MLS_LISTING_COLUMNS_MAX];
    unsigned n = mls_listing_columns(&view->list, rows, columns);
    for (unsigned i = 0; i < n; i++)
        if (columns[i] == column)
            return i + 1;
    return 0;
}

static void draw_menu_line(const struct mls_state *state, const struct mls_view *view,
                           const struct mls_rows *rows, struct mls_grid *grid, struct mls_rect line,
                           int column)
{
    bool here = column == state->sort_choice;
    char sign[16] = " ";
    if (state->mode == MLS_MODE_COLUMNS && place_of(view, rows, (unsigned)column))
        snprintf(sign, sizeof sign, "%2u", place_of(view, rows, (unsigned)column));
    else if (state->mode == MLS_MODE_SORT && column >= 0 && column == view->list.sort_column)
        snprintf(sign, sizeof sign, "%s", view->list.descending ? "▼" : "▲");
    mls_grid_put(grid, line.x, line.y, MLS_STYLE_DIM, here ? 0x25b8 : 0x2502);
    mls_grid_format(grid, line.x + 2, line.y, line.columns - 3, here ? MLS_STYLE_SELECTED : MLS_STYLE_NORMAL,
                    "%-20s %2s", column < 0 ? "run order" : rows->columns[column].key, sign);
}

/* Columns to sort by or to show, in a box over the right of the body. */
static void draw_menu(struct mls_state *state, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_view *view = mls_state_view(state);
    struct mls_rows rows = mls_view_rows(view);
    bool sort = state->mode == MLS_MODE_SORT;
    int first = sort ? MLS_LISTING_RUN_ORDER : 0;
    int entries = (int)rows.n_columns - first;
    int lines = entries + 1 < rect.rows ? entries + 1 : rect.rows;
    int chosen = state->sort_choice - first;
    int top = chosen >= lines - 1 ? chosen - (lines - 2) : 0;
    struct mls_rect box = {rect.x + rect.columns - 29, rect.y, 29, lines};
    mls_grid_fill(grid, box, MLS_STYLE_NORMAL, ' ');
    mls_graph_rule(grid, box.x, box.y, box.columns, sort ? "Sort by" : "Space shows, < > move");
    for (int i = 0; i + 1 < lines && top + i < entries; i++)
        draw_menu_line(state, view, &rows, grid, (struct mls_rect){box.x, box.y + 1 + i, box.columns, 1},
                       top + i + first);
}

void mls_frame_draw(struct mls_state *state, struct mls_grid *grid, struct mls_cursor_place *ret_cursor)
{
    *ret_cursor = (struct mls_cursor_place){.x = -1};
    state->n_hots = 0;
    mls_grid_clear(grid);
    if (grid->columns < LEAST_COLUMNS || grid->rows < LEAST_ROWS) {
        char text[80];
        snprintf(text, sizeof text, "too small: have %dx%d, need %dx%d", grid->columns, grid->rows,
                 LEAST_COLUMNS, LEAST_ROWS);
        mls_grid_wrap(grid, mls_grid_rect(grid), MLS_STYLE_NORMAL, text);
        return;
    }
    struct mls_rect body = {0, 2, grid->columns, grid->rows - 3};
    draw_body(state, grid, body);
    if (state->mode == MLS_MODE_SORT || state->mode == MLS_MODE_COLUMNS)
        draw_menu(state, grid, body);
    mls_grid_fill(grid, (struct mls_rect){0, 0, grid->columns, 2}, MLS_STYLE_NORMAL, ' ');
    draw_title(state, grid);
    draw_tabs(state, grid);
    draw_bottom(state, grid, ret_cursor);
}
