/* tensor_view.c: operations whose output has the bytes of their input: the planner may let it lie there. */
#include <string.h>

#include "base/checked.h"
#include "ops/copy.h"
#include "ops/op_family.h"

enum { X, SECOND }; /* every row of this file has its tensor first; most have one more parameter */

/* Lists are the only values that are not plain bytes. */
static enum mls_status pass_list(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *from = mls_op_in(call, X), *to = mls_op_out(call, 0);
    mls_list_free(env->heap, to->list);
    to->list = NULL;
    if (call->args[X].dies) {
        to->list = from->list;
        from->list = NULL;
    } else if (from->list) {
        to->list = mls_list_clone(env->heap, from->list);
        if (!to->list)
            return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for a copy of the list");
    }
    return MLS_OK;
}

static enum mls_status run_view(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *y = mls_op_out(call, 0);
    call->kernel = "view";
    if (x->type.kind == MLS_KIND_LIST)
        return pass_list(call, env);
    size_t bytes = mls_type_bytes(&x->type);
    if (bytes != mls_type_bytes(&y->type)) { /* the type of x was not static when y's was inferred */
        char from[96], to[96];
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "%s has not as many elements as %s",
                           mls_type_format(&x->type, from, sizeof from),
                           mls_type_format(&y->type, to, sizeof to));
    }
    if (y->data != x->data)
        call->kernel = "copy_rows";
    mls_copy_bytes(y->data, x->data, bytes, env);
    y->keys = x->keys;
    return MLS_OK;
}

/* ---- reshape ---- */

static enum mls_status reshape_fails(const struct mls_op_call *call, const struct mls_type *target,
                                     struct mls_error *reterr)
{
    char from[96], to[96];
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s cannot be reshaped to %s",
                       mls_type_format(&mls_op_in(call, X)->type, from, sizeof from),
                       mls_type_format(target, to, sizeof to));
}

/* Fills the one dimension that was given as -1, at `hole`, when the others and the input are known. */
static bool fill_hole(struct mls_type *type, unsigned hole, int64_t n_elems)
{
    int64_t others = 1;
    for (unsigned i = 0; i < type->rank; i++) {
        if (i == hole)
            continue;
        if (type->dims[i] < 0)
            return true;
        if (!mls_mul_i64(others, type->dims[i], &others))
            return false;
    }
    if (n_elems < 0)
        return true;
    if (others == 0 || n_elems % others)
        return false;
    type->dims[hole] = n_elems / others;
    return true;
}

/*
 * What a 0 at place i of the shape keeps: the same dimension of x. From opset 7 on places are counted from
 * the last one, and 0 is 1 where x has no such dimension. Before, the ranks must be equal.
 */
static int64_t kept_dim(const struct mls_op_call *call, unsigned rank, unsigned i)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    if (x->rank == rank)
        return x->dims[i];
    if (call->row->since < 7)
        return 0;
    if (x->rank == MLS_RANK_UNKNOWN)
        return MLS_DIM_UNKNOWN;
    unsigned from_end = rank - i;
    return from_end <= x->rank ? x->dims[x->rank - from_end] : 1;
}

