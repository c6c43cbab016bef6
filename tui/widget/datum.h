/*
 * datum.h: typed cells. A view says what a cell holds; printing, sorting, filtering and exporting follow from
 * the type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of cells: id, whether it is a number. */
#define MLS_DATUM_LIST(X) \
    X(NONE, false)        \
    X(TEXT, false)        \
    X(COUNT, true)        \
    X(TIME_NS, true)      \
    X(BYTES, true)        \
    X(SHARE, true)        \
    X(GFLOPS, true)       \
    X(GBYTES, true)       \
    X(RATIO, true)        \
    X(DECIBEL, true)      \
    X(SERIES, false)

enum mls_datum_kind {
#define X(id, number) MLS_DATUM_##id,
    MLS_DATUM_LIST(X)
#undef X
        MLS_DATUM_COUNT_OF_KINDS
};

/* A cell. `text` and `series` are borrowed from the view's data; NONE is a value that is not known (yet),
 * shown as "-" or as its text. */
struct mls_datum {
    enum mls_datum_kind kind;
    double number; /* shares: 0 to 1; ratios: 1 is no change */
    const char *text;
    const float *series; /* SERIES: numbers over time, the oldest first, drawn as a small graph */
    unsigned n_series;
};

/* One column of a view. */
struct mls_column {
    const char *key;   /* in filters, :sort and exports */
    const char *alias; /* another name for it, or NULL */
    const char *title;
    enum mls_datum_kind kind;
    uint8_t columns; /* width; the one flexible column takes what is left, at least this */
    uint8_t rank;    /* columns with a higher rank go first when there is no room; 0 stays */
    bool flexible;
    bool bar;  /* shares: a bar before the number */
    bool bare; /* not shown until the user asks for it; exported and filtered always */
    bool sum;  /* marked rows are summed up in this column */
};

/* What a view's COLUMN_LIST(X) of X(ID, key, alias, title, kind, width, rank, flexible) becomes: names of
 * columns, and their rows. */
#define MLS_COLUMN_INDEX(id, ...) COLUMN_##id,
#define MLS_COLUMN_ROW(id, key, alias, title, kind, width, rank, flexible) \
    {key, alias, title, MLS_DATUM_##kind, width, rank, flexible, false, false, false},

/* A row that stands under no other. */
#define MLS_NO_ROW SIZE_MAX

/*
 * Rows of a view at one moment. `cell` may be called for any row and column below the counts. Trees have
 * `parent`: the row that this one stands under (a smaller number), or MLS_NO_ROW.
 */
struct mls_rows {
    const struct mls_column *columns;
    unsigned n_columns;
    size_t n_rows;
    const void *user;
    void (*cell)(const void *user, size_t row, unsigned column, struct mls_datum *ret_datum);
    size_t (*parent)(const void *user, size_t row);
};

bool mls_datum_is_number(enum mls_datum_kind kind);

enum { MLS_DATUM_TEXT_BYTES = 32 };

/* mls_datum_format: numbers with their unit into text[MLS_DATUM_TEXT_BYTES]; for texts, the text itself. "-":
 * not known. */
const char *mls_datum_format(const struct mls_datum *datum, char *text);

/* mls_rows_cell: one cell; NONE where the view says nothing. */
struct mls_datum mls_rows_cell(const struct mls_rows *rows, size_t row, unsigned column);

/* mls_time_format, mls_bytes_format, mls_count_format: "12.3 µs", "4.20 MiB", "1.2 k": three digits and a
 * unit, into text[32]. */
char *mls_time_format(double ns, char *text);
char *mls_bytes_format(double bytes, char *text);
char *mls_count_format(double count, char *text);

/* mls_share_format: "12.3 %", "<0.1 %" for little, into text[32]. */
char *mls_share_format(double share, char *text);

/* mls_rows_find_column: the column with this key or alias, or -1. The name is not NUL-terminated. */
int mls_rows_find_column(const struct mls_column *columns, unsigned n_columns, const char *name,
                         size_t length_bytes);
