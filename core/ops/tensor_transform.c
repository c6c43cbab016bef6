/* tensor_transform.c: the elements of a tensor in another order: transpose, reverse, blocks of space and
 * depth. */
#include <string.h>

#include "base/checked.h"
#include "ops/copy.h"
#include "ops/op_family.h"

enum { X, SECOND, THIRD, FOURTH };

static enum mls_status bad_axis(const struct mls_op_call *call, const char *param, int64_t axis,
                                unsigned rank, struct mls_error *reterr)
{
    return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s %lld lies outside a tensor of rank %u", param,
                       (long long)axis, rank);
}

/* ---- transpose ---- */

static enum mls_status infer_transpose(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = *x;
    int64_t perm[MLS_RANK_MAX];
    int n = mls_op_ints(call, SECOND, perm, MLS_RANK_MAX);
    bool taken[MLS_RANK_MAX] = {false};
    if (x->rank != MLS_RANK_UNKNOWN && n != (int)x->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "perm has not the %u elements of x's rank",
                           (unsigned)x->rank);
    for (unsigned i = 0; x->rank != MLS_RANK_UNKNOWN && i < x->rank; i++) {
        unsigned axis;
        if (!mls_op_axis(perm[i], x->rank, &axis) || taken[axis])
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "perm is no permutation of x's axes");
        taken[axis] = true;
        type.dims[i] = x->dims[axis];
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_transpose(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = x->type.rank;
    int64_t perm[MLS_RANK_MAX], source[MLS_RANK_MAX];
    mls_op_ints(call, SECOND, perm, MLS_RANK_MAX);
    mls_strides(rank, x->type.dims, source);
    struct mls_copy copy = {
        .elem_bytes = mls_elem_bytes(x), .rank = rank, .source = x->data, .target = out->data};
    for (unsigned i = 0; i < rank; i++) {
        unsigned axis;
        mls_op_axis(perm[i], rank, &axis);
        copy.dims[i] = out->type.dims[i];
        copy.source_strides[i] = source[axis];
    }
    mls_strides(rank, copy.dims, copy.target_strides);
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

/* ---- reverse and reverse_sequence ---- */

static enum mls_status infer_reverse(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    int64_t axes[MLS_RANK_MAX];
    int n = mls_op_ints(call, SECOND, axes, MLS_RANK_MAX);
    if (n < 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axes has more than %d elements", MLS_RANK_MAX);
    for (int i = 0; i < n && x->rank != MLS_RANK_UNKNOWN; i++) {
        unsigned axis;
        if (!mls_op_axis(axes[i], x->rank, &axis))
            return bad_axis(call, "axis", axes[i], x->rank, reterr);
    }
    return mls_infer_same(call, reterr);
}

static enum mls_status run_reverse(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = x->type.rank;
    bool flipped[MLS_RANK_MAX] = {false};
    int64_t axes[MLS_RANK_MAX];
    int n = mls_op_ints(call, SECOND, axes, MLS_RANK_MAX);
    for (int i = 0; i < n; i++) {
        unsigned axis;
        if (!mls_op_axis(axes[i], rank, &axis))
            return bad_axis(call, "axis", axes[i], rank, env->error);
        flipped[axis] = !flipped[axis];
    }
    struct mls_copy copy = {
        .elem_bytes = mls_elem_bytes(x), .rank = rank, .source = x->data, .target = out->data};
    if (mls_type_elems(&x->type) == 0)
        return MLS_OK;
    memcpy(copy.dims, x->type.dims, rank * sizeof copy.dims[0]);
    mls_strides(rank, copy.dims, copy.source_strides);
    mls_strides(rank, copy.dims, copy.target_strides);
    for (unsigned i = 0; i < rank; i++) {
        if (mls_op_given(call, SECOND) && !flipped[i])
            continue;
        copy.source += (copy.dims[i] - 1) * copy.source_strides[i] * (int64_t)copy.elem_bytes;
        copy.source_strides[i] = -copy.source_strides[i];
    }
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

static enum mls_status infer_reverse_sequence(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *lengths = &mls_op_in(call, SECOND)->type;
    if (x->rank == MLS_RANK_UNKNOWN || lengths->rank == MLS_RANK_UNKNOWN)
        return mls_infer_same(call, reterr);
    unsigned axis, batch;
    if (!mls_op_axis(mls_op_int(call, THIRD, 0), x->rank, &axis))
        return bad_axis(call, "seq_axis", mls_op_int(call, THIRD, 0), x->rank, reterr);
    if (!mls_op_axis(mls_op_int(call, FOURTH, 0), x->rank, &batch))
        return bad_axis(call, "batch_axis", mls_op_int(call, FOURTH, 0), x->rank, reterr);
    if (lengths->rank != 1 ||
        (lengths->dims[0] >= 0 && x->dims[batch] >= 0 && lengths->dims[0] != x->dims[batch]))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "lengths is not a vector of one length a batch");
    if (axis == batch)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "seq_axis and batch_axis are the same");
    return mls_infer_same(call, reterr);
}

static enum mls_status run_reverse_sequence(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *lengths = mls_op_in(call, SECOND);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = x->type.rank, axis, batch;
    mls_op_axis(mls_op_int(call, THIRD, 0), rank, &axis);
    mls_op_axis(mls_op_int(call, FOURTH, 0), rank, &batch);
    struct mls_copy whole = {.elem_bytes = mls_elem_bytes(x), .rank = rank};
    memcpy(whole.dims, x->type.dims, rank * sizeof whole.dims[0]);
    mls_strides(rank, whole.dims, whole.source_strides);
    mls_strides(rank, whole.dims, whole.target_strides);
    int64_t elem = (int64_t)whole.elem_bytes, n = x->type.dims[axis], stride = whole.source_strides[axis];
    whole.dims[batch] = 1;
    if (mls_type_elems(&lengths->type) != x->type.dims[batch])
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                           "lengths is not a vector of one length a batch");
    for (int64_t b = 0; b < x->type.dims[batch]; b++) {
        int64_t length = mls_tensor_int(lengths, b), offset = b * whole.source_strides[batch];
        if (length < 0 || length > n)
            return mls_op_fail(call, env->error, MLS_ERR_RUN_INDEX,
                               "length %lld of sequence %lld is not in [0, %lld]", (long long)length,
                               (long long)b, (long long)n);
        struct mls_copy turned = whole, rest = whole;
        turned.dims[axis] = length;
        turned.source_strides[axis] = -stride;
        turned.source = (const char *)x->data + (offset + (length ? length - 1 : 0) * stride) * elem;
        turned.target = (char *)out->data + offset * elem;
        rest.dims[axis] = n - length;
        rest.source = (const char *)x->data + (offset + length * stride) * elem;
        rest.target = (char *)out->data + (offset + length * stride) * elem;
        mls_copy_run(&turned, env);
        mls_copy_run(&rest, env);
    }
    call->kernel = "copy_strided";
    return MLS_OK;
}

/* ---- sliding_windows ---- */

static enum mls_status infer_sliding_windows(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    struct mls_type type = {.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    int64_t size = mls_op_int(call, THIRD, 0), stride = mls_op_int(call, FOURTH, 1);
    unsigned axis;
    if (size < 1 || stride < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "size %lld and stride %lld must be at least 1",
                           (long long)size, (long long)stride);
    if (x->rank == MLS_RANK_UNKNOWN) {
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    if (!mls_op_axis(mls_op_int(call, SECOND, 0), x->rank, &axis))
        return bad_axis(call, "axis", mls_op_int(call, SECOND, 0), x->rank, reterr);
    if (x->rank == MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                           MLS_RANK_MAX);
    int64_t n = x->dims[axis];
    if (n >= 0 && n < size)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "windows of %lld do not fit into %lld elements",
                           (long long)size, (long long)n);
    type.rank = (uint8_t)(x->rank + 1);
    for (unsigned i = 0; i < type.rank; i++)
        type.dims[i] = x->dims[i <= axis ? i : i - 1];
    type.dims[axis] = n < 0 ? MLS_DIM_UNKNOWN : (n - size) / stride + 1;
    type.dims[axis + 1] = size;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_sliding_windows(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = out->type.rank, axis;
    mls_op_axis(mls_op_int(call, SECOND, 0), x->type.rank, &axis);
    int64_t source[MLS_RANK_MAX];
    mls_strides(x->type.rank, x->type.dims, source);
    struct mls_copy copy = {
        .elem_bytes = mls_elem_bytes(x), .rank = rank, .source = x->data, .target = out->data};
    memcpy(copy.dims, out->type.dims, rank * sizeof copy.dims[0]);
    mls_strides(rank, copy.dims, copy.target_strides);
    for (unsigned i = 0; i < rank; i++)
        copy.source_strides[i] = source[i <= axis ? i : i - 1];
    copy.source_strides[axis] = source[axis] * mls_op_int(call, FOURTH, 1);
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

/* ---- blocks between depth and space ---- */

/* Whether channels are split as (block row, block column, channel), as TensorFlow does, or with the channel
 * first. */
static bool block_first(const struct mls_op_call *call)
{
    return !strcmp(call->row->name, "depth_to_space") || !strcmp(call->row->name, "space_to_depth");
}

static enum mls_status check_image(const struct mls_op_call *call, int64_t block, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    if (x->rank != 4)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have rank 4");
    if (block < 1 || block > INT16_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s is %lld", call->row->params[SECOND].name,
                           (long long)block);
    return MLS_OK;
}

static enum mls_status not_divisible(const struct mls_op_call *call, struct mls_error *reterr)
{
    char text[96];
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s does not divide into its blocks",
                       mls_type_format(&mls_op_in(call, X)->type, text, sizeof text));
}

/* A dimension times or divided by a number; false when it does not divide or is too large. */
static bool scale_dim(int64_t *dim, int64_t times, int64_t divided_by)
{
    if (*dim < 0)
        return true;
    if (!mls_mul_i64(*dim, times, dim) || *dim % divided_by)
        return false;
    *dim /= divided_by;
    return true;
}

static enum mls_status infer_to_space(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t block = mls_op_int(call, SECOND, 0);
    enum mls_status status = check_image(call, block, reterr);
    if (status)
        return status;
    struct mls_type type = mls_op_in(call, X)->type;
    if (!scale_dim(&type.dims[1], 1, block * block) || !scale_dim(&type.dims[2], block, 1) ||
        !scale_dim(&type.dims[3], block, 1))
        return not_divisible(call, reterr);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_to_depth(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t block = mls_op_int(call, SECOND, 0);
    enum mls_status status = check_image(call, block, reterr);
    if (status)
        return status;
    struct mls_type type = mls_op_in(call, X)->type;
    if (!scale_dim(&type.dims[1], block * block, 1) || !scale_dim(&type.dims[2], 1, block) ||
        !scale_dim(&type.dims[3], 1, block))
        return not_divisible(call, reterr);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* Both directions are one copy over [n, c, h, block row, w, block column]. */
static enum mls_status run_blocks(struct mls_op_call *call, const struct mls_tensor *depth,
                                  const struct mls_tensor *space, bool to_space, struct mls_op_env *env)
{
    int64_t b = mls_op_int(call, SECOND, 1), c = space->type.dims[1];
    int64_t h = depth->type.dims[2], w = depth->type.dims[3], plane = h * w;
    bool first = block_first(call);
    int64_t in_depth[] = {
        c * b * b * plane,      first ? plane : b * b * plane, w, (first ? c * b : b) * plane, 1,
        (first ? c : 1) * plane};
    int64_t in_space[] = {c * plane * b * b, plane * b * b, w * b * b, w * b, b, 1};
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(space),
                            .rank = 6,
                            .dims = {space->type.dims[0], c, h, b, w, b},
                            .source = to_space ? depth->data : space->data,
                            .target = to_space ? space->data : depth->data};
    memcpy(copy.source_strides, to_space ? in_depth : in_space, sizeof in_depth);
    memcpy(copy.target_strides, to_space ? in_space : in_depth, sizeof in_depth);
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

static enum mls_status run_to_space(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_blocks(call, mls_op_in(call, X), mls_op_out(call, 0), true, env);
}

static enum mls_status run_to_depth(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_blocks(call, mls_op_out(call, 0), mls_op_in(call, X), false, env);
}

/* ---- blocks between batch and space ---- */

struct batch_blocks {
    int64_t block[2];
    int64_t edge[2][2]; /* paddings or crops: before and after, by dimension */
};

static enum mls_status read_batch_blocks(const struct mls_op_call *call, struct batch_blocks *ret_blocks,
                                         struct mls_error *reterr)
{
    struct batch_blocks blocks;
    int64_t edges[4];
    if (mls_op_in(call, X)->type.rank != 4)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have rank 4");
    if (mls_op_ints(call, SECOND, blocks.block, 2) != 2 || mls_op_ints(call, THIRD, edges, 4) != 4)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "block_shape must have 2 and %s 2 x 2 elements",
                           call->row->params[THIRD].name);
    for (int i = 0; i < 2; i++)
        if (blocks.block[i] < 1 || blocks.block[i] > INT16_MAX)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "block_shape[%d] is %lld", i,
                               (long long)blocks.block[i]);
    for (int i = 0; i < 4; i++) {
        if (edges[i] < 0 || edges[i] > INT32_MAX)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s must not be negative",
                               call->row->params[THIRD].name);
        blocks.edge[i / 2][i % 2] = edges[i];
    }
    *ret_blocks = blocks;
    return MLS_OK;
}

static enum mls_status infer_space_to_batch(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct batch_blocks blocks;
    enum mls_status status = read_batch_blocks(call, &blocks, reterr);
    if (status)
        return status;
    struct mls_type type = mls_op_in(call, X)->type;
    bool fits = scale_dim(&type.dims[0], blocks.block[0] * blocks.block[1], 1);
    for (int i = 0; i < 2; i++) {
        if (type.dims[2 + i] >= 0)
            type.dims[2 + i] += blocks.edge[i][0] + blocks.edge[i][1];
        fits = fits && scale_dim(&type.dims[2 + i], 1, blocks.block[i]);
    }
    if (!fits)
        return not_divisible(call, reterr);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_batch_to_space(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct batch_blocks blocks;
    enum mls_status status = read_batch_blocks(call, &blocks, reterr);
    if (status)
        return status;
    struct mls_type type = mls_op_in(call, X)->type;
    bool fits = scale_dim(&type.dims[0], 1, blocks.block[0] * blocks.block[1]);
    for (int i = 0; i < 2; i++) {
        fits = fits && scale_dim(&type.dims[2 + i], blocks.block[i], 1);
        if (type.dims[2 + i] < 0)
            continue;
        type.dims[2 + i] -= blocks.edge[i][0] + blocks.edge[i][1];
        fits = fits && type.dims[2 + i] >= 0;
    }
    if (!fits)
        return not_divisible(call, reterr);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* The positions p of a batched dimension of n for which p * block + phase - before lies in [0, length). */
static void clip_phase(int64_t n, int64_t block, int64_t phase, int64_t before, int64_t length,
                       int64_t *ret_first, int64_t *ret_end)
{
    int64_t first = before > phase ? (before - phase + block - 1) / block : 0;
    int64_t last = length + before - phase; /* p * block < last */
    int64_t end = last <= 0 ? 0 : (last + block - 1) / block;
    *ret_end = end < n ? end : n;
    *ret_first = first < *ret_end ? first : *ret_end;
}

/* One copy for each place in a block; `space` is the image without its edges. */
static void run_batches(struct mls_op_call *call, const struct mls_tensor *batch,
                        const struct mls_tensor *space, bool to_space, const struct mls_op_env *env)
{
    struct batch_blocks blocks;
    if (read_batch_blocks(call, &blocks, env->error) != MLS_OK)
        return;
    int64_t n = space->type.dims[0], c = space->type.dims[1], h = space->type.dims[2],
            w = space->type.dims[3];
    int64_t bh = batch->type.dims[2], bw = batch->type.dims[3];
    int64_t elem = (int64_t)mls_elem_bytes(space);
    call->kernel = "copy_strided";
    for (int64_t place = 0; place < blocks.block[0] * blocks.block[1]; place++) {
        int64_t i = place / blocks.block[1], j = place % blocks.block[1];
        int64_t row, row_end, column, column_end;
        clip_phase(bh, blocks.block[0], i, blocks.edge[0][0], h, &row, &row_end);
        clip_phase(bw, blocks.block[1], j, blocks.edge[1][0], w, &column, &column_end);
        if (row == row_end || column == column_end)
            continue;
        int64_t in_batch[] = {c * bh * bw, bh * bw, bw, 1};
        int64_t in_space[] = {c * h * w, h * w, blocks.block[0] * w, blocks.block[1]};
        char *batch_at = (char *)batch->data + (place * n * in_batch[0] + row * bw + column) * elem;
        char *space_at = (char *)space->data + ((row * blocks.block[0] + i - blocks.edge[0][0]) * w +
                                                column * blocks.block[1] + j - blocks.edge[1][0]) *
                                                   elem;
        struct mls_copy copy = {.elem_bytes = (size_t)elem,
                                .rank = 4,
                                .dims = {n, c, row_end - row, column_end - column},
                                .source = to_space ? batch_at : space_at,
                                .target = to_space ? space_at : batch_at};
        memcpy(copy.source_strides, to_space ? in_batch : in_space, sizeof in_batch);
        memcpy(copy.target_strides, to_space ? in_space : in_batch, sizeof in_batch);
        mls_copy_run(&copy, env);
    }
}

static enum mls_status run_space_to_batch(struct mls_op_call *call, struct mls_op_env *env)
{
    struct mls_tensor *out = mls_op_out(call, 0);
    memset(out->data, 0, mls_type_bytes(&out->type)); /* what the paddings leave */
    run_batches(call, out, mls_op_in(call, X), false, env);
    return MLS_OK;
}

static enum mls_status run_batch_to_space(struct mls_op_call *call, struct mls_op_env *env)
{
    run_batches(call, mls_op_in(call, X), mls_op_out(call, 0), true, env);
    return MLS_OK;
}

#define MOVE(op, opset, types, ...)                                                                        \
    {                                                                                                      \
        .name = #op, .since = (opset), .params = {{"x", (types), 0, 0}, __VA_ARGS__}, .infer = infer_##op, \
        .run = run_##op                                                                                    \
    }
#define OPTIONAL_INT(name)                                       \
    {                                                            \
        name, MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }
#define INTS(name)                          \
    {                                       \
        name, MLS_T_I32, MLS_PARAM_CONST, 0 \
    }
#define BLOCKS(op, opset, direction, param, types)                                  \
    {                                                                               \
        .name = op, .since = (opset),                                               \
        .params = {{"x", MLS_T_FLOAT, 0, 0}, {param, (types), MLS_PARAM_CONST, 0}}, \
        .infer = infer_##direction, .run = run_##direction                          \
    }

static const struct mls_op_row rows[] = {
    MOVE(transpose, 5, MLS_T_MOVE_5, INTS("perm")),
    MOVE(transpose, 7, MLS_T_MOVE_7, INTS("perm")),
    MOVE(reverse, 5, MLS_T_MOVE_5, OPTIONAL_INT("axes")),
    MOVE(reverse, 7, MLS_T_MOVE_7, OPTIONAL_INT("axes")),
    MOVE(reverse_sequence, 5, MLS_T_MOVE_5, {"lengths", MLS_T_I32, 0, 0}, OPTIONAL_INT("seq_axis"),
         OPTIONAL_INT("batch_axis")),
    MOVE(reverse_sequence, 7, MLS_T_MOVE_7, {"lengths", MLS_T_INDEX_7, 0, 0}, OPTIONAL_INT("seq_axis"),
         OPTIONAL_INT("batch_axis")),
    MOVE(sliding_windows, 5, MLS_T_FLOAT | MLS_T_I32, INTS("axis"), INTS("size"), OPTIONAL_INT("stride")),
    MOVE(sliding_windows, 7, MLS_T_MOVE_7, INTS("axis"), INTS("size"), OPTIONAL_INT("stride")),
    MOVE(space_to_batch, 5, MLS_T_FLOAT, INTS("block_shape"), INTS("paddings")),
    MOVE(batch_to_space, 5, MLS_T_FLOAT, INTS("block_shape"), INTS("crops")),
    BLOCKS("depth_to_space", 5, to_space, "block_size", MLS_T_I32),
    BLOCKS("space_to_depth", 5, to_depth, "block_size", MLS_T_I32),
    BLOCKS("pixel_shuffle", 5, to_space, "upscale_factor", MLS_T_I32),
    BLOCKS("pixel_unshuffle", 6, to_depth, "downscale_factor", MLS_T_I32 | MLS_DTYPE_BIT(MLS_UINT32)),
};

MLS_OP_FAMILY_DEFINE(tensor_transform, rows);
