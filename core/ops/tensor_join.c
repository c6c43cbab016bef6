/* tensor_join.c: tensors put together and taken apart: concat, stack, split, tile. */
#include <string.h>

#include "base/checked.h"
#include "ops/copy.h"
#include "ops/op_family.h"

#define T_JOIN (MLS_T_MOVE_7 | MLS_DTYPE_BIT(MLS_UINT32) | MLS_DTYPE_BIT(MLS_INT64))

/* ---- concat and stack ---- */

enum { VALUES, AXIS, INTERLEAVE };

/* Merges what is known of the shapes of all values, except along `axis` (pass rank to merge all dimensions).
 */
static enum mls_status merge_values(const struct mls_op_call *call, unsigned axis, struct mls_type *ret_type,
                                    struct mls_error *reterr)
{
    const struct mls_arg *values = &call->args[VALUES];
    struct mls_type type = values->values[0]->type;
    for (uint32_t v = 1; v < values->n; v++) {
        const struct mls_type *other = &values->values[v]->type;
        char first[96], second[96];
        bool fits = other->dtype == type.dtype && other->rank == type.rank;
        for (unsigned i = 0; fits && i < type.rank; i++) {
            if (i == axis)
                continue;
            if (type.dims[i] < 0)
                type.dims[i] = other->dims[i];
            fits = other->dims[i] < 0 || other->dims[i] == type.dims[i];
        }
        if (!fits)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "value %u is %s, which does not go with %s", v,
                               mls_type_format(other, second, sizeof second),
                               mls_type_format(&values->values[0]->type, first, sizeof first));
    }
    *ret_type = type;
    return MLS_OK;
}

static bool any_rank_unknown(const struct mls_arg *values)
{
    for (uint32_t v = 0; v < values->n; v++)
        if (values->values[v]->type.rank == MLS_RANK_UNKNOWN)
            return true;
    return false;
}

static enum mls_status bad_axis(const struct mls_op_call *call, int64_t axis, unsigned rank,
                                struct mls_error *reterr)
{
    return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside a tensor of rank %u",
                       (long long)axis, rank);
}

/* Scalars are concatenated as vectors of one element. */
static unsigned joined_rank(const struct mls_type *type)
{
    return type->rank ? type->rank : 1;
}

