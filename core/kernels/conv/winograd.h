/*
 * winograd.h: convolutions with 3x3 windows and stride 1 by minimal filtering (Lavin and Gray, "Fast
 * algorithms for convolutional neural networks", 2016): a square of 4 x 4 results from 36 products for each
 * pair of channels instead of 144, in fp32, of whose 7 digits it costs about 2.
 */
#pragma once

#include "kernels/window/window.h"

enum {
    MLS_WINOGRAD_SQUARE = 4, /* results in each direction */
    MLS_WINOGRAD_SIDE = MLS_WINOGRAD_SQUARE + 2,
    MLS_WINOGRAD_PRODUCTS = MLS_WINOGRAD_SIDE * MLS_WINOGRAD_SIDE,
    MLS_WINOGRAD_ROWS = 8,
    MLS_WINOGRAD_LANES = 16 /* of the longest vectors */
};

struct mls_winograd {
    struct mls_window_space space;
    size_t batch, in_channels, out_channels;
    bool fp16; /* x and y; otherwise fp32 */
    const void *x;
    void *y;
    const float *weights;                /* [row tile][product][channel][MLS_WINOGRAD_ROWS] */
    const float *bias;                   /* [out_channels rounded up to whole row tiles] */
    float low, high;                     /* clamp of the results */
    const struct mls_epilogue *epilogue; /* after the clamp; or NULL */
};

/* Neighbouring squares of one image, row by row. */
struct mls_winograd_tiles {
    size_t image;
    size_t first, n;
    size_t stride; /* squares rounded up to whole vectors */
    size_t row_floats;
    float *rows; /* padded rows of one channel; what lies left of the image is zero from the start */
};

/* mls_winograd_product_floats: floats of one product for n channels; a vector may be written past those of
 * the last. */
static inline size_t mls_winograd_product_floats(const struct mls_winograd_tiles *tiles, size_t n)
{
    return n * tiles->stride + MLS_WINOGRAD_LANES;
}

struct mls_winograd_kernels {
    const char *name; /* for reports: conv_winograd with fp32 products */
    /* Channels channel … channel + n - 1 into ret[product][mls_winograd_product_floats()]. False when a value
     * is not finite, or so large that the transform or the sums might not be. */
    bool (*input)(const struct mls_winograd *conv, const struct mls_winograd_tiles *tiles, size_t channel,
                  size_t n, float *ret);
    /* Sums of one channel, sums[product * product_stride], into y; may read a vector past the end. */
    void (*output)(const struct mls_winograd *conv, const struct mls_winograd_tiles *tiles, size_t channel,
                   const float *sums, size_t product_stride);
    /* ret[MLS_WINOGRAD_ROWS][stride] = weights [k][MLS_WINOGRAD_ROWS] times values [k][stride]; fetches the
     * weights `ahead`, which come next, unless NULL. */
    void (*multiply)(const float *weights, const float *values, size_t k, size_t stride, const float *ahead,
                     float *ret);
};

/* mls_winograd_suits: whether the window is one that this can do. */
bool mls_winograd_suits(const struct mls_window_space *space);

/* mls_winograd_scratch_bytes: what mls_winograd_run needs, a multiple of 64. Only shapes are read. */
size_t mls_winograd_scratch_bytes(const struct mls_winograd *conv, uint32_t threads);

/* mls_winograd_run: false when the input holds infinities, NaN or values beyond 10^20: then the output is
 * undefined. */
bool mls_winograd_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                      const struct mls_winograd *conv, void *scratch);

/* mls_winograd_weights: the MLS_WINOGRAD_PRODUCTS weights that a 3x3 filter becomes, ret_step floats apart.
 */
void mls_winograd_weights(const float *filter, float *ret, size_t ret_step);
