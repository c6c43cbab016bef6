/* fake_rows.h: five operations without a model behind them. */
#pragma once

#include "widget/datum.h"

static const struct mls_column fake_columns[] = {
    {.key = "#", .title = "#", .kind = MLS_DATUM_COUNT, .columns = 3},
    {.key = "time", .alias = "mean", .title = "time", .kind = MLS_DATUM_TIME_NS, .columns = 7},
    {.key = "share", .title = "share", .kind = MLS_DATUM_SHARE, .columns = 7, .rank = 2},
    {.key = "type", .title = "type", .kind = MLS_DATUM_TEXT, .columns = 8},
    {.key = "name", .title = "name", .kind = MLS_DATUM_TEXT, .columns = 8, .flexible = true},
    {.key = "size", .title = "size", .kind = MLS_DATUM_BYTES, .columns = 8, .rank = 3},
};

static const struct fake_row {
    double time_ns; /* negative: not known */
    double share;
    const char *type;
    const char *name;
    double bytes;
} fake_rows[] = {
    {2e6, 0.50, "conv", "stem_conv", 4096},     {5e5, 0.10, "relu", "stem_relu", 4096},
    {1e6, 0.25, "conv", "Head", 1048576},       {5e5, 0.10, "add", "two words", 0},
    {-1, 0.05, "softmax", "probabilities", 40},
};

static inline void fake_cell(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum)
{
    const struct fake_row *fake = (const struct fake_row *)user + row;
    *ret_datum = (struct mls_datum){.kind = fake_columns[column].kind};
    switch (column) {
    case 0:
        ret_datum->number = (double)row;
        return;
    case 1:
        ret_datum->number = fake->time_ns;
        ret_datum->kind = fake->time_ns < 0 ? MLS_DATUM_NONE : MLS_DATUM_TIME_NS;
        return;
    case 2:
        ret_datum->number = fake->share;
        return;
    case 3:
        ret_datum->text = fake->type;
        return;
    case 4:
        ret_datum->text = fake->name;
        return;
    default:
        ret_datum->number = fake->bytes;
    }
}

static inline struct mls_rows fake_rows_make(void)
{
    return (struct mls_rows){.columns = fake_columns,
                             .n_columns = sizeof fake_columns / sizeof fake_columns[0],
                             .n_rows = sizeof fake_rows / sizeof fake_rows[0],
                             .user = fake_rows,
                             .cell = fake_cell};
}
