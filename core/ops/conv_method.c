/* conv_method.c: weights for the ways to compute a convolution that are faster than one product of fp32. */
#include <math.h>

#include "base/checked.h"
#include "kernels/convert/convert.h"
#include "ops/conv_weights.h"

/* Smaller products are not worth the conversion of the input. */
enum { TERMS_LEAST = 16, OUTPUTS_LEAST = 16, CHANNELS_LEAST_WINOGRAD = 16 };
/* Smaller planes have too few squares for the vectors, and more weights to read than results. */
enum { POSITIONS_LEAST_WINOGRAD = 192 };
/* Up to so many channels over large planes, four times fewer products of fp32 beat integers. */
enum { CHANNELS_MOST_BEFORE_INTEGERS = 64, POSITIONS_LEAST_BEFORE_INTEGERS = 8192 };
/* Weights up to which fp32 sums of transformed values cannot overflow. */
#define WEIGHT_MAX 1e6f

enum mls_conv_method mls_conv_choose(const struct mls_op_env *env, const struct mls_window_space *space,
                                     enum mls_dtype dtype, size_t groups, size_t m, size_t k)
{
    bool integers = dtype == MLS_FP16 && env->kernels->dot16_isa > MLS_ISA_GENERIC;
    bool large = m >= OUTPUTS_LEAST && k >= TERMS_LEAST;
    size_t positions = mls_window_elems(space->out);
    bool winograd = groups == 1 && !env->exact && mls_winograd_suits(space) &&
                    k / 9 >= CHANNELS_LEAST_WINOGRAD && positions >= POSITIONS_LEAST_WINOGRAD;
    bool by_floats = winograd && k / 9 > CHANNELS_LEAST_WINOGRAD && k / 9 <= CHANNELS_MOST_BEFORE_INTEGERS &&
                     positions >= POSITIONS_LEAST_BEFORE_INTEGERS;
    if (!large)
        return MLS_CONV_PRODUCT;
    if (integers && !by_floats)
        return MLS_CONV_INTEGERS;
    return winograd ? MLS_CONV_WINOGRAD : MLS_CONV_PRODUCT;
}

/* What packing reads and where it takes memory from. */
struct source {
    const float *weights; /* [groups][m][k] */
    size_t groups, m, k;
    struct mls_arena *arena;
};

/* The weights as fp32, in memory of `working` where they are not; NULL when out of memory. */
static const float *widened(const struct mls_op_env *env, const struct mls_tensor *weight,
                            struct mls_arena *working)
{
    size_t n = (size_t)mls_type_elems(&weight->type);
    if (weight->type.dtype == MLS_FP32)
        return weight->data;
    float *wide = mls_arena_array(working, n, sizeof *wide, 64);
    if (wide)
        env->kernels->convert->fp16_to_fp32(weight->data, wide, n);
    return wide;
}

/* The bias, with zeros for rows that do not exist; false when one is not finite. */
static bool pack_bias(const struct mls_tensor *bias, const struct source *source, float *ret)
{
    for (size_t i = 0; bias && i < source->groups * source->m; i++) {
        float value = (float)mls_tensor_float(bias, (int64_t)i);
        if (!isfinite(value))
            return false;
        ret[i / source->m * mls_dot16_rows(source->m) + i % source->m] = value;
    }
    return true;
}

static bool allocate_matrix(struct mls_arena *arena, struct mls_dot16_matrix *matrix)
{
    size_t rows = mls_dot16_rows(matrix->m), planes = 2 * matrix->cut.n_blocks * matrix->cut.n_pairs, bytes;
    if (!mls_mul_size(rows, 2 * mls_dot16_row_pairs(&matrix->cut) * sizeof(int16_t), &bytes))
        return false;
    matrix->plane_scales = mls_arena_array(arena, planes, sizeof(float), 64);
    matrix->row_scales = mls_arena_array(arena, rows, sizeof(float), 64);
    matrix->panels = mls_arena_alloc_large(arena, bytes);
    return matrix->plane_scales && matrix->row_scales && matrix->panels;
}

struct pack_job {
    const struct source *source;
    struct mls_dot16_matrix *matrices;
    float *floats;
    float *scratch; /* of each thread */
    bool *good;
};

static void scales_task(void *context, size_t group, uint32_t thread)
{
    const struct pack_job *job = context;
    const struct source *source = job->source;
    job->good[group] = mls_dot16_pack_scales(source->weights + group * source->m * source->k, &job->matrices[group]);
    (void)thread;
}

/* Some rows of one group's matrix. */
static void panel_task(void *context, size_t index, uint32_t thread)
{
    const struct pack_job *job = context;
    const struct source *source = job->source;
    size_t n_panels = mls_dot16_rows(source->m) / MLS_DOT16_ROWS, group = index / n_panels;
    struct mls_dot16_matrix *matrix = &job->matrices[group];
    float *scratch = job->scratch + thread * 2 * mls_dot16_row_pairs(&matrix->cut);
    if (job->good[group])
        mls_dot16_pack_panel(source->weights + group * source->m * source->k, index % n_panels, scratch, matrix);
}

