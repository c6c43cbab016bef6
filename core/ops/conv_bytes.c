/* conv_bytes.c: weights of convolutions of bytes. */
#include "ops/conv_weights.h"

struct pack_job {
    const struct mls_coded *coded;
    const struct mls_dot8_rounding *rounding;
    struct mls_dot8_matrix *matrices;
    size_t n_panels; /* of a group */
    uint8_t *codes;  /* of a row, for each thread */
};

static void panel_task(void *context, size_t index, uint32_t thread)
{
    const struct pack_job *job = context;
    size_t group = index / job->n_panels;
    struct mls_dot8_matrix *matrix = &job->matrices[group];
    mls_dot8_pack_rows(job->coded, group * matrix->m, job->rounding, index % job->n_panels, job->codes + thread * job->coded->k,
                       matrix);
}

static float *pack_bias(const struct mls_tensor *bias, size_t groups, size_t m, struct mls_arena *arena)
{
    float *ret = mls_arena_array(arena, groups * mls_dot16_rows(m), sizeof *ret, 64);
    for (size_t i = 0; ret && i < groups * mls_dot16_rows(m); i++) {
        size_t row = i % mls_dot16_rows(m);
        ret[i] = bias && row < m ? (float)mls_tensor_float(bias, (int64_t)(i / mls_dot16_rows(m) * m + row)) : 0;
    }
    return ret;
}

static bool pack_all(struct mls_op_env *env, struct mls_arena *arena, struct mls_arena *working, size_t groups,
                     struct pack_job *job)
{
    job->codes = mls_arena_array(working, mls_pool_threads(env->pool), job->coded->k, 1);
    for (size_t i = 0; i < groups; i++)
        if (!mls_dot8_matrix_allocate(arena, job->coded, &job->matrices[i]))
            return false;
    if (job->codes)
        mls_pool_for(env->pool, groups * job->n_panels, panel_task, job);
    return job->codes != NULL;
}

enum mls_status mls_conv_pack_bytes(const struct mls_op_call *call, struct mls_op_env *env, struct mls_arena *arena,
                                    const struct mls_coded *coded, const struct mls_tensor *bias, size_t groups,
                                    const struct mls_window_space *space, const struct mls_dot8_rounding *rounding,
                                    const void **ret_packed, size_t *ret_bytes)
{
    struct mls_conv_weights *packed = MLS_NEW(arena, struct mls_conv_weights);
    struct mls_dot8_matrix *matrices = MLS_NEW_ARRAY(arena, groups, struct mls_dot8_matrix);
    struct mls_arena *working = mls_arena_create_beside(arena);
    size_t m = coded->n / groups;
    struct mls_dot8_matrix matrix = {.m = m, .cut = mls_conv16_byte_cut(space, coded->k / mls_window_elems(space->kernel))};
    for (size_t i = 0; matrices && i < groups; i++)
        matrices[i] = matrix;
    struct pack_job job = {
        .coded = coded, .rounding = rounding, .matrices = matrices, .n_panels = mls_dot16_rows(m) / MLS_DOT16_ROWS};
    bool ok = packed && matrices && working && pack_all(env, arena, working, groups, &job);
    mls_arena_free(working);
    float *summands = ok ? pack_bias(bias, groups, m, arena) : NULL;
    if (!summands)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its packed weights");
    *packed = (struct mls_conv_weights){
        .method = MLS_CONV_BYTES, .bytes = matrices, .rounding = *rounding, .bias = summands};
    *ret_packed = packed;
    *ret_bytes = groups * mls_dot16_rows(m) * (mls_dot16_row_pairs(&matrix.cut) * MLS_DOT8_FOUR + 2 * sizeof(int32_t));
    return MLS_OK;
}
