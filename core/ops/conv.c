/* conv.c: convolution, as a product of weights and columns of the input, or directly when channels stay
 * apart. */
#include "ops/conv.h"

#include "kernels/conv/conv.h"

#include "kernels/convert/convert.h"
#include "ops/bytes.h"
#include "ops/coded.h"
#include "ops/conv_weights.h"
#include "ops/fused.h"
#include "ops/product_coded.h"

/* Output channels of a group up to which a group of one input channel is computed directly. */
enum { DEPTHWISE_OUTPUTS_MAX = 4 };

/* The weight that is computed with: conv_quantized's is a constant that packing has made. */
static const struct mls_tensor *weight_of(const struct mls_op_call *call)
{
    const struct mls_conv_weights *packed = call->packed;
    return packed && packed->plain.data ? &packed->plain : mls_op_in(call, MLS_CONV_P_WEIGHT);
}

/* Everything that is known once the types are static. */
struct conv {
    struct mls_window_space space;
    size_t batch, groups;
    size_t in_channels, out_channels; /* of a group */
    bool depthwise;
};

static struct conv conv_of(const struct mls_op_call *call)
{
    const struct mls_type *x = &mls_op_in(call, MLS_CONV_P_X)->type, *weight = &mls_op_in(call, MLS_CONV_P_WEIGHT)->type;
    struct mls_space space;
    struct mls_error ignored;
    (void)mls_conv_read_space(call, &space, &ignored); /* infer has accepted it */
    struct conv conv = {.space = mls_space_window(&space, x->dims + 2, mls_op_out(call, 0)->type.dims + 2),
                        .batch = (size_t)x->dims[0],
                        .groups = (size_t)mls_op_int(call, MLS_CONV_P_GROUPS, 1),
                        .in_channels = (size_t)weight->dims[1]};
    conv.out_channels = (size_t)weight->dims[0] / conv.groups;
    conv.depthwise = conv.in_channels == 1 && conv.out_channels <= DEPTHWISE_OUTPUTS_MAX;
    return conv;
}

static struct mls_window window_of(const struct mls_op_call *call, const struct conv *conv, const float *bias)
{
    const struct mls_tensor *weight = weight_of(call);
    return (struct mls_window){.kind = MLS_WINDOW_DEPTHWISE,
                               .space = conv->space,
                               .n_planes = conv->batch * conv->groups,
                               .outputs = conv->out_channels,
                               .n_channels = conv->groups,
                               .fp16 = mls_op_out(call, 0)->type.dtype == MLS_FP16,
                               .weights_fp16 = weight->type.dtype == MLS_FP16,
                               .weights = weight->data,
                               .bias = bias,
                               .x = mls_op_in(call, MLS_CONV_P_X)->data,
                               .y = mls_op_out(call, 0)->data,
                               .epilogue = call->fused};
}

/* The weight of one group as matrix A: output channels times terms. */
static struct mls_gemm_operand weight_operand(const struct mls_tensor *weight, size_t groups)
{
    size_t terms = (size_t)weight->type.dims[1];
    for (unsigned i = 2; i < weight->type.rank; i++)
        terms *= (size_t)weight->type.dims[i];
    return (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                     .dtype = weight->type.dtype,
                                     .data = weight->data,
                                     .row_stride = terms,
                                     .col_stride = 1,
                                     .batch_strides = {0, (size_t)weight->type.dims[0] / groups * terms}};
}

static struct mls_gemm gemm_of(const struct mls_op_call *call, const struct conv *conv,
                               const struct mls_conv_columns *columns, const float *bias)
{
    const struct mls_tensor *y = mls_op_out(call, 0);
    size_t positions = mls_window_elems(conv->space.out);
    struct mls_gemm gemm = {
        .m = conv->out_channels,
        .n = positions,
        .k = conv->in_channels * mls_window_elems(conv->space.kernel),
        .n_batch_dims = 2,
        .batch_dims = {conv->batch, conv->groups},
        .c = y->data,
        .c_dtype = y->type.dtype,
        .c_stride = positions,
        .c_batch_strides = {conv->groups * conv->out_channels * positions, conv->out_channels * positions},
        .row_bias = bias,
        .row_bias_batch = conv->out_channels,
        .epilogue = call->fused};
    const struct mls_conv_weights *packed = call->packed;
    gemm.a = packed && packed->operand.data ? packed->operand : weight_operand(weight_of(call), conv->groups);
    if (mls_conv16_pointwise(&conv->space)) {
        size_t image = conv->in_channels * positions;
        gemm.b = (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                           .dtype = columns->fp16 ? MLS_FP16 : MLS_FP32,
                                           .data = columns->x,
                                           .row_stride = positions,
                                           .col_stride = 1,
                                           .batch_strides = {conv->groups * image, image}};
    } else {
        gemm.b = (struct mls_gemm_operand){.form = MLS_GEMM_FILLED, .dtype = MLS_FP32, .context = columns};
    }
    return gemm;
}

