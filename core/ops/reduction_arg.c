/*
 * reduction_arg.c: where the largest or smallest element stands: the first one, and the first NaN if there is
 * any, as NumPy's argmax and argmin.
 */
#include "kernels/convert/convert.h"
#include "ops/axes.h"
#include "ops/op_family.h"

enum { X_PARAM, AXIS_PARAM, KEEP_DIMS_PARAM, OUTPUT_DTYPE_PARAM };

static enum mls_status infer_arg(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    bool narrow = call->row->since >= 7 && mls_op_text_is(call, OUTPUT_DTYPE_PARAM, "int32", "uint16");
    if (call->row->since >= 7 && !narrow && !mls_op_text_is(call, OUTPUT_DTYPE_PARAM, "int32", "int32"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"output_dtype\" is none of int32, uint16");
    struct mls_type type = mls_type_tensor(narrow ? MLS_UINT16 : MLS_INT32, 0, NULL);
    int64_t axis = mls_op_int(call, AXIS_PARAM, -1);
    bool keep_dims = mls_op_bool(call, KEEP_DIMS_PARAM, false);
    if (x->rank == MLS_RANK_UNKNOWN) {
        type.rank = MLS_RANK_UNKNOWN;
        mls_op_out(call, 0)->type = type;
        return MLS_OK;
    }
    unsigned at;
    if (!mls_op_axis(axis, x->rank, &at))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside the %u dimensions of x",
                           (long long)axis, x->rank);
    int64_t limit = narrow ? UINT16_MAX + 1 : (int64_t)INT32_MAX + 1;
    if (x->dims[at] == 0 || x->dims[at] > limit)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "dimension %u of %lld elements has no index in %s",
                           at, (long long)x->dims[at], mls_dtype_name(type.dtype));
    for (unsigned i = 0; i < x->rank; i++) {
        if (i != at)
            type.dims[type.rank++] = x->dims[i];
        else if (keep_dims)
            type.dims[type.rank++] = 1;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

struct arg_job {
    struct mls_axes axes;
    const struct mls_kernels *kernels;
    const struct mls_tensor *x;
    struct mls_tensor *y;
    bool largest;
};

/* n elements from `first` as doubles, which hold every type of x exactly. */
static void load(const struct arg_job *job, int64_t first, int64_t n, double *ret)
{
    enum mls_dtype dtype = job->x->type.dtype;
    mls_cast(dtype, (const char *)job->x->data + mls_dtype_bytes(dtype, (size_t)first), MLS_FP64, ret,
             (size_t)n);
}

static void store(const struct arg_job *job, int64_t at, int64_t index)
{
    if (job->y->type.dtype == MLS_UINT16)
        ((uint16_t *)job->y->data)[at] = (uint16_t)index;
    else
        ((int32_t *)job->y->data)[at] = (int32_t)index;
}

static bool better(const struct arg_job *job, double candidate, double best)
{
    if (best != best)
        return false;
    return candidate != candidate || (job->largest ? candidate > best : candidate < best);
}

static void arg_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct arg_job *job = context;
    (void)thread;
    double block[MLS_COLUMN_BLOCK];
    for (int64_t row = first; row < last; row++) {
        int64_t base = mls_axes_kept(&job->axes, row), found = 0;
        double best = 0;
        for (int64_t i = 0; i < job->axes.inner; i += MLS_COLUMN_BLOCK) {
            int64_t n = job->axes.inner - i < MLS_COLUMN_BLOCK ? job->axes.inner - i : MLS_COLUMN_BLOCK;
            load(job, base + i, n, block);
            for (int64_t j = 0; j < n; j++) {
                if (i + j != 0 && !better(job, block[j], best))
                    continue;
                best = block[j];
                found = i + j;
            }
        }
        store(job, row, found);
    }
}

static void arg_columns(void *context, int64_t kept, int64_t column, int64_t n, uint32_t thread)
{
    const struct arg_job *job = context;
    (void)thread;
    double best[MLS_COLUMN_BLOCK], block[MLS_COLUMN_BLOCK];
    int64_t found[MLS_COLUMN_BLOCK];
    int64_t base = mls_axes_kept(&job->axes, kept) + column;
    for (int64_t r = 0; r < job->axes.reduced; r++) {
        load(job, base + mls_axes_reduced(&job->axes, r), n, block);
        for (int64_t j = 0; j < n; j++) {
            if (r != 0 && !better(job, block[j], best[j]))
                continue;
            best[j] = block[j];
            found[j] = r;
        }
    }
    for (int64_t j = 0; j < n; j++)
        store(job, kept * job->axes.inner + column + j, found[j]);
}

static enum mls_status run_arg(struct mls_op_call *call, struct mls_op_env *env, bool largest)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    unsigned axis = 0;
    mls_op_axis(mls_op_int(call, AXIS_PARAM, -1), x->type.rank, &axis);
    struct arg_job job = {.axes = mls_axes_plan(&x->type, 1u << axis),
                          .kernels = env->kernels,
                          .x = x,
                          .y = mls_op_out(call, 0),
                          .largest = largest};
    call->kernel = "reduce_arg__generic";
    mls_axes_for(&job.axes, env->pool, arg_rows, arg_columns, &job);
    return MLS_OK;
}

static enum mls_status run_argmax(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_arg(call, env, true);
}

static enum mls_status run_argmin(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_arg(call, env, false);
}

static uint64_t flops_of_input(const struct mls_op_call *call)
{
    int64_t n = mls_type_elems(&mls_op_in(call, X_PARAM)->type);
    return n > 0 ? (uint64_t)n : 0;
}

#define COMMON_PARAMS                                                            \
    [X_PARAM] = {"x", MLS_T_FLOAT | MLS_T_I32, 0, 'T'},                          \
    [AXIS_PARAM] = {"axis", MLS_T_I32, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0}, \
    [KEEP_DIMS_PARAM] = {"keep_dims", MLS_T_BOOL, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0}
#define OUTPUT_DTYPE \
    [OUTPUT_DTYPE_PARAM] = {"output_dtype", MLS_T_TEXT, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0}

#define ROWS(op, function)                                                                   \
    {.name = op,                                                                             \
     .since = 5,                                                                             \
     .params = {COMMON_PARAMS},                                                              \
     .infer = infer_arg,                                                                     \
     .flops = flops_of_input,                                                                \
     .run = (function)},                                                                     \
    {                                                                                        \
        .name = op, .since = 7, .params = {COMMON_PARAMS, OUTPUT_DTYPE}, .infer = infer_arg, \
        .flops = flops_of_input, .run = (function)                                           \
    }

static const struct mls_op_row rows[] = {ROWS("reduce_argmax", run_argmax),
                                         ROWS("reduce_argmin", run_argmin)};

MLS_OP_FAMILY_DEFINE(reduction_arg, rows);