static enum mls_status infer_reshape(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    const struct mls_type *shape = &mls_op_in(call, SECOND)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    if (shape->rank != 1 && shape->rank != MLS_RANK_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "shape must be a vector");
    int64_t length = shape->rank == 1 ? shape->dims[0] : MLS_DIM_UNKNOWN;
    if (length > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "shape has %lld dimensions; at most %d are supported", (long long)length,
                           MLS_RANK_MAX);
    int n = mls_op_ints(call, SECOND, type.dims, MLS_RANK_MAX);
    if (n < 0) { /* not known yet */
        if (length >= 0) {
            type.rank = (uint8_t)length;
            for (unsigned i = 0; i < type.rank; i++)
                type.dims[i] = MLS_DIM_UNKNOWN;
        }
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    type.rank = (uint8_t)n;
    int hole = -1;
    for (int i = 0; i < n; i++) {
        if (type.dims[i] == 0) {
            type.dims[i] = kept_dim(call, type.rank, (unsigned)i);
        } else if (type.dims[i] == -1 && hole < 0) {
            hole = i;
        } else if (type.dims[i] < 0) {
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "dimension %d of shape is %lld", i,
                               (long long)type.dims[i]);
        }
    }
    int64_t n_elems = mls_type_elems(x);
    if (hole >= 0 && !fill_hole(&type, (unsigned)hole, n_elems))
        return reshape_fails(call, &type, reterr);
    int64_t n_target = mls_type_elems(&type);
    if (mls_type_is_static(&type) && (n_target < 0 || (n_elems >= 0 && n_elems != n_target)))
        return reshape_fails(call, &type, reterr);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* ---- reshape_like ---- */

enum { LIKE_X, LIKE_REFS, LIKE_BEGINS, LIKE_ENDS, LIKE_MASKS };

/* Python's rule for the ends of a slice of n elements. */
static int64_t clamp_index(int64_t index, int64_t n)
{
    if (index < 0)
        index += n;
    return index < 0 ? 0 : index > n ? n : index;
}

static enum mls_status infer_reshape_like(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    const struct mls_arg *refs = &call->args[LIKE_REFS];
    struct mls_type type = mls_type_tensor(x->dtype, 0, NULL);
    for (unsigned p = LIKE_BEGINS; p <= LIKE_MASKS; p++)
        if (call->args[p].n != refs->n)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s has not as many values as ref_tensors",
                               call->row->params[p].name);
    for (uint32_t i = 0; i < refs->n; i++) {
        const struct mls_type *ref = &refs->values[i]->type;
        for (unsigned p = LIKE_BEGINS; p <= LIKE_MASKS; p++)
            if (mls_type_elems(&call->args[p].values[i]->type) != 1)
                return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s must be scalars",
                                   call->row->params[p].name);
        if (ref->rank == MLS_RANK_UNKNOWN) {
            mls_op_out(call, 0)->type = (struct mls_type){.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
            return MLS_OK;
        }
        int64_t begin = clamp_index(mls_tensor_int(call->args[LIKE_BEGINS].values[i], 0), ref->rank);
        int64_t end = mls_tensor_int(call->args[LIKE_MASKS].values[i], 0)
                          ? ref->rank
                          : clamp_index(mls_tensor_int(call->args[LIKE_ENDS].values[i], 0), ref->rank);
        for (; begin < end; begin++) {
            if (type.rank == MLS_RANK_MAX)
                return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                                   "the result has more than %d dimensions", MLS_RANK_MAX);
            type.dims[type.rank++] = ref->dims[begin];
        }
    }
    int64_t n_elems = mls_type_elems(x);
    if (mls_type_is_static(&type) && n_elems >= 0 && n_elems != mls_type_elems(&type))
        return reshape_fails(call, &type, reterr);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* ---- expand_dims, squeeze, flatten2d ---- */