static struct mls_conv_columns columns_of(const struct mls_op_call *call, const struct conv *conv)
{
    const struct mls_tensor *x = mls_op_in(call, MLS_CONV_P_X);
    return (struct mls_conv_columns){.space = conv->space,
                                     .in_channels = conv->in_channels,
                                     .n_planes = conv->batch * conv->groups * conv->in_channels,
                                     .fp16 = x->type.dtype == MLS_FP16,
                                     .x = x->data};
}

static struct mls_conv16 conv16_of(const struct mls_op_call *call, const struct conv *conv)
{
    const struct mls_conv_weights *packed = call->packed;
    return (struct mls_conv16){.space = conv->space,
                               .batch = conv->batch,
                               .groups = conv->groups,
                               .in_channels = conv->in_channels,
                               .x = mls_op_in(call, MLS_CONV_P_X)->data,
                               .weights = packed->matrices,
                               .bytes = packed->bytes,
                               .rounding = packed->rounding,
                               .bias = packed->bias,
                               .y = mls_op_out(call, 0)->data};
}

static struct mls_winograd winograd_of(const struct mls_op_call *call, const struct conv *conv)
{
    const struct mls_conv_weights *packed = call->packed;
    return (struct mls_winograd){.space = conv->space,
                                 .batch = conv->batch,
                                 .in_channels = conv->in_channels,
                                 .out_channels = conv->out_channels,
                                 .fp16 = mls_op_out(call, 0)->type.dtype == MLS_FP16,
                                 .x = mls_op_in(call, MLS_CONV_P_X)->data,
                                 .y = mls_op_out(call, 0)->data,
                                 .weights = packed->floats,
                                 .bias = packed->bias};
}

/* The method that the weights were packed for. */
static enum mls_conv_method method_of(const struct mls_op_call *call)
{
    const struct mls_conv_weights *packed = call->packed;
    return packed ? packed->method : MLS_CONV_PRODUCT;
}

static size_t scratch_of_method(const struct mls_op_call *call, const struct mls_op_env *env,
                                const struct conv *conv)
{
    uint32_t threads = mls_pool_threads(env->pool);
    enum mls_conv_method method = method_of(call);
    if (method == MLS_CONV_WINOGRAD) {
        struct mls_winograd winograd = winograd_of(call, conv);
        return mls_winograd_scratch_bytes(&winograd, threads);
    }
    if (method == MLS_CONV_PRODUCT)
        return 0;
    struct mls_conv16 conv16 = conv16_of(call, conv);
    return mls_conv16_scratch_bytes(&conv16, threads);
}

/*
 * A product of a matrix of weights with few columns, or few images of one position: those take as long as the weights
 * take to be read.
 */
static bool has_few_positions(const struct conv *conv)
{
    size_t positions = mls_window_elems(conv->space.out);
    return (conv->batch == 1 || positions == 1) && conv->batch * positions <= MLS_PRODUCT_FEW_ROWS;
}

static bool is_matrix_product(const struct mls_op_call *call, const struct conv *conv)
{
    return conv->groups == 1 && !conv->depthwise && mls_conv16_pointwise(&conv->space) &&
           mls_op_in(call, MLS_CONV_P_WEIGHT)->type.dtype == MLS_FP16;
}

static uint32_t pack_kind_conv(const struct mls_op_call *call)
{
    if (!mls_type_is_static(&mls_op_out(call, 0)->type) || !mls_type_is_static(&mls_op_in(call, MLS_CONV_P_WEIGHT)->type))
        return 0;
    struct conv conv = conv_of(call);
    return is_matrix_product(call, &conv) && has_few_positions(&conv);
}

static const struct mls_product_packed *product_of(const struct mls_op_call *call)
{
    const struct mls_conv_weights *packed = call->packed;
    return packed ? packed->product : NULL;
}

