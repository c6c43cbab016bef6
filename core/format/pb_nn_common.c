/* pb_nn_common.c: constants, and operations that many layers are made of. */
#include "format/pb_nn.h"

#include <string.h>

static const mls_value_id no_value = {MLS_NO_INDEX};

mls_value_id nn_constant(struct nn *nn, const struct mls_type *type, const void *data)
{
    if (nn->status)
        return no_value;
    size_t size_bytes = mls_type_bytes(type);
    struct mls_constant *constant = MLS_NEW(nn->arena, struct mls_constant);
    void *copy = mls_arena_alloc(nn->arena, size_bytes, 16);
    if (!constant || !copy) {
        nn_no_memory(nn);
        return no_value;
    }
    if (size_bytes)
        memcpy(copy, data, size_bytes);
    *constant = (struct mls_constant){.data = copy, .size_bytes = size_bytes};
    struct mls_value value = {
        .name = "constant", .type = *type, .producer = {MLS_NO_INDEX}, .constant = constant};
    mls_value_id id = no_value;
    nn->status = ir_value_add(nn->builder, &value, &id, nn->error);
    return id;
}

mls_value_id nn_scalar(struct nn *nn, float value)
{
    struct mls_type type = mls_type_tensor(MLS_FP32, 0, NULL);
    return nn_constant(nn, &type, &value);
}

/* An output of the dimensions of x. */
static mls_value_id emit_same(struct nn *nn, const struct nn_op *op, mls_value_id x, enum mls_dtype dtype)
{
    if (nn->status)
        return no_value;
    struct mls_type type = ir_value_at(nn->builder, x)->type;
    type.dtype = dtype;
    const mls_value_id *outputs = nn_emit_several(nn, op, &type, 1);
    return outputs ? outputs[0] : no_value;
}

mls_value_id nn_unary(struct nn *nn, const char *type, mls_value_id x)
{
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", x);
    return emit_same(nn, &op, x, MLS_FP32);
}

unsigned nn_broadcast_rank(struct nn *nn, mls_value_id x, mls_value_id y)
{
    unsigned left = nn_rank(nn, x), right = nn_rank(nn, y); /* unknown is greater than any */
    return left > right ? left : right;
}

mls_value_id nn_binary(struct nn *nn, const char *type, mls_value_id x, mls_value_id y)
{
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "y", y);
    return nn_emit(nn, &op, nn_broadcast_rank(nn, x, y));
}

mls_value_id nn_cast(struct nn *nn, mls_value_id x, const char *dtype)
{
    struct nn_op op;
    nn_begin(&op, "cast");
    nn_arg(nn, &op, "x", x);
    nn_arg_text(nn, &op, "dtype", dtype);
    return emit_same(nn, &op, x, mls_dtype_parse(dtype));
}

mls_value_id nn_transpose(struct nn *nn, mls_value_id x, const int64_t *order, unsigned rank)
{
    struct nn_op op;
    nn_begin(&op, "transpose");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "perm", order, rank);
    return nn_emit(nn, &op, rank);
}

mls_value_id nn_reshape(struct nn *nn, mls_value_id x, const int64_t *shape, unsigned rank)
{
    struct nn_op op;
    nn_begin(&op, "reshape");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "shape", shape, rank);
    return nn_emit(nn, &op, rank);
}

static enum mls_dtype dtype_of(struct nn *nn, mls_value_id x)
{
    return nn->status ? MLS_FP32 : ir_value_at(nn->builder, x)->type.dtype;
}

mls_value_id nn_expand(struct nn *nn, mls_value_id x, const int64_t *axes, unsigned n)
{
    struct nn_op op;
    nn_begin(&op, "expand_dims");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "axes", axes, n);
    unsigned rank = nn_rank(nn, x);
    return nn_emit_as(nn, &op, dtype_of(nn, x), rank == MLS_RANK_UNKNOWN ? rank : rank + n);
}

mls_value_id nn_squeeze(struct nn *nn, mls_value_id x, const int64_t *axes, unsigned n)
{
    struct nn_op op;
    nn_begin(&op, "squeeze");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "axes", axes, n);
    unsigned rank = nn_rank(nn, x);
    if (rank != MLS_RANK_UNKNOWN && rank < n)
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "it drops more dimensions than there are");
    return nn_emit_as(nn, &op, dtype_of(nn, x), rank == MLS_RANK_UNKNOWN ? rank : rank - n);
}

mls_value_id nn_collapse(struct nn *nn, mls_value_id x, unsigned axis, unsigned n_ones)
{
    struct nn_op op;
    nn_begin(&op, "nn_collapse");
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "axis", axis);
    nn_arg_int(nn, &op, "n_ones", n_ones);
    return nn_emit(nn, &op, axis + 1 + n_ones);
}

mls_value_id nn_batch4(struct nn *nn, mls_value_id x)
{
    unsigned rank = nn_known_rank(nn, x);
    if (nn->status || rank == 4)
        return x;
    if (rank < 3) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its input has %u dimensions, it needs at least 3", rank);
        return no_value;
    }
    struct nn_op op;
    nn_begin(&op, "nn_batch");
    nn_arg(nn, &op, "x", x);
    return nn_emit(nn, &op, 4);
}

mls_value_id nn_unbatch(struct nn *nn, mls_value_id x, mls_value_id like)
{
    unsigned rank = nn_known_rank(nn, like);
    if (nn->status || rank == 4)
        return x;
    struct nn_op op;
    nn_begin(&op, "nn_unbatch");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "like", like);
    return nn_emit(nn, &op, rank);
}

mls_value_id nn_reshape_as(struct nn *nn, mls_value_id x, mls_value_id like)
{
    struct nn_op op;
    nn_begin(&op, "nn_reshape_like");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "like", like);
    return nn_emit(nn, &op, nn_rank(nn, like));
}

mls_value_id nn_indices(struct nn *nn, mls_value_id x)
{
    return nn_cast(nn, x, "int32");
}

mls_value_id nn_at_least_1(struct nn *nn, mls_value_id x)
{
    return nn_rank(nn, x) == 0 ? nn_expand(nn, x, (const int64_t[]){0}, 1) : x;
}

mls_value_id nn_begin_along(struct nn *nn, mls_value_id at, unsigned axis, unsigned rank)
{
    if (nn->status)
        return no_value;
    const int32_t zeros[MLS_RANK_MAX] = {0};
    mls_value_id parts[3];
    size_t n = 0;
    struct mls_type before = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){axis});
    struct mls_type behind = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){rank - axis - 1});
    if (axis)
        parts[n++] = nn_constant(nn, &before, zeros);
    parts[n++] = at;
    if (axis + 1 < rank)
        parts[n++] = nn_constant(nn, &behind, zeros);
    struct nn_op op;
    nn_begin(&op, "concat");
    nn_args(nn, &op, "values", parts, n);
    nn_arg_int(nn, &op, "axis", 0);
    return n > 1 ? nn_emit_as(nn, &op, MLS_INT32, 1) : at;
}
