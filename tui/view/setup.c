#include "view/panel.h"
#include "view/view.h"

#define COLUMN_LIST(X)                                 \
    X(NAME, "name", NULL, "setting", 14, 0, false)     \
    X(VALUE, "value", NULL, "value", 26, 0, false)     \
    X(SCOPE, "scope", NULL, "of", 7, 2, false)         \
    X(HELP, "help", NULL, "what it does", 30, 0, true) \
    X(VALUES, "values", NULL, "what it takes", 30, 3, false)

enum column { COLUMN_LIST(MLS_COLUMN_INDEX) N_COLUMNS };

static const struct mls_column columns[] = {
#define X(id, key, alias, title, width, rank, flexible) \
    {key, alias, title, MLS_DATUM_TEXT, width, rank, flexible, false, false, false},
    COLUMN_LIST(X)
#undef X
};

static size_t rows(const struct mls_view *view)
{
    return view->n_setup;
}

static void cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct mls_view *view = user;
    const struct mls_setup_row *setting = &view->setup[row];
    const char *const texts[N_COLUMNS] = {[COLUMN_NAME] = setting->name,
                                          [COLUMN_VALUE] = setting->value,
                                          [COLUMN_SCOPE] = setting->restart ? "model" : "screen",
                                          [COLUMN_HELP] = setting->help,
                                          [COLUMN_VALUES] = setting->values};
    *ret_datum = (struct mls_datum){.kind = MLS_DATUM_TEXT, .text = texts[column]};
}

static int draw(const struct mls_view *view, struct mls_grid *grid, struct mls_rect rect)
{
    (void)view;
    mls_grid_text(
        grid, rect.x + 1, rect.y, rect.columns - 2, MLS_STYLE_DIM,
        "Enter changes a setting; those of the model load it anew. :save-config keeps those of the screen");
    return 2;
}

const struct mls_view_ops mls_view_setup = {
    .title = "Setup",
    .request = MLS_REQUEST_SETUP,
    .where = MLS_IN_LIST | MLS_IN_SETUP,
    .columns = columns,
    .n_columns = N_COLUMNS,
    .sort_column = MLS_LISTING_RUN_ORDER,
    .rows = rows,
    .cell = cell,
    .draw = draw,
};
