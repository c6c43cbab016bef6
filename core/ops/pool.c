/* pool.c: pooling over one, two or three spatial dimensions. */
#include "ops/op_family.h"
#include "ops/space.h"

enum { P_X, P_KERNEL_SIZES, P_STRIDES, P_PAD_TYPE, P_PAD, P_CEIL_MODE, P_EXCLUDE_PADDING };

static const struct mls_space_params space_params = {
    .strides = P_STRIDES, .pad_type = P_PAD_TYPE, .pad = P_PAD, .dilations = -1};

static enum mls_status check_ceil_mode(const struct mls_op_call *call, const struct mls_space *space,
                                       struct mls_error *reterr)
{
    if (!space->ceil_mode)
        return MLS_OK;
    if (space->n > 2)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "ceil_mode needs one or two spatial dimensions");
    if (space->padding == MLS_PADDING_SAME || space->padding == MLS_PADDING_SAME_LOWER)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "ceil_mode needs pad_type valid or custom");
    for (unsigned i = 0; i < space->n; i++)
        if (space->pad[2 * i] != space->pad[2 * i + 1])
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "ceil_mode needs the same padding before and after each dimension");
    return MLS_OK;
}

static enum mls_status read_space(const struct mls_op_call *call, struct mls_space *ret,
                                  struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, P_X)->type;
    if (x->rank < 3 || x->rank > 2 + MLS_SPACE)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has rank %u; it must be 3, 4 or 5", x->rank);
    unsigned n = x->rank - 2u;
    int64_t kernel[MLS_SPACE];
    if (mls_op_ints(call, P_KERNEL_SIZES, kernel, MLS_SPACE) != (int)n)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"kernel_sizes\" must hold %u integers", n);
    enum mls_status status = mls_space_read(call, &space_params, n, kernel, ret, reterr);
    if (status != MLS_OK)
        return status;
    ret->ceil_mode = mls_op_bool(call, P_CEIL_MODE, false);
    return check_ceil_mode(call, ret, reterr);
}

static enum mls_status infer_pool(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, P_X)->type;
    if (type.rank != MLS_RANK_UNKNOWN) {
        struct mls_space space;
        enum mls_status status = read_space(call, &space, reterr);
        if (status == MLS_OK)
            status = mls_space_output(call, &space, type.dims + 2, type.dims + 2, reterr);
        if (status != MLS_OK)
            return status;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_l2_pool(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, P_X)->type;
    if (x->rank != MLS_RANK_UNKNOWN && x->rank > 4)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x has rank %u; l2_pool takes 3 or 4", x->rank);
    return infer_pool(call, reterr);
}

static struct mls_window window_of(const struct mls_op_call *call, enum mls_window_kind kind)
{
    const struct mls_tensor *x = mls_op_in(call, P_X), *y = mls_op_out(call, 0);
    struct mls_space space;
    struct mls_error ignored;
    (void)read_space(call, &space, &ignored); /* infer has accepted it */
    return (struct mls_window){.kind = kind,
                               .space = mls_space_window(&space, x->type.dims + 2, y->type.dims + 2),
                               .n_planes = (size_t)(x->type.dims[0] * x->type.dims[1]),
                               .outputs = 1,
                               .n_channels = (size_t)x->type.dims[1],
                               .fp16 = y->type.dtype == MLS_FP16,
                               .exclude_padding =
                                   kind == MLS_WINDOW_AVERAGE && mls_op_bool(call, P_EXCLUDE_PADDING, false),
                               .x = x->data,
                               .y = y->data,
                               .epilogue = call->fused};
}

static size_t scratch_pool(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_window window = window_of(call, MLS_WINDOW_MAX);
    return mls_window_scratch_bytes(env->kernels, &window, mls_pool_threads(env->pool));
}

static enum mls_status run_pool(struct mls_op_call *call, struct mls_op_env *env, enum mls_window_kind kind)
{
    if (!mls_type_elems(&mls_op_out(call, 0)->type))
        return MLS_OK;
    struct mls_window window = window_of(call, kind);
    const struct mls_window_kernels *kernels = env->kernels->window;
    mls_window_run(env->kernels, env->pool, &window, call->scratch);
    call->kernel = (window.fp16 ? kernels->names_fp16 : kernels->names_fp32)[kind];
    return MLS_OK;
}

static enum mls_status run_avg_pool(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_pool(call, env, MLS_WINDOW_AVERAGE);
}

static enum mls_status run_max_pool(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_pool(call, env, MLS_WINDOW_MAX);
}

static enum mls_status run_l2_pool(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_pool(call, env, MLS_WINDOW_L2);
}

/* One operation for each element of each window. */
static uint64_t flops_pool(const struct mls_op_call *call)
{
    int64_t kernel[MLS_SPACE];
    uint64_t n = mls_flops_elementwise(call);
    int n_sizes = mls_op_ints(call, P_KERNEL_SIZES, kernel, MLS_SPACE);
    for (int i = 0; i < n_sizes; i++)
        n *= (uint64_t)kernel[i];
    return n;
}

#define POOL_PARAMS                                                                                         \
    [P_X] = {"x", MLS_T_FLOAT, 0, 'T'}, [P_KERNEL_SIZES] = {"kernel_sizes", MLS_T_I32, MLS_PARAM_CONST, 0}, \
    [P_STRIDES] = {"strides", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},                          \
    [P_PAD_TYPE] = {"pad_type", MLS_T_TEXT, MLS_PARAM_CONST, 0},                                            \
    [P_PAD] = {"pad", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},                                  \
    [P_CEIL_MODE] = {"ceil_mode", MLS_T_BOOL, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}

static const struct mls_op_row rows[] = {
    {.name = "avg_pool",
     .since = 5,
     .flags = MLS_OP_EPILOGUE,
     .params = {POOL_PARAMS, [P_EXCLUDE_PADDING] = {"exclude_padding_from_average", MLS_T_BOOL,
                                                    MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}},
     .infer = infer_pool,
     .flops = flops_pool,
     .scratch_bytes = scratch_pool,
     .run = run_avg_pool},
    {.name = "max_pool",
     .since = 5,
     .flags = MLS_OP_EPILOGUE,
     .params = {POOL_PARAMS},
     .infer = infer_pool,
     .flops = flops_pool,
     .scratch_bytes = scratch_pool,
     .run = run_max_pool},
    {.name = "l2_pool",
     .since = 5,
     .flags = MLS_OP_EPILOGUE,
     .params = {POOL_PARAMS},
     .infer = infer_l2_pool,
     .flops = flops_pool,
     .scratch_bytes = scratch_pool,
     .run = run_l2_pool},
};

MLS_OP_FAMILY_DEFINE(pool, rows);
