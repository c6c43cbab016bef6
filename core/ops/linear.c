/* linear.c: x times a constant matrix. */
#include <stdlib.h>
#include <string.h>

#include "kernels/convert/convert.h"
#include "kernels/matvec/matvec.h"
#include "ops/product.h"

enum { L_X, L_WEIGHT, L_BIAS };

static enum mls_status infer_linear(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *weight = &mls_op_in(call, L_WEIGHT)->type;
    const struct mls_tensor *bias = mls_op_in(call, L_BIAS);
    struct mls_type type = mls_op_in(call, L_X)->type;
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
    const struct mls_tensor *weight = mls_op_in(call, L_WEIGHT), *y = mls_op_out(call, 0);
    const struct mls_product_packed *packed = call->packed;
    size_t n = (size_t)weight->type.dims[0], k = (size_t)weight->type.dims[1];
    struct mls_gemm gemm = {.m = 1,
                            .n = n,
                            .k = k,
                            .a = mls_product_operand(mls_op_in(call, L_X), k, 1),
                            .b = mls_product_operand(weight, 1, k),
                            .c = y->data,
                            .c_dtype = y->type.dtype,
                            .c_stride = n,
                            .epilogue = call->fused};
    for (unsigned i = 0; i + 1 < y->type.rank; i++)
        gemm.m *= (size_t)y->type.dims[i];
    if (packed && !packed->coded)
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
    const struct mls_tensor *bias = mls_op_in(call, L_BIAS);
    return bias && bias->type.dtype != sum_dtype(call)
               ? ((size_t)bias->type.dims[0] * sizeof(float) + 63) / 64 * 64
               : 0;
}

/* Products of so few rows take as long as reading the weights. */
enum { FEW_ROWS = 4 };

static uint32_t pack_kind_linear(const struct mls_op_call *call)
{
    const struct mls_type *y = &mls_op_out(call, 0)->type;
    int64_t n = mls_op_in(call, L_WEIGHT)->type.dims[0];
    return mls_type_is_static(y) && n > 0 && mls_type_elems(y) <= FEW_ROWS * n;
}

/* Weights that a product reads as they are stored; NULL: none. */
static enum mls_status find_coded(const struct mls_op_call *call, struct mls_op_env *env,
                                  struct mls_arena *arena, const struct mls_coded **ret_coded)
{
    const struct mls_tensor *weight = mls_op_in(call, L_WEIGHT);
    bool few = pack_kind_linear(call);
    *ret_coded = few || env->weights == MLS_WEIGHTS_COMPRESSED ? weight->coded : NULL;
    bool half = weight->type.dtype == MLS_FP16 && mls_product_is_float(&mls_op_out(call, 0)->type);
    if (!few || !half || !weight->data)
        return MLS_OK;
    struct mls_coded *coded = MLS_NEW(arena, struct mls_coded);
    if (!coded)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    *coded = (struct mls_coded){.coding = MLS_CODING_FP16,
                                .n = (size_t)weight->type.dims[0],
                                .k = (size_t)weight->type.dims[1],
                                .codes = weight->data,
                                .bytes = mls_type_bytes(&weight->type)};
    if (mls_matvec_can(coded))
        *ret_coded = coded;
    return MLS_OK;
}

/* Weights from which on it pays to read them from large pages instead of the file's. */
enum { COPY_BYTES = 256 * 1024 };

static const void *copy_large(struct mls_arena *arena, const void *data, size_t bytes)
{
    void *copy = mls_arena_alloc_large(arena, bytes);
    if (copy)
        memcpy(copy, data, bytes);
    return copy;
}

/* The same weights in memory of the session, unless they are few, or lie in memory already. */
static enum mls_status place_coded(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, struct mls_coded *coded, size_t *ret_bytes)
{
    size_t codes = mls_coded_code_bytes(coded),
           scales = coded->scales ? coded->n * (coded->k / coded->block) * 2 : 0;
    if (codes < COPY_BYTES || mls_arena_is_secret(arena))
        return MLS_OK;
    coded->codes = copy_large(arena, coded->codes, codes);
    if (coded->scales)
        coded->scales = copy_large(arena, coded->scales, scales);
    if (!coded->codes || (scales && !coded->scales))
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    *ret_bytes = codes + scales;
    return MLS_OK;
}