static struct mls_matvec matvec_of(const struct mls_op_call *call, const struct conv *conv, const float *bias)
{
    const struct mls_tensor *x = mls_op_in(call, MLS_CONV_P_X), *y = mls_op_out(call, 0);
    const struct mls_product_packed *product = product_of(call);
    size_t positions = mls_window_elems(conv->space.out);
    return (struct mls_matvec){.m = conv->batch * positions,
                               .x = x->data,
                               .columns = positions > 1,
                               .x_dtype = x->type.dtype,
                               .exact = product->exact,
                               .weights = product->panels,
                               .bias = bias,
                               .y = y->data,
                               .y_dtype = y->type.dtype,
                               .epilogue = call->fused};
}

static size_t scratch_conv(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct conv conv = conv_of(call);
    uint32_t threads = mls_pool_threads(env->pool);
    size_t bias_bytes = mls_conv_bias_bytes(call, MLS_CONV_P_BIAS);
    if (conv.depthwise) {
        struct mls_depthwise depthwise = {.window = window_of(call, &conv, NULL)};
        if (mls_depthwise_suits(env->kernels, &depthwise.window))
            return bias_bytes + mls_depthwise_scratch_bytes(env->kernels, &depthwise, threads);
        return bias_bytes + mls_window_scratch_bytes(env->kernels, &depthwise.window, threads);
    }
    struct mls_conv_columns columns = columns_of(call, &conv);
    struct mls_gemm gemm = gemm_of(call, &conv, &columns, NULL);
    const struct mls_product_packed *product = product_of(call);
    if (product && product->panels) {
        struct mls_matvec matvec = matvec_of(call, &conv, NULL);
        return bias_bytes + mls_matvec_scratch_bytes(&matvec);
    }
    if (product)
        return bias_bytes + mls_product_strips_bytes(env, product, &gemm);
    size_t method_bytes = scratch_of_method(call, env, &conv);
    if (method_of(call) == MLS_CONV_BYTES)
        return bias_bytes + method_bytes;
    size_t bytes = mls_gemm_scratch_bytes(env->kernels, &gemm, threads);
    bytes = bytes > method_bytes ? bytes : method_bytes;
    return bias_bytes + bytes;
}

static enum mls_status pack_weight(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const struct mls_tensor *weight,
                                   const void **ret_packed, size_t *ret_packed_bytes)
{
    size_t groups = (size_t)mls_op_int(call, MLS_CONV_P_GROUPS, 1);
    size_t out_channels = (size_t)weight->type.dims[0] / groups;
    if (weight->type.dims[1] == 1 && out_channels <= DEPTHWISE_OUTPUTS_MAX)
        return MLS_OK; /* read where it is */
    struct mls_gemm_operand source = weight_operand(weight, groups);
    struct conv conv = conv_of(call);
    bool bias_known = call->row->params[MLS_CONV_P_BIAS].name && mls_op_given(call, MLS_CONV_P_BIAS);
    enum mls_conv_method method = mls_conv_choose(env, &conv.space, mls_op_out(call, 0)->type.dtype, groups,
                                                  out_channels, source.row_stride);
    struct mls_conv_weights *packed;
    enum mls_status status =
        mls_conv_pack_method(call, env, arena, weight, bias_known ? mls_op_in(call, MLS_CONV_P_BIAS) : NULL, groups,
                             method, &conv.space, &packed, ret_packed_bytes);
    if (status != MLS_OK || packed) {
        *ret_packed = packed;
        return status;
    }
    return mls_conv_pack(call, env, arena, &source, 1, groups, out_channels, source.row_stride, ret_packed,
                         ret_packed_bytes);
}

/* As it is stored: *ret_packed stays NULL where it has to be decompressed, or packed by a faster method. */
static enum mls_status pack_stored(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                   const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_CONV_P_WEIGHT);
    bool few = pack_kind_conv(call);
    struct conv conv = conv_of(call);
    struct mls_coded values;
    const struct mls_coded *coded = weight->coded;
    const struct mls_product_packed *product = NULL;
    if (!coded && few && mls_code_values(&weight->type, weight, &values))
        coded = &values;
    if (!coded || !is_matrix_product(call, &conv))
        return MLS_OK;
    enum mls_status status =
        mls_product_pack_coded(call, env, arena, coded, MLS_GEMM_A, false, few, &product, ret_packed_bytes);
    if (status || !product)
        return status;
    struct mls_conv_weights *packed = MLS_NEW(arena, struct mls_conv_weights);
    if (!packed)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    packed->product = product;
    *ret_packed = packed;
    return MLS_OK;
}