static enum mls_status infer_expand_dims(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    int64_t axes[MLS_RANK_MAX];
    int n = mls_op_ints(call, SECOND, axes, MLS_RANK_MAX);
    if (n < 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "axes adds more than %d dimensions",
                           MLS_RANK_MAX);
    if (x->rank == MLS_RANK_UNKNOWN) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    unsigned rank = x->rank + (unsigned)n;
    if (rank > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "the result has %u dimensions; at most %d are supported", rank, MLS_RANK_MAX);
    bool added[MLS_RANK_MAX] = {false};
    for (int i = 0; i < n; i++) {
        unsigned axis;
        if (!mls_op_axis(axes[i], rank, &axis) || added[axis])
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "axis %lld is no new dimension of a tensor of rank %u", (long long)axes[i],
                               rank);
        added[axis] = true;
    }
    type.rank = (uint8_t)rank;
    for (unsigned i = 0, from = 0; i < rank; i++)
        type.dims[i] = added[i] ? 1 : x->dims[from++];
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* Dimensions to drop: those of `axes` that are 1 (the others stay, as in PyTorch), or all that are 1. */
static enum mls_status infer_squeeze(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    int64_t axes[MLS_RANK_MAX];
    int n = mls_op_ints(call, SECOND, axes, MLS_RANK_MAX);
    if (n < 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axes has more than %d elements", MLS_RANK_MAX);
    bool all = !mls_op_given(call, SECOND), chosen[MLS_RANK_MAX] = {false};
    if (x->rank == MLS_RANK_UNKNOWN) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    for (int i = 0; i < n; i++) {
        unsigned axis;
        if (!mls_op_axis(axes[i], x->rank, &axis))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "axis %lld lies outside a tensor of rank %u", (long long)axes[i],
                               (unsigned)x->rank);
        chosen[axis] = true;
    }
    type.rank = 0;
    for (unsigned i = 0; i < x->rank; i++) {
        if ((all || chosen[i]) && x->dims[i] == 1)
            continue;
        if ((all || chosen[i]) && x->dims[i] == MLS_DIM_UNKNOWN) { /* dropped or not: even the rank is open */
            mls_op_out(call, 0)->type = (struct mls_type){.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
            return MLS_OK;
        }
        type.dims[type.rank++] = x->dims[i];
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static int64_t product_of(const int64_t *dims, unsigned n)
{
    int64_t product = 1;
    for (unsigned i = 0; i < n; i++)
        if (dims[i] < 0 || !mls_mul_i64(product, dims[i], &product))
            return MLS_DIM_UNKNOWN;
    return product;
}

static enum mls_status infer_flatten2d(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = mls_type_tensor(x->dtype, 2, (int64_t[]){MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN});
    int64_t axis = mls_op_int(call, SECOND, 1);
    if (x->rank != MLS_RANK_UNKNOWN) {
        if (axis < -(int64_t)x->rank || axis > (int64_t)x->rank)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "axis %lld lies outside a tensor of rank %u", (long long)axis,
                               (unsigned)x->rank);
        unsigned cut = (unsigned)(axis < 0 ? axis + x->rank : axis);
        type.dims[0] = product_of(x->dims, cut);
        type.dims[1] = product_of(x->dims + cut, x->rank - cut);
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

#define VIEW(op, opset, types, ...)                                                                         \
    {                                                                                                       \
        .name = #op, .since = (opset), .flags = MLS_OP_VIEW, .params = {{"x", (types), 0, 0}, __VA_ARGS__}, \
        .infer = infer_##op, .run = run_view                                                                \
    }
#define AXES_GIVEN                            \
    {                                         \
        "axes", MLS_T_I32, MLS_PARAM_CONST, 0 \
    }
#define AXES_OPTIONAL                                              \
    {                                                              \
        "axes", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }
#define REFERENCES(types)                                                \
    {"ref_tensors", (types), MLS_PARAM_VARIADIC, 0},                     \
        {"begins", MLS_T_I32, MLS_PARAM_VARIADIC | MLS_PARAM_CONST, 0},  \
        {"ends", MLS_T_I32, MLS_PARAM_VARIADIC | MLS_PARAM_CONST, 0},    \
    {                                                                    \
        "end_masks", MLS_T_BOOL, MLS_PARAM_VARIADIC | MLS_PARAM_CONST, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "identity",
     .since = 5,
     .flags = MLS_OP_VIEW,
     .params = {{"x", MLS_T_ANY, 0, 0}},
     .infer = mls_infer_same,
     .run = run_view},
    VIEW(reshape, 5, MLS_T_MOVE_5, {"shape", MLS_T_I32, 0, 0}),
    VIEW(reshape, 7, MLS_T_MOVE_7, {"shape", MLS_T_INDEX_7, 0, 0}),
    VIEW(reshape_like, 6, MLS_T_MOVE_5, REFERENCES(MLS_T_ANY)),
    VIEW(reshape_like, 7, MLS_T_MOVE_7, REFERENCES(MLS_T_ANY)),
    VIEW(expand_dims, 5, MLS_T_MOVE_5, AXES_GIVEN),
    VIEW(expand_dims, 7, MLS_T_MOVE_7, AXES_GIVEN),
    VIEW(squeeze, 5, MLS_T_MOVE_5, AXES_OPTIONAL),
    VIEW(squeeze, 7, MLS_T_MOVE_7, AXES_OPTIONAL),
    VIEW(flatten2d, 5, MLS_T_MOVE_5, {"axis", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}),
};

MLS_OP_FAMILY_DEFINE(tensor_view, rows);
