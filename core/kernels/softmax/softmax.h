/* softmax.h: softmax in fp32 with the maximum subtracted, over a row or down columns. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MLS_SOFTMAX_COLUMNS = 256 }; /* most columns of one call */

struct mls_softmax_kernels {
    /* n >= 1 contiguous elements of x to y, which may be x. `exps` takes n floats; fp32 does without and
     * takes NULL. */
    void (*row_fp16)(const uint16_t *x, uint16_t *y, size_t n, float *exps);
    void (*row_fp32)(const float *x, float *y, size_t n, float *exps);
    /* Each of n <= MLS_SOFTMAX_COLUMNS columns of `length` elements that lie `stride` apart; y may be x. */
    void (*columns_fp16)(const uint16_t *x, uint16_t *y, size_t n, size_t length, size_t stride);
    void (*columns_fp32)(const float *x, float *y, size_t n, size_t length, size_t stride);
    const char *name_fp16; /* "softmax_fp16__avx2"; static */
    const char *name_fp32;
};
