#include "app/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "term/text.h"

struct format {
    const char *ending;
    void (*begin)(FILE *file, const struct mls_rows *rows);
    void (*row)(FILE *file, const struct mls_rows *rows, size_t row, bool first);
    void (*end)(FILE *file);
};

static struct mls_datum cell_of(const struct mls_rows *rows, size_t row, unsigned column)
{
    struct mls_datum datum = {.kind = MLS_DATUM_NONE};
    rows->cell(rows->user, row, column, &datum);
    return datum;
}

static bool is_integer(enum mls_datum_kind kind)
{
    return kind == MLS_DATUM_TIME_NS || kind == MLS_DATUM_COUNT || kind == MLS_DATUM_BYTES;
}

static void write_number(FILE *file, const struct mls_datum *datum)
{
    fprintf(file, is_integer(datum->kind) ? "%.0f" : "%.9g", datum->number);
}

/* Columns carry their unit in the name where they have one. */
static void write_key(FILE *file, const struct mls_column *column)
{
    const char *unit = column->kind == MLS_DATUM_TIME_NS ? "_ns"
                       : column->kind == MLS_DATUM_BYTES ? "_bytes"
                                                         : "";
    bool has_unit = *unit && strstr(column->key, unit + 1) != NULL;
    fprintf(file, "%s%s", strcmp(column->key, "#") == 0 ? "index" : column->key, has_unit ? "" : unit);
}

/* ---- Text
 * ------------------------------------------------------------------------------------------------------- */

static void text_begin(FILE *file, const struct mls_rows *rows)
{
    for (unsigned i = 0; i < rows->n_columns; i++)
        fprintf(file, "%s%s", i ? "\t" : "", rows->columns[i].title);
    fputc('\n', file);
}

static void text_row(FILE *file, const struct mls_rows *rows, size_t row, bool first)
{
    (void)first;
    for (unsigned i = 0; i < rows->n_columns; i++) {
        char buffer[MLS_DATUM_TEXT_BYTES], bytes[4];
        struct mls_datum datum = cell_of(rows, row, i);
        const char *text = mls_datum_format(&datum, buffer);
        if (i)
            fputc('\t', file);
        for (uint32_t character; (character = mls_text_next(&text)) != 0;)
            fwrite(bytes, 1, mls_char_encode(character, bytes), file);
    }
    fputc('\n', file);
}

/* ---- CSV
 * -------------------------------------------------------------------------------------------------------- */

static void csv_begin(FILE *file, const struct mls_rows *rows)
{
    for (unsigned i = 0; i < rows->n_columns; i++) {
        fputs(i ? "," : "", file);
        write_key(file, &rows->columns[i]);
    }
    fputs("\r\n", file);
}

static void csv_text(FILE *file, const char *text)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    if (quoted)
        fputc('"', file);
}

static void csv_row(FILE *file, const struct mls_rows *rows, size_t row, bool first)
{
    (void)first;
    for (unsigned i = 0; i < rows->n_columns; i++) {
        struct mls_datum datum = cell_of(rows, row, i);
        fputs(i ? "," : "", file);
        if (datum.kind == MLS_DATUM_TEXT)
            csv_text(file, datum.text ? datum.text : "");
        else if (datum.kind != MLS_DATUM_NONE)
            write_number(file, &datum);
    }
    fputs("\r\n", file);
}

/* ---- JSON
 * ------------------------------------------------------------------------------------------------------- */

static void json_begin(FILE *file, const struct mls_rows *rows)
{
    (void)rows;
    fputs("[", file);
}

static void json_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (uint32_t character; (character = mls_text_next(&text)) != 0;) {
        char bytes[4];
        if (character == '"' || character == '\\')
            fputc('\\', file);
        fwrite(bytes, 1, mls_char_encode(character, bytes), file);
    }
    fputc('"', file);
}

static void json_row(FILE *file, const struct mls_rows *rows, size_t row, bool first)
{
    fputs(first ? "\n{" : ",\n{", file);
    for (unsigned i = 0; i < rows->n_columns; i++) {
        struct mls_datum datum = cell_of(rows, row, i);
        fprintf(file, "%s\"", i ? ", " : "");
        write_key(file, &rows->columns[i]);
        fputs("\": ", file);
        if (datum.kind == MLS_DATUM_TEXT && datum.text)
            json_text(file, datum.text);
        else if (datum.kind == MLS_DATUM_NONE || datum.kind == MLS_DATUM_TEXT)
            fputs("null", file);
        else
            write_number(file, &datum);
    }
    fputc('}', file);
}

static void json_end(FILE *file)
{
    fputs("\n]\n", file);
}

static const struct format formats[] = {
    {".txt", text_begin, text_row, NULL},
    {".csv", csv_begin, csv_row, NULL},
    {".json", json_begin, json_row, json_end},
};

static const struct format *format_of(const char *path)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        size_t path_bytes = strlen(path), ending_bytes = strlen(formats[i].ending);
        if (path_bytes > ending_bytes && strcmp(path + path_bytes - ending_bytes, formats[i].ending) == 0)
            return &formats[i];
    }
    return NULL;
}

bool mls_export(const struct mls_view *view, const char *path, const char **ret_reason)
{
    const struct format *format = format_of(path);
    struct mls_rows rows = mls_view_rows(view);
    *ret_reason = !format ? "the name must end in .txt, .csv or .json" : "this view has no rows";
    if (!format || !rows.n_columns)
        return false;
    FILE *file = fopen(path, "w");
    if (!file) {
        *ret_reason = strerror(errno);
        return false;
    }
    format->begin(file, &rows);
    for (size_t i = 0; i < view->list.n_order; i++)
        format->row(file, &rows, view->list.order[i], i == 0);
    if (format->end)
        format->end(file);
    bool ok = !ferror(file);
    ok = fclose(file) == 0 && ok;
    if (!ok)
        *ret_reason = "the file could not be written to its end";
    return ok;
}
