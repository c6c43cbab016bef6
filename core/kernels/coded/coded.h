/*
 * coded.h: matrices of weights in the form in which a package stores them: fp16 values, small integers, or
 * indices into tables of numbers or vectors; with scales and offsets for blocks, and without their zeros.
 * Bound by memory, so there is one C version of what is here; products read the panels that are made of them
 * (../matvec/panels.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "core/dtype.h"
#include "kernels/kernels.h"

enum mls_code_kind {
    MLS_CODE_VALUES,   /* fp16 */
    MLS_CODE_INTEGERS, /* of 4 or 8 bits */
    MLS_CODE_INDICES   /* of 1, 2, 3, 4, 6 or 8 bits, into tables */
};

/*
 * A matrix [n][k] = scale * (what the code stands for - offset), rounded to fp16 once. Borrowed.
 *
 * There are code_rows x code_cols codes, row by row without gaps, the first in the lowest bits. They are n x k
 * unless vectors stand behind them: then an index gives n_vector neighbours in a column (vector_rows) or in a
 * row.
 */
struct mls_coded {
    size_t n, k;
    enum mls_code_kind kind;
    unsigned bits;
    bool is_signed; /* integers: two's complement */
    const void *codes;
    size_t codes_bytes;
    size_t code_rows, code_cols;

    const uint8_t *mask;    /* [code_rows][code_cols] bits: codes are only those of the set ones, zeros the rest; or NULL: all */
    const size_t *row_starts; /* with a mask: [code_rows], the first code of each row */

    enum mls_dtype table_dtype; /* MLS_FP16, MLS_INT8 or MLS_UINT8 */
    const void *tables;         /* [n_tables][1 << bits][n_vector], each for as many rows (or columns) of codes */
    size_t n_tables, n_vector;
    bool table_cols;
    bool vector_rows;

    const uint16_t *scales;  /* fp16 [scale_rows][scale_cols], each for a block of n / rows by k / cols; or NULL: 1 */
    const uint16_t *offsets; /* the same; or NULL: 0 */
    size_t scale_rows, scale_cols;
};

enum { MLS_CODED_ENTRIES_MAX = 256, MLS_CODED_VECTOR_MAX = 16 };

/* mls_coded_codes: codes [first, first + n) of a row, one a byte, not of fp16 values; 0 where the mask is 0. */
void mls_coded_codes(const struct mls_coded *coded, size_t code_row, size_t first, size_t n, uint8_t *ret);

/* mls_coded_table: (1 << bits) * n_vector numbers of a table. */
void mls_coded_table(const struct mls_coded *coded, size_t table, float *ret);

/* mls_coded_scale_at: the scale and the offset of an element; 1 and 0 without. */
float mls_coded_scale_at(const struct mls_coded *coded, size_t row, size_t term, float *ret_offset);

/* The table that was used last, as fp32: zeroed at first, for one matrix only. */
struct mls_coded_cache {
    float table[MLS_CODED_ENTRIES_MAX * MLS_CODED_VECTOR_MAX];
    size_t n_known; /* 1 + its number */
};

/* mls_coded_terms: elements [first, first + n) of a row as fp16: bit by bit those of the decompressed matrix. */
void mls_coded_terms(const struct mls_kernels *kernels, const struct mls_coded *coded, size_t row,
                     size_t first, size_t n, struct mls_coded_cache *cache, uint16_t *ret);

/* mls_coded_expand: some rows and columns as fp16, without gaps, by the pool. */
struct mls_coded_part {
    size_t first_row, n_rows, first_term, n_terms;
};
void mls_coded_expand(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_coded *coded,
                      const struct mls_coded_part *part, uint16_t *ret);
