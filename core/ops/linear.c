/* linear.c: x times a constant matrix. */
#include "ops/linear.h"

#include "kernels/convert/convert.h"
#include "ops/coded.h"
#include "ops/fused.h"
#include "ops/product_coded.h"


enum mls_status mls_linear_infer(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *weight = &mls_op_in(call, MLS_LINEAR_WEIGHT)->type;
    const struct mls_tensor *bias = mls_op_in(call, MLS_LINEAR_BIAS);
    struct mls_type type = mls_op_in(call, MLS_LINEAR_X)->type;
    if (weight->rank != 2)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the weight has rank %u; it must be 2",
                           weight->rank);
    if (bias && (bias->type.rank != 1 || mls_product_differ(bias->type.dims[0], weight->dims[0])))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "bias must hold %lld elements, one for each output", (long long)weight->dims[0]);
    if (type.rank != MLS_RANK_UNKNOWN) {
        if (!type.rank)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x is a scalar");
        int64_t *last = &type.dims[type.rank - 1];
        if (mls_product_differ(*last, weight->dims[1]))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "the last dimension of x is %lld, but the weight takes %lld", (long long)*last,
                               (long long)weight->dims[1]);
        *last = weight->dims[0];
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static struct mls_gemm linear_gemm(const struct mls_op_call *call)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_LINEAR_WEIGHT), *y = mls_op_out(call, 0);
    const struct mls_product_packed *packed = call->packed;
    size_t n = (size_t)weight->type.dims[0], k = (size_t)weight->type.dims[1];
    struct mls_gemm gemm = {.m = 1,
                            .n = n,
                            .k = k,
                            .a = mls_product_operand(mls_op_in(call, MLS_LINEAR_X), k, 1),
                            .b = mls_product_operand(weight, 1, k),
                            .c = y->data,
                            .c_dtype = y->type.dtype,
                            .c_stride = n,
                            .epilogue = call->fused};
    for (unsigned i = 0; i + 1 < y->type.rank; i++)
        gemm.m *= (size_t)y->type.dims[i];
    if (packed && !packed->panels && !packed->strips)
        mls_product_use(packed, &gemm.b);
    return gemm;
}

/* The type in which terms are summed. */
static enum mls_dtype sum_dtype(const struct mls_op_call *call)
{
    return mls_product_is_float(&mls_op_out(call, 0)->type) ? MLS_FP32 : MLS_INT32;
}

/* Of the bias in the type of the sums, if it has another. */
static size_t linear_bias_bytes(const struct mls_op_call *call)
{
    const struct mls_tensor *bias = mls_op_in(call, MLS_LINEAR_BIAS);
    return bias && bias->type.dtype != sum_dtype(call)
               ? ((size_t)bias->type.dims[0] * sizeof(float) + 63) / 64 * 64
               : 0;
}

static uint32_t pack_kind_linear(const struct mls_op_call *call)
{
    const struct mls_type *y = &mls_op_out(call, 0)->type;
    int64_t n = mls_op_in(call, MLS_LINEAR_WEIGHT)->type.dims[0];
    return mls_type_is_static(y) && n > 0 && mls_type_elems(y) <= MLS_PRODUCT_FEW_ROWS * n;
}

static enum mls_status pack_dense(const struct mls_op_call *call, struct mls_op_env *env,
                                  struct mls_arena *arena, const struct mls_tensor *weight,
                                  const void **ret_packed, size_t *ret_packed_bytes)
{
    size_t n = (size_t)weight->type.dims[0], k = (size_t)weight->type.dims[1];
    return mls_product_pack(call, env, arena, MLS_GEMM_B, weight, mls_product_operand(weight, 1, k), 1, n, k,
                            true, ret_packed, ret_packed_bytes);
}

static enum mls_status pack_linear(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_LINEAR_WEIGHT);
    bool few = pack_kind_linear(call), floats = mls_product_is_float(&mls_op_out(call, 0)->type);
    struct mls_coded values;
    const struct mls_coded *coded = weight->coded;
    if (!coded && few && floats && mls_code_values(&weight->type, weight, &values))
        coded = &values;
    const struct mls_product_packed *packed = NULL;
    enum mls_status status = MLS_OK;
    if (coded)
        status = mls_product_pack_coded(call, env, arena, coded, MLS_GEMM_B, false, few, &packed, ret_packed_bytes);
    *ret_packed = packed;
    if (status || packed || (!weight->data && !weight->coded))
        return status;
    return mls_product_pack_expanded(call, env, arena, weight, pack_dense, ret_packed, ret_packed_bytes);
}

