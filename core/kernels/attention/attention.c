#include "kernels/attention/attention.h"

#include <math.h>

#include "kernels/convert/convert.h"
#include "kernels/gemm/gemm.h"
#include "kernels/softmax/softmax.h"

/* Rows of Q and scores of one block; tasks that each thread should find, where there are rows enough. */
enum { BLOCK_ROWS = 64, BLOCK_SCORES = 1 << 17, MIN_ROWS = 8, TASKS_PER_THREAD = 2 };

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
    size_t thread_bytes;
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

static struct mls_gemm_operand keys_of(const struct mls_attention *attention, size_t batch)
{
    size_t elem_bytes = attention->dtype == MLS_FP16 ? 2 : 4;
    size_t at = batch * attention->n_keys * attention->key_elems * elem_bytes;
    return (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                     .dtype = attention->dtype,
                                     .data = attention->key ? (const uint8_t *)attention->key + at : NULL,
                                     .row_stride = 1,
                                     .col_stride = attention->key_elems};
}

static struct mls_gemm_operand values_of(const struct mls_attention *attention, size_t batch)
{
    size_t elem_bytes = attention->dtype == MLS_FP16 ? 2 : 4;
    size_t at = batch * attention->n_keys * attention->value_elems * elem_bytes;
    return (struct mls_gemm_operand){.form = MLS_GEMM_STRIDED,
                                     .dtype = attention->dtype,
                                     .data = attention->value ? (const uint8_t *)attention->value + at : NULL,
                                     .row_stride = attention->value_elems,
                                     .col_stride = 1};
}

static struct mls_gemm scores_gemm(const struct mls_attention *attention, size_t n_rows)
{
    return (struct mls_gemm){.m = n_rows,
                             .n = attention->n_keys,
                             .k = attention->key_elems,
                             .a = {.form = MLS_GEMM_STRIDED,
                                   .dtype = attention->dtype,
                                   .row_stride = attention->key_elems,
                                   .col_stride = 1},
                             .b = keys_of(attention, 0),
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
        .b = values_of(attention, 0),
        .c_dtype = attention->dtype,
        .c_stride = attention->value_elems};
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

/* The mask of one query as numbers to add, where it is or converted into ret. */
static const float *mask_row(const struct job *job, size_t at, float *ret)
{
    const struct mls_attention *attention = job->attention;
    size_t n = attention->n_keys;
    switch (attention->mask_dtype) {
    case MLS_FP32:
        return (const float *)attention->mask + at;
    case MLS_FP16:
        job->kernels->convert->fp16_to_fp32((const uint16_t *)attention->mask + at, ret, n);
        return ret;
    default:
        for (size_t i = 0; i < n; i++)
            ret[i] = ((const uint8_t *)attention->mask)[at + i] ? 0 : -INFINITY;
        return ret;
    }
}

static size_t mask_of_batch(const struct mls_attention *attention, size_t batch)
{
    size_t at = 0;
    for (unsigned i = attention->n_batch_dims; i-- > 0; batch /= attention->batch_dims[i])
        at += batch % attention->batch_dims[i] * attention->mask_strides[i];
    return at;
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
    float factor = 1 / sqrtf((float)attention->key_elems);

    uint8_t *keys = job->scratch + (size_t)thread * plan->thread_bytes;
    uint8_t *values = keys + plan->key_bytes;
    float *scores = (float *)(void *)(values + plan->value_bytes);
    float *mask = (float *)(void *)(values + plan->value_bytes + plan->scores_bytes);
    uint8_t *gemm_scratch = (uint8_t *)mask + plan->mask_bytes;
    struct mls_gemm_operand key = keys_of(attention, batch), value = values_of(attention, batch);
    if (plan->packs) {
        mls_gemm_pack(job->kernels->gemm, NULL, MLS_GEMM_B, &key, 0, attention->n_keys, attention->key_elems,
                      keys);
        mls_gemm_pack(job->kernels->gemm, NULL, MLS_GEMM_B, &value, 0, attention->value_elems,
                      attention->n_keys, values);
        key.form = value.form = MLS_GEMM_PACKED;
        key.data = keys;
        value.data = values;
    }
    for (size_t row = first; row < end; row += plan->block_rows) {
        size_t n_rows = end - row < plan->block_rows ? end - row : plan->block_rows;
        size_t at = batch * attention->n_queries + row;
        struct mls_gemm gemm = scores_gemm(attention, n_rows);
        gemm.a.data = (const uint8_t *)attention->query + at * attention->key_elems * elem_bytes;
        gemm.b = key;
        gemm.c = scores;
        mls_gemm_run(job->kernels, NULL, &gemm, gemm_scratch);
        size_t mask_at = mask_of_batch(attention, batch) + row * attention->mask_query_stride;
        for (size_t i = 0; i < n_rows; i++, mask_at += attention->mask_query_stride)
            weigh(job->kernels, scores + i * attention->n_keys, attention->n_keys, factor,
                  attention->mask ? mask_row(job, mask_at, mask) : NULL);
        gemm = result_gemm(attention, n_rows);
        gemm.a.data = scores;
        gemm.b = value;
        gemm.c = (uint8_t *)attention->result + at * attention->value_elems * elem_bytes;
        mls_gemm_run(job->kernels, NULL, &gemm, gemm_scratch);
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

const char *mls_attention_name(const struct mls_kernels *kernels, enum mls_dtype dtype)
{
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
