/*
 * conv.h: convolutions as products: weights times the columns of the input. Columns are made in blocks, as
 * the product asks for them, never all at once.
 */
#pragma once

#include "kernels/conv/depthwise.h"
#include "kernels/conv/winograd.h"
#include "kernels/gemm/gemm.h"
#include "kernels/window/window.h"

/*
 * What the columns are made from. One "batch" of the product is one group of one image: in_channels planes
 * that lie one after the other. Terms of a sum are ordered [channel][kernel depth][kernel row][kernel
 * column].
 */
struct mls_conv_columns {
    struct mls_window_space space;
    size_t in_channels; /* of a group */
    size_t n_planes;    /* in all */
    bool fp16;
    const void *x;
};

struct mls_conv_kernels {
    const char *name_fp16; /* for reports */
    const char *name_fp32;
    const char *name_pointwise_fp16; /* 1x1: the input itself is B */
    const char *name_pointwise_fp32;
    const char *name_depthwise_fp16; /* a plane at a time (depthwise.h) */
    const char *name_depthwise_fp32;
    const char *name_transpose_fp16;
    const char *name_transpose_fp32;
    /* A fill function of mls_gemm; its context is a struct mls_conv_columns. */
    void (*columns)(const void *context, const struct mls_gemm_fill *part);
    struct mls_depthwise_kernel depthwise[MLS_DEPTHWISE_KERNELS];
    struct mls_winograd_kernels winograd;
};

/*
 * A transposed convolution: every input element adds its multiple of the kernel to the output. `space` is
 * that of the convolution that it transposes: `in` is the larger side, our output; `out` is our input.
 */
struct mls_conv_transpose {
    struct mls_window_space space;
    size_t batch, groups;
    size_t in_channels, out_channels; /* of a group */
    bool fp16;                        /* x and y; otherwise fp32 */
    struct mls_gemm_operand
        weights;       /* A: [out_channels * kernel elements][in_channels], batch stride a group */
    const float *bias; /* [groups * out_channels], or NULL */
    const void *x;
    void *y;
    const struct mls_epilogue *epilogue; /* or NULL */
};

/* mls_conv_transpose_scratch_bytes: what mls_conv_transpose_run needs, a multiple of 64. */
size_t mls_conv_transpose_scratch_bytes(const struct mls_kernels *kernels,
                                        const struct mls_conv_transpose *conv, uint32_t threads);

void mls_conv_transpose_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                            const struct mls_conv_transpose *conv, void *scratch);
