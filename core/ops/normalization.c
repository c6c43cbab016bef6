/*
 * normalization.c: layer, instance, batch and L2 normalisation. Operations per element: 8 where moments are
 * computed (sum; difference, square, sum; difference, product, scale, shift), 4 for batch_norm, 3 for
 * l2_norm.
 */
#include <math.h>

#include "kernels/norm/norm.h"
#include "ops/moments.h"
#include "ops/op_family.h"

enum { X_PARAM };
enum { LAYER_AXES = 1, LAYER_GAMMA, LAYER_BETA, LAYER_EPSILON };
enum { INSTANCE_GAMMA = 1, INSTANCE_BETA, INSTANCE_EPSILON };
enum { BATCH_MEAN = 1, BATCH_VARIANCE, BATCH_GAMMA, BATCH_BETA, BATCH_EPSILON };
enum { L2_EPSILON = 1 };

/* Packed constants, in fp32. Arrays that were not given are NULL. */
struct norm_packed {
    const float *mean;  /* batch_norm only */
    const float *scale; /* batch_norm: 1 / sqrt(variance + epsilon) */
    const float *gamma;
    const float *beta;
};

/* A parameter's elements as fp32: in place when they are, or a copy in the arena; false when out of memory.
 */
static bool pack_floats(const struct mls_op_call *call, unsigned param, struct mls_arena *arena,
                        const float **ret, size_t *packed_bytes)
{
    const struct mls_tensor *value = mls_op_in(call, param);
    *ret = NULL;
    if (!value)
        return true;
    if (value->type.dtype == MLS_FP32) {
        *ret = value->data;
        return true;
    }
    size_t n = (size_t)mls_type_elems(&value->type);
    float *copy = mls_arena_array(arena, n, sizeof *copy, 64);
    if (!copy)
        return false;
    for (size_t i = 0; i < n; i++)
        copy[i] = (float)mls_tensor_float(value, (int64_t)i);
    *packed_bytes += n * sizeof *copy;
    *ret = copy;
    return true;
}

static enum mls_status pack_gamma_beta(const struct mls_op_call *call, struct mls_op_env *env,
                                       struct mls_arena *arena, unsigned gamma, unsigned beta,
                                       struct norm_packed **ret_packed, size_t *ret_packed_bytes)
{
    size_t bytes = sizeof(struct norm_packed);
    struct norm_packed *packed = MLS_NEW(arena, struct norm_packed);
    if (!packed || !pack_floats(call, gamma, arena, &packed->gamma, &bytes) ||
        !pack_floats(call, beta, arena, &packed->beta, &bytes))
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its constants");
    *ret_packed = packed;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}

static enum mls_status not_packed(const struct mls_op_call *call, const struct mls_op_env *env)
{
    return mls_op_fail(call, env->error, MLS_ERR_INTERNAL, "its constants were not packed");
}

/* Checks that the parameter's shape is `shape` (unknown dims fit) or that it was left out. */
static enum mls_status check_shape(const struct mls_op_call *call, unsigned param,
                                   const struct mls_type *shape, struct mls_error *reterr)
{
    const struct mls_tensor *value = mls_op_in(call, param);
    if (!value)
        return MLS_OK;
    bool fits = value->type.rank == shape->rank;
    for (unsigned i = 0; fits && i < shape->rank; i++)
        fits = shape->dims[i] == MLS_DIM_UNKNOWN || value->type.dims[i] == shape->dims[i];
    if (!fits) {
        char found[96], wanted[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "parameter \"%s\" must have shape %s, not %s",
                           call->row->params[param].name, mls_shape_format(shape, wanted, sizeof wanted),
                           mls_shape_format(&value->type, found, sizeof found));
    }
    return MLS_OK;
}

static const struct mls_norm_kernel *norm_kernel(const struct mls_op_env *env, const struct mls_tensor *x)
{
    return x->type.dtype == MLS_FP16 ? &env->kernels->norm->fp16 : &env->kernels->norm->fp32;
}

/* ---- layer_norm, instance_norm: moments over some axes
 * ----------------------------------------------------------- */