static enum mls_status infer_concat(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_arg *values = &call->args[VALUES];
    struct mls_type type = {.dtype = values->values[0]->type.dtype, .rank = MLS_RANK_UNKNOWN};
    if (any_rank_unknown(values)) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    unsigned rank = joined_rank(&values->values[0]->type), axis;
    if (!mls_op_axis(mls_op_int(call, AXIS, 0), rank, &axis))
        return bad_axis(call, mls_op_int(call, AXIS, 0), rank, reterr);
    bool interleave = mls_op_bool(call, INTERLEAVE, false);
    enum mls_status status = merge_values(call, interleave ? rank : axis, &type, reterr);
    if (status)
        return status;
    int64_t length = 0;
    for (uint32_t v = 0; v < values->n; v++) {
        const struct mls_type *value = &values->values[v]->type;
        int64_t n = value->rank ? value->dims[axis] : 1;
        if (n < 0 || length < 0)
            length = MLS_DIM_UNKNOWN;
        else if (__builtin_add_overflow(length, n, &length))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the result is too long");
    }
    type.rank = (uint8_t)rank;
    type.dims[axis] = length;
    for (uint32_t v = 0; v < values->n; v++)
        mls_infer_later(&values->values[v]->type, &type);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* One value as a block of [outer, n, inner] within the result. */
static void copy_value(const struct mls_tensor *value, struct mls_tensor *out, int64_t outer, int64_t n,
                       int64_t inner, int64_t offset, int64_t step, struct mls_op_call *call,
                       const struct mls_op_env *env)
{
    size_t elem_bytes = mls_elem_bytes(out);
    int64_t total = outer ? mls_type_elems(&out->type) / outer : 0;
    struct mls_copy copy = {.elem_bytes = elem_bytes,
                            .rank = 3,
                            .dims = {outer, n, inner},
                            .source_strides = {n * inner, inner, 1},
                            .target_strides = {total, step * inner, 1},
                            .source = value->data,
                            .target = (char *)out->data + (size_t)(offset * inner) * elem_bytes};
    if (copy.source != copy.target || outer > 1) /* it was computed here */
        call->kernel = mls_copy_run(&copy, env);
}

static enum mls_status run_concat(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_arg *values = &call->args[VALUES];
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned axis;
    mls_op_axis(mls_op_int(call, AXIS, 0), out->type.rank, &axis);
    bool interleave = mls_op_bool(call, INTERLEAVE, false);
    call->kernel = "view"; /* unless something is copied */
    int64_t outer = mls_dims_product(&out->type, 0, axis);
    int64_t inner = mls_dims_product(&out->type, axis + 1, out->type.rank);
    int64_t offset = 0;
    for (uint32_t v = 0; v < values->n; v++) {
        const struct mls_tensor *value = values->values[v];
        int64_t n = value->type.rank ? value->type.dims[axis] : 1;
        copy_value(value, out, outer, n, inner, offset, interleave ? (int64_t)values->n : 1, call, env);
        offset += interleave ? 1 : n;
    }
    return MLS_OK;
}

static enum mls_status infer_stack(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_arg *values = &call->args[VALUES];
    struct mls_type merged, type = {.dtype = values->values[0]->type.dtype, .rank = MLS_RANK_UNKNOWN};
    if (any_rank_unknown(values)) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    unsigned rank = values->values[0]->type.rank + 1u, axis;
    if (rank > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                           MLS_RANK_MAX);
    if (!mls_op_axis(mls_op_int(call, AXIS, 0), rank, &axis))
        return bad_axis(call, mls_op_int(call, AXIS, 0), rank, reterr);
    enum mls_status status = merge_values(call, MLS_RANK_MAX, &merged, reterr);
    if (status)
        return status;
    type.rank = (uint8_t)rank;
    for (unsigned i = 0, from = 0; i < rank; i++)
        type.dims[i] = i == axis ? (int64_t)values->n : merged.dims[from++];
    for (uint32_t v = 0; v < values->n; v++)
        mls_infer_later(&values->values[v]->type, &type);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_stack(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_arg *values = &call->args[VALUES];
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned axis;
    mls_op_axis(mls_op_int(call, AXIS, 0), out->type.rank, &axis);
    call->kernel = "view"; /* unless something is copied */
    int64_t outer = mls_dims_product(&out->type, 0, axis);
    int64_t inner = mls_dims_product(&out->type, axis + 1, out->type.rank);
    for (uint32_t v = 0; v < values->n; v++)
        copy_value(values->values[v], out, outer, 1, inner, v, 1, call, env);
    return MLS_OK;
}

/* ---- split ---- */

enum { SPLIT_X, SPLIT_NUMBER, SPLIT_SIZES, SPLIT_AXIS, SPLIT_UNEVEN };

static enum mls_status split_fails(const struct mls_op_call *call, struct mls_error *reterr, int64_t length)
{
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                       "%lld elements along the axis do not make its %u outputs", (long long)length,
                       call->n_outputs);
}

static enum mls_status infer_split(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, SPLIT_X)->type;
    const struct mls_tensor *sizes = mls_op_in(call, SPLIT_SIZES);
    uint32_t n = call->n_outputs;
    unsigned axis;
    if (!sizes && !mls_op_given(call, SPLIT_NUMBER))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "neither num_splits nor split_sizes is given");
    if (sizes ? mls_type_elems(&sizes->type) != n : mls_op_int(call, SPLIT_NUMBER, 0) != n)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "the number of parts is not that of its %u outputs", n);
    if (x->rank == MLS_RANK_UNKNOWN)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the rank of x is not known");
    if (!mls_op_axis(mls_op_int(call, SPLIT_AXIS, 0), x->rank, &axis))
        return bad_axis(call, mls_op_int(call, SPLIT_AXIS, 0), x->rank, reterr);
    int64_t length = x->dims[axis], left = length;
    bool uneven = mls_op_bool(call, SPLIT_UNEVEN, false); /* of layers: the first parts take what is left over */
    for (uint32_t i = 0; i < n; i++) {
        struct mls_type type = *x;
        bool longer = uneven && length >= 0 && (int64_t)i < length % n;
        type.dims[axis] = sizes        ? mls_tensor_int(sizes, i)
                          : length < 0 ? MLS_DIM_UNKNOWN
                                       : length / n + longer;
        if (sizes && type.dims[axis] < 0)
            return split_fails(call, reterr, length);
        if (length >= 0) {
            left -= type.dims[axis];
            if (left < 0)
                return split_fails(call, reterr, length);
        }
        mls_op_out(call, i)->type = type;
    }
    return length >= 0 && left != 0 ? split_fails(call, reterr, length) : MLS_OK;
}

