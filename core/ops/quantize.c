/* quantize.c: quantize and dequantize: numbers as 8-bit integers with a scale and a zero point. */
#include "ops/op_family.h"
#include "ops/scaling.h"

enum { INPUT, ZERO_POINT, SCALE, AXIS, OUTPUT_DTYPE };

static const struct mls_scaling_params params = {
    .data = INPUT, .scale = SCALE, .offset = ZERO_POINT, .axis = AXIS};

static enum mls_status infer_dequantize(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_blocks blocks;
    enum mls_status status = mls_scaling_axis(call, &params, &blocks, reterr);
    if (status)
        return status;
    struct mls_type type = mls_op_in(call, INPUT)->type;
    type.dtype = mls_op_in(call, SCALE)->type.dtype;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_quantize(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *scale = mls_op_in(call, SCALE);
    struct mls_type type = mls_op_in(call, INPUT)->type;
    struct mls_blocks blocks;
    if (mls_op_text_is(call, OUTPUT_DTYPE, NULL, "int8"))
        type.dtype = MLS_INT8;
    else if (mls_op_text_is(call, OUTPUT_DTYPE, NULL, "uint8"))
        type.dtype = MLS_UINT8;
    else
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "output_dtype is neither int8 nor uint8");
    if (mls_op_given(call, ZERO_POINT) && mls_op_in(call, ZERO_POINT)->type.dtype != type.dtype)
        return mls_op_fail(call, reterr, MLS_ERR_OP_TYPE, "zero_point is %s, output_dtype %s",
                           mls_dtype_name(mls_op_in(call, ZERO_POINT)->type.dtype),
                           mls_dtype_name(type.dtype));
    for (int64_t i = 0, n = mls_type_elems(&scale->type); i < n; i++)
        if (mls_tensor_float(scale, i) == 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "scale is 0");
    enum mls_status status = mls_scaling_axis(call, &params, &blocks, reterr);
    if (!status)
        mls_op_out(call, 0)->type = type;
    return status;
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_blocks blocks;
    if (mls_scaling_axis(call, &params, &blocks, env->error) || !blocks.rank)
        return 0;
    return mls_scaling_scratch_bytes(blocks.n_entries, 0);
}

static enum mls_status run_any(struct mls_op_call *call, struct mls_op_env *env,
                               void (*compute)(struct mls_scaling *scaling, struct mls_pool *pool))
{
    struct mls_blocks blocks;
    enum mls_status status = mls_scaling_axis(call, &params, &blocks, env->error);
    if (status || !blocks.rank)
        return status;
    struct mls_scaling scaling = mls_scaling_prepare(call, env, &params, &blocks, NULL, mls_op_out(call, 0));
    compute(&scaling, env->pool);
    return MLS_OK;
}

static enum mls_status run_quantize(struct mls_op_call *call, struct mls_op_env *env)
{
    call->kernel = "quantize__generic";
    return run_any(call, env, mls_scaling_quantize);
}

static enum mls_status run_dequantize(struct mls_op_call *call, struct mls_op_env *env)
{
    call->kernel = "dequantize__generic";
    return run_any(call, env, mls_scaling_dequantize);
}

#define AXIS_PARAM [AXIS] = {"axis", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}

static const struct mls_op_row rows[] = {
    {.name = "quantize",
     .since = 7,
     .params = {[INPUT] = {"input", MLS_T_FLOAT, 0, 'S'},
                [ZERO_POINT] = {"zero_point", MLS_T_BYTES, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},
                [SCALE] = {"scale", MLS_T_FLOAT, MLS_PARAM_CONST, 'S'},
                AXIS_PARAM,
                [OUTPUT_DTYPE] = {"output_dtype", MLS_T_TEXT, MLS_PARAM_CONST, 0}},
     .infer = infer_quantize,
     .flops = mls_flops_elementwise,
     .scratch_bytes = scratch_bytes,
     .run = run_quantize},
    {.name = "dequantize",
     .since = 7,
     .params = {[INPUT] = {"input", MLS_T_BYTES, 0, 'S'},
                [ZERO_POINT] = {"zero_point", MLS_T_BYTES, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 'S'},
                [SCALE] = {"scale", MLS_T_FLOAT, MLS_PARAM_CONST, 0},
                AXIS_PARAM},
     .infer = infer_dequantize,
     .flops = mls_flops_elementwise,
     .scratch_bytes = scratch_bytes,
     .run = run_dequantize},
};

MLS_OP_FAMILY_DEFINE(quantize, rows);