/* One row tile of all fp32 products. */
static void floats_task(void *context, size_t index, uint32_t thread)
{
    const struct pack_job *job = context;
    size_t channels = job->source->k / 9;
    size_t first = index * MLS_WINOGRAD_ROWS, n = job->source->m - first;
    n = n < MLS_WINOGRAD_ROWS ? n : MLS_WINOGRAD_ROWS;
    float *ret = job->floats + first * MLS_WINOGRAD_PRODUCTS * channels;
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < channels; c++)
            mls_winograd_weights(job->source->weights + (first + r) * job->source->k + c * 9,
                                 ret + c * MLS_WINOGRAD_ROWS + r, channels * MLS_WINOGRAD_ROWS);
    (void)thread;
}

/* Matrices of integers, one for each group. False: out of memory; *ret_good: whether they can be used. */
static bool pack_matrices(struct mls_op_env *env, const struct mls_dot16_cut *cut, struct mls_arena *working,
                          struct pack_job *job, size_t *ret_bytes, bool *ret_good)
{
    const struct source *source = job->source;
    size_t row_elems = 2 * mls_dot16_row_pairs(cut);
    job->matrices = MLS_NEW_ARRAY(source->arena, source->groups, struct mls_dot16_matrix);
    job->good = MLS_NEW_ARRAY(working, source->groups, bool);
    job->scratch = mls_arena_array(working, mls_pool_threads(env->pool) * row_elems, sizeof(float), 64);
    if (!job->matrices || !job->good || !job->scratch)
        return false;
    for (size_t i = 0; i < source->groups; i++) {
        job->matrices[i] = (struct mls_dot16_matrix){.m = source->m, .cut = *cut};
        if (!allocate_matrix(source->arena, &job->matrices[i]))
            return false;
    }
    mls_pool_for(env->pool, source->groups, scales_task, job);
    mls_pool_for(env->pool, source->groups * (mls_dot16_rows(source->m) / MLS_DOT16_ROWS), panel_task, job);
    *ret_good = true;
    for (size_t i = 0; i < source->groups; i++)
        *ret_good = *ret_good && job->good[i];
    *ret_bytes = source->groups * mls_dot16_rows(source->m) * (row_elems * sizeof(int16_t) + sizeof(float));
    return true;
}

/* fp32 products of Winograd; the same. */
static bool pack_floats(struct mls_op_env *env, struct pack_job *job, size_t *ret_bytes, bool *ret_good)
{
    const struct source *source = job->source;
    size_t rows = mls_dot16_rows(source->m), bytes;
    if (!mls_mul_size(rows * MLS_WINOGRAD_PRODUCTS, source->k / 9 * sizeof(float), &bytes))
        return false;
    job->floats = mls_arena_alloc_large(source->arena, bytes);
    if (!job->floats)
        return false;
    *ret_good = true;
    for (size_t i = 0; i < source->m * source->k; i++)
        *ret_good = *ret_good && fabsf(source->weights[i]) <= WEIGHT_MAX;
    if (*ret_good)
        mls_pool_for(env->pool, rows / MLS_WINOGRAD_ROWS, floats_task, job);
    *ret_bytes = bytes;
    return true;
}

static bool pack_all(struct mls_op_env *env, const struct mls_tensor *weight, const struct mls_tensor *bias,
                     enum mls_conv_method method, const struct mls_dot16_cut *cut, struct source *source,
                     struct mls_arena *working, struct mls_conv_weights *packed, size_t *ret_bytes,
                     bool *ret_good)
{
    struct pack_job job = {.source = source};
    source->weights = widened(env, weight, working);
    packed->bias =
        mls_arena_array(source->arena, source->groups * mls_dot16_rows(source->m), sizeof(float), 64);
    if (!source->weights || !packed->bias)
        return false;
    *ret_good = pack_bias(bias, source, packed->bias);
    if (!*ret_good)
        return true;
    bool memory = method == MLS_CONV_INTEGERS ? pack_matrices(env, cut, working, &job, ret_bytes, ret_good)
                                              : pack_floats(env, &job, ret_bytes, ret_good);
    packed->method = method;
    packed->matrices = job.matrices;
    packed->floats = job.floats;
    return memory;
}

enum mls_status mls_conv_pack_method(const struct mls_op_call *call, struct mls_op_env *env,
                                     struct mls_arena *arena, const struct mls_tensor *weight,
                                     const struct mls_tensor *bias, size_t groups,
                                     enum mls_conv_method method, const struct mls_window_space *space,
                                     struct mls_conv_weights **ret_packed, size_t *ret_bytes)
{
    *ret_packed = NULL;
    if (method == MLS_CONV_PRODUCT || (bias && !bias->data))
        return MLS_OK;
    struct source source = {.groups = groups, .m = (size_t)weight->type.dims[0] / groups, .arena = arena};
    source.k = (size_t)mls_type_elems(&weight->type) / groups / source.m;
    struct mls_dot16_cut cut = mls_conv16_cut(space, source.k / mls_window_elems(space->kernel));
    struct mls_arena *working = mls_arena_create_beside(arena);
    struct mls_conv_weights *packed = MLS_NEW(arena, struct mls_conv_weights);
    bool good = false;
    bool memory = working && packed &&
                  pack_all(env, weight, bias, method, &cut, &source, working, packed, ret_bytes, &good);
    mls_arena_free(working);
    if (!memory)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    if (good)
        *ret_packed = packed;
    return MLS_OK;
}
