/* text.h: numbers and tables for people. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/model.h"

enum { MLS_TEXT_BYTES = 32 };

/* mls_text_duration: "12.3 µs" with three digits and the unit that fits ("us" in ASCII), into
 * text[MLS_TEXT_BYTES]; returns text. */
char *mls_text_duration(uint64_t ns, bool ascii, char *text);

/* mls_text_size: "3.25 MiB" into text[MLS_TEXT_BYTES]; returns text. */
char *mls_text_size(uint64_t bytes, char *text);

/* mls_text_count: "1.23 G" (powers of 1,000) into text[MLS_TEXT_BYTES]; returns text. */
char *mls_text_count(double count, char *text);

/* mls_text_percent: "12.3 %" of a share from 0 to 1, into text[MLS_TEXT_BYTES]; returns text. */
char *mls_text_percent(double share, char *text);

/* mls_write: a text to the writer; false when it stops. mls_writef: formatted; at most 4,096 bytes. */
bool mls_write(const struct mls_writer *writer, const char *text);
bool mls_writef(const struct mls_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* mls_write_csv: a field as RFC 4180 wants it: quoted where a separator or a quote stands in it, control
 * characters replaced. */
bool mls_write_csv(const struct mls_writer *writer, const char *text);

/*
 * mls_text_safe: a copy of text without control characters and without bytes that are no UTF-8 (both become
 * '?'); with `ascii` without any other character. NULL when out of memory; the caller frees.
 */
char *mls_text_safe(const char *text, bool ascii);

/* A column of a table. */
struct mls_column {
    const char *title;
    bool right;         /* numbers */
    unsigned max_width; /* longer cells are cut; 0: never */
};

/* A table: cells from left to right, row by row. */
struct mls_table;

/* mls_table_create: `columns` is borrowed. NULL when out of memory. */
struct mls_table *mls_table_create(const struct mls_column *columns, size_t n_columns, bool ascii);
void mls_table_free(struct mls_table *table);

/* mls_table_cell: the next cell, formatted; texts are made safe. Being out of memory shows in
 * mls_table_write. */
void mls_table_cell(struct mls_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * mls_table_write: title line and rows in aligned columns, two blanks apart. A `width` above 0 cuts the
 * widest column of text until lines fit. False when the writer stopped or memory was short.
 */
bool mls_table_write(const struct mls_table *table, unsigned width, bool color,
                     const struct mls_writer *writer);
