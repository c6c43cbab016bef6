/* conv_transpose.c: transposed convolution. */
#include "kernels/conv/conv.h"

#include "ops/conv_weights.h"
#include "ops/op_family.h"
#include "ops/space.h"

enum { P_X, P_WEIGHT, P_BIAS, P_PAD, P_OUTPUT_SHAPE, P_PAD_TYPE, P_STRIDES, P_DILATIONS, P_GROUPS };

static const struct mls_space_params space_params = {.strides = P_STRIDES,
                                                     .pad_type = P_PAD_TYPE,
                                                     .pad = P_PAD,
                                                     .dilations = P_DILATIONS,
                                                     .default_pad_type = "valid"};

static enum mls_status read_space(const struct mls_op_call *call, struct mls_space *ret,
                                  struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, P_X)->type, *weight = &mls_op_in(call, P_WEIGHT)->type;
    enum mls_status status = mls_conv_check_ranks(call, x, weight, reterr);
    if (status == MLS_OK)
        status = mls_space_read(call, &space_params, x->rank - 2u, weight->dims + 2, ret, reterr);
    if (status != MLS_OK)
        return status;
    if (ret->padding == MLS_PADDING_SAME_LOWER)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"pad_type\" of conv_transpose must be valid, custom or same");
    return MLS_OK;
}

static enum mls_status check_channels(const struct mls_op_call *call, const struct mls_type *x,
                                      const struct mls_type *weight, int64_t *ret_channels,
                                      struct mls_error *reterr)
{
    int64_t groups = mls_op_int(call, P_GROUPS, 1), in = x->dims[1];
    if (groups < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "groups is %lld; it must be positive",
                           (long long)groups);
    if (!weight->dims[0] || !weight->dims[1])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the weight has no elements");
    if (in != MLS_DIM_UNKNOWN && weight->dims[0] != MLS_DIM_UNKNOWN && in != weight->dims[0])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has %lld channels, but the weight is for %lld",
                           (long long)in, (long long)weight->dims[0]);
    if (weight->dims[0] != MLS_DIM_UNKNOWN && weight->dims[0] % groups)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "%lld input channels cannot be divided into %lld groups",
                           (long long)weight->dims[0], (long long)groups);
    *ret_channels = MLS_DIM_UNKNOWN;
    if (weight->dims[1] != MLS_DIM_UNKNOWN && __builtin_mul_overflow(weight->dims[1], groups, ret_channels))
        return mls_op_fail(call, reterr, MLS_ERR_LIMIT, "it has too many output channels");
    return mls_conv_check_bias(call, P_BIAS, *ret_channels, reterr);
}

/* The size that parameter "output_shape" gives; its first two entries must agree with the rest. */
static enum mls_status read_output_shape(const struct mls_op_call *call, struct mls_type *type,
                                         struct mls_error *reterr)
{
    int64_t shape[2 + MLS_SPACE];
    if (mls_op_ints(call, P_OUTPUT_SHAPE, shape, 2 + MLS_SPACE) != (int)type->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"output_shape\" must hold %u integers", type->rank);
    for (unsigned i = 0; i < type->rank; i++) {
        if (i < 2 && shape[i] == 0) /* as it is: layers of networks state the spatial dimensions only */
            continue;
        bool fixed = i < 2 && type->dims[i] != MLS_DIM_UNKNOWN;
        if (fixed ? shape[i] != type->dims[i] : shape[i] < (i < 2 ? 0 : 1))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "parameter \"output_shape\" holds %lld for dimension %u, which cannot be",
                               (long long)shape[i], i);
        type->dims[i] = shape[i];
    }
    return MLS_OK;
}

/* One dimension of the output when "output_shape" does not give it; 0 when padding leaves nothing. */
static int64_t output_size(const struct mls_space *space, unsigned i, int64_t in)
{
    int64_t reach = (space->kernel[i] - 1) * space->dilation[i] + 1;
    if (space->padding == MLS_PADDING_SAME)
        return in * space->stride[i];
    int64_t size = (in - 1) * space->stride[i] + reach - space->pad[2 * i] - space->pad[2 * i + 1];
    return size > 0 ? size : 0;
}

