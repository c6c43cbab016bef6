#include "widget/datum.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool mls_datum_is_number(enum mls_datum_kind kind)
{
    static const bool numbers[] = {
#define X(id, number) [MLS_DATUM_##id] = number,
        MLS_DATUM_LIST(X)
#undef X
    };
    return numbers[kind];
}

/* Three digits and a unit; `step` between the units. */
static char *format_scaled(double number, double step, const char *const *units, unsigned n_units, char *text)
{
    unsigned unit = 0;
    if (!isfinite(number)) {
        snprintf(text, MLS_DATUM_TEXT_BYTES, "-");
        return text;
    }
    while (unit + 1 < n_units && fabs(number) >= 999.5) {
        number /= step;
        unit++;
    }
    int decimals = unit == 0 || fabs(number) >= 99.95 ? 0 : fabs(number) >= 9.995 ? 1 : 2;
    snprintf(text, MLS_DATUM_TEXT_BYTES, "%.*f%s%s", decimals, number, *units[unit] ? " " : "", units[unit]);
    return text;
}

char *mls_time_format(double ns, char *text)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    return format_scaled(ns, 1000, units, 4, text);
}

char *mls_bytes_format(double bytes, char *text)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return format_scaled(bytes, 1024, units, 5, text);
}

char *mls_count_format(double count, char *text)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    return format_scaled(count, 1000, units, 5, text);
}

char *mls_share_format(double share, char *text)
{
    if (share > 0 && share < 0.0005)
        snprintf(text, MLS_DATUM_TEXT_BYTES, "<0.1 %%");
    else
        snprintf(text, MLS_DATUM_TEXT_BYTES, "%.1f %%", share * 100);
    return text;
}

const char *mls_datum_format(const struct mls_datum *datum, char *text)
{
    switch (datum->kind) {
    case MLS_DATUM_TEXT:
        return datum->text ? datum->text : "-";
    case MLS_DATUM_COUNT:
        snprintf(text, MLS_DATUM_TEXT_BYTES, "%.0f", datum->number);
        return text;
    case MLS_DATUM_TIME_NS:
        return mls_time_format(datum->number, text);
    case MLS_DATUM_BYTES:
        return mls_bytes_format(datum->number, text);
    case MLS_DATUM_SHARE:
        return mls_share_format(datum->number, text);
    case MLS_DATUM_GFLOPS:
    case MLS_DATUM_GBYTES:
        snprintf(text, MLS_DATUM_TEXT_BYTES, datum->number >= 99.95 ? "%.0f" : "%.1f", datum->number);
        return text;
    case MLS_DATUM_RATIO:
        snprintf(text, MLS_DATUM_TEXT_BYTES, datum->number >= 99.995 ? "%.0f ×" : "%.2f ×", datum->number);
        return text;
    case MLS_DATUM_DECIBEL:
        snprintf(text, MLS_DATUM_TEXT_BYTES, isinf(datum->number) ? "equal" : "%.1f dB", datum->number);
        return text;
    case MLS_DATUM_SERIES:
        return "";
    default:
        snprintf(text, MLS_DATUM_TEXT_BYTES, "%s", datum->text ? datum->text : "-");
        return text;
    }
}

struct mls_datum mls_rows_cell(const struct mls_rows *rows, size_t row, unsigned column)
{
    struct mls_datum datum = {.kind = MLS_DATUM_NONE};
    rows->cell(rows->user, row, column, &datum);
    return datum;
}

int mls_rows_find_column(const struct mls_column *columns, unsigned n_columns, const char *name,
                         size_t length_bytes)
{
    for (unsigned i = 0; i < n_columns; i++) {
        if (strlen(columns[i].key) == length_bytes && strncasecmp(columns[i].key, name, length_bytes) == 0)
            return (int)i;
        if (columns[i].alias && strlen(columns[i].alias) == length_bytes &&
            strncasecmp(columns[i].alias, name, length_bytes) == 0)
            return (int)i;
    }
    return -1;
}
