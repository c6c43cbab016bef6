/*
 * dot16.h: products of fp16 matrices with 16-bit integers and exact 32-bit sums: twice the rate of fp32 where
 * there is VNNI, with less error than rounding the result to fp16 makes. Blocks of terms share a scale each
 * (block floating point): a block of B, MLS_DOT16_BLOCK terms of some columns, has the scale that its content
 * allows; a row of A has one that was chosen when it was packed. Sums cannot overflow, by the inequality of
 * Cauchy and Schwarz: no block of a row of A is longer than MLS_DOT16_ROW_NORM, and no column of a block of B
 * longer than MLS_DOT16_COLUMN_NORM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

enum {
    MLS_DOT16_LANES = 16,
    MLS_DOT16_ROWS = 8,    /* of a tile */
    MLS_DOT16_VECTORS = 4, /* of a tile at most */
    MLS_DOT16_BLOCK = 64,  /* terms of a block */
    MLS_DOT16_MAX = 32767,
    MLS_DOT16_ROW_NORM = 32700, /* 16 below what the rounding of MLS_DOT16_BLOCK terms may add */
    MLS_DOT16_COLUMN_NORM = 65400
};

/* n_terms rows of n_cols values, `stride` elements apart, each multiplied by its term's scale (a power of
 * two). */
struct mls_dot16_source {
    const void *data;
    bool fp16; /* otherwise fp32 */
    size_t stride;
    size_t n_terms, n_cols;
    const float *term_scales;
};

/* Of the scaled values: the greatest square, and the greatest sum of squares of a column. The second is not
 * finite where a value is not. */
struct mls_dot16_measure {
    float square;
    float column_square;
};

/* One tile of C: MLS_DOT16_ROWS x (vectors * lanes) sums over a block of terms, in pairs. */
struct mls_dot16_tile {
    size_t n_pairs;
    const int16_t *a; /* [pair][row][2] */
    const int16_t *b; /* [pair][column][2] */
    size_t vectors;
    float scale; /* of a unit of the products, apart from the row's */
    bool first;  /* block of the sums */
    bool last;
    float *sums; /* [row][vectors * lanes]: the blocks before; not used when there is only one */
    /* The rest is for the last block: y = clamp(sums * row_scale + bias), rounded to y's type; or, for fp16,
     * the clamped sum of that, rounded, and `added`. */
    size_t n_rows, n_cols; /* that exist */
    const float *row_scales;
    const float *bias;
    float low, high; /* -infinity and infinity: no clamp */
    void *y;
    size_t y_stride;
    bool fp16;
    const uint16_t *added; /* with y's stride; or NULL */
};

struct mls_dot16_kernels {
    const char *name_conv; /* for reports */
    const char *name_pointwise;
    const char *name_winograd;
    void (*measure)(const struct mls_dot16_source *source, struct mls_dot16_measure *ret);
    /* ret[pair][vectors * lanes][2]: the rounded multiples; zeros where there is no term or column. */
    void (*quantize)(const struct mls_dot16_source *source, float scale, size_t vectors, int16_t *ret);
    void (*tile)(const struct mls_dot16_tile *tile);
};

/* mls_dot16_scale: the factor that makes the best use of 16 bits for a block so measured; 0 for zeros. */
float mls_dot16_scale(const struct mls_dot16_measure *measure);

/* ---- A: packed once -------------------------------------------------------------------------------------
 */

struct mls_dot16_matrix {
    size_t m, k;
    float *term_scales; /* [k]: for B; A's terms are divided by them, so that no term is lost beside others */
    float *row_scales;  /* [m rounded up]: of the sums */
    int16_t *panels;    /* [row tile][pair][row][2] */
};

/* mls_dot16_rows, _pairs: rounded up m; pairs of k terms. */
static inline size_t mls_dot16_rows(size_t m)
{
    return (m + MLS_DOT16_ROWS - 1) / MLS_DOT16_ROWS * MLS_DOT16_ROWS;
}
static inline size_t mls_dot16_pairs(size_t k)
{
    return (k + 1) / 2;
}

/* mls_dot16_scratch_floats: what mls_dot16_pack needs for rows of k terms. */
static inline size_t mls_dot16_scratch_floats(size_t k)
{
    return 2 * ((k + MLS_DOT16_BLOCK - 1) / MLS_DOT16_BLOCK * MLS_DOT16_BLOCK);
}

/*
 * mls_dot16_pack: fills the arrays of `ret` from `weights`, m rows of k terms. False when a weight is not
 * finite or so large that fp32 sums might overflow: then the product cannot be made of integers.
 */
bool mls_dot16_pack(const float *weights, float *scratch, struct mls_dot16_matrix *ret);
