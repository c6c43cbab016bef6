/* constexpr_scale.c: quantized constants: small integers with scales and offsets by channel or block. */
#include "kernels/lut/lut.h"
#include "ops/coded.h"
#include "ops/copy.h"
#include "ops/op_family.h"
#include "ops/scaling.h"

/* ---- constexpr_affine_dequantize ---- */

enum { A_DATA, A_ZERO_POINT, A_SCALE, A_AXIS };

static const struct mls_scaling_params affine_params = {
    .data = A_DATA, .scale = A_SCALE, .offset = A_ZERO_POINT, .axis = A_AXIS};

static enum mls_status infer_affine(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_blocks blocks;
    enum mls_status status = mls_scaling_axis(call, &affine_params, &blocks, reterr);
    if (status)
        return status;
    if (!blocks.rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "quantized_data has no elements");
    struct mls_type type = mls_op_in(call, A_DATA)->type;
    type.dtype = mls_op_in(call, A_SCALE)->type.dtype;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static size_t scratch_affine(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_blocks blocks;
    if (mls_scaling_axis(call, &affine_params, &blocks, env->error))
        return 0;
    return mls_scaling_scratch_bytes(blocks.n_entries, 0);
}

static enum mls_status run_affine(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_blocks blocks;
    enum mls_status status = mls_scaling_axis(call, &affine_params, &blocks, env->error);
    if (status)
        return status;
    struct mls_scaling scaling =
        mls_scaling_prepare(call, env, &affine_params, &blocks, NULL, mls_op_out(call, 0));
    mls_scaling_dequantize(&scaling, env->pool);
    call->kernel = "affine_dequantize";
    return MLS_OK;
}

static bool code_affine(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    const struct mls_tensor *data = mls_op_in(call, A_DATA), *scale = mls_op_in(call, A_SCALE);
    struct mls_type shape = data->type;
    unsigned axis = 0;
    bool whole = mls_type_elems(&scale->type) == 1;
    if (data->type.rank > MLS_RANK_MAX ||
        (!whole && !mls_op_axis(mls_op_int(call, A_AXIS, 0), data->type.rank, &axis)))
        return false;
    for (unsigned i = 0; i < shape.rank; i++)
        shape.dims[i] = i == axis && !whole ? shape.dims[i] : 1;
    return mls_code_integers(&data->type, data, ret_coded) &&
           mls_code_scale(&shape, scale, mls_op_in(call, A_ZERO_POINT), arena, ret_coded);
}

/* ---- constexpr_blockwise_shift_scale ---- */

enum { B_DATA, B_SCALE, B_OFFSET };
enum { S_MASK, S_DATA, S_SCALE, S_OFFSET };

static const struct mls_scaling_params block_params = {.data = B_DATA, .scale = B_SCALE, .offset = B_OFFSET};
static const struct mls_scaling_params sparse_params = {.data = S_DATA, .scale = S_SCALE, .offset = S_OFFSET};

/* Checks scale and offset against data whose dense form has type `dense`. */
static enum mls_status solve(const struct mls_op_call *call, const struct mls_scaling_params *params,
                             const struct mls_type *dense, struct mls_blocks *ret_blocks,
                             struct mls_error *reterr)
{
    const struct mls_type *scale = &mls_op_in(call, params->scale)->type;
    enum mls_dtype data = mls_op_in(call, params->data)->type.dtype;
    char left[96], right[96];
    if (scale->rank != dense->rank || !mls_blocks_solve(dense, scale->dims, ret_blocks))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "scale %s does not divide the data, %s",
                           mls_type_format(scale, left, sizeof left),
                           mls_type_format(dense, right, sizeof right));
    if (!mls_op_given(call, params->offset))
        return MLS_OK;
    struct mls_type offset = mls_op_in(call, params->offset)->type, shape = *scale;
    bool is_float = MLS_DTYPE_BIT(offset.dtype) & MLS_T_FLOAT;
    if (!is_float && offset.dtype != data)
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "offset is %s, the data %s",
                           mls_dtype_name(offset.dtype), mls_dtype_name(data));
    shape.dtype = offset.dtype;
    if (!mls_type_equal(&offset, &shape))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "offset %s has not the shape of scale %s",
                           mls_type_format(&offset, left, sizeof left),
                           mls_type_format(scale, right, sizeof right));
    return MLS_OK;
}

static enum mls_status infer_blockwise(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, B_DATA)->type;
    struct mls_blocks blocks;
    enum mls_status status = solve(call, &block_params, &type, &blocks, reterr);
    if (status)
        return status;
    type.dtype = mls_op_in(call, B_SCALE)->type.dtype;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static size_t scratch_blockwise(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return mls_scaling_scratch_bytes(mls_type_elems(&mls_op_in(call, B_SCALE)->type), 0);
}

static enum mls_status run_blockwise(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_blocks blocks;
    enum mls_status status = solve(call, &block_params, &mls_op_in(call, B_DATA)->type, &blocks, env->error);
    if (status)
        return status;
    struct mls_scaling scaling =
        mls_scaling_prepare(call, env, &block_params, &blocks, NULL, mls_op_out(call, 0));
    mls_scaling_dequantize(&scaling, env->pool);
    call->kernel = "blockwise_shift_scale";
    return MLS_OK;
}

