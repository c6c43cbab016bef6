#include "ops/conv_weights.h"

#include "base/checked.h"
#include "kernels/convert/convert.h"
#include "ops/space.h"

enum mls_status mls_conv_check_ranks(const struct mls_op_call *call, const struct mls_type *x,
                                     const struct mls_type *weight, struct mls_error *reterr)
{
    if (x->rank < 3 || x->rank > 2 + MLS_SPACE)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has rank %u; it must be 3, 4 or 5", x->rank);
    if (weight->rank != x->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has rank %u, but the weight has rank %u",
                           x->rank, weight->rank);
    return MLS_OK;
}

enum mls_status mls_conv_check_bias(const struct mls_op_call *call, unsigned param, int64_t channels,
                                    struct mls_error *reterr)
{
    const struct mls_tensor *bias = mls_op_in(call, param);
    if (!bias || bias->type.rank == MLS_RANK_UNKNOWN)
        return MLS_OK;
    if (bias->type.rank != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "bias has rank %u; it must be 1", bias->type.rank);
    int64_t n = bias->type.dims[0];
    if (n != channels && n != MLS_DIM_UNKNOWN && channels != MLS_DIM_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "bias has %lld elements for %lld output channels",
                           (long long)n, (long long)channels);
    return MLS_OK;
}

size_t mls_conv_bias_bytes(const struct mls_op_call *call, unsigned param)
{
    const struct mls_tensor *bias = mls_op_in(call, param);
    if (!bias || bias->type.dtype != MLS_FP16)
        return 0;
    return ((size_t)bias->type.dims[0] * sizeof(float) + 63) / 64 * 64;
}

const float *mls_conv_bias(const struct mls_op_call *call, const struct mls_op_env *env, unsigned param,
                           void *scratch)
{
    const struct mls_tensor *bias = mls_op_in(call, param);
    if (!bias || bias->type.dtype == MLS_FP32)
        return bias ? bias->data : NULL;
    env->kernels->convert->fp16_to_fp32(bias->data, scratch, (size_t)bias->type.dims[0]);
    return scratch;
}

enum mls_status mls_conv_pack(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                              const struct mls_gemm_operand *source, unsigned batch_dim, size_t groups,
                              size_t m, size_t k, const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_gemm_kernels *kernels = env->kernels->gemm;
    size_t elem_bytes = source->dtype == MLS_FP16 ? 2 : 4;
    size_t elems = mls_gemm_packed_elems(kernels, MLS_GEMM_A, m, k), bytes;
    struct mls_conv_weights *packed = MLS_NEW(arena, struct mls_conv_weights);
    uint8_t *panels =
        mls_mul_size(elems * elem_bytes, groups, &bytes) ? mls_arena_alloc_large(arena, bytes) : NULL;
    if (!packed || !panels)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    for (size_t g = 0; g < groups; g++)
        mls_gemm_pack(kernels, env->pool, MLS_GEMM_A, source, g * source->batch_strides[batch_dim], m, k,
                      panels + g * elems * elem_bytes);
    packed->operand = *source;
    packed->operand.form = MLS_GEMM_PACKED;
    packed->operand.data = panels;
    packed->operand.batch_strides[batch_dim] = elems;
    *ret_packed = packed;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}
