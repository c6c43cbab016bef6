/*
 * linear_bytes.c: x times a constant matrix, both of 8-bit integers: [n][k] as linear has it, or [k][n] as matmul. No operations
 * of MIL: core/pass makes them.
 */
#include "ops/bytes.h"
#include "ops/linear.h"

enum { BYTES = MLS_LINEAR_PARAMS };

static enum mls_status infer_linear_bytes(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_linear_infer(call, reterr);
    return status ? status : mls_bytes_check(call, BYTES, mls_op_in(call, MLS_LINEAR_WEIGHT), false, reterr);
}

static uint64_t flops_linear_bytes(const struct mls_op_call *call)
{
    return mls_linear_flops(call);
}

/* As matmul: rows of x by columns of the weight. */
static enum mls_status infer_matmul_bytes(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *weight = &mls_op_in(call, MLS_LINEAR_WEIGHT)->type;
    struct mls_type type = mls_op_in(call, MLS_LINEAR_X)->type;
    if (weight->rank != 2 || type.rank < 2 || type.rank == MLS_RANK_UNKNOWN || type.dims[type.rank - 1] != weight->dims[0])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x does not have the columns that the weight has rows");
    type.dims[type.rank - 1] = weight->dims[1];
    mls_op_out(call, 0)->type = type;
    return mls_bytes_check(call, BYTES, mls_op_in(call, MLS_LINEAR_WEIGHT), true, reterr);
}

static uint64_t flops_matmul_bytes(const struct mls_op_call *call)
{
    return mls_flops_elementwise(call) * 2 * (uint64_t)mls_op_in(call, MLS_LINEAR_WEIGHT)->type.dims[0];
}

static enum mls_status pack_columns(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                    bool transposed, const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_coded *coded = mls_op_in(call, MLS_LINEAR_WEIGHT)->coded;
    const struct mls_tensor *bias = mls_op_in(call, MLS_LINEAR_BIAS);
    struct mls_dot8_columns *columns = MLS_NEW(arena, struct mls_dot8_columns);
    if (columns)
        *columns = (struct mls_dot8_columns){.n = transposed ? coded->k : coded->n,
                                             .k = transposed ? coded->n : coded->k,
                                             .rounding = mls_bytes_rounding(call, BYTES)};
    if (!columns || !mls_dot8_columns_pack(env->pool, coded, transposed, arena, columns, ret_packed_bytes))
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    for (size_t i = 0; bias && i < columns->n; i++)
        columns->bias[i] = (float)mls_tensor_float(bias, (int64_t)i);
    *ret_packed = columns;
    return MLS_OK;
}

static enum mls_status pack_linear_bytes(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                         const void **ret_packed, size_t *ret_packed_bytes)
{
    return pack_columns(call, env, arena, false, ret_packed, ret_packed_bytes);
}

static enum mls_status pack_matmul_bytes(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                         const void **ret_packed, size_t *ret_packed_bytes)
{
    return pack_columns(call, env, arena, true, ret_packed, ret_packed_bytes);
}

static struct mls_dot8_product product_of(const struct mls_op_call *call)
{
    const struct mls_tensor *y = mls_op_out(call, 0);
    struct mls_dot8_product product = {.m = 1,
                                       .x = mls_op_in(call, MLS_LINEAR_X)->data,
                                       .weights = call->packed,
                                       .y = y->data,
                                       .epilogue = call->fused};
    for (unsigned i = 0; i + 1 < y->type.rank; i++)
        product.m *= (size_t)y->type.dims[i];
    return product;
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    struct mls_dot8_product product = product_of(call);
    return mls_dot8_product_scratch_bytes(&product);
}

static enum mls_status run_bytes(struct mls_op_call *call, struct mls_op_env *env)
{
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    struct mls_dot8_product product = product_of(call);
    mls_dot8_product_run(env->kernels, env->pool, &product, call->scratch);
    call->kernel = env->kernels->dot8->name_product;
    return MLS_OK;
}

#define BYTES_ROW(op)                                                                                                      \
    {                                                                                                                      \
        .name = "pass_" #op "_bytes", .since = 5, .flags = MLS_OP_EPILOGUE,                                                \
        .params = {[MLS_LINEAR_X] = {"x", MLS_DTYPE_BIT(MLS_FP16), 0, 'T'},                                                \
                   [MLS_LINEAR_WEIGHT] = {"weight", MLS_DTYPE_BIT(MLS_FP16), MLS_PARAM_CONST | MLS_PARAM_CODED, 'T'},      \
                   [MLS_LINEAR_BIAS] = {"bias", MLS_T_FLOAT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 'T'},                   \
                   MLS_BYTES_PARAM_ROWS(BYTES)},                                                                           \
        .infer = infer_##op##_bytes, .flops = flops_##op##_bytes, .scratch_bytes = scratch_bytes, .pack = pack_##op##_bytes, \
        .run = run_bytes                                                                                                   \
    }

static const struct mls_op_row rows[] = {BYTES_ROW(linear), BYTES_ROW(matmul)};

MLS_OP_FAMILY_DEFINE(linear_bytes, rows);
