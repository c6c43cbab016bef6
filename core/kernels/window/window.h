/*
 * window.h: sliding windows over each channel by itself: depthwise convolution, pooling. One, two or three
 * spatial dimensions; those that are missing are leading ones of size 1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "kernels/epilogue.h"
#include "kernels/kernels.h"

enum { MLS_SPACE = 3 };

/* The geometry of a window. All sizes are positive. */
struct mls_window_space {
    size_t in[MLS_SPACE];
    size_t out[MLS_SPACE];
    size_t kernel[MLS_SPACE];
    size_t stride[MLS_SPACE];
    size_t dilation[MLS_SPACE];
    size_t before[MLS_SPACE]; /* padding */
    size_t after[MLS_SPACE];
};

enum mls_window_kind {
    MLS_WINDOW_DEPTHWISE, /* sum of products with weights, plus bias */
    MLS_WINDOW_MAX,       /* NaN when the window has one; -infinity when it holds padding only */
    MLS_WINDOW_AVERAGE,
    MLS_WINDOW_L2, /* square root of the sum of squares */
    MLS_WINDOW_KINDS
};

struct mls_window {
    enum mls_window_kind kind;
    struct mls_window_space space;
    size_t n_planes;      /* of the input */
    size_t outputs;       /* planes of the output for each plane of the input; 1 unless depthwise */
    size_t n_channels;    /* input planes after which weights and bias begin again */
    bool fp16;            /* input and output; otherwise fp32 */
    bool exclude_padding; /* averages count existing elements only */
    bool weights_fp16;
    const void *weights; /* [n_channels * outputs][kernel], depthwise only */
    const float *bias;   /* [n_channels * outputs], or NULL */
    const void *x;
    void *y;
    const struct mls_epilogue *epilogue; /* or NULL */
};

/* A rectangle of one output plane, and what the kernel needs for it. */
struct mls_window_band {
    size_t plane; /* of the input */
    size_t depth; /* of the output */
    size_t row, n_rows;
    size_t col, n_cols;
    size_t phase_floats; /* of one phase of one row: columns that lie `stride` apart */
    size_t n_in_rows;    /* input rows under the rectangle, for each depth of the kernel */
    float *rows;         /* [kernel[0]][n_in_rows][stride[2]][phase_floats] */
    float *weights;      /* [kernel elements] */
    float *counts;       /* elements of a window in each column of the rectangle; n_cols + lanes */
    size_t *offsets;     /* [kernel elements]: where each lies in `rows` */
};

struct mls_window_kernels {
    const char *names_fp16[MLS_WINDOW_KINDS]; /* for reports */
    const char *names_fp32[MLS_WINDOW_KINDS];
    size_t lanes;
    void (*band)(const struct mls_window *window, const struct mls_window_band *band);
    /* One element from all n elements of a plane: a window that covers it exactly. */
    void (*whole)(const struct mls_window *window, size_t plane);
};

/* mls_window_scratch_bytes: what mls_window_run needs, a multiple of 64. Only kind and space are read. */
size_t mls_window_scratch_bytes(const struct mls_kernels *kernels, const struct mls_window *window,
                                uint32_t threads);

void mls_window_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_window *window,
                    void *scratch);

/* mls_window_elems: elements of a plane of the given dimensions. */
static inline size_t mls_window_elems(const size_t dims[MLS_SPACE])
{
    return dims[0] * dims[1] * dims[2];
}