/* A weight that is used in its plain form, but was kept compressed. */
static enum mls_status pack_plain(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                  const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_CONV_P_WEIGHT);
    size_t bytes = mls_type_bytes(&weight->type);
    struct mls_conv_weights *plain = MLS_NEW(arena, struct mls_conv_weights);
    uint16_t *halves = mls_arena_alloc(arena, bytes, 64);
    if (!plain || !halves)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weight");
    const struct mls_coded *coded = weight->coded;
    mls_coded_expand(env->kernels, env->pool, coded, &(struct mls_coded_part){0, coded->n, 0, coded->k}, halves);
    plain->plain = (struct mls_tensor){.type = weight->type, .data = halves};
    *ret_packed = plain;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}

static enum mls_status pack_conv(const struct mls_op_call *call, struct mls_op_env *env,
                                 struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_CONV_P_WEIGHT);
    if (!weight->data && !weight->coded)
        return MLS_OK;
    enum mls_status status = pack_stored(call, env, arena, ret_packed, ret_packed_bytes);
    if (status || *ret_packed)
        return status;
    status = mls_product_pack_expanded(call, env, arena, weight, pack_weight, ret_packed, ret_packed_bytes);
    if (!status && !*ret_packed && weight->coded)
        return pack_plain(call, env, arena, ret_packed, ret_packed_bytes);
    return status;
}

static enum mls_status pack_conv_bytes(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                       const void **ret_packed, size_t *ret_packed_bytes)
{
    struct conv conv = conv_of(call);
    struct mls_dot8_rounding rounding = mls_bytes_rounding(call, MLS_CONV_P_BYTES);
    return mls_conv_pack_bytes(call, env, arena, mls_op_in(call, MLS_CONV_P_WEIGHT)->coded, mls_op_in(call, MLS_CONV_P_BIAS), conv.groups,
                               &conv.space, &rounding, ret_packed, ret_packed_bytes);
}

static enum mls_status pack_conv_quantized(const struct mls_op_call *call, struct mls_op_env *env,
                                           struct mls_arena *arena, const void **ret_packed,
                                           size_t *ret_packed_bytes)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_CONV_P_WEIGHT);
    const struct mls_tensor *scale = mls_op_in(call, MLS_CONV_P_QUANT_SCALE), *bias = mls_op_in(call, MLS_CONV_P_QUANT_BIAS);
    size_t channels = (size_t)weight->type.dims[0], n = (size_t)mls_type_elems(&weight->type);
    struct mls_conv_weights *plain = MLS_NEW(arena, struct mls_conv_weights);
    float *values = mls_arena_array(arena, n, sizeof *values, 64);
    if (!plain || !values)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weight");
    for (size_t i = 0; i < n; i++) {
        int64_t channel = (int64_t)(i / (n / channels));
        double factor = mls_tensor_float(scale, mls_type_elems(&scale->type) == 1 ? 0 : channel);
        double offset = mls_tensor_float(bias, mls_type_elems(&bias->type) == 1 ? 0 : channel);
        values[i] = (float)((double)((const uint8_t *)weight->data)[i] * factor + offset);
    }
    plain->plain = *weight;
    plain->plain.type.dtype = MLS_FP32;
    plain->plain.data = values;
    *ret_packed = plain;
    *ret_packed_bytes = n * sizeof *values;
    return pack_weight(call, env, arena, &plain->plain, ret_packed, ret_packed_bytes);
}

static void run_depthwise(struct mls_op_call *call, const struct mls_op_env *env, const struct conv *conv,
                          const float *bias, void *scratch)
{
    struct mls_depthwise depthwise = {.window = window_of(call, conv, bias)};
    bool fp16 = depthwise.window.fp16;
    if (!mls_depthwise_suits(env->kernels, &depthwise.window)) {
        const struct mls_window_kernels *kernels = env->kernels->window;
        mls_window_run(env->kernels, env->pool, &depthwise.window, scratch);
        call->kernel = (fp16 ? kernels->names_fp16 : kernels->names_fp32)[MLS_WINDOW_DEPTHWISE];
        return;
    }
    size_t n_clamps = mls_fused_clamp(call->fused, env->kernels, &depthwise.low, &depthwise.high);
    struct mls_fused_ops rest;
    struct mls_epilogue epilogue;
    depthwise.window.epilogue = mls_fused_rest(call->fused, n_clamps, &rest, &epilogue);
    mls_depthwise_run(env->kernels, env->pool, &depthwise, scratch);
    call->kernel = fp16 ? env->kernels->conv->name_depthwise_fp16 : env->kernels->conv->name_depthwise_fp32;
}