struct moments_job {
    struct mls_axes axes;
    struct mls_reduce_source source;
    const struct mls_norm_kernel *kernel;
    const char *x;
    char *y;
    double epsilon;
    const float *gamma;
    const float *beta;
    int64_t channels; /* instance_norm: gamma and beta are of channel row % channels; layer_norm: 0 */
};

static float inverse_deviation(double variance, double epsilon)
{
    return (float)(1.0 / sqrt(variance + epsilon));
}

static void moments_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct moments_job *job = context;
    const struct mls_axes *axes = &job->axes;
    (void)thread;
    double count = (double)mls_axes_count(axes);
    for (int64_t row = first; row < last; row++) {
        float mean = (float)(mls_reduce_one(&job->source, MLS_REDUCE_SUM, row, 0) / count);
        double variance = mls_reduce_one(&job->source, MLS_REDUCE_SUM_DEVIATION, row, mean) / count;
        float scale = inverse_deviation(variance, job->epsilon), shift = 0;
        const float *gamma = job->gamma, *beta = job->beta;
        if (job->channels) {
            scale *= gamma ? gamma[row % job->channels] : 1;
            shift = beta ? beta[row % job->channels] : 0;
            gamma = beta = NULL;
        }
        for (int64_t r = 0; r < axes->reduced; r++) {
            size_t at =
                (size_t)(mls_axes_kept(axes, row) + mls_axes_reduced(axes, r)) * job->source.elem_bytes;
            int64_t part = r * axes->inner;
            job->kernel->row(job->x + at, job->y + at, (size_t)axes->inner, mean, scale, shift,
                             gamma ? gamma + part : NULL, beta ? beta + part : NULL);
        }
    }
}

/* Only layer_norm comes here: instance_norm sees its channels as rows, whatever their length. */
static void moments_columns(void *context, int64_t kept, int64_t column, int64_t n, uint32_t thread)
{
    const struct moments_job *job = context;
    const struct mls_axes *axes = &job->axes;
    (void)thread;
    double count = (double)mls_axes_count(axes), sums[MLS_COLUMN_BLOCK];
    float mean[MLS_COLUMN_BLOCK], scale[MLS_COLUMN_BLOCK];
    mls_reduce_block(&job->source, MLS_REDUCE_SUM, kept, column, n, NULL, sums);
    for (int64_t i = 0; i < n; i++)
        mean[i] = (float)(sums[i] / count);
    mls_reduce_block(&job->source, MLS_REDUCE_SUM_DEVIATION, kept, column, n, mean, sums);
    for (int64_t i = 0; i < n; i++)
        scale[i] = inverse_deviation(sums[i] / count, job->epsilon);
    for (int64_t r = 0; r < axes->reduced; r++) {
        int64_t offset = mls_axes_kept(axes, kept) + column + mls_axes_reduced(axes, r);
        size_t at = (size_t)offset * job->source.elem_bytes;
        job->kernel->columns(job->x + at, job->y + at, (size_t)n, mean, scale, job->gamma ? job->gamma[r] : 1,
                             job->beta ? job->beta[r] : 0);
    }
}

static enum mls_status run_moments(struct mls_op_call *call, struct mls_op_env *env, struct mls_axes axes,
                                   unsigned epsilon_param, int64_t channels)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    const struct norm_packed *packed = call->packed;
    if (!packed)
        return not_packed(call, env);
    struct moments_job job = {.axes = axes,
                              .kernel = norm_kernel(env, x),
                              .x = x->data,
                              .y = mls_op_out(call, 0)->data,
                              .epsilon = mls_op_float(call, epsilon_param, 1e-5),
                              .gamma = packed->gamma,
                              .beta = packed->beta,
                              .channels = channels};
    job.source = mls_reduce_source_of(x, &job.axes, env->kernels);
    call->kernel = job.kernel->name;
    if (mls_type_elems(&x->type))
        mls_axes_for(&job.axes, env->pool, moments_rows, moments_columns, &job);
    return MLS_OK;
}