/* Scales of what is coded already (a palette with scales), of integers, or of numbers. */
static bool code_scaled(const struct mls_op_call *call, const struct mls_scaling_params *params,
                        const struct mls_type *dense, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    const struct mls_tensor *data = mls_op_in(call, params->data), *scale = mls_op_in(call, params->scale);
    if (data->coded)
        *ret_coded = *data->coded;
    else if (!mls_code_integers(dense, data, ret_coded) && !mls_code_values(dense, data, ret_coded))
        return false;
    return mls_code_scale(&scale->type, scale, mls_op_in(call, params->offset), arena, ret_coded);
}

static bool code_blockwise(const struct mls_op_call *call, struct mls_arena *arena,
                           struct mls_coded *ret_coded)
{
    return code_scaled(call, &block_params, &mls_op_in(call, B_DATA)->type, arena, ret_coded);
}

/* ---- constexpr_sparse_blockwise_shift_scale ---- */

static enum mls_status infer_sparse(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *mask = mls_op_in(call, S_MASK), *data = mls_op_in(call, S_DATA);
    struct mls_blocks blocks;
    enum mls_status status = solve(call, &sparse_params, &mask->type, &blocks, reterr);
    if (status)
        return status;
    size_t n_set = mls_count_bits(mask->data, 0, (size_t)mls_type_elems(&mask->type));
    if (data->type.rank != 1 || (size_t)data->type.dims[0] != n_set)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "nonzero_data has not the %zu elements of the mask", n_set);
    if (call->n_outputs != 2)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs, not 2",
                           call->n_outputs);
    mls_op_out(call, 0)->type = mask->type;
    mls_op_out(call, 1)->type = mls_type_tensor(mls_op_in(call, S_SCALE)->type.dtype, 1, data->type.dims);
    return MLS_OK;
}

static size_t scratch_sparse(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return mls_scaling_scratch_bytes(mls_type_elems(&mls_op_in(call, S_SCALE)->type),
                                     mls_type_elems(&mls_op_in(call, S_MASK)->type));
}

static enum mls_status run_sparse(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *mask = mls_op_in(call, S_MASK);
    struct mls_blocks blocks;
    enum mls_status status = solve(call, &sparse_params, &mask->type, &blocks, env->error);
    if (status)
        return status;
    struct mls_scaling scaling =
        mls_scaling_prepare(call, env, &sparse_params, &blocks, mask, mls_op_out(call, 1));
    mls_scaling_dequantize(&scaling, env->pool);
    mls_copy_bytes(mls_op_out(call, 0)->data, mask->data, mls_type_bytes(&mask->type), env);
    call->kernel = "sparse_shift_scale";
    return MLS_OK;
}

/* Both outputs together; the first, the mask, is that of the input. */
static bool code_sparse(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    const struct mls_tensor *mask = mls_op_in(call, S_MASK);
    if (!code_scaled(call, &sparse_params, &mask->type, arena, ret_coded))
        return false;
    return ret_coded->mask || mls_code_mask(mask->data, arena, ret_coded);
}

#define SCALE_PARAMS(scale, offset)                                                                         \
    [scale] = {"scale", MLS_T_FLOAT, MLS_PARAM_CONST, 0}, [offset] = {"offset", MLS_T_QUANTIZED,            \
                                                                      MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, \
                                                                      0}

static const struct mls_op_row rows[] = {
    {.name = "constexpr_affine_dequantize",
     .since = 6,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[A_DATA] = {"quantized_data", MLS_T_BYTES, MLS_PARAM_CONST, 0},
                [A_ZERO_POINT] = {"zero_point", MLS_T_BYTES | MLS_T_FLOAT, MLS_PARAM_CONST, 0},
                [A_SCALE] = {"scale", MLS_T_FLOAT, MLS_PARAM_CONST, 0},
                [A_AXIS] = {"axis", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_affine,
     .scratch_bytes = scratch_affine,
     .code = code_affine,
     .run = run_affine},
    {.name = "constexpr_blockwise_shift_scale",
     .since = 8,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[B_DATA] = {"data", MLS_T_QUANTIZED, MLS_PARAM_CONST | MLS_PARAM_CODED, 0},
                SCALE_PARAMS(B_SCALE, B_OFFSET)},
     .infer = infer_blockwise,
     .scratch_bytes = scratch_blockwise,
     .code = code_blockwise,
     .run = run_blockwise},
    {.name = "constexpr_sparse_blockwise_shift_scale",
     .since = 8,
     .flags = MLS_OP_CONSTEXPR | MLS_OP_OUTPUTS,
     .params = {[S_MASK] = {"data_mask", MLS_DTYPE_BIT(MLS_UINT1), MLS_PARAM_CONST, 0},
                [S_DATA] = {"nonzero_data", MLS_T_QUANTIZED, MLS_PARAM_CONST | MLS_PARAM_CODED, 0},
                SCALE_PARAMS(S_SCALE, S_OFFSET)},
     .infer = infer_sparse,
     .scratch_bytes = scratch_sparse,
     .code = code_sparse,
     .run = run_sparse},
};

MLS_OP_FAMILY_DEFINE(constexpr_scale, rows);
