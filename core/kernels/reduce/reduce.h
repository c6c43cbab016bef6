/* reduce.h: many numbers to one. Sums run in fp32 over blocks of fixed size, and over the blocks in double.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One row a reduction: id, name. Maxima and minima are NaN when any element is. */
#define MLS_REDUCE_LIST(X)                                 \
    X(SUM, sum)                                            \
    X(SUM_ABS, sum_abs)                                    \
    X(SUM_SQUARE, sum_square)                              \
    X(SUM_EXP, sum_exp)             /* of e^(x - shift) */ \
    X(SUM_DEVIATION, sum_deviation) /* of (x - shift)^2 */ \
    X(MAX, max)                                            \
    X(MIN, min)                                            \
    X(PROD, prod)

enum mls_reduce {
#define X(id, name) MLS_REDUCE_##id,
    MLS_REDUCE_LIST(X)
#undef X
        MLS_REDUCE_COUNT
};

/* The reduction of n >= 1 contiguous elements. `shift` is of those that have one. */
typedef double mls_reduce_row(const void *x, size_t n, float shift);

/* results[i] = reduction of results[i] and x[i], for n contiguous elements; shifts is NULL without one. */
typedef void mls_reduce_columns(const void *x, float *results, size_t n, const float *shifts);

struct mls_reduce_kernel {
    mls_reduce_row *row;
    mls_reduce_columns *columns;
    const char *name; /* "reduce_sum_fp16__avx2"; static */
};

struct mls_reduce_kernels {
    struct mls_reduce_kernel fp16[MLS_REDUCE_COUNT];
    struct mls_reduce_kernel fp32[MLS_REDUCE_COUNT];
};

/* mls_reduce_identity: what a reduction of nothing gives. */
double mls_reduce_identity(enum mls_reduce reduce);

/* mls_reduce_join: the reduction of two partial results. */
double mls_reduce_join(enum mls_reduce reduce, double a, double b);

/*
 * mls_reduce_int32: n >= 1 elements that lie `stride` apart, joined to `sofar`. Sums and products wrap in 64
 * bits, squares and absolute values of elements in 32, as NumPy's do. Those with a shift are not for
 * integers.
 */
int64_t mls_reduce_int32(enum mls_reduce reduce, const int32_t *x, size_t n, size_t stride, int64_t sofar);