static enum mls_status infer_layer_norm(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    enum mls_status status = mls_infer_same(call, reterr);
    if (x->rank == MLS_RANK_UNKNOWN)
        return status;
    uint32_t reduced = 0;
    status = mls_axes_param(call, LAYER_AXES, x->rank, &reduced, reterr);
    if (status != MLS_OK)
        return status;
    struct mls_type shape = mls_type_tensor(x->dtype, 0, NULL);
    for (unsigned i = 0; i < x->rank; i++)
        if ((reduced >> i) & 1u)
            shape.dims[shape.rank++] = x->dims[i];
    status = check_shape(call, LAYER_GAMMA, &shape, reterr);
    return status == MLS_OK ? check_shape(call, LAYER_BETA, &shape, reterr) : status;
}

static enum mls_status pack_layer_norm(const struct mls_op_call *call, struct mls_op_env *env,
                                       struct mls_arena *arena, const void **ret_packed,
                                       size_t *ret_packed_bytes)
{
    struct norm_packed *packed = NULL;
    enum mls_status status =
        pack_gamma_beta(call, env, arena, LAYER_GAMMA, LAYER_BETA, &packed, ret_packed_bytes);
    if (status == MLS_OK)
        *ret_packed = packed;
    return status;
}

static enum mls_status run_layer_norm(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    uint32_t reduced = 0;
    enum mls_status status = mls_axes_param(call, LAYER_AXES, x->rank, &reduced, env->error);
    if (status != MLS_OK)
        return status;
    return run_moments(call, env, mls_axes_plan(x, reduced), LAYER_EPSILON, 0);
}

/* x [n, C, ...]: one number per channel in each parameter from `first` to `last`. */
static enum mls_status check_channels(const struct mls_op_call *call, unsigned first, unsigned last,
                                      unsigned rank_max, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    if (x->rank == MLS_RANK_UNKNOWN)
        return MLS_OK;
    if (x->rank < 3 || x->rank > rank_max)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have 3 to %u dimensions, not %u", rank_max,
                           x->rank);
    struct mls_type shape = mls_type_tensor(x->dtype, 1, &x->dims[1]);
    for (unsigned i = first; i <= last; i++) {
        enum mls_status status = check_shape(call, i, &shape, reterr);
        if (status != MLS_OK)
            return status;
    }
    return MLS_OK;
}

/* x [n, C, ...] as rows of one channel of one sample, however short they are. */
static struct mls_axes channel_rows(const struct mls_type *x)
{
    struct mls_axes axes = {
        .rows = true, .inner = 1, .reduced = 1, .n_kept = 1, .kept = x->dims[0] * x->dims[1]};
    for (unsigned i = 2; i < x->rank; i++)
        axes.inner *= x->dims[i];
    axes.kept_dims[0] = axes.kept;
    axes.kept_strides[0] = axes.inner;
    return axes;
}

static enum mls_status infer_instance_norm(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_channels(call, INSTANCE_GAMMA, INSTANCE_BETA, 4, reterr);
    return status == MLS_OK ? mls_infer_same(call, reterr) : status;
}

static enum mls_status pack_instance_norm(const struct mls_op_call *call, struct mls_op_env *env,
                                          struct mls_arena *arena, const void **ret_packed,
                                          size_t *ret_packed_bytes)
{
    struct norm_packed *packed = NULL;
    enum mls_status status =
        pack_gamma_beta(call, env, arena, INSTANCE_GAMMA, INSTANCE_BETA, &packed, ret_packed_bytes);
    if (status == MLS_OK)
        *ret_packed = packed;
    return status;
}

static enum mls_status run_instance_norm(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    return run_moments(call, env, channel_rows(x), INSTANCE_EPSILON, x->dims[1]);
}

/* ---- batch_norm, l2_norm
 * ----------------------------------------------------------------------------------------- */

static enum mls_status infer_batch_norm(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_channels(call, BATCH_MEAN, BATCH_BETA, 5, reterr);
    return status == MLS_OK ? mls_infer_same(call, reterr) : status;
}

