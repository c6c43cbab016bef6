/* conv_weights.h: weights and biases of convolutions, shared by the rows of conv.c and conv_transpose.c. */
#pragma once

#include "kernels/conv/conv16.h"
#include "kernels/gemm/gemm.h"
#include "ops/op.h"

/* What packing makes. Arena of the session. */
struct mls_conv_weights {
    struct mls_gemm_operand operand;   /* panels of all groups; without data where there are matrices */
    struct mls_dot16_matrix *matrices; /* of each group, for products of integers; or NULL */
    float *bias;                       /* of these, [groups][rows rounded up] */
    struct mls_tensor plain;           /* a weight that was computed at load, or without data */
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

/* mls_conv16_suits: whether a convolution of k terms and m outputs a group is best made of 16-bit integers.
 */
bool mls_conv16_suits(const struct mls_op_call *call, const struct mls_kernels *kernels, size_t m, size_t k);

/*
 * mls_conv16_pack: matrices and bias for a weight of [groups * m][k] and a bias parameter with known content.
 * *ret_done false: it cannot be done with integers (conv_integer.c).
 */
enum mls_status mls_conv16_pack(const struct mls_op_call *call, struct mls_op_env *env,
                                struct mls_arena *arena, const struct mls_tensor *weight, unsigned bias_param,
                                size_t groups, struct mls_conv_weights *packed, size_t *ret_bytes,
                                bool *ret_done);
