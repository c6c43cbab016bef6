/*
 * gemm.h: matrix products C = A * B + bias for floats, fp32 sums. Operands are cut into panels: A into panels
 * of `rows` rows ([k][rows], the last one only as high as needed), B into panels of `vectors` vectors of
 * columns
 * ([k][columns], the last one as many whole vectors as needed, filled up with zeros). A micro-kernel
 * multiplies one panel by another. Every element is one sum in ascending k, whatever the blocks and the
 * threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "core/dtype.h"
#include "kernels/epilogue.h"
#include "kernels/kernels.h"

enum { MLS_GEMM_ROWS_MAX = 8, MLS_GEMM_VECTORS_MAX = 3, MLS_GEMM_BATCH_DIMS = 8 };

/* One tile of C: rows x (vectors * lanes) sums over k. */
struct mls_gemm_tile {
    size_t k;
    const float
        *a; /* row r of term k at r * a_row_stride + k * a_k_stride: a panel, or a matrix as it lies */
    size_t a_row_stride, a_k_stride;
    const void *b; /* [k] rows of b_stride elements, each holding all vectors; fp32 or fp16 */
    size_t b_stride;
    const uint8_t
        *ahead; /* what a later tile reads is fetched: one line at each term, ahead_step bytes apart */
    size_t ahead_step;
    size_t n_cols;     /* columns that exist: at most vectors * lanes, more than one vector less */
    const float *from; /* sums so far, or NULL */
    size_t from_stride;
    const float *row_bias; /* first terms, when there are no sums yet; NULL: none */
    const float *col_bias;
    const float *added; /* to the sums, before the clamp; rows as far apart as those of `to`; or NULL */
    bool clamps;
    float low, high;
    void *to; /* fp32, or fp16 when to_fp16 */
    size_t to_stride;
    bool to_fp16;
};

typedef void mls_gemm_tile_kernel(const struct mls_gemm_tile *tile);

struct mls_gemm_kernels {
    const char *name_fp16; /* for reports: gemm with fp16 results, with fp32 results */
    const char *name_fp32;
    size_t rows; /* of a full tile */
    size_t lanes;
    size_t vectors;
    size_t k_block; /* terms after which sums are put down, so that panels of both stay near */
    /* [rows - 1][vectors - 1]; B in fp32, B in fp16 (converted on the fly). */
    mls_gemm_tile_kernel *tile_fp32[MLS_GEMM_ROWS_MAX][MLS_GEMM_VECTORS_MAX];
    mls_gemm_tile_kernel *tile_fp16[MLS_GEMM_ROWS_MAX][MLS_GEMM_VECTORS_MAX];
    /* ret[c * ret_stride + r] = source[r * source_stride + c] for r < n_rows, c < n_cols. */
    void (*transpose)(const float *source, size_t source_stride, size_t n_rows, size_t n_cols, float *ret,
                      size_t ret_stride);
    /* Panels of B from n_k rows of n_cols neighbours, fp32 or fp16, source_stride elements apart. */
    void (*spread)(const void *source, bool fp16, size_t source_stride, size_t n_k, size_t n_cols,
                   float *ret);
};

enum mls_gemm_form {
    MLS_GEMM_STRIDED, /* a matrix in memory, any strides */
    MLS_GEMM_PACKED,  /* panels, made by mls_gemm_pack */
    MLS_GEMM_FIXED,   /* B only: made by mls_fixed_pack (fixed.h) */
    MLS_GEMM_FILLED   /* B only: panels made block by block by a function (the columns of a convolution) */
};

/* Which part of B a fill function makes: panels of n_cols columns from `col` on, terms k … k + n_k - 1. */
struct mls_gemm_fill {
    size_t batch;
    size_t k, n_k;
    size_t col, n_cols;
    float *panels; /* panel p at p * panel_cols * n_k */
    size_t panel_cols;
    size_t lanes;
    float *row; /* panel_cols more floats than n_cols, for the function's own use */
};

struct mls_gemm_operand {
    enum mls_gemm_form form;
    enum mls_dtype dtype; /* FP16 or FP32 */
    const void *data;
    size_t row_stride; /* in elements; STRIDED only */
    size_t col_stride;
    size_t batch_strides[MLS_GEMM_BATCH_DIMS]; /* in elements; 0 where the operand is the same for all */
    void (*fill)(const void *context, const struct mls_gemm_fill *part);
    const void *context;
};

struct mls_gemm {
    size_t m, n, k;
    struct mls_gemm_operand a, b;
    unsigned n_batch_dims;
    size_t batch_dims[MLS_GEMM_BATCH_DIMS];
    void *c;
    enum mls_dtype c_dtype;
    size_t c_stride; /* of a row, in elements */
    bool last_first; /* blocks of C from the last one on: where weights do not fit a cache and are used again and
                        again, every other time, what was used last is still near */
    size_t c_batch_strides[MLS_GEMM_BATCH_DIMS];
    const float *row_bias; /* one a row of C, or NULL */
    size_t row_bias_batch; /* distance between the biases of one index of the last batch dimension */
    const float *col_bias; /* one a column of C, or NULL */
    const float *added;    /* laid out as C, which is fp32: added to the products; or NULL */
    bool clamps;           /* then to [low, high], NaN stays; the bits are those of separate operations */
    float low, high;
    const struct mls_epilogue *epilogue; /* after that; or NULL */
};

enum mls_gemm_side { MLS_GEMM_A, MLS_GEMM_B };

/* mls_gemm_packed_elems: elements of the panels of one matrix of `extent` rows (A) or columns (B). */
size_t mls_gemm_packed_elems(const struct mls_gemm_kernels *kernels, enum mls_gemm_side side, size_t extent,
                             size_t k);

/*
 * mls_gemm_pack: makes panels from a STRIDED operand in the operand's own type (fp16 stays fp16). `batch` is
 * added to its data, in elements. ret has mls_gemm_packed_elems() elements, aligned to 64 bytes.
 */
void mls_gemm_pack(const struct mls_gemm_kernels *kernels, struct mls_pool *pool, enum mls_gemm_side side,
                   const struct mls_gemm_operand *source, size_t batch, size_t extent, size_t k, void *ret);

/* mls_gemm_scratch_bytes: what mls_gemm_run needs, a multiple of 64. Only the shapes, forms and types are
 * read. */
size_t mls_gemm_scratch_bytes(const struct mls_kernels *kernels, const struct mls_gemm *gemm,
                              uint32_t threads);

/* mls_gemm_run: the product. A NULL pool runs everything on the caller; its scratch is that of one thread. */
void mls_gemm_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_gemm *gemm,
                  void *scratch);

/* mls_gemm_int32: C = A * B for STRIDED int32 operands of one matrix; sums wrap around. */
void mls_gemm_int32(const struct mls_gemm *gemm, size_t a_offset, size_t b_offset, int32_t *c,
                    const int32_t *col_bias);