/* By the method that the weights were packed for; false when there is none, or it cannot do with what the
 * input holds. */
static bool run_method(struct mls_op_call *call, const struct mls_op_env *env, const struct conv *conv,
                       void *scratch)
{
    enum mls_conv_method method = method_of(call);
    struct mls_fused_ops rest;
    struct mls_epilogue epilogue;
    float low, high;
    const struct mls_tensor *added =
        method == MLS_CONV_INTEGERS || method == MLS_CONV_BYTES ? mls_fused_add(call->fused, env->kernels) : NULL;
    const struct mls_epilogue *left = mls_fused_rest(call->fused, added ? 1 : 0, &rest, &epilogue);
    size_t n_clamps = mls_fused_clamp(left, env->kernels, &low, &high);
    left = mls_fused_rest(call->fused, n_clamps + (added ? 1 : 0), &rest, &epilogue);
    const struct mls_dot16_kernels *dot16 = env->kernels->dot16;
    const struct mls_dot8_kernels *dot8 = env->kernels->dot8;
    if (method == MLS_CONV_WINOGRAD) {
        struct mls_winograd winograd = winograd_of(call, conv);
        winograd.low = low;
        winograd.high = high;
        winograd.epilogue = left;
        call->kernel = env->kernels->conv->winograd.name;
        return mls_winograd_run(env->kernels, env->pool, &winograd, scratch);
    }
    if (method == MLS_CONV_PRODUCT)
        return false;
    struct mls_conv16 conv16 = conv16_of(call, conv);
    conv16.added = added ? added->data : NULL;
    conv16.low = low;
    conv16.high = high;
    conv16.epilogue = left;
    bool pointwise = mls_conv16_pointwise(&conv->space);
    if (method == MLS_CONV_BYTES)
        call->kernel = pointwise ? dot8->name_pointwise : dot8->name_conv;
    else
        call->kernel = pointwise ? dot16->name_pointwise : dot16->name_conv;
    return mls_conv16_run(env->kernels, env->pool, &conv16, scratch);
}

static enum mls_status run_conv(struct mls_op_call *call, struct mls_op_env *env)
{
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    if (!call->packed && mls_op_in(call, MLS_CONV_P_WEIGHT)->type.dtype == MLS_UINT8)
        return mls_op_fail(call, env->error, MLS_ERR_OP_UNSUPPORTED, "a weight that depends on input shapes");
    struct conv conv = conv_of(call);
    bool fp16 = mls_op_out(call, 0)->type.dtype == MLS_FP16;
    const float *bias = mls_conv_bias(call, env, MLS_CONV_P_BIAS, call->scratch);
    void *scratch = (uint8_t *)call->scratch + mls_conv_bias_bytes(call, MLS_CONV_P_BIAS);
    if (conv.depthwise) {
        run_depthwise(call, env, &conv, bias, scratch);
        return MLS_OK;
    }
    const struct mls_product_packed *product = product_of(call);
    if (product && product->panels) {
        struct mls_matvec matvec = matvec_of(call, &conv, bias);
        mls_matvec_run(env->kernels, env->pool, &matvec, scratch, &call->kernel);
        return MLS_OK;
    }
    if (!product && run_method(call, env, &conv, scratch))
        return MLS_OK;
    const struct mls_conv_kernels *kernels = env->kernels->conv;
    struct mls_conv_columns columns = columns_of(call, &conv);
    struct mls_gemm gemm = gemm_of(call, &conv, &columns, bias);
    gemm.b.fill = kernels->columns;
    if (product)
        return mls_product_strips_run(call, env, product, &gemm, scratch);
    struct mls_fused_left left;
    mls_fused_into_product(env->kernels, &gemm, &left);
    mls_gemm_run(env->kernels, env->pool, &gemm, scratch);
    if (mls_conv16_pointwise(&conv.space))
        call->kernel = fp16 ? kernels->name_pointwise_fp16 : kernels->name_pointwise_fp32;
    else
        call->kernel = fp16 ? kernels->name_fp16 : kernels->name_fp32;
    return MLS_OK;
}

