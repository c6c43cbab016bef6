/* softmax.c: softmax along one axis. Counted per element: maximum, difference, exponential, sum, quotient. */
#include "kernels/softmax/softmax.h"

#include "ops/axes.h"
#include "ops/op_family.h"

enum { X_PARAM, AXIS_PARAM };

_Static_assert((int)MLS_COLUMN_BLOCK <= (int)MLS_SOFTMAX_COLUMNS, "a block is one call of the kernel");

static enum mls_status infer_softmax(const struct mls_op_call *call, struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, X_PARAM)->type.rank, axis;
    int64_t asked = mls_op_int(call, AXIS_PARAM, -1);
    if (rank != MLS_RANK_UNKNOWN && !mls_op_axis(asked, rank, &axis))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside the %u dimensions of x",
                           (long long)asked, rank);
    return mls_infer_same(call, reterr);
}

static struct mls_axes axes_of(const struct mls_op_call *call)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    unsigned axis = 0;
    mls_op_axis(mls_op_int(call, AXIS_PARAM, -1), x->rank, &axis);
    return mls_axes_plan(x, 1u << axis);
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    struct mls_axes axes = axes_of(call);
    if (!axes.rows || mls_op_in(call, X_PARAM)->type.dtype != MLS_FP16)
        return 0;
    return (size_t)axes.inner * sizeof(float) * mls_pool_threads(env->pool);
}

static uint64_t flops_softmax(const struct mls_op_call *call)
{
    return 5 * mls_flops_elementwise(call);
}

struct softmax_job {
    struct mls_axes axes;
    const struct mls_softmax_kernels *kernels;
    const void *x;
    void *y;
    bool half;
    float *scratch;
};

static void softmax_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct softmax_job *job = context;
    size_t n = (size_t)job->axes.inner;
    if (!n)
        return;
    for (int64_t row = first; row < last; row++) {
        int64_t at = mls_axes_kept(&job->axes, row);
        if (job->half)
            job->kernels->row_fp16((const uint16_t *)job->x + at, (uint16_t *)job->y + at, n,
                                   job->scratch + n * thread);
        else
            job->kernels->row_fp32((const float *)job->x + at, (float *)job->y + at, n, NULL);
    }
}

static void softmax_columns(void *context, int64_t kept, int64_t column, int64_t n, uint32_t thread)
{
    const struct softmax_job *job = context;
    (void)thread;
    int64_t at = mls_axes_kept(&job->axes, kept) + column;
    size_t length = (size_t)job->axes.reduced, stride = (size_t)job->axes.inner;
    if (job->half)
        job->kernels->columns_fp16((const uint16_t *)job->x + at, (uint16_t *)job->y + at, (size_t)n, length,
                                   stride);
    else
        job->kernels->columns_fp32((const float *)job->x + at, (float *)job->y + at, (size_t)n, length,
                                   stride);
}

static enum mls_status run_softmax(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    struct softmax_job job = {.axes = axes_of(call),
                              .kernels = env->kernels->softmax,
                              .x = x->data,
                              .y = mls_op_out(call, 0)->data,
                              .half = x->type.dtype == MLS_FP16,
                              .scratch = call->scratch};
    call->kernel = job.half ? job.kernels->name_fp16 : job.kernels->name_fp32;
    mls_axes_for(&job.axes, env->pool, softmax_rows, softmax_columns, &job);
    return MLS_OK;
}

static const struct mls_op_row rows[] = {
    {.name = "softmax",
     .since = 5,
     .flags = MLS_OP_INPLACE,
     .params = {[X_PARAM] = {"x", MLS_T_FLOAT, 0, 'T'},
                [AXIS_PARAM] = {"axis", MLS_T_I32, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0}},
     .infer = infer_softmax,
     .flops = flops_softmax,
     .scratch_bytes = scratch_bytes,
     .run = run_softmax},
};

MLS_OP_FAMILY_DEFINE(softmax, rows);