static enum mls_status run_split(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, SPLIT_X);
    unsigned axis;
    mls_op_axis(mls_op_int(call, SPLIT_AXIS, 0), x->type.rank, &axis);
    size_t elem_bytes = mls_elem_bytes(x);
    int64_t outer = mls_dims_product(&x->type, 0, axis);
    int64_t inner = mls_dims_product(&x->type, axis + 1, x->type.rank);
    int64_t length = x->type.dims[axis], offset = 0;
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        struct mls_tensor *out = mls_op_out(call, i);
        int64_t n = out->type.dims[axis];
        if (offset + n > length)
            return split_fails(call, env->error, length);
        struct mls_copy copy = {.elem_bytes = elem_bytes,
                                .rank = 2,
                                .dims = {outer, n * inner},
                                .source_strides = {length * inner, 1},
                                .target_strides = {n * inner, 1},
                                .source = (const char *)x->data + (size_t)(offset * inner) * elem_bytes,
                                .target = out->data};
        call->kernel = mls_copy_run(&copy, env);
        offset += n;
    }
    return MLS_OK;
}

/* ---- tile ---- */

enum { TILE_X, TILE_REPS };

/*
 * MIL wants at least one repetition of a dimension, but programs that coremltools converts compute fewer at run
 * time. An expand that keeps a size (-1) divides -1 by it: -1, or 0 where the size is not 1, means one. An
 * expand of a size of 1 to an empty tensor gives 0 and means none.
 */
static int64_t repetitions(int64_t reps, int64_t size)
{
    return reps < 0 || (reps == 0 && size != 1) ? 1 : reps;
}

static enum mls_status infer_tile(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, TILE_X)->type;
    struct mls_type type = *x;
    int64_t reps[MLS_RANK_MAX];
    int n = mls_op_ints(call, TILE_REPS, reps, MLS_RANK_MAX);
    if (x->rank == MLS_RANK_UNKNOWN) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    if (n >= 0 && (unsigned)n != x->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "reps has %d elements for a tensor of rank %u",
                           n, (unsigned)x->rank);
    for (unsigned i = 0; i < x->rank; i++) {
        if (n < 0) {
            type.dims[i] = MLS_DIM_UNKNOWN;
            continue;
        }
        reps[i] = repetitions(reps[i], x->dims[i]);
        if (x->dims[i] >= 0 && !mls_mul_i64(x->dims[i], reps[i], &type.dims[i]))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the result is too large");
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_tile(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, TILE_X);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = x->type.rank;
    int64_t source[MLS_RANK_MAX], target[MLS_RANK_MAX];
    mls_strides(rank, x->type.dims, source);
    mls_strides(rank, out->type.dims, target);
    struct mls_copy copy = {
        .elem_bytes = mls_elem_bytes(x), .rank = 2 * rank, .source = x->data, .target = out->data};
    for (unsigned i = 0; i < rank; i++) {
        int64_t n = x->type.dims[i];
        copy.dims[2 * i] = n ? out->type.dims[i] / n : 0;
        copy.source_strides[2 * i] = 0;
        copy.target_strides[2 * i] = n * target[i];
        copy.dims[2 * i + 1] = n;
        copy.source_strides[2 * i + 1] = source[i];
        copy.target_strides[2 * i + 1] = target[i];
    }
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

static const struct mls_op_row rows[] = {
    {.name = "concat",
     .since = 5,
     .params = {[VALUES] = {"values", T_JOIN, MLS_PARAM_VARIADIC, 0},
                [AXIS] = {"axis", MLS_T_I32, MLS_PARAM_CONST, 0},
                [INTERLEAVE] = {"interleave", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}},
     .infer = infer_concat,
     .run = run_concat},
    {.name = "stack",
     .since = 5,
     .params = {[VALUES] = {"values", T_JOIN, MLS_PARAM_VARIADIC, 0},
                [AXIS] = {"axis", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_stack,
     .run = run_stack},
    {.name = "split",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {[SPLIT_X] = {"x", T_JOIN, 0, 0},
                [SPLIT_NUMBER] = {"num_splits", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},
                [SPLIT_SIZES] = {"split_sizes", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},
                [SPLIT_AXIS] = {"axis", MLS_T_I32, MLS_PARAM_CONST, 0},
                [SPLIT_UNEVEN] = {"nn_uneven", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}},
     .infer = infer_split,
     .run = run_split},
    {.name = "tile",
     .since = 5,
     .params = {[TILE_X] = {"x", T_JOIN, 0, 0}, [TILE_REPS] = {"reps", MLS_T_I32, 0, 0}},
     .infer = infer_tile,
     .run = run_tile},
};

MLS_OP_FAMILY_DEFINE(tensor_join, rows);
