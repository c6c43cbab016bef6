#include "kernels/attention/attention.h"

#include <math.h>

#include "kernels/attention/attention_fixed.h"

#include "kernels/convert/convert.h"
#include "kernels/gemm/gemm.h"
#include "kernels/softmax/softmax.h"

/* Rows of Q and scores of one block; tasks that each thread should find, where there are rows enough. */
enum { BLOCK_ROWS = MLS_ATTENTION_ROWS, BLOCK_SCORES = 1 << 17, MIN_ROWS = 8, TASKS_PER_THREAD = 2 };

/*
 * One task is one matrix, or some of its rows when there are fewer matrices than threads ask for. Each task
 * packs K and V once for all its blocks.
 */
struct plan {
    size_t n_batches;
    size_t block_rows;
    size_t task_rows;
    size_t tasks_per_batch;
    bool packs; /* worth it for more than a few rows */
    size_t key_bytes, value_bytes, scores_bytes, mask_bytes, gemm_bytes;
    bool fixed;
    size_t fixed_bytes;
    size_t thread_bytes; /* for both ways */
};

struct job {
    const struct mls_kernels *kernels;
    const struct mls_attention *attention;
    struct plan plan;
    uint8_t *scratch;
};

static size_t line_bytes(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static struct mls_gemm scores_gemm(const struct mls_attention *attention, size_t n_rows)
{
    return (struct mls_gemm){.m = n_rows,
                             .n = attention->n_keys,
                             .k = attention->key_elems,
                             .a = {.form = MLS_GEMM_STRIDED,
                                   .dtype = attention->dtype,
                                   .row_stride = attention->query.row_stride,
                                   .col_stride = 1},
                             .b = {.form = MLS_GEMM_STRIDED,
                                   .dtype = attention->dtype,
                                   .row_stride = 1,
                                   .col_stride = attention->key.row_stride},
                             .c_dtype = MLS_FP32,
                             .c_stride = attention->n_keys};
}

static struct mls_gemm result_gemm(const struct mls_attention *attention, size_t n_rows)
{
    return (struct mls_gemm){
        .m = n_rows,
        .n = attention->value_elems,
        .k = attention->n_keys,
        .a = {.form = MLS_GEMM_STRIDED, .dtype = MLS_FP32, .row_stride = attention->n_keys, .col_stride = 1},
        .b = {.form = MLS_GEMM_STRIDED,
              .dtype = attention->dtype,
              .row_stride = attention->value.row_stride,
              .col_stride = 1},
        .c_dtype = attention->dtype,
        .c_stride = attention->result_layout.row_stride};
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct plan make_plan(const struct mls_kernels *kernels, const struct mls_attention *attention,
                             uint32_t threads)
{
    const struct mls_gemm_kernels *gemm = kernels->gemm;
    struct plan plan = {.n_batches = 1, .block_rows = BLOCK_SCORES / attention->n_keys / MIN_ROWS * MIN_ROWS};
    for (unsigned i = 0; i < attention->n_batch_dims; i++)
        plan.n_batches *= attention->batch_dims[i];
    plan.block_rows = plan.block_rows < MIN_ROWS ? MIN_ROWS : plan.block_rows;
    plan.block_rows = plan.block_rows > BLOCK_ROWS ? BLOCK_ROWS : plan.block_rows;
    size_t n_blocks = (attention->n_queries + plan.block_rows - 1) / plan.block_rows;
    if (n_blocks > 1) { /* as many rows each: where a block ends must not depend on the threads */
        plan.block_rows = (attention->n_queries + n_blocks - 1) / n_blocks;
        plan.block_rows = (plan.block_rows + MIN_ROWS - 1) / MIN_ROWS * MIN_ROWS;
        n_blocks = (attention->n_queries + plan.block_rows - 1) / plan.block_rows;
    }
    size_t wanted = threads > 1 ? (size_t)threads * TASKS_PER_THREAD : 1;
    size_t split = plan.n_batches ? (wanted + plan.n_batches - 1) / plan.n_batches : 1;
    split = split < n_blocks ? split : n_blocks;
    size_t blocks_per_task = split ? (n_blocks + split - 1) / split : 1;
    plan.task_rows = blocks_per_task * plan.block_rows;
    plan.tasks_per_batch = (attention->n_queries + plan.task_rows - 1) / plan.task_rows;
    plan.packs = attention->n_queries > plan.block_rows;

    size_t elem_bytes = attention->dtype == MLS_FP16 ? 2 : 4;
    struct mls_gemm scores = scores_gemm(attention, plan.block_rows);
    struct mls_gemm result = result_gemm(attention, plan.block_rows);
    if (plan.packs) {
        scores.b.form = result.b.form = MLS_GEMM_PACKED;
        plan.key_bytes = line_bytes(
            mls_gemm_packed_elems(gemm, MLS_GEMM_B, attention->n_keys, attention->key_elems) * elem_bytes);
        plan.value_bytes = line_bytes(
            mls_gemm_packed_elems(gemm, MLS_GEMM_B, attention->value_elems, attention->n_keys) * elem_bytes);
    }
    plan.scores_bytes = line_bytes(plan.block_rows * attention->n_keys * sizeof(float));
    plan.mask_bytes = line_bytes(attention->n_keys * sizeof(float));
    plan.gemm_bytes =
        larger(mls_gemm_scratch_bytes(kernels, &scores, 1), mls_gemm_scratch_bytes(kernels, &result, 1));
    plan.thread_bytes =
        plan.key_bytes + plan.value_bytes + plan.scores_bytes + plan.mask_bytes + plan.gemm_bytes;
    plan.fixed = mls_attention_fixed_pays(kernels, attention);
    if (plan.fixed)
        plan.fixed_bytes = mls_attention_fixed_bytes(kernels, attention);
    plan.thread_bytes += plan.fixed_bytes;
    return plan;
}

size_t mls_attention_scratch_bytes(const struct mls_kernels *kernels, const struct mls_attention *attention,
                                   uint32_t threads)
{
    return (size_t)threads * make_plan(kernels, attention, threads).thread_bytes;
}

/* Scores of one query to probabilities; mask: n numbers to add, or NULL. */
static void weigh(const struct mls_kernels *kernels, float *scores, size_t n, float factor, const float *mask)
{
    if (mask)
        for (size_t i = 0; i < n; i++)
            scores[i] = scores[i] * factor + mask[i];
    else
        for (size_t i = 0; i < n; i++)
            scores[i] *= factor;
    kernels->softmax->row_fp32(scores, scores, n, NULL);
}

const float *mls_attention_mask(const struct mls_kernels *kernels, const struct mls_attention *attention,
                                size_t at, size_t n, float *ret)
{
    switch (attention->mask_dtype) {
    case MLS_FP32:
        return (const float *)attention->mask + at;
    case MLS_FP16:
        kernels->convert->fp16_to_fp32((const uint16_t *)attention->mask + at, ret, n);
        return ret;
    default:
        for (size_t i = 0; i < n; i++)
            ret[i] = ((const uint8_t *)attention->mask)[at + i] ? 0 : -INFINITY;
        return ret;
    }
}

static size_t place_of(const struct mls_attention *attention, const size_t *strides, size_t batch)
{
    size_t at = 0;
    for (unsigned i = attention->n_batch_dims; i-- > 0; batch /= attention->batch_dims[i])
        at += batch % attention->batch_dims[i] * strides[i];
    return at;
}

static const void *matrix_of(const struct mls_attention *attention,
                             const struct mls_attention_operand *operand, size_t batch)
{
    size_t elem_bytes = attention->dtype == MLS_FP16 ? 2 : 4;
    return (const uint8_t *)operand->data + place_of(attention, operand->batch_strides, batch) * elem_bytes;
}

/* The matrices of one batch; where the plain way packs K and V, in scratch. */
struct plain {
    struct mls_gemm_operand key, value;
    float *scores, *mask;
    uint8_t *gemm_scratch;
};

static struct plain begin_plain(const struct job *job, const struct mls_attention_matrices *matrices,
                                uint8_t *scratch)
{
    const struct mls_attention *attention = job->attention;
    const struct plan *plan = &job->plan;
    uint8_t *keys = scratch, *values = keys + plan->key_bytes;
    struct plain plain = {.key = scores_gemm(attention, 1).b,
                          .value = result_gemm(attention, 1).b,
                          .scores = (float *)(void *)(values + plan->value_bytes)};
    plain.mask = (float *)(void *)(values + plan->value_bytes + plan->scores_bytes);
    plain.gemm_scratch = (uint8_t *)plain.mask + plan->mask_bytes;
    plain.key.data = matrices->key;
    plain.value.data = matrices->value;
    if (!plan->packs)
        return plain;
    mls_gemm_pack(job->kernels->gemm, NULL, MLS_GEMM_B, &plain.key, 0, attention->n_keys,
                  attention->key_elems, keys);
    mls_gemm_pack(job->kernels->gemm, NULL, MLS_GEMM_B, &plain.value, 0, attention->value_elems,
                  attention->n_keys, values);
    plain.key.form = plain.value.form = MLS_GEMM_PACKED;
    plain.key.data = keys;
    plain.value.data = values;
    return plain;
}

static void plain_rows(const struct job *job, const struct mls_attention_matrices *matrices,
                       const struct plain *plain, size_t row, size_t n_rows)
{
    const struct mls_attention *attention = job->attention;
    size_t elem_bytes = attention->dtype == MLS_FP16 ? 2 : 4, n_keys = attention->n_keys;
    struct mls_gemm gemm = scores_gemm(attention, n_rows);
    gemm.a.data = (const uint8_t *)matrices->query + row * attention->query.row_stride * elem_bytes;
    gemm.b = plain->key;
    gemm.c = plain->scores;
    mls_gemm_run(job->kernels, NULL, &gemm, plain->gemm_scratch);
    size_t mask_at = matrices->mask_at + row * attention->mask_query_stride;
    for (size_t i = 0; i < n_rows; i++, mask_at += attention->mask_query_stride)
        weigh(job->kernels, plain->scores + i * n_keys, n_keys, attention->scale,
              attention->mask ? mls_attention_mask(job->kernels, attention, mask_at, n_keys, plain->mask)
                              : NULL);
    gemm = result_gemm(attention, n_rows);
    gemm.a.data = plain->scores;
    gemm.b = plain->value;
    gemm.c = (uint8_t *)matrices->result + row * attention->result_layout.row_stride * elem_bytes;
    mls_gemm_run(job->kernels, NULL, &gemm, plain->gemm_scratch);
}

static void attention_task(void *context, size_t index, uint32_t thread)
{
    const struct job *job = context;
    const struct mls_attention *attention = job->attention;
    const struct plan *plan = &job->plan;
    size_t batch = index / plan->tasks_per_batch, first = index % plan->tasks_per_batch * plan->task_rows;
    size_t end =
        attention->n_queries - first < plan->task_rows ? attention->n_queries : first + plan->task_rows;
    size_t elem_bytes = attention->dtype == MLS_FP16 ? 2 : 4;
    struct mls_attention_matrices matrices = {.query = matrix_of(attention, &attention->query, batch),
                                              .key = matrix_of(attention, &attention->key, batch),
                                              .value = matrix_of(attention, &attention->value, batch),
                                              .mask_at = place_of(attention, attention->mask_strides, batch)};
    matrices.result = (uint8_t *)attention->result +
                      place_of(attention, attention->result_layout.batch_strides, batch) * elem_bytes;
    uint8_t *fixed_scratch = job->scratch + (size_t)thread * plan->thread_bytes;
    uint8_t *plain_scratch = fixed_scratch + plan->fixed_bytes;
    bool fixed = plan->fixed && mls_attention_fixed_pack(job->kernels, attention, &matrices, fixed_scratch);
    bool begun = false;
    struct plain plain = {0};
    for (size_t row = first; row < end; row += plan->block_rows) {
        size_t n_rows = end - row < plan->block_rows ? end - row : plan->block_rows;
        if (fixed && mls_attention_fixed_rows(job->kernels, attention, &matrices, row, n_rows, fixed_scratch))
            continue;
        if (!begun)
            plain = begin_plain(job, &matrices, plain_scratch);
        begun = true;
        plain_rows(job, &matrices, &plain, row, n_rows);
    }
}

void mls_attention_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                       const struct mls_attention *attention, void *scratch)
{
    struct job job = {.kernels = kernels,
                      .attention = attention,
                      .plan = make_plan(kernels, attention, mls_pool_threads(pool)),
                      .scratch = scratch};
    mls_pool_for(pool, job.plan.n_batches * job.plan.tasks_per_batch, attention_task, &job);
}

const char *mls_attention_name(const struct mls_kernels *kernels, const struct mls_attention *attention)
{
    enum mls_dtype dtype = attention->dtype;
    if (mls_attention_fixed_pays(kernels, attention))
        return "attention_fp16_fixed__avx512vnni";
    static const char *const names_fp16[MLS_ISA_COUNT] = {
#define X(id, name) "attention_fp16__" name,
        MLS_ISA_LIST(X)
#undef X
    };
    static const char *const names_fp32[MLS_ISA_COUNT] = {
#define X(id, name) "attention_fp32__" name,
        MLS_ISA_LIST(X)
#undef X
    };
    return (dtype == MLS_FP16 ? names_fp16 : names_fp32)[kernels->gemm_isa];
}