static enum mls_status pack_coded(const struct mls_op_call *call, struct mls_op_env *env,
                                  struct mls_arena *arena, const struct mls_coded *coded,
                                  const void **ret_packed, size_t *ret_packed_bytes)
{
    struct mls_product_packed *packed = MLS_NEW(arena, struct mls_product_packed);
    struct mls_coded *own = MLS_NEW(arena, struct mls_coded);
    if (!packed || !own)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its weights");
    *own = *coded;
    *packed = (struct mls_product_packed){.side = MLS_GEMM_B, .dtype = MLS_FP16, .coded = own};
    *ret_packed = packed;
    *ret_packed_bytes = sizeof *packed;
    return place_coded(call, env, arena, own, ret_packed_bytes);
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
    const struct mls_tensor *weight = mls_op_in(call, L_WEIGHT);
    const struct mls_coded *coded;
    enum mls_status status = find_coded(call, env, arena, &coded);
    if (status || (!weight->data && !weight->coded))
        return status;
    if (coded)
        return pack_coded(call, env, arena, coded, ret_packed, ret_packed_bytes);
    if (weight->data)
        return pack_dense(call, env, arena, weight, ret_packed, ret_packed_bytes);
    struct mls_tensor expanded = {.type = weight->type};
    size_t bytes = mls_type_bytes(&weight->type);
    uint16_t *halves = bytes != SIZE_MAX ? malloc(bytes) : NULL;
    expanded.data = halves;
    if (!halves || !mls_coded_expand(env->kernels, env->pool, weight->coded, halves))
        status = mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    else
        status = pack_dense(call, env, arena, &expanded, ret_packed, ret_packed_bytes);
    free(halves);
    return status;
}

static struct mls_matvec linear_matvec(const struct mls_op_call *call, const struct mls_gemm *gemm,
                                       const struct mls_coded *coded)
{
    return (struct mls_matvec){.m = gemm->m,
                               .x = gemm->a.data,
                               .x_dtype = mls_op_in(call, L_X)->type.dtype,
                               .weights = coded,
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
    if (packed && packed->coded) {
        struct mls_matvec matvec = linear_matvec(call, &gemm, packed->coded);
        return linear_bias_bytes(call) + mls_matvec_scratch_bytes(env->kernels, &matvec);
    }
    return linear_bias_bytes(call) + mls_gemm_scratch_bytes(env->kernels, &gemm, mls_pool_threads(env->pool));
}

static enum mls_status run_linear(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *bias = mls_op_in(call, L_BIAS);
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
    if (packed && packed->coded) {
        struct mls_matvec matvec = linear_matvec(call, &gemm, packed->coded);
        matvec.bias = terms;
        mls_matvec_run(env->kernels, env->pool, &matvec, (uint8_t *)call->scratch + linear_bias_bytes(call));
        call->kernel = env->kernels->matvec->names[packed->coded->coding];
        return MLS_OK;
    }
    gemm.col_bias = terms;
    return mls_product_run(call, env, &gemm, (uint8_t *)call->scratch + linear_bias_bytes(call));
}

static uint64_t flops_linear(const struct mls_op_call *call)
{
    uint64_t k = (uint64_t)mls_op_in(call, L_WEIGHT)->type.dims[1];
    return mls_flops_elementwise(call) * (2 * k + (mls_op_given(call, L_BIAS) ? 1 : 0));
}

#define LINEAR_ROW(opset, weight_domain)                                                                     \
    {                                                                                                        \
        .name = "linear", .since = opset, .flags = MLS_OP_EPILOGUE,                                          \
        .params = {[L_X] = {"x", MLS_T_PRODUCT, 0, 'T'},                                                     \
                   [L_WEIGHT] = {"weight", MLS_T_PRODUCT, MLS_PARAM_CONST | MLS_PARAM_CODED, weight_domain}, \
                   [L_BIAS] = {"bias", MLS_T_PRODUCT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, weight_domain}}, \
        .infer = infer_linear, .flops = flops_linear, .scratch_bytes = scratch_linear, .pack = pack_linear,  \
        .pack_kind = pack_kind_linear, .run = run_linear                                                     \
    }

static const struct mls_op_row rows[] = {LINEAR_ROW(5, 'T'), LINEAR_ROW(7, 'U')};

MLS_OP_FAMILY_DEFINE(linear, rows);
