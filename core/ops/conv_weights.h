/* conv_weights.h: weights and biases of convolutions, shared by the rows of conv.c and conv_transpose.c. */
#pragma once

#include "kernels/conv/conv16.h"
#include "kernels/conv/winograd.h"
#include "kernels/gemm/gemm.h"
#include "ops/op.h"

/* How a convolution is computed. */
enum mls_conv_method {
    MLS_CONV_PRODUCT,  /* of fp32 */
    MLS_CONV_INTEGERS, /* of 16-bit integers (conv16.h) */
    MLS_CONV_WINOGRAD, /* of fp32, after transforms (winograd.h) */
    MLS_CONV_BYTES     /* of 8-bit integers (conv16.h), where the program quantizes to them */
};

struct mls_product_packed;

/* What packing makes. Arena of the session. */
struct mls_conv_weights {
    struct mls_gemm_operand operand; /* panels of all groups, of MLS_CONV_PRODUCT */
    enum mls_conv_method method;
    const struct mls_dot16_matrix *matrices; /* of each group */
    const struct mls_dot8_matrix *bytes;     /* the same */
    struct mls_dot8_rounding rounding;       /* of their input */
    const float *floats;                     /* of Winograd */
    float *bias;                             /* of the other methods, [groups][rows rounded up] */
    const struct mls_product_packed *product; /* of a pointwise one whose weights stay as they are stored; or NULL */
    struct mls_tensor plain;                 /* a weight that was computed at load, or without data */
};

/* mls_conv_check_ranks: x of rank 3 to 5 and a weight of the same. */
enum mls_status mls_conv_check_ranks(const struct mls_op_call *call, const struct mls_type *x,
                                     const struct mls_type *weight, struct mls_error *reterr);

/* mls_conv_check_bias: one element for each of `channels` (which may be unknown), when it is given. */
enum mls_status mls_conv_check_bias(const struct mls_op_call *call, unsigned param, int64_t channels,
                                    struct mls_error *reterr);

/* mls_conv_bias_bytes: scratch, a multiple of 64, for mls_conv_bias. */
size_t mls_conv_bias_bytes(const struct mls_op_call *call, unsigned param);

/* mls_conv_bias: the bias as fp32, where it is or converted into scratch; NULL when it was left out. */
const float *mls_conv_bias(const struct mls_op_call *call, const struct mls_op_env *env, unsigned param,
                           void *scratch);

/*
 * mls_conv_pack: panels of A for `groups` matrices of m rows and k columns that lie batch_strides[batch_dim]
 * elements apart in `source`.
 */
enum mls_status mls_conv_pack(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                              const struct mls_gemm_operand *source, unsigned batch_dim, size_t groups,
                              size_t m, size_t k, const void **ret_packed, size_t *ret_packed_bytes);

/* mls_conv_choose: the method for a group of m outputs of k terms each; dtype is that of x and y. */
enum mls_conv_method mls_conv_choose(const struct mls_op_env *env, const struct mls_window_space *space,
                                     enum mls_dtype dtype, size_t groups, size_t m, size_t k);

/*
 * mls_conv_pack_method: what a method needs of a weight with known content. *ret_packed NULL: it cannot be
 * done so (conv_method.c).
 */
enum mls_status mls_conv_pack_method(const struct mls_op_call *call, struct mls_op_env *env,
                                     struct mls_arena *arena, const struct mls_tensor *weight,
                                     const struct mls_tensor *bias, size_t groups,
                                     enum mls_conv_method method, const struct mls_window_space *space,
                                     struct mls_conv_weights **ret_packed, size_t *ret_bytes);

/* mls_conv_pack_bytes: what MLS_CONV_BYTES needs (conv_bytes.c). */
enum mls_status mls_conv_pack_bytes(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                    const struct mls_coded *coded, const struct mls_tensor *bias, size_t groups,
                                    const struct mls_window_space *space, const struct mls_dot8_rounding *rounding,
                                    const void **ret_packed, size_t *ret_bytes);
