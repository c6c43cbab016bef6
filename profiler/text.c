#include "profiler/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_BYTES = 4096 };

/* Three significant digits, so that columns of mixed sizes stay narrow. */
static char *three_digits(double value, const char *unit, char *text)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text, MLS_TEXT_BYTES, "%.*f %s", decimals, value, unit);
    return text;
}

char *mls_text_duration(uint64_t ns, bool ascii, char *text)
{
    double value = (double)ns;
    if (ns < 1000) {
        snprintf(text, MLS_TEXT_BYTES, "%u ns", (unsigned)ns);
        return text;
    }
    if (value < 999.5e3)
        return three_digits(value / 1e3, ascii ? "us" : "µs", text);
    if (value < 999.5e6)
        return three_digits(value / 1e6, "ms", text);
    return three_digits(value / 1e9, "s", text);
}

char *mls_text_size(uint64_t bytes, char *text)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    if (!unit) {
        snprintf(text, MLS_TEXT_BYTES, "%u B", (unsigned)bytes);
        return text;
    }
    return three_digits(value, units[unit], text);
}

char *mls_text_count(double count, char *text)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    size_t unit = 0;
    for (; count >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        count /= 1000;
    if (!unit) {
        snprintf(text, MLS_TEXT_BYTES, "%.0f", count);
        return text;
    }
    return three_digits(count, units[unit], text);
}

char *mls_text_percent(double share, char *text)
{
    snprintf(text, MLS_TEXT_BYTES, "%.1f %%", share * 100);
    return text;
}

bool mls_write(const struct mls_writer *writer, const char *text)
{
    return writer->write(writer->user, text, strlen(text));
}

bool mls_writef(const struct mls_writer *writer, const char *format, ...)
{
    char text[WRITE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return mls_write(writer, text);
}

/* Length of the well-formed UTF-8 character at `at` (Unicode 15, table 3-7), or 0. C1 controls are none of
 * ours. */
static size_t character_bytes(const unsigned char *at)
{
    unsigned char lead = at[0], low = 0x80, high = 0xbf;
    size_t n;
    if (lead >= 0xc2 && lead <= 0xdf)
        n = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        n = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        n = 4;
    else
        return 0;
    if (lead == 0xc2)
        low = 0xa0;
    else if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

char *mls_text_safe(const char *text, bool ascii)
{
    char *copy = malloc(strlen(text) + 1);
    if (!copy)
        return NULL;
    size_t length = 0;
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t n = *at < 0x80 ? 1 : character_bytes(at);
        bool good = n == 1 ? *at >= 0x20 && *at != 0x7f : n && !ascii;
        if (good)
            memcpy(copy + length, at, n);
        else
            copy[length] = '?';
        length += good ? n : 1;
        at += n ? n : 1;
    }
    copy[length] = '\0';
    return copy;
}

struct mls_table {
    const struct mls_column *columns;
    size_t n_columns;
    bool ascii;
    bool failed;
    char **cells;
    size_t n_cells;
    size_t capacity;
};

struct mls_table *mls_table_create(const struct mls_column *columns, size_t n_columns, bool ascii)
{
    struct mls_table *table = calloc(1, sizeof *table);
    if (table)
        *table = (struct mls_table){.columns = columns, .n_columns = n_columns, .ascii = ascii};
    return table;
}

void mls_table_free(struct mls_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

void mls_table_cell(struct mls_table *table, const char *format, ...)
{
    if (table->n_cells == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 256;
        char **cells = realloc(table->cells, capacity * sizeof *cells);
        if (!cells) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char text[WRITE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *safe = mls_text_safe(text, table->ascii);
    if (safe)
        table->cells[table->n_cells++] = safe;
    else
        table->failed = true;
}

/* Characters, which are columns of a terminal for the scripts that names of operations are written in. */
static size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void measure_columns(const struct mls_table *table, unsigned width, size_t *widths)
{
    size_t line = 2 * (table->n_columns - 1);
    for (size_t j = 0; j < table->n_columns; j++)
        widths[j] = text_width(table->columns[j].title);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t *column = &widths[i % table->n_columns];
        size_t cell = text_width(table->cells[i]);
        *column = cell > *column ? cell : *column;
    }
    for (size_t j = 0; j < table->n_columns; j++) {
        unsigned most = table->columns[j].max_width;
        widths[j] = most && widths[j] > most ? most : widths[j];
        line += widths[j];
    }
    enum { NARROWEST = 12 };
    while (width && line > width) {
        size_t widest = table->n_columns;
        for (size_t j = 0; j < table->n_columns; j++)
            if (!table->columns[j].right && (widest == table->n_columns || widths[j] > widths[widest]))
                widest = j;
        if (widest == table->n_columns || widths[widest] <= NARROWEST)
            break;
        widths[widest]--;
        line--;
    }
}

/* One cell, padded, or cut with a sign that it was. The last column of text is not padded. */
static bool write_cell(const struct mls_table *table, size_t column, size_t width, const char *text,
                       const struct mls_writer *writer)
{
    size_t length = text_width(text);
    bool last = column + 1 == table->n_columns;
    const char *gap = last ? "" : "  ";
    if (length <= width) {
        int pad = (int)(width - length);
        if (table->columns[column].right)
            return mls_writef(writer, "%*s%s%s", pad, "", text, gap);
        return mls_writef(writer, "%s%*s%s", text, last ? 0 : pad, "", gap);
    }
    const char *mark = table->ascii ? "~" : "…";
    const char *end = text;
    for (size_t n = 0; n + 1 < width; n++)
        do
            end++;
        while (((unsigned char)*end & 0xc0) == 0x80);
    return mls_writef(writer, "%.*s%s%s", (int)(end - text), text, mark, gap);
}

bool mls_table_write(const struct mls_table *table, unsigned width, bool color,
                     const struct mls_writer *writer)
{
    size_t *widths = calloc(table->n_columns, sizeof *widths);
    if (!widths || table->failed) {
        free(widths);
        return false;
    }
    measure_columns(table, width, widths);
    bool ok = !color || mls_write(writer, "\033[1m");
    for (size_t j = 0; j < table->n_columns; j++)
        ok = ok && write_cell(table, j, widths[j], table->columns[j].title, writer);
    ok = ok && mls_write(writer, color ? "\033[0m\n" : "\n");
    for (size_t i = 0; ok && i < table->n_cells; i++) {
        size_t j = i % table->n_columns;
        ok = write_cell(table, j, widths[j], table->cells[i], writer);
        if (j + 1 == table->n_columns)
            ok = ok && mls_write(writer, "\n");
    }
    free(widths);
    return ok;
}

bool mls_write_csv(const struct mls_writer *writer, const char *text)
{
    char *safe = mls_text_safe(text, false);
    if (!safe)
        return false;
    bool quoted = strpbrk(safe, ",\"") != NULL;
    bool ok = !quoted || mls_write(writer, "\"");
    for (const char *at = safe; ok && *at; at++)
        ok = *at == '"' ? mls_write(writer, "\"\"") : writer->write(writer->user, at, 1);
    ok = ok && (!quoted || mls_write(writer, "\""));
    free(safe);
    return ok;
}
