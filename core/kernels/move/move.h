/*
 * move.h: copies between strided layouts, by the size of an element and not by its type. Strides are in
 * bytes, may be negative or (of sources) 0. Source and target never overlap. Nothing needs to be aligned.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* mls_transpose_run: element (r, c) of the source becomes element (c, r) of the target; rows of both are
 * contiguous. */
typedef void mls_transpose_run(const void *source, ptrdiff_t source_stride, void *target,
                               ptrdiff_t target_stride, size_t n_rows, size_t n_cols);

struct mls_transpose_kernel {
    mls_transpose_run *run;
    const char *name;
};

enum { MLS_MOVE_TRANSPOSE_BYTES = 8 }; /* the largest element that the transposing kernels take */

struct mls_move_kernels {
    struct mls_transpose_kernel transpose[MLS_MOVE_TRANSPOSE_BYTES + 1]; /* by element bytes: 1, 2, 4, 8 */
};

/* A block of n_outer times n_inner elements. */
struct mls_move_block {
    size_t n_outer;
    size_t n_inner;
    ptrdiff_t source_outer;
    ptrdiff_t source_inner;
    ptrdiff_t target_outer;
    ptrdiff_t target_inner;
};

/* mls_move_strided: any strides; elements of 1, 2, 4, 8 or 16 bytes. */
void mls_move_strided(const void *source, void *target, const struct mls_move_block *block,
                      size_t elem_bytes);

/* mls_move_rows: n_outer rows of row_bytes contiguous bytes. */
void mls_move_rows(const void *source, ptrdiff_t source_stride, void *target, ptrdiff_t target_stride,
                   size_t n_rows, size_t row_bytes);
