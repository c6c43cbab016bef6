/*
 * depthwise.h: depthwise convolutions in two dimensions with the windows that networks use, a whole plane at
 * a time: the rows are copied once into padded rows of fp32, and every loaded vector serves all results above
 * and below it.
 */
#pragma once

#include "kernels/window/window.h"

struct mls_depthwise {
    struct mls_window window; /* of kind MLS_WINDOW_DEPTHWISE */
    float low, high; /* clamp of the results, before they are rounded: -infinity and infinity for none */
};

/* The part of a plane whose input rows are in scratch at a time. */
struct mls_depthwise_band {
    size_t plane;
    size_t row, n_rows;  /* of the output */
    size_t phase_floats; /* of one phase of a row: columns that lie `stride` apart */
    float *rows;         /* [input row][stride][phase_floats]; padding on the left is zero from the start */
};

/* One window: kernel rows and columns, and stride, for which there is a function. */
struct mls_depthwise_kernel {
    size_t height, width, stride;
    void (*band)(const struct mls_depthwise *conv, const struct mls_depthwise_band *band);
};

enum { MLS_DEPTHWISE_KERNELS = 8 };

/* mls_depthwise_suits: whether there is a function for this window. */
bool mls_depthwise_suits(const struct mls_kernels *kernels, const struct mls_window *window);

/* mls_depthwise_scratch_bytes: what mls_depthwise_run needs, a multiple of 64. Only the space is read. */
size_t mls_depthwise_scratch_bytes(const struct mls_kernels *kernels, const struct mls_depthwise *conv,
                                   uint32_t threads);

void mls_depthwise_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                       const struct mls_depthwise *conv, void *scratch);
