/* moments.h: reductions of one result's elements, as reductions and normalisations share them. */
#pragma once

#include "kernels/reduce/reduce.h"
#include "ops/axes.h"

/* x, how it is seen, and the kernels of its type. */
struct mls_reduce_source {
    const char *x;
    size_t elem_bytes;
    const struct mls_axes *axes;
    const struct mls_reduce_kernel *kernels; /* indexed by enum mls_reduce */
};

/* mls_reduce_source_of: of a tensor of floats with data. */
struct mls_reduce_source mls_reduce_source_of(const struct mls_tensor *x, const struct mls_axes *axes,
                                              const struct mls_kernels *kernels);

/* mls_reduce_one: the reduction of result `row` (rows). */
double mls_reduce_one(const struct mls_reduce_source *source, enum mls_reduce reduce, int64_t row,
                      float shift);

/* mls_reduce_block: the reductions of n <= MLS_COLUMN_BLOCK columns; shifts may be NULL where there is none.
 */
void mls_reduce_block(const struct mls_reduce_source *source, enum mls_reduce reduce, int64_t kept,
                      int64_t column, int64_t n, const float *shifts, double *ret);
