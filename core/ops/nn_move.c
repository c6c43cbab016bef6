/* nn_move.c: cropping and padding of layers of networks, for which MIL has no operation. */
#include <string.h>

#include "ops/copy.h"
#include "ops/op_family.h"

/* ---- nn_crop_like: the last two dimensions of x from an offset on, as many as `like` has --------------- */

enum { X, LIKE, OFFSET };

static enum mls_status infer_nn_crop_like(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    const struct mls_type *like = &mls_op_in(call, LIKE)->type;
    int64_t offset[2];
    if (mls_op_ints(call, OFFSET, offset, 2) != 2 || offset[0] < 0 || offset[1] < 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "its offset must be two numbers");
    if (type.rank == MLS_RANK_UNKNOWN || like->rank == MLS_RANK_UNKNOWN)
        return mls_op_out(call, 0)->type = (struct mls_type){.dtype = type.dtype, .rank = MLS_RANK_UNKNOWN},
                                MLS_OK;
    if (type.rank < 2 || like->rank < 2)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "its inputs must have at least 2 dimensions");
    for (unsigned i = 0; i < 2; i++) {
        int64_t *dim = &type.dims[type.rank - 2 + i], wanted = like->dims[like->rank - 2 + i];
        if (*dim >= 0 && wanted >= 0 && (wanted > *dim || offset[i] > *dim - wanted))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "%lld elements from %lld on are more than there are", (long long)wanted,
                               (long long)offset[i]);
        *dim = *dim < 0 ? MLS_DIM_UNKNOWN : wanted;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_nn_crop_like(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = x->type.rank;
    int64_t offset[2];
    mls_op_ints(call, OFFSET, offset, 2);
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(x), .rank = rank, .target = out->data};
    memcpy(copy.dims, out->type.dims, rank * sizeof *copy.dims);
    mls_strides(rank, x->type.dims, copy.source_strides);
    mls_strides(rank, out->type.dims, copy.target_strides);
    int64_t first = offset[0] * copy.source_strides[rank - 2] + offset[1];
    copy.source = (const char *)x->data + first * (int64_t)copy.elem_bytes;
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

/* ---- nn_pad_to: pads dimensions until they have a given size --------------------------------------------
 */

enum { PAD = 1, VALUE };

/*
 * Of each pair of numbers, the first other than 0 is the size wanted: on the left if it stands first, else on
 * the right. Pairs of zeros leave the dimension as it is.
 */
static enum mls_status infer_nn_pad_to(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    int64_t sizes[2 * MLS_RANK_MAX];
    int n = mls_op_ints(call, PAD, sizes, 2 * MLS_RANK_MAX);
    if (n < 0 && type.rank != MLS_RANK_UNKNOWN)
        for (unsigned i = 0; i < type.rank; i++)
            type.dims[i] = MLS_DIM_UNKNOWN;
    if (n < 0 || type.rank == MLS_RANK_UNKNOWN)
        return mls_op_out(call, 0)->type = type, MLS_OK;
    if (n != 2 * type.rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "it needs two numbers for each of %u dimensions", type.rank);
    for (unsigned i = 0; i < type.rank; i++) {
        int64_t wanted = sizes[2 * i] ? sizes[2 * i] : sizes[2 * i + 1];
        if (wanted < 0 || (wanted && type.dims[i] > wanted))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "dimension %u cannot be padded to %lld elements", i, (long long)wanted);
        if (wanted && type.dims[i] >= 0)
            type.dims[i] = wanted;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_nn_pad_to(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned rank = x->type.rank;
    int64_t sizes[2 * MLS_RANK_MAX] = {0}, offset = 0;
    mls_op_ints(call, PAD, sizes, 2 * MLS_RANK_MAX);
    float value = (float)mls_op_float(call, VALUE, 0);
    float *all = out->data;
    for (int64_t i = 0; i < mls_type_elems(&out->type); i++)
        all[i] = value;
    struct mls_copy copy = {.elem_bytes = mls_elem_bytes(x), .rank = rank, .source = x->data};
    memcpy(copy.dims, x->type.dims, rank * sizeof *copy.dims);
    mls_strides(rank, x->type.dims, copy.source_strides);
    mls_strides(rank, out->type.dims, copy.target_strides);
    for (unsigned i = 0; i < rank; i++)
        offset += sizes[2 * i] ? (out->type.dims[i] - x->type.dims[i]) * copy.target_strides[i] : 0;
    copy.target = (char *)out->data + offset * (int64_t)copy.elem_bytes;
    call->kernel = mls_copy_run(&copy, env);
    return MLS_OK;
}

#define T_FP32 MLS_DTYPE_BIT(MLS_FP32)

static const struct mls_op_row rows[] = {
    {.name = "nn_crop_like",
     .since = 5,
     .params = {[X] = {"x", T_FP32, 0, 0},
                [LIKE] = {"like", T_FP32, 0, 0},
                [OFFSET] = {"offset", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_nn_crop_like,
     .run = run_nn_crop_like},
    {.name = "nn_pad_to",
     .since = 5,
     .params = {[X] = {"x", T_FP32, 0, 0},
                [PAD] = {"pad", MLS_T_I32, 0, 0},
                [VALUE] = {"constant_val", T_FP32, MLS_PARAM_CONST, 0}},
     .infer = infer_nn_pad_to,
     .run = run_nn_pad_to},
};

MLS_OP_FAMILY_DEFINE(nn_move, rows);
