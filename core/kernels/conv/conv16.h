/* conv16.h: convolutions of fp16 as products of 16-bit integers (dot16.h). */
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/dot16/dot16.h"

struct mls_conv16 {
    struct mls_conv_columns columns; /* the input; its space is that of the convolution */
    size_t batch, groups;
    bool pointwise;                         /* the input itself is B */
    const struct mls_dot16_matrix *weights; /* one a group */
    const float *bias;                      /* [groups][rows rounded up], zeros where there is none */
    const uint16_t *added;                  /* what is added to the rounded results, as y lies; or NULL */
    float low, high;                        /* clamp of the sums */
    uint16_t *y;
    const struct mls_epilogue *epilogue; /* after the clamp; or NULL */
};

/* mls_conv16_scratch_bytes: what mls_conv16_run needs, a multiple of 64. */
size_t mls_conv16_scratch_bytes(const struct mls_kernels *kernels, const struct mls_conv16 *conv,
                                uint32_t threads);

/* mls_conv16_run: false when the input holds infinities or NaN: then the output is undefined. */
bool mls_conv16_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_conv16 *conv,
                    void *scratch);