static enum mls_status infer_conv_transpose(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *weight = &mls_op_in(call, P_WEIGHT)->type;
    struct mls_type type = mls_op_in(call, P_X)->type;
    struct mls_space space;
    if (type.rank == MLS_RANK_UNKNOWN || weight->rank == MLS_RANK_UNKNOWN) {
        type.rank = MLS_RANK_UNKNOWN;
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    enum mls_status status = read_space(call, &space, reterr);
    if (status == MLS_OK)
        status = check_channels(call, &type, weight, &type.dims[1], reterr);
    if (status != MLS_OK)
        return status;
    for (unsigned i = 0; i < space.n; i++) {
        int64_t in = type.dims[2 + i];
        type.dims[2 + i] = MLS_DIM_UNKNOWN;
        if (in == MLS_DIM_UNKNOWN || space.kernel[i] == MLS_DIM_UNKNOWN)
            continue;
        if (in < 1 || in > INT32_MAX)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "spatial dimension %u of x is %lld", i,
                               (long long)in);
        type.dims[2 + i] = output_size(&space, i, in);
        if (!type.dims[2 + i])
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "padding removes all of spatial dimension %u",
                               i);
    }
    if (mls_op_given(call, P_OUTPUT_SHAPE))
        status = read_output_shape(call, &type, reterr);
    if (status != MLS_OK)
        return status;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* The weight of one group as A: (output channel, kernel element) times input channel. */
static struct mls_gemm_operand weight_operand(const struct mls_tensor *weight, size_t groups)
{
    size_t rows = 1;
    for (unsigned i = 1; i < weight->type.rank; i++)
        rows *= (size_t)weight->type.dims[i];
    return (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                     .dtype = weight->type.dtype,
                                     .data = weight->data,
                                     .row_stride = 1,
                                     .col_stride = rows,
                                     .batch_strides = {(size_t)weight->type.dims[0] / groups * rows}};
}

static struct mls_conv_transpose transpose_of(const struct mls_op_call *call)
{
    const struct mls_tensor *x = mls_op_in(call, P_X), *weight = mls_op_in(call, P_WEIGHT);
    const struct mls_tensor *y = mls_op_out(call, 0);
    const struct mls_conv_weights *packed = call->packed;
    size_t groups = (size_t)mls_op_int(call, P_GROUPS, 1);
    struct mls_space space;
    struct mls_error ignored;
    (void)read_space(call, &space, &ignored); /* infer has accepted it */
    /* Sizes are known, so padding is: what the convolution from y to x would have had. */
    for (unsigned i = 0; i < space.n && space.padding == MLS_PADDING_SAME; i++) {
        int64_t total = (x->type.dims[2 + i] - 1) * space.stride[i] +
                        (space.kernel[i] - 1) * space.dilation[i] + 1 - y->type.dims[2 + i];
        space.pad[2 * i] = total > 0 ? total / 2 : 0;
    }
    space.padding = MLS_PADDING_CUSTOM;
    return (struct mls_conv_transpose){.space = mls_space_window(&space, y->type.dims + 2, x->type.dims + 2),
                                       .batch = (size_t)x->type.dims[0],
                                       .groups = groups,
                                       .in_channels = (size_t)weight->type.dims[0] / groups,
                                       .out_channels = (size_t)weight->type.dims[1],
                                       .fp16 = y->type.dtype == MLS_FP16,
                                       .weights = packed ? packed->operand : weight_operand(weight, groups),
                                       .x = x->data,
                                       .y = y->data,
                                       .epilogue = call->fused};
}

static size_t scratch_conv_transpose(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_conv_transpose conv = transpose_of(call);
    return mls_conv_bias_bytes(call, P_BIAS) +
           mls_conv_transpose_scratch_bytes(env->kernels, &conv, mls_pool_threads(env->pool));
}

