#include <stdio.h>
#include <string.h>

#include "view/view.h"

#define COLUMN_LIST(X)                             \
    X(KEYS, "keys", NULL, "keys", 14, 0, false)    \
    X(NAME, "name", NULL, "request", 17, 1, false) \
    X(HELP, "help", NULL, "what it does", 56, 0, true)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, width, rank, flexible) \
    {key, alias, title, MLS_DATUM_TEXT, width, rank, flexible, false, false, false},
    COLUMN_LIST(X)
#undef X
};

enum { KEYS_BYTES = 48 };

struct help {
    char keys[MLS_REQUEST_COUNT][KEYS_BYTES];
};

static bool update(struct mls_view *view)
{
    struct help *help = view->private;
    for (unsigned i = 0; i < MLS_REQUEST_COUNT; i++)
        mls_keymap_keys(view->keymap, (enum mls_request)i, help->keys[i], KEYS_BYTES);
    return true;
}

static size_t rows(const struct mls_view *view)
{
    (void)view;
    return MLS_REQUEST_COUNT;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct help *help = view->private;
    const struct mls_request_info *info = mls_request_info((enum mls_request)row);
    ret_datum->kind = MLS_DATUM_TEXT;
    ret_datum->text = column == COLUMN_KEYS   ? help->keys[row]
                      : column == COLUMN_NAME ? info->name
                                              : info->help;
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    char text[512] = "Commands after the colon, completed by Tab:";
    size_t used = strlen(text);
    (void)view;
    for (size_t i = 0; mls_command_name(i) && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "  %s", mls_command_name(i));
    snprintf(text + (used < sizeof text ? used : sizeof text - 1),
             used < sizeof text ? sizeof text - used : 1, ", and every request below.");
    struct mls_rect inner = {rect.x + 1, rect.y, rect.columns - 2, rect.rows};
    return mls_grid_wrap(grid, inner, MLS_STYLE_DIM, text) + 1;
}

const struct mls_view_ops mls_view_help = {
    .title = "Help",
    .request = MLS_REQUEST_HELP,
    .where = MLS_IN_LIST,
    .private_size = sizeof(struct help),
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .update = update,
    .rows = rows,
    .cell = cell,
    .draw = draw,
};
