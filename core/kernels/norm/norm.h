/* norm.h: the last step of normalisations: x shifted and scaled, in fp32, rounded once. Moments come from
 * reduce.h. */
#pragma once

#include <stddef.h>

/*
 * y[i] = (x[i] - mean) * scale * gamma[i] + beta[i]; without gamma 1 stands for it, without beta `shift`. y
 * is x or does not overlap it.
 */
typedef void mls_norm_row(const void *x, void *y, size_t n, float mean, float scale, float shift,
                          const float *gamma, const float *beta);

/* y[i] = (x[i] - mean[i]) * scale[i] * gamma + beta: one row across columns that each have their own moments.
 */
typedef void mls_norm_columns(const void *x, void *y, size_t n, const float *mean, const float *scale,
                              float gamma, float beta);

struct mls_norm_kernel {
    mls_norm_row *row;
    mls_norm_columns *columns;
    const char *name; /* "norm_fp16__avx2"; static */
};

struct mls_norm_kernels {
    struct mls_norm_kernel fp16;
    struct mls_norm_kernel fp32;
};
