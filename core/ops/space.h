/* space.h: strides, padding and dilation of convolutions and pools: read, checked, and turned into sizes. */
#pragma once

#include "kernels/window/window.h"
#include "ops/op.h"

enum mls_padding { MLS_PADDING_VALID, MLS_PADDING_CUSTOM, MLS_PADDING_SAME, MLS_PADDING_SAME_LOWER };

/* Which parameters of a row hold what; dilations is negative where the operation has none. */
struct mls_space_params {
    int strides, pad_type, pad, dilations;
    const char *default_pad_type; /* NULL: required */
};

/* What an operation says about its windows, before the input's size comes in. */
struct mls_space {
    unsigned n; /* spatial dimensions, 1 to MLS_SPACE */
    enum mls_padding padding;
    bool ceil_mode;
    int64_t kernel[MLS_SPACE];
    int64_t stride[MLS_SPACE];
    int64_t dilation[MLS_SPACE];
    int64_t pad[2 * MLS_SPACE]; /* before and after each dimension; 0 unless CUSTOM */
};

/*
 * mls_space_read: reads and checks the parameters. `kernel` holds n sizes, each positive or unknown. Fails
 * when strides, dilations or the kernel are not positive, padding is negative, or anything is too large to
 * compute with.
 */
enum mls_status mls_space_read(const struct mls_op_call *call, const struct mls_space_params *params,
                               unsigned n, const int64_t *kernel, struct mls_space *ret,
                               struct mls_error *reterr);

/* mls_space_output: the n sizes of the output of a convolution or pool from those of its input; may be one
 * array. */
enum mls_status mls_space_output(const struct mls_op_call *call, const struct mls_space *space,
                                 const int64_t *in, int64_t *ret_out, struct mls_error *reterr);

/* mls_space_window: all of it for the kernels; sizes are static and mls_space_output accepted them. */
struct mls_window_space mls_space_window(const struct mls_space *space, const int64_t *in,
                                         const int64_t *out);