static enum mls_status pack_conv_transpose(const struct mls_op_call *call, struct mls_op_env *env,
                                           struct mls_arena *arena, const void **ret_packed,
                                           size_t *ret_packed_bytes)
{
    const struct mls_tensor *weight = mls_op_in(call, P_WEIGHT);
    size_t groups = (size_t)mls_op_int(call, P_GROUPS, 1);
    if (!weight->data)
        return MLS_OK;
    struct mls_gemm_operand source = weight_operand(weight, groups);
    return mls_conv_pack(call, env, arena, &source, 0, groups, source.col_stride,
                         (size_t)weight->type.dims[0] / groups, ret_packed, ret_packed_bytes);
}

static enum mls_status run_conv_transpose(struct mls_op_call *call, struct mls_op_env *env)
{
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    const struct mls_conv_kernels *kernels = env->kernels->conv;
    struct mls_conv_transpose conv = transpose_of(call);
    conv.bias = mls_conv_bias(call, env, P_BIAS, call->scratch);
    mls_conv_transpose_run(env->kernels, env->pool, &conv,
                           (uint8_t *)call->scratch + mls_conv_bias_bytes(call, P_BIAS));
    call->kernel = conv.fp16 ? kernels->name_transpose_fp16 : kernels->name_transpose_fp32;
    return MLS_OK;
}

/* Two for each input element and each element of the kernel that it meets, one for each bias. */
static uint64_t flops_conv_transpose(const struct mls_op_call *call)
{
    const struct mls_type *weight = &mls_op_in(call, P_WEIGHT)->type;
    uint64_t terms = (uint64_t)mls_type_elems(&mls_op_in(call, P_X)->type);
    for (unsigned i = 1; i < weight->rank; i++)
        terms *= (uint64_t)weight->dims[i];
    return 2 * terms + (mls_op_given(call, P_BIAS) ? mls_flops_elementwise(call) : 0);
}

#define OPTIONAL_CONST (MLS_PARAM_CONST | MLS_PARAM_OPTIONAL)
#define CONV_TRANSPOSE_ROW(opset, weight_domain, weight_flags)                                           \
    {                                                                                                    \
        .name = "conv_transpose", .since = opset, .flags = MLS_OP_EPILOGUE,                              \
        .params = {[P_X] = {"x", MLS_T_FLOAT, 0, 'T'},                                                   \
                   [P_WEIGHT] = {"weight", MLS_T_FLOAT, weight_flags, weight_domain},                    \
                   [P_BIAS] = {"bias", MLS_T_FLOAT, MLS_PARAM_OPTIONAL | (weight_flags), weight_domain}, \
                   [P_PAD] = {"pad", MLS_T_I32, OPTIONAL_CONST, 0},                                      \
                   [P_OUTPUT_SHAPE] = {"output_shape", MLS_T_I32, OPTIONAL_CONST, 0},                    \
                   [P_PAD_TYPE] = {"pad_type", MLS_T_TEXT, OPTIONAL_CONST, 0},                           \
                   [P_STRIDES] = {"strides", MLS_T_I32, OPTIONAL_CONST, 0},                              \
                   [P_DILATIONS] = {"dilations", MLS_T_I32, OPTIONAL_CONST, 0},                          \
                   [P_GROUPS] = {"groups", MLS_T_I32, OPTIONAL_CONST, 0}},                               \
        .infer = infer_conv_transpose, .flops = flops_conv_transpose,                                    \
        .scratch_bytes = scratch_conv_transpose, .pack = pack_conv_transpose, .run = run_conv_transpose  \
    }

static const struct mls_op_row rows[] = {
    CONV_TRANSPOSE_ROW(5, 'T', MLS_PARAM_CONST),
    CONV_TRANSPOSE_ROW(7, 'U', 0),
};

MLS_OP_FAMILY_DEFINE(conv_transpose, rows);
