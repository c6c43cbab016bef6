/* attention.c: scaled dot-product attention. */
#include "kernels/attention/attention.h"

#include <math.h>

#include "ops/op_family.h"

enum { P_QUERY, P_KEY, P_VALUE, P_MASK, P_SCALE };

static bool differ(int64_t a, int64_t b)
{
    return a != b && a != MLS_DIM_UNKNOWN && b != MLS_DIM_UNKNOWN;
}

static enum mls_status check_mask(const struct mls_op_call *call, const struct mls_type *query,
                                  const struct mls_type *key, struct mls_error *reterr)
{
    const struct mls_type *mask = &mls_op_in(call, P_MASK)->type;
    if (mask->rank == MLS_RANK_UNKNOWN)
        return MLS_OK;
    bool fits = mask->rank >= 1 && mask->rank <= query->rank &&
                !differ(mask->dims[mask->rank - 1], key->dims[key->rank - 2]);
    for (unsigned i = 1; fits && i < mask->rank; i++) { /* i counts from the last dimension */
        int64_t dim = mask->dims[mask->rank - 1 - i];
        fits = dim == 1 || !differ(dim, query->dims[query->rank - 1 - i]);
    }
    if (!fits) {
        char text[96], of[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "attn_mask, %s, cannot be broadcast for query, %s",
                           mls_type_format(mask, text, sizeof text), mls_type_format(query, of, sizeof of));
    }
    return MLS_OK;
}

static enum mls_status check_shapes(const struct mls_op_call *call, const struct mls_type *query,
                                    const struct mls_type *key, const struct mls_type *value,
                                    struct mls_error *reterr)
{
    unsigned rank = query->rank;
    if (key->rank != rank || value->rank != rank || rank < 3 || rank > MLS_ATTENTION_BATCH_DIMS + 2)
        return mls_op_fail(
            call, reterr, MLS_ERR_OP_SHAPE,
            "query, key and value have ranks %u, %u and %u; they must have one rank from 3 to %d", rank,
            key->rank, value->rank, MLS_ATTENTION_BATCH_DIMS + 2);
    for (unsigned i = 0; i + 2 < rank; i++)
        if (differ(query->dims[i], key->dims[i]) || differ(query->dims[i], value->dims[i]))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "query, key and value differ in batch dimension %u", i);
    if (differ(query->dims[rank - 1], key->dims[rank - 1]))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "query has %lld columns, but key has %lld",
                           (long long)query->dims[rank - 1], (long long)key->dims[rank - 1]);
    if (differ(key->dims[rank - 2], value->dims[rank - 2]))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "key has %lld rows, but value has %lld",
                           (long long)key->dims[rank - 2], (long long)value->dims[rank - 2]);
    if (!key->dims[rank - 2] || !key->dims[rank - 1])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "key has no elements");
    return mls_op_given(call, P_MASK) ? check_mask(call, query, key, reterr) : MLS_OK;
}

