/* conv16.h: convolutions of fp16 as products of 16-bit integers (dot16.h), or of bytes where the program has them (dot8.h),
 * straight from the input: nothing is copied out for each element of the kernel. */
#pragma once

#include "base/pool.h"
#include "kernels/dot16/dot16.h"
#include "kernels/dot8/dot8.h"
#include "kernels/epilogue.h"
#include "kernels/window/window.h"

struct mls_conv16 {
    struct mls_window_space space;
    size_t batch, groups;
    size_t in_channels; /* of a group */
    const uint16_t *x;
    const struct mls_dot16_matrix *weights; /* one a group; its channels are mls_conv16_planes */
    const struct mls_dot8_matrix *bytes;    /* in their place, with how the input is rounded to bytes; or NULL */
    struct mls_dot8_rounding rounding;
    const float *bias;                      /* [groups][rows rounded up], zeros where there is none */
    const uint16_t *added;                  /* what is added to the rounded results, as y lies; or NULL */
    float low, high;                        /* clamp of the sums */
    uint16_t *y;
    const struct mls_epilogue *epilogue; /* after the clamp; or NULL */
};

/* mls_conv16_cut, _byte_cut: how weights [outputs][in_channels][kernel] are packed: the depth of the kernel counts as
 * channels. */
struct mls_dot16_cut mls_conv16_cut(const struct mls_window_space *space, size_t in_channels);
struct mls_dot16_cut mls_conv16_byte_cut(const struct mls_window_space *space, size_t in_channels);

/* mls_conv16_pointwise: whether each result depends on one position only. */
bool mls_conv16_pointwise(const struct mls_window_space *space);

/* mls_conv16_scratch_bytes: what mls_conv16_run needs, a multiple of 64. */
size_t mls_conv16_scratch_bytes(const struct mls_conv16 *conv, uint32_t threads);

/* mls_conv16_run: false when the input of a convolution that is not of bytes holds infinities or NaN: then the output is
 * undefined. */
bool mls_conv16_run(const struct mls_kernels *kernels, struct mls_pool *pool, const struct mls_conv16 *conv,
                    void *scratch);
