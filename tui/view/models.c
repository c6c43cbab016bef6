#include <string.h>

#include "app/finder.h"
#include "view/panel.h"
#include "view/view.h"

#define COLUMN_LIST(X)                                  \
    X(STATE, "state", NULL, "state", TEXT, 8, 0, false) \
    X(FORM, "form", NULL, "form", TEXT, 10, 1, false)   \
    X(KIND, "kind", NULL, "kind", TEXT, 19, 2, false)   \
    X(SPEC, "spec", NULL, "spec", COUNT, 4, 3, false)   \
    X(SIZE, "size", NULL, "size", BYTES, 8, 0, false)   \
    X(PATH, "path", "name", "path", TEXT, 30, 0, true)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, kind, width, rank, flexible) \
    {key, alias, title, MLS_DATUM_##kind, width, rank, flexible, false, false, COLUMN_##id == COLUMN_SIZE},
    COLUMN_LIST(X)
#undef X
};

static size_t rows(const struct mls_view *view)
{
    return view->snapshot->n_found;
}

/* From the folder on that was looked into. */
static const char *below_root(const struct mls_snapshot *snapshot, const char *path)
{
    size_t n = strlen(snapshot->found_root);
    if (strncmp(path, snapshot->found_root, n) != 0)
        return path;
    path += n;
    return path + strspn(path, "/");
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_found *found = &view->snapshot->found[row];
    *ret_datum = (struct mls_datum){.kind = columns[column].kind, .text = ""};
    switch ((enum column)column) {
    case COLUMN_STATE:
        ret_datum->text = mls_found_state_name(found->state);
        return;
    case COLUMN_FORM:
        ret_datum->text = found->form;
        return;
    case COLUMN_KIND:
        ret_datum->text = found->kind;
        return;
    case COLUMN_SPEC:
        ret_datum->kind = found->spec_version ? MLS_DATUM_COUNT : MLS_DATUM_NONE;
        ret_datum->number = found->spec_version;
        return;
    case COLUMN_SIZE:
        ret_datum->kind = found->size_bytes ? MLS_DATUM_BYTES : MLS_DATUM_NONE;
        ret_datum->number = (double)found->size_bytes;
        return;
    default:
        ret_datum->text = below_root(view->snapshot, found->path);
    }
}

static enum mls_style style(const void *user, size_t row)
{
    static const enum mls_style state_styles[MLS_FOUND_STATE_COUNT] = {[MLS_FOUND_UNSEEN] = MLS_STYLE_DIM,
                                                                       [MLS_FOUND_READS] = MLS_STYLE_NORMAL,
                                                                       [MLS_FOUND_SEALED] = MLS_STYLE_TITLE,
                                                                       [MLS_FOUND_REFUSED] = MLS_STYLE_BAD};
    const struct mls_view *view = user;
    return state_styles[view->snapshot->found[row].state];
}

/* Why it is refused; the path stands in the list already. */
static const char *reason_of(const struct mls_found *found)
{
    const char *path = strstr(found->reason, found->path);
    const char *rest = path ? path + strlen(found->path) : "";
    return strncmp(rest, ": ", 2) == 0 ? rest + 2 : found->reason;
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    const struct mls_snapshot *snapshot = view->snapshot;
    if (!snapshot->found_root)
        return 0;
    mls_grid_format(grid, rect.x + 1, rect.y, rect.columns - 2, MLS_STYLE_DIM,
                    "%zu below %s%s; Enter opens one%s", snapshot->n_found, snapshot->found_root,
                    snapshot->finding ? ", still looking" : "",
                    snapshot->phase == MLS_PHASE_RUNNING ? ", B compares with it" : "");
    enum { REASON_LINES = 3 };
    struct mls_rect below = {rect.x, rect.y + 1, rect.columns, rect.rows - 1 < REASON_LINES ? rect.rows - 1 : REASON_LINES};
    if (view->list.n_order)
        mls_panel_text(grid, &below, 0, MLS_STYLE_WARNING, reason_of(&snapshot->found[view->list.selected_row]));
    return REASON_LINES + 2;
}

const struct mls_view_ops mls_view_models = {
    .title = "Models",
    .request = MLS_REQUEST_MODELS,
    .where = MLS_IN_LIST | MLS_IN_MODELS,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .rows = rows,
    .cell = cell,
    .style = style,
    .draw = draw,
};