static enum mls_status infer_attention(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *query = &mls_op_in(call, P_QUERY)->type, *key = &mls_op_in(call, P_KEY)->type;
    const struct mls_type *value = &mls_op_in(call, P_VALUE)->type;
    struct mls_type type = *query;
    if (query->rank == MLS_RANK_UNKNOWN || key->rank == MLS_RANK_UNKNOWN || value->rank == MLS_RANK_UNKNOWN) {
        type.rank = MLS_RANK_UNKNOWN;
    } else {
        enum mls_status status = check_shapes(call, query, key, value, reterr);
        if (status != MLS_OK)
            return status;
        type.dims[type.rank - 1] = value->dims[value->rank - 1];
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* What passes make of attention written out has a scale of its own, which the kernel takes if it is positive. */
static enum mls_status infer_scaled(const struct mls_op_call *call, struct mls_error *reterr)
{
    float scale = (float)mls_op_float(call, P_SCALE, 1);
    if (!(scale > 0) || !isfinite(scale))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "scale is %g; it must be positive", (double)scale);
    return infer_attention(call, reterr);
}

/* Matrices that lie one after the other. */
static struct mls_attention_operand operand_of(const struct mls_tensor *tensor)
{
    unsigned rank = tensor->type.rank;
    struct mls_attention_operand operand = {.data = tensor->data,
                                            .row_stride = (size_t)tensor->type.dims[rank - 1]};
    size_t stride = operand.row_stride * (size_t)tensor->type.dims[rank - 2];
    for (unsigned i = rank - 2; i-- > 0; stride *= (size_t)tensor->type.dims[i])
        operand.batch_strides[i] = stride;
    return operand;
}

static float scale_of(const struct mls_op_call *call)
{
    const struct mls_type *query = &mls_op_in(call, P_QUERY)->type;
    bool given = call->row->params[P_SCALE].name != NULL;
    return given ? (float)mls_op_float(call, P_SCALE, 1) : 1 / sqrtf((float)query->dims[query->rank - 1]);
}

static struct mls_attention attention_of(const struct mls_op_call *call)
{
    const struct mls_tensor *query = mls_op_in(call, P_QUERY), *value = mls_op_in(call, P_VALUE);
    const struct mls_tensor *mask = mls_op_in(call, P_MASK);
    unsigned rank = query->type.rank;
    struct mls_attention attention = {.n_batch_dims = rank - 2,
                                      .n_queries = (size_t)query->type.dims[rank - 2],
                                      .n_keys = (size_t)value->type.dims[rank - 2],
                                      .key_elems = (size_t)query->type.dims[rank - 1],
                                      .value_elems = (size_t)value->type.dims[rank - 1],
                                      .dtype = query->type.dtype,
                                      .scale = scale_of(call),
                                      .query = operand_of(query),
                                      .key = operand_of(mls_op_in(call, P_KEY)),
                                      .value = operand_of(value),
                                      .result = mls_op_out(call, 0)->data,
                                      .result_layout = operand_of(mls_op_out(call, 0))};
    for (unsigned i = 0; i < attention.n_batch_dims; i++)
        attention.batch_dims[i] = (size_t)query->type.dims[i];
    if (!mask)
        return attention;
    attention.mask = mask->data;
    attention.mask_dtype = mask->type.dtype;
    size_t stride = attention.n_keys;
    for (unsigned i = 1; i < mask->type.rank; i++) { /* i counts from the last dimension */
        int64_t dim = mask->type.dims[mask->type.rank - 1 - i];
        size_t *to = i == 1 ? &attention.mask_query_stride : &attention.mask_strides[rank - 1 - i];
        *to = dim == 1 ? 0 : stride;
        stride *= (size_t)dim;
    }
    return attention;
}

static size_t scratch_attention(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_attention attention = attention_of(call);
    return mls_attention_scratch_bytes(env->kernels, &attention, mls_pool_threads(env->pool));
}

static enum mls_status run_attention(struct mls_op_call *call, struct mls_op_env *env)
{
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    struct mls_attention attention = attention_of(call);
    mls_attention_run(env->kernels, env->pool, &attention, call->scratch);
    call->kernel = mls_attention_name(env->kernels, &attention);
    return MLS_OK;
}

/* Both products, and about five operations for each score. */
static uint64_t flops_attention(const struct mls_op_call *call)
{
    struct mls_attention attention = attention_of(call);
    uint64_t scores = attention.n_queries * attention.n_keys;
    for (unsigned i = 0; i < attention.n_batch_dims; i++)
        scores *= attention.batch_dims[i];
    return scores * (2 * attention.key_elems + 2 * attention.value_elems + 5);
}

#define QUERY_KEY_VALUE_MASK                                  \
    [P_QUERY] = {"query", MLS_T_FLOAT, 0, 'T'},               \
    [P_KEY] = {"key", MLS_T_FLOAT, 0, 'T'},                   \
    [P_VALUE] = {"value", MLS_T_FLOAT, 0, 'T'},               \
    [P_MASK] = {"attn_mask", MLS_T_FLOAT | MLS_T_BOOL, MLS_PARAM_OPTIONAL, 0}

static const struct mls_op_row rows[] = {
    {.name = "scaled_dot_product_attention",
     .since = 8,
     .params = {QUERY_KEY_VALUE_MASK},
     .infer = infer_attention,
     .flops = flops_attention,
     .scratch_bytes = scratch_attention,
     .run = run_attention},
    {.name = "pass_attention", /* no operation of MIL: core/pass makes it */
     .since = 5,
     .params = {QUERY_KEY_VALUE_MASK, [P_SCALE] = {"scale", MLS_T_FLOAT, MLS_PARAM_CONST, 0}},
     .infer = infer_scaled,
     .flops = flops_attention,
     .scratch_bytes = scratch_attention,
     .run = run_attention},
};

MLS_OP_FAMILY_DEFINE(attention, rows);
