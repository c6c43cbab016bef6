/*
 * fixed.h: matrix products in block fixed point, for fp16 programs. The terms of a sum are cut into blocks of
 * 128; in each block a row of A, or a column of B, is integers of 12 bits and a sign times one power of two,
 * so that a value within a factor of four of its block's largest keeps all bits of fp16, and no value is off
 * by more than fp16 rounds the largest. The products of a block are added exactly in int32 (4095 * 4095 * 128
 * < 2^31), two in each lane of one instruction; blocks are added in fp32. That is twice the rate of fp32
 * where the processor has VNNI. Never used under --precision high, which leaves no fp16.
 *
 * Every element is one sum in ascending blocks, whatever the tasks and the threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "kernels/gemm/gemm.h"

enum {
    MLS_FIXED_BLOCK = 128,
    MLS_FIXED_PAIRS = MLS_FIXED_BLOCK / 2,
    MLS_FIXED_ROWS = 8,
    MLS_FIXED_VECTORS = 3
};

/* One tile of C: rows x (vectors * lanes) sums over one block of terms, which lie in pairs. */
struct mls_fixed_tile {
    size_t n_pairs;
    const int32_t *a; /* rows of MLS_FIXED_PAIRS pairs, of which n_pairs are read */
    const float *a_scales;
    const int32_t *b; /* [n_pairs] rows of b_stride pairs */
    size_t b_stride;
    const float *b_scales;
    size_t n_cols;     /* columns that exist: at most vectors * lanes, more than one vector less */
    const float *from; /* sums so far, or NULL */
    size_t from_stride;
    const float *row_bias; /* first terms, when there are no sums yet; NULL: none */
    const float *col_bias;
    void *to; /* fp32, or fp16 when to_fp16 */
    size_t to_stride;
    bool to_fp16;
};

typedef void mls_fixed_tile_kernel(const struct mls_fixed_tile *tile);

enum { MLS_FIXED_ONE = 4095 }; /* the integer that stands for probability 1 */

struct mls_fixed_kernels {
    const char *name; /* for reports */
    bool pays;        /* faster than fp32 */
    size_t lanes;
    mls_fixed_tile_kernel *tile[MLS_FIXED_ROWS][MLS_FIXED_VECTORS]; /* [rows - 1][vectors - 1] */
    /*
     * n <= MLS_FIXED_BLOCK neighbouring values as integers, filled up to an even number with 0, and their
     * scale. False when a value is not finite; the integers then mean nothing. ret does not overlap x.
     */
    bool (*line_fp16)(const uint16_t *x, size_t n, int16_t *ret, float *ret_scale);
    bool (*line_fp32)(const float *x, size_t n, int16_t *ret, float *ret_scale);
    /*
     * The same for n_cols columns of n <= MLS_FIXED_BLOCK rows that lie `stride` apart: ret holds pairs,
     * [(n + 1) / 2][width], columns past n_cols (up to width, a multiple of lanes) filled with 0.
     */
    bool (*columns_fp16)(const uint16_t *x, size_t stride, size_t n, size_t n_cols, size_t width,
                         int32_t *ret, float *ret_scales);
    /*
     * n <= MLS_FIXED_BLOCK scores as weights: MLS_FIXED_ONE * 2^(t - *ret_max), rounded, with t = score *
     * factor + mask and *ret_max the largest t; *ret_sum is the sum of the powers, NaN when a t is. An odd
     * number is filled up with 0; scores are overwritten. mask: n numbers, or NULL; factor is positive.
     */
    void (*weights)(float *scores, size_t n, float factor, const float *mask, int16_t *ret, float *ret_max,
                    float *ret_sum);
};

/* mls_fixed_bytes: what the packed columns of B take, a multiple of 64; SIZE_MAX when that is too much. */
size_t mls_fixed_bytes(const struct mls_fixed_kernels *kernels, size_t n, size_t k);

/*
 * mls_fixed_pack: B as pairs and scales from a STRIDED operand with neighbouring terms (row_stride 1), or of
 * fp16 with neighbouring columns (col_stride 1). False when a value is not finite: such weights stay as they
 * are. ret is aligned to 64 bytes.
 */
bool mls_fixed_pack(const struct mls_kernels *kernels, struct mls_pool *pool,
                    const struct mls_gemm_operand *source, size_t n, size_t k, void *ret);

/*
 * mls_fixed_scratch_bytes, mls_fixed_run: the product of one matrix A (STRIDED, col_stride 1) by b.data,
 * which mls_fixed_pack made. A value of A that is not finite makes it a product in fp32.
 */
size_t mls_fixed_scratch_bytes(const struct mls_kernels *kernels, const struct mls_gemm *gemm,
                               uint32_t threads);
void mls_fixed_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_gemm *gemm,
                   void *scratch);

/* ---- the layout of packed columns, shared by products and attention ---- */

/* Pairs [panel][pair][width], then scales [block][columns, rounded up to lanes]. */
struct mls_fixed_columns {
    size_t n, n_round, k, panel_cols;
    const int32_t *pairs;
    const float *scales;
};

/* mls_fixed_columns_at: what mls_fixed_pack made at `packed`; NULL for sizes only. */
struct mls_fixed_columns mls_fixed_columns_at(const struct mls_fixed_kernels *kernels, size_t n, size_t k,
                                              const void *packed);

static inline size_t mls_fixed_pairs(size_t k)
{
    return (k + 1) / 2;
}

static inline size_t mls_fixed_blocks(size_t k)
{
    return (k + MLS_FIXED_BLOCK - 1) / MLS_FIXED_BLOCK;
}

/* mls_fixed_width: columns of a panel, filling included. */
static inline size_t mls_fixed_width(const struct mls_fixed_columns *columns, size_t panel)
{
    size_t left = columns->n_round - panel * columns->panel_cols;
    return left < columns->panel_cols ? left : columns->panel_cols;
}

static inline const int32_t *mls_fixed_pairs_at(const struct mls_fixed_columns *columns, size_t panel,
                                                size_t block)
{
    return columns->pairs + panel * columns->panel_cols * mls_fixed_pairs(columns->k) +
           block * MLS_FIXED_PAIRS * mls_fixed_width(columns, panel);
}

static inline const float *mls_fixed_scales_at(const struct mls_fixed_columns *columns, size_t panel,
                                               size_t block)
{
    return columns->scales + block * columns->n_round + panel * columns->panel_cols;
}

/* mls_fixed_tile_b: sets what a tile reads of one block of a panel of B, and its columns; returns their
 * number of vectors. */
static inline size_t mls_fixed_tile_b(const struct mls_fixed_columns *columns, size_t lanes, size_t panel,
                                      size_t block, struct mls_fixed_tile *tile)
{
    size_t pairs = mls_fixed_pairs(columns->k) - block * MLS_FIXED_PAIRS;
    tile->n_pairs = pairs < MLS_FIXED_PAIRS ? pairs : MLS_FIXED_PAIRS;
    tile->b = mls_fixed_pairs_at(columns, panel, block);
    tile->b_stride = mls_fixed_width(columns, panel);
    tile->b_scales = mls_fixed_scales_at(columns, panel, block);
    size_t left = columns->n - panel * columns->panel_cols;
    tile->n_cols = left < columns->panel_cols ? left : columns->panel_cols;
    return (tile->n_cols + lanes - 1) / lanes;
}
