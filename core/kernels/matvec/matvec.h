/*
 * matvec.h: products of a few rows with weights that are read once, as they are stored: fp16, small integers,
 * or codes into tables. Such a product takes as long as its weights take to be read, so they are decoded in
 * registers; what they are decoded to is exact, and sums are fp32. Every element is one sum whose order
 * depends on the number of terms only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "core/dtype.h"
#include "kernels/epilogue.h"
#include "kernels/kernels.h"

/* Rows of x whose sums are made in one pass over the weights; entries of a table. */
enum { MLS_MATVEC_ROWS = 4, MLS_MATVEC_TABLE = 16 };

enum mls_coding {
    MLS_CODING_FP16,   /* the values themselves */
    MLS_CODING_INT8,   /* integers, times the scale of their block */
    MLS_CODING_UINT8,  /* the same, unsigned */
    MLS_CODING_TABLE4, /* codes of four bits, the first in the low ones: entries of a table of 16, times the
                          scale of their block when there are scales */
    MLS_CODING_TABLE2, /* of two bits, the table repeated four times */
    MLS_CODING_TABLE1, /* of one bit, the table repeated eight times */
    MLS_CODING_COUNT
};

/* Weights [n][k] in their stored form. Borrowed. */
struct mls_coded {
    enum mls_coding coding;
    size_t n, k;
    const void *codes;   /* rows without gaps */
    const float *tables; /* TABLE: [n / rows_per_table][MLS_MATVEC_TABLE] */
    size_t rows_per_table;
    const uint16_t *scales; /* fp16 [n][k / block], or NULL: 1 */
    const float *shifts;    /* [n][k / block]: scale times offset, taken from the scaled code; or NULL */
    size_t block;           /* terms that share a scale and a shift; divides k */
    size_t bytes;           /* that are read: codes, tables and scales */
};

/* One row of the weights. */
struct mls_matvec_line {
    size_t k;
    const void *codes;
    const float *table;
    const uint16_t *scales;
    size_t block;
    unsigned block_bits; /* tables: block is 2 to this power, unless it is all of k */
    const float *x;      /* m rows, x_stride apart; for tables in the order of mls_matvec_arrange */
    size_t x_stride;
};

/* ret[i] = row i of x times the line. */
typedef void mls_matvec_kernel(const struct mls_matvec_line *line, float ret[MLS_MATVEC_ROWS]);

struct mls_matvec_kernels {
    const char *names[MLS_CODING_COUNT]; /* by coding, for reports */
    size_t lanes;
    mls_matvec_kernel *dot[MLS_CODING_COUNT][MLS_MATVEC_ROWS]; /* [coding][rows of x - 1] */
};

struct mls_matvec {
    size_t m;
    const void *x; /* [m][k], rows without gaps */
    enum mls_dtype x_dtype;
    const struct mls_coded *weights;
    const float *bias; /* one for each row of the weights, or NULL */
    void *y;           /* [m][n] */
    enum mls_dtype y_dtype;
    const struct mls_epilogue *epilogue; /* or NULL */
};

/*
 * mls_matvec_arrange: x in the order in which codes of `bits` bits are taken from a vector of `lanes` words:
 * the first terms of all words, then their second ones, and so on; filled up with zeros to whole vectors.
 */
void mls_matvec_arrange(const float *x, size_t k, unsigned bits, size_t lanes, float *ret);

/* mls_matvec_can: whether kernels take this form: block sizes and numbers of terms that fit their steps. */
bool mls_matvec_can(const struct mls_coded *weights);

/* mls_matvec_scratch_bytes: what mls_matvec_run needs, a multiple of 64. */
size_t mls_matvec_scratch_bytes(const struct mls_kernels *kernels, const struct mls_matvec *product);

void mls_matvec_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                    const struct mls_matvec *product, void *scratch);

/* mls_coded_code_bytes: of all codes. */
size_t mls_coded_code_bytes(const struct mls_coded *weights);

/* mls_coded_row: one row as fp32: the values that the product uses. */
void mls_coded_row(const struct mls_kernels *kernels, const struct mls_coded *weights, size_t row,
                   float *ret);

/* mls_coded_expand: all rows as fp16; false when out of memory. */
bool mls_coded_expand(const struct mls_kernels *kernels, struct mls_pool *pool,
                      const struct mls_coded *weights, uint16_t *ret);
