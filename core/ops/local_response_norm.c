/*
 * local_response_norm.c: x / (k + alpha / size * (sum of the squares of `size` neighbouring channels))^beta.
 * The window of channel c is [c - size / 2, c - size / 2 + size), cut at the ends. size + 4 operations per
 * element.
 */
#include "kernels/binary/binary.h"
#include "kernels/convert/convert.h"
#include "kernels/reduce/reduce.h"
#include "kernels/unary/unary.h"
#include "ops/axes.h"
#include "ops/op_family.h"

enum { X_PARAM, SIZE_PARAM, ALPHA_PARAM, BETA_PARAM, K_PARAM };

static enum mls_status infer_local_response_norm(const struct mls_op_call *call, struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, X_PARAM)->type.rank;
    if (rank < 3) /* an unknown rank is larger */
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have at least 3 dimensions, not %u", rank);
    int64_t size = mls_op_int(call, SIZE_PARAM, 0);
    if (size < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "size must be at least 1, not %lld",
                           (long long)size);
    return mls_infer_same(call, reterr);
}

static uint64_t flops_local_response_norm(const struct mls_op_call *call)
{
    return (uint64_t)(mls_op_int(call, SIZE_PARAM, 1) + 4) * mls_flops_elementwise(call);
}

struct lrn_job {
    struct mls_axes axes; /* kept: samples; reduced: channels; inner: positions */
    const struct mls_kernels *kernels;
    const char *x;
    char *y;
    bool half;
    int64_t size;
    struct mls_unary_params scale; /* alpha / size, k */
    float exponent;                /* -beta */
};

/* The squares of n positions of channels [first, last), summed. */
static void sum_squares(const struct lrn_job *job, int64_t at, int64_t first, int64_t last, size_t n,
                        float *ret)
{
    size_t elem_bytes = job->half ? 2 : 4;
    const struct mls_reduce_kernel *kernels =
        job->half ? job->kernels->reduce->fp16 : job->kernels->reduce->fp32;
    for (size_t i = 0; i < n; i++)
        ret[i] = 0;
    for (int64_t c = first; c < last; c++)
        kernels[MLS_REDUCE_SUM_SQUARE].columns(job->x + (size_t)(at + c * job->axes.inner) * elem_bytes, ret,
                                               n, NULL);
}

static void normalize_columns(void *context, int64_t kept, int64_t column, int64_t n_columns, uint32_t thread)
{
    const struct lrn_job *job = context;
    (void)thread;
    size_t n = (size_t)n_columns;
    int64_t channels = job->axes.reduced, at = mls_axes_kept(&job->axes, kept) + column;
    float factor[MLS_COLUMN_BLOCK], element[MLS_COLUMN_BLOCK];
    const struct mls_binary_kernel *binary = job->kernels->binary->fp32;
    for (int64_t c = 0; c < channels; c++) {
        int64_t first = c - job->size / 2, last = first + job->size;
        sum_squares(job, at, first < 0 ? 0 : first, last < channels ? last : channels, n, factor);
        job->kernels->unary->fp32[MLS_UNARY_LINEAR].run(factor, factor, n, &job->scale);
        binary[MLS_BINARY_POW].run(factor, &job->exponent, factor, n, MLS_BINARY_Y_SCALAR);
        size_t offset = (size_t)(at + c * job->axes.inner);
        if (job->half) {
            job->kernels->convert->fp16_to_fp32((const uint16_t *)(const void *)job->x + offset, element, n);
            binary[MLS_BINARY_MUL].run(element, factor, element, n, MLS_BINARY_ROWS);
            job->kernels->convert->fp32_to_fp16(element, (uint16_t *)(void *)job->y + offset, n);
        } else {
            binary[MLS_BINARY_MUL].run((const float *)(const void *)job->x + offset, factor,
                                       (float *)(void *)job->y + offset, n, MLS_BINARY_ROWS);
        }
    }
}

static enum mls_status run_local_response_norm(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    int64_t channels = x->type.dims[1], size = mls_op_int(call, SIZE_PARAM, 1);
    struct lrn_job job = {
        .axes = {.inner = 1, .n_kept = 1, .n_reduced = 1, .kept = x->type.dims[0], .reduced = channels},
        .kernels = env->kernels,
        .x = x->data,
        .y = mls_op_out(call, 0)->data,
        .half = x->type.dtype == MLS_FP16,
        .size = size,
        .scale = {.alpha = (float)(mls_op_float(call, ALPHA_PARAM, 1e-4) / (double)size),
                  .beta = (float)mls_op_float(call, K_PARAM, 1)},
        .exponent = -(float)mls_op_float(call, BETA_PARAM, 0.75)};
    for (unsigned i = 2; i < x->type.rank; i++)
        job.axes.inner *= x->type.dims[i];
    job.axes.reduced_dims[0] = channels;
    job.axes.reduced_strides[0] = job.axes.inner;
    job.axes.kept_dims[0] = job.axes.kept;
    job.axes.kept_strides[0] = channels * job.axes.inner;
    call->kernel = job.half ? env->kernels->reduce->fp16[MLS_REDUCE_SUM_SQUARE].name
                            : env->kernels->reduce->fp32[MLS_REDUCE_SUM_SQUARE].name;
    if (mls_type_elems(&x->type))
        mls_axes_for(&job.axes, env->pool, NULL, normalize_columns, &job);
    return MLS_OK;
}

#define OPTIONAL(name, letter)                                          \
    {                                                                   \
        name, MLS_T_FLOAT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, letter \
    }

/* Opset 7 lets each parameter have another type than x. */
#define ROW(opset, letter)                                                      \
    {                                                                           \
        .name = "local_response_norm", .since = (opset),                        \
        .params = {[X_PARAM] = {"x", MLS_T_FLOAT, 0, 'T'},                      \
                   [SIZE_PARAM] = {"size", MLS_T_I32, MLS_PARAM_CONST, 0},      \
                   [ALPHA_PARAM] = OPTIONAL("alpha", letter),                   \
                   [BETA_PARAM] = OPTIONAL("beta", letter),                     \
                   [K_PARAM] = OPTIONAL("k", letter)},                          \
        .infer = infer_local_response_norm, .flops = flops_local_response_norm, \
        .run = run_local_response_norm                                          \
    }

static const struct mls_op_row rows[] = {ROW(5, 'T'), ROW(7, 0)};

MLS_OP_FAMILY_DEFINE(local_response_norm, rows);