static enum mls_status pack_batch_norm(const struct mls_op_call *call, struct mls_op_env *env,
                                       struct mls_arena *arena, const void **ret_packed,
                                       size_t *ret_packed_bytes)
{
    struct norm_packed *packed = NULL;
    enum mls_status status =
        pack_gamma_beta(call, env, arena, BATCH_GAMMA, BATCH_BETA, &packed, ret_packed_bytes);
    if (status != MLS_OK)
        return status;
    const struct mls_tensor *variance = mls_op_in(call, BATCH_VARIANCE);
    size_t n = (size_t)mls_type_elems(&variance->type);
    float *scale = mls_arena_array(arena, n, sizeof *scale, 64);
    if (!scale || !pack_floats(call, BATCH_MEAN, arena, &packed->mean, ret_packed_bytes))
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its constants");
    double epsilon = mls_op_float(call, BATCH_EPSILON, 1e-5);
    for (size_t i = 0; i < n; i++) {
        double gamma = packed->gamma ? (double)packed->gamma[i] : 1;
        scale[i] = (float)(gamma / sqrt(mls_tensor_float(variance, (int64_t)i) + epsilon));
    }
    *ret_packed_bytes += n * sizeof *scale;
    packed->scale = scale;
    *ret_packed = packed;
    return MLS_OK;
}

struct affine_job {
    struct mls_axes axes;
    struct mls_reduce_source source;
    const struct mls_norm_kernel *kernel;
    const char *x;
    char *y;
    const struct norm_packed *packed; /* batch_norm */
    int64_t channels;
    double epsilon; /* l2_norm */
};

static void batch_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct affine_job *job = context;
    (void)thread;
    for (int64_t row = first; row < last; row++) {
        int64_t channel = row % job->channels;
        size_t at = (size_t)(row * job->axes.inner) * job->source.elem_bytes;
        job->kernel->row(job->x + at, job->y + at, (size_t)job->axes.inner, job->packed->mean[channel],
                         job->packed->scale[channel], job->packed->beta ? job->packed->beta[channel] : 0,
                         NULL, NULL);
    }
}

static void l2_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct affine_job *job = context;
    (void)thread;
    for (int64_t row = first; row < last; row++) {
        double sum = mls_reduce_one(&job->source, MLS_REDUCE_SUM_SQUARE, row, 0);
        size_t at = (size_t)(row * job->axes.inner) * job->source.elem_bytes;
        job->kernel->row(job->x + at, job->y + at, (size_t)job->axes.inner, 0,
                         inverse_deviation(sum, job->epsilon), 0, NULL, NULL);
    }
}

static struct affine_job affine_job_of(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    struct affine_job job = {.kernel = norm_kernel(env, x), .x = x->data, .y = mls_op_out(call, 0)->data};
    call->kernel = job.kernel->name;
    return job;
}

static enum mls_status run_batch_norm(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    if (!call->packed)
        return not_packed(call, env);
    struct affine_job job = affine_job_of(call, env);
    job.axes = channel_rows(&x->type);
    job.source = mls_reduce_source_of(x, &job.axes, env->kernels);
    job.packed = call->packed;
    job.channels = x->type.dims[1];
    if (mls_type_elems(&x->type))
        mls_axes_for(&job.axes, env->pool, batch_rows, NULL, &job);
    return MLS_OK;
}

static enum mls_status infer_l2_norm(const struct mls_op_call *call, struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, X_PARAM)->type.rank;
    if (rank < 3) /* an unknown rank is larger */
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have at least 3 dimensions, not %u", rank);
    return mls_infer_same(call, reterr);
}

static enum mls_status run_l2_norm(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    struct affine_job job = affine_job_of(call, env);
    job.axes = (struct mls_axes){.rows = true, .inner = 1, .reduced = 1, .n_kept = 1, .kept = 1};
    for (unsigned i = 0; i < x->type.rank; i++)
        *(i + 3 < x->type.rank ? &job.axes.kept : &job.axes.inner) *= x->type.dims[i];
    job.axes.kept_dims[0] = job.axes.kept;
    job.axes.kept_strides[0] = job.axes.inner;
    job.source = mls_reduce_source_of(x, &job.axes, env->kernels);
    job.epsilon = mls_op_float(call, L2_EPSILON, 1e-6);
    if (mls_type_elems(&x->type))
        mls_axes_for(&job.axes, env->pool, l2_rows, NULL, &job);
    return MLS_OK;
}

