#include "view/view.h"

#define COLUMN_LIST(X)                             \
    X(KEYS, "keys", NULL, "keys", 14, 0, false)    \
    X(NAME, "name", NULL, "request", 17, 1, false) \
    X(HELP, "help", NULL, "what it does", 56, 0, true)

enum column {
#define X(id, key, alias, title, width, rank, flexible) COLUMN_##id,
    COLUMN_LIST(X)
#undef X
        N_COLUMNS
};

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
    (void)view;
    mls_grid_text(grid, rect.x + 1, rect.y, rect.columns - 2, MLS_STYLE_DIM,
                  "Commands:  :sort COLUMN  :filter EXPRESSION  :goto OPERATION  :export FILE.txt|csv|json");
    mls_grid_text(grid, rect.x + 1, rect.y + 1, rect.columns - 2, MLS_STYLE_DIM,
                  "           :save-screen FILE  :set NAME=VALUE  :quit, and every request below");
    return 3;
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