static struct mls_matvec linear_matvec(const struct mls_op_call *call, const struct mls_gemm *gemm,
                                       const struct mls_product_packed *packed)
{
    return (struct mls_matvec){.m = gemm->m,
                               .x = gemm->a.data,
                               .x_dtype = mls_op_in(call, MLS_LINEAR_X)->type.dtype,
                               .exact = packed->exact,
                               .weights = packed->panels,
                               .y = gemm->c,
                               .y_dtype = gemm->c_dtype,
                               .epilogue = gemm->epilogue};
}

static size_t scratch_linear(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_gemm gemm = linear_gemm(call);
    const struct mls_product_packed *packed = call->packed;
    if (gemm.c_dtype == MLS_INT32)
        return linear_bias_bytes(call);
    if (packed && packed->panels) {
        struct mls_matvec matvec = linear_matvec(call, &gemm, packed);
        return linear_bias_bytes(call) + mls_matvec_scratch_bytes(&matvec);
    }
    if (packed && packed->strips)
        return linear_bias_bytes(call) + mls_product_strips_bytes(env, packed, &gemm);
    return linear_bias_bytes(call) + mls_gemm_scratch_bytes(env->kernels, &gemm, mls_pool_threads(env->pool));
}

static enum mls_status run_linear(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *bias = mls_op_in(call, MLS_LINEAR_BIAS);
    struct mls_gemm gemm = linear_gemm(call);
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    const void *terms = bias ? bias->data : NULL;
    if (linear_bias_bytes(call)) {
        if (bias->type.dtype == MLS_FP16 && sum_dtype(call) == MLS_FP32)
            env->kernels->convert->fp16_to_fp32(bias->data, call->scratch, gemm.n);
        else
            mls_cast(bias->type.dtype, bias->data, sum_dtype(call), call->scratch, gemm.n);
        terms = call->scratch;
    }
    if (gemm.c_dtype == MLS_INT32) {
        mls_gemm_int32(&gemm, 0, 0, gemm.c, terms);
        call->kernel = "gemm_int32__generic";
        return MLS_OK;
    }
    const struct mls_product_packed *packed = call->packed;
    void *scratch = (uint8_t *)call->scratch + linear_bias_bytes(call);
    if (packed && packed->panels) {
        struct mls_matvec matvec = linear_matvec(call, &gemm, packed);
        matvec.bias = terms;
        mls_matvec_run(env->kernels, env->pool, &matvec, scratch, &call->kernel);
        return MLS_OK;
    }
    gemm.col_bias = terms;
    if (packed && packed->strips)
        return mls_product_strips_run(call, env, packed, &gemm, scratch);
    struct mls_fused_left left;
    mls_fused_into_product(env->kernels, &gemm, &left);
    return mls_product_run(call, env, &gemm, scratch);
}

uint64_t mls_linear_flops(const struct mls_op_call *call)
{
    uint64_t k = (uint64_t)mls_op_in(call, MLS_LINEAR_WEIGHT)->type.dims[1];
    return mls_flops_elementwise(call) * (2 * k + (mls_op_given(call, MLS_LINEAR_BIAS) ? 1 : 0));
}

#define LINEAR_ROW(opset, weight_domain)                                                                     \
    {                                                                                                        \
        .name = "linear", .since = opset, .flags = MLS_OP_EPILOGUE,                                          \
        .params = {[MLS_LINEAR_X] = {"x", MLS_T_PRODUCT, 0, 'T'},                                                     \
                   [MLS_LINEAR_WEIGHT] = {"weight", MLS_T_PRODUCT, MLS_PARAM_CONST | MLS_PARAM_CODED, weight_domain}, \
                   [MLS_LINEAR_BIAS] = {"bias", MLS_T_PRODUCT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, weight_domain}}, \
        .infer = mls_linear_infer, .flops = mls_linear_flops, .scratch_bytes = scratch_linear, .pack = pack_linear,  \
        .pack_kind = pack_kind_linear, .run = run_linear                                                     \
    }

static const struct mls_op_row rows[] = {LINEAR_ROW(5, 'T'), LINEAR_ROW(7, 'U')};

MLS_OP_FAMILY_DEFINE(linear, rows);
