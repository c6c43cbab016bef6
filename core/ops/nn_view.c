/* nn_view.c: changes of shape that layers of networks need and MIL has no operation for. The bytes stay the
 * same. */
#include "base/checked.h"
#include "ops/copy.h"
#include "ops/op_family.h"

enum { X, SECOND, N_ONES, MAPPED = N_ONES };

static enum mls_status run_nn_view(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    size_t bytes = mls_type_bytes(&x->type);
    call->kernel = "view";
    if (bytes != mls_type_bytes(&mls_op_out(call, 0)->type))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                           "its input has another number of elements than its output");
    mls_copy_bytes(mls_op_out(call, 0)->data, x->data, bytes, env);
    return MLS_OK;
}

/* Product of dims [first, end); unknown when one is. */
static enum mls_status product(const struct mls_op_call *call, const struct mls_type *type, unsigned first,
                               unsigned end, int64_t *ret, struct mls_error *reterr)
{
    int64_t all = 1;
    for (unsigned i = first; i < end; i++) {
        if (type->dims[i] < 0) {
            *ret = MLS_DIM_UNKNOWN;
            return MLS_OK;
        }
        if (!mls_mul_i64(all, type->dims[i], &all))
            return mls_op_fail(call, reterr, MLS_ERR_LIMIT, "it has too many elements");
    }
    *ret = all;
    return MLS_OK;
}

static enum mls_status too_low(const struct mls_op_call *call, struct mls_error *reterr)
{
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "its input has %u dimensions, which do not fit",
                       mls_op_in(call, X)->type.rank);
}

/* nn_collapse: dimensions before axis stay, the others become one, `n_ones` of length 1 follow. */
static enum mls_status infer_nn_collapse(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    int64_t axis = mls_op_int(call, SECOND, 0), n_ones = mls_op_int(call, N_ONES, 0);
    if (type.rank == MLS_RANK_UNKNOWN)
        return mls_op_out(call, 0)->type = type, MLS_OK;
    if (axis < 0 || axis > type.rank || n_ones < 0 || axis + 1 + n_ones > MLS_RANK_MAX)
        return too_low(call, reterr);
    enum mls_status status = product(call, &type, (unsigned)axis, type.rank, &type.dims[axis], reterr);
    if (status)
        return status;
    type.rank = (uint8_t)(axis + 1 + n_ones);
    for (int64_t i = axis + 1; i < MLS_RANK_MAX; i++)
        type.dims[i] = i < type.rank ? 1 : 0;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* nn_batch: all dimensions but the last three become one. */
static enum mls_status infer_nn_batch(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = 4};
    if (x->rank == MLS_RANK_UNKNOWN)
        return mls_op_out(call, 0)->type = *x, MLS_OK;
    if (x->rank < 3)
        return too_low(call, reterr);
    enum mls_status status = product(call, x, 0, x->rank - 3u, &type.dims[0], reterr);
    for (unsigned i = 0; i < 3; i++)
        type.dims[1 + i] = x->dims[x->rank - 3u + i];
    mls_op_out(call, 0)->type = type;
    return status;
}

/* nn_unbatch: the last three dimensions of x after all but the last three of `like`. */
static enum mls_status infer_nn_unbatch(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = mls_op_in(call, SECOND)->type;
    if (x->rank == MLS_RANK_UNKNOWN || type.rank == MLS_RANK_UNKNOWN) {
        mls_op_out(call, 0)->type = (struct mls_type){.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
        return MLS_OK;
    }
    if (x->rank != 4 || type.rank < 3)
        return too_low(call, reterr);
    int64_t batch = MLS_DIM_UNKNOWN;
    enum mls_status status = product(call, &type, 0, type.rank - 3u, &batch, reterr);
    if (status)
        return status;
    if (batch >= 0 && x->dims[0] >= 0 && batch != x->dims[0])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "its two inputs have different batches");
    type.dtype = x->dtype;
    for (unsigned i = 0; i < 3; i++)
        type.dims[type.rank - 3u + i] = x->dims[1 + i];
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/*
 * nn_unmap: what a model gives of a blob: the shape that its description states, where that has as many
 * elements and another rank. Else, of a blob that is `mapped`, [sequence, channel, height, width], rank 3
 * where the sequence has one element, or rank 5.
 */
static enum mls_status infer_nn_unmap(const struct mls_op_call *call, struct mls_error *reterr)
{
    (void)reterr;
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    if (mls_type_is_static(x)) {
        struct mls_type stated = {.dtype = x->dtype};
        int n = mls_op_ints(call, SECOND, stated.dims, MLS_RANK_MAX);
        stated.rank = (uint8_t)(n > 0 ? n : 0);
        type = *x;
        if (n > 0 && n != x->rank && mls_type_elems(&stated) == mls_type_elems(x))
            type = stated;
        else if (mls_op_bool(call, MAPPED, false) && x->rank == 4 && n != 4)
            type =
                x->dims[0] == 1 && n != 5
                    ? mls_type_tensor(x->dtype, 3, x->dims + 1)
                    : mls_type_tensor(x->dtype, 5,
                                      (const int64_t[]){x->dims[0], 1, x->dims[1], x->dims[2], x->dims[3]});
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* nn_squeeze_all: without dimensions of length 1, but with one dimension at least. */
static enum mls_status infer_nn_squeeze_all(const struct mls_op_call *call, struct mls_error *reterr)
{
    (void)reterr;
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    if (mls_type_is_static(x)) {
        type.rank = 0;
        for (unsigned i = 0; i < x->rank; i++) {
            if (x->dims[i] != 1)
                type.dims[type.rank++] = x->dims[i];
        }
        if (type.rank == 0)
            type.dims[type.rank++] = 1;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* nn_reshape_like: the dimensions of `like`. */
static enum mls_status infer_nn_reshape_like(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = mls_op_in(call, SECOND)->type;
    int64_t n = mls_type_elems(x), n_like = mls_type_elems(&type);
    if (n >= 0 && n_like >= 0 && n != n_like)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "its two inputs have not the same number of elements");
    type.dtype = x->dtype;
    type.kind = MLS_KIND_TENSOR;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

#define INT(name)                           \
    {                                       \
        name, MLS_T_I32, MLS_PARAM_CONST, 0 \
    }
#define VIEW(op, ...)                                                                                      \
    {                                                                                                      \
        .name = #op, .since = 5, .flags = MLS_OP_VIEW, .params = {{"x", MLS_T_MOVE_7, 0, 0}, __VA_ARGS__}, \
        .infer = infer_##op, .run = run_nn_view                                                            \
    }

static const struct mls_op_row rows[] = {
    VIEW(nn_collapse, INT("axis"), INT("n_ones")),
    VIEW(nn_batch, {0}),
    VIEW(nn_unbatch, {"like", MLS_T_ANY, 0, 0}),
    VIEW(nn_unmap, INT("shape"), {"mapped", MLS_T_BOOL, MLS_PARAM_CONST, 0}),
    VIEW(nn_squeeze_all, {0}),
    VIEW(nn_reshape_like, {"like", MLS_T_ANY, 0, 0}),
};

MLS_OP_FAMILY_DEFINE(nn_view, rows);