/*
 * ---- Rows ----
 * Opset 7 lets the parameters have another type than x. A default epsilon is written with the type of x, so
 * its type is free there.
 */

static uint64_t flops_moments(const struct mls_op_call *call)
{
    return 8 * mls_flops_elementwise(call);
}
static uint64_t flops_batch_norm(const struct mls_op_call *call)
{
    return 4 * mls_flops_elementwise(call);
}
static uint64_t flops_l2_norm(const struct mls_op_call *call)
{
    return 3 * mls_flops_elementwise(call);
}

#define X_TENSOR [X_PARAM] = {"x", MLS_T_FLOAT, 0, 'T'}
#define GIVEN(name, letter)                        \
    {                                              \
        name, MLS_T_FLOAT, MLS_PARAM_CONST, letter \
    }
#define OPTIONAL(name, letter)                                          \
    {                                                                   \
        name, MLS_T_FLOAT, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, letter \
    }

#define LAYER(opset, letter, epsilon_letter)                                                              \
    {                                                                                                     \
        .name = "layer_norm", .since = (opset), .flags = MLS_OP_INPLACE,                                  \
        .params = {X_TENSOR, [LAYER_AXES] = {"axes", MLS_T_I32, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0}, \
                   [LAYER_GAMMA] = OPTIONAL("gamma", letter), [LAYER_BETA] = OPTIONAL("beta", letter),    \
                   [LAYER_EPSILON] = OPTIONAL("epsilon", epsilon_letter)},                                \
        .infer = infer_layer_norm, .flops = flops_moments, .pack = pack_layer_norm, .run = run_layer_norm \
    }

#define INSTANCE(opset, letter, epsilon_letter)                                           \
    {                                                                                     \
        .name = "instance_norm", .since = (opset), .flags = MLS_OP_INPLACE,               \
        .params = {X_TENSOR, [INSTANCE_GAMMA] = OPTIONAL("gamma", letter),                \
                   [INSTANCE_BETA] = OPTIONAL("beta", letter),                            \
                   [INSTANCE_EPSILON] = OPTIONAL("epsilon", epsilon_letter)},             \
        .infer = infer_instance_norm, .flops = flops_moments, .pack = pack_instance_norm, \
        .run = run_instance_norm                                                          \
    }

#define BATCH(opset, letter, epsilon_letter)                                                                 \
    {                                                                                                        \
        .name = "batch_norm", .since = (opset), .flags = MLS_OP_INPLACE,                                     \
        .params = {X_TENSOR,                                                                                 \
                   [BATCH_MEAN] = GIVEN("mean", letter),                                                     \
                   [BATCH_VARIANCE] = GIVEN("variance", letter),                                             \
                   [BATCH_GAMMA] = OPTIONAL("gamma", letter),                                                \
                   [BATCH_BETA] = OPTIONAL("beta", letter),                                                  \
                   [BATCH_EPSILON] = OPTIONAL("epsilon", epsilon_letter)},                                   \
        .infer = infer_batch_norm, .flops = flops_batch_norm, .pack = pack_batch_norm, .run = run_batch_norm \
    }

#define L2(opset, letter)                                                                         \
    {                                                                                             \
        .name = "l2_norm", .since = (opset), .flags = MLS_OP_INPLACE,                             \
        .params = {X_TENSOR, [L2_EPSILON] = OPTIONAL("epsilon", letter)}, .infer = infer_l2_norm, \
        .flops = flops_l2_norm, .run = run_l2_norm                                                \
    }

static const struct mls_op_row rows[] = {LAYER(5, 'T', 'T'),  LAYER(7, 'U', 0),   INSTANCE(5, 'T', 'T'),
                                         INSTANCE(7, 'U', 0), BATCH(5, 'T', 'T'), BATCH(7, 'U', 0),
                                         L2(5, 'T'),          L2(7, 'U')};

MLS_OP_FAMILY_DEFINE(normalization, rows);