/* Two for each term, one for each bias. */
static uint64_t flops_conv(const struct mls_op_call *call)
{
    const struct mls_type *weight = &mls_op_in(call, MLS_CONV_P_WEIGHT)->type;
    uint64_t terms = (uint64_t)weight->dims[1];
    for (unsigned i = 2; i < weight->rank; i++)
        terms *= (uint64_t)weight->dims[i];
    return mls_flops_elementwise(call) * (2 * terms + (mls_op_given(call, MLS_CONV_P_BIAS) ? 1 : 0));
}

#define OPTIONAL_CONST (MLS_PARAM_CONST | MLS_PARAM_OPTIONAL)
#define CONV_PARAMS(weight_types, weight_domain, weight_flags, bias_flags)                                  \
    [MLS_CONV_P_X] = {"x", MLS_T_FLOAT, 0, 'T'}, [MLS_CONV_P_WEIGHT] = {"weight", weight_types, weight_flags, weight_domain}, \
    [MLS_CONV_P_BIAS] = {"bias", weight_types, MLS_PARAM_OPTIONAL | (bias_flags), weight_domain},                    \
    [MLS_CONV_P_STRIDES] = {"strides", MLS_T_I32, OPTIONAL_CONST, 0},                                                \
    [MLS_CONV_P_PAD_TYPE] = {"pad_type", MLS_T_TEXT, OPTIONAL_CONST, 0},                                             \
    [MLS_CONV_P_PAD] = {"pad", MLS_T_I32, OPTIONAL_CONST, 0},                                                        \
    [MLS_CONV_P_DILATIONS] = {"dilations", MLS_T_I32, OPTIONAL_CONST, 0},                                            \
    [MLS_CONV_P_GROUPS] = {"groups", MLS_T_I32, OPTIONAL_CONST, 0}
#define CONV_ROW(opset, weight_domain, bias_flags)                                               \
    {                                                                                            \
        .name = "conv", .since = opset, .flags = MLS_OP_EPILOGUE,                                \
        .params = {CONV_PARAMS(MLS_T_FLOAT, weight_domain, MLS_PARAM_CODED, bias_flags)},        \
        .infer = mls_conv_infer, .flops = flops_conv, .scratch_bytes = scratch_conv,                 \
        .pack = pack_conv, .pack_kind = pack_kind_conv, .run = run_conv                          \
    }

static const struct mls_op_row rows[] = {
    CONV_ROW(5, 'T', MLS_PARAM_CONST),
    CONV_ROW(7, 'U', 0),
    {.name = "conv_quantized",
     .since = 5,
     .flags = MLS_OP_EPILOGUE,
     .params = {CONV_PARAMS(MLS_DTYPE_BIT(MLS_UINT8), 'U', MLS_PARAM_CONST, MLS_PARAM_CONST),
                [MLS_CONV_P_QUANTIZATION_TYPE] = {"quantization_type", MLS_T_TEXT, MLS_PARAM_CONST, 0},
                [MLS_CONV_P_NBITS] = {"nbits", MLS_T_I32, OPTIONAL_CONST, 0},
                [MLS_CONV_P_QUANT_SCALE] = {"quant_scale", MLS_T_FLOAT, MLS_PARAM_CONST, 'T'},
                [MLS_CONV_P_QUANT_BIAS] = {"quant_bias", MLS_T_FLOAT, MLS_PARAM_CONST, 'T'}},
     .infer = mls_conv_infer_quantized,
     .flops = flops_conv,
     .scratch_bytes = scratch_conv,
     .pack = pack_conv_quantized,
     .run = run_conv},
    {.name = "pass_conv_bytes",
     .since = 5,
     .flags = MLS_OP_EPILOGUE,
     .params = {CONV_PARAMS(MLS_DTYPE_BIT(MLS_FP16), 'T', MLS_PARAM_CONST | MLS_PARAM_CODED, MLS_PARAM_CONST),
                MLS_BYTES_PARAM_ROWS(MLS_CONV_P_BYTES)},
     .infer = mls_conv_infer_bytes,
     .flops = flops_conv,
     .scratch_bytes = scratch_conv,
     .pack = pack_conv_bytes,
     .run = run_conv},
};

MLS_OP_FAMILY_DEFINE(conv, rows);
