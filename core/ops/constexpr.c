/* constexpr.c: constants stored in half the bytes or without their zeros. */
#include <string.h>

#include "kernels/convert/convert.h"
#include "kernels/lut/lut.h"
#include "ops/coded.h"
#include "ops/elementwise.h"
#include "ops/op_family.h"
#include "ops/scaling.h"

/* ---- constexpr_cast ---- */

enum { SOURCE, OUTPUT_DTYPE };

static enum mls_status infer_cast(const struct mls_op_call *call, struct mls_error *reterr)
{
    if (!mls_op_text_is(call, OUTPUT_DTYPE, NULL, "fp32"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "output_dtype is not fp32");
    struct mls_type type = mls_op_in(call, SOURCE)->type;
    type.dtype = MLS_FP32;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

struct cast_job {
    const struct mls_convert_kernels *convert;
    const uint16_t *source;
    float *target;
};

static void cast_chunk(void *context, size_t first, size_t n)
{
    const struct cast_job *job = context;
    job->convert->fp16_to_fp32(job->source + first, job->target + first, n);
}

static enum mls_status run_cast(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *source = mls_op_in(call, SOURCE);
    struct mls_tensor *out = mls_op_out(call, 0);
    call->kernel = env->kernels->convert->fp16_to_fp32_name;
    if (source->type.dtype == MLS_FP32) { /* high precision has converted it before */
        if (source->data)
            memcpy(out->data, source->data, mls_type_bytes(&out->type));
        return MLS_OK;
    }
    struct cast_job job = {.convert = env->kernels->convert, .source = source->data, .target = out->data};
    mls_chunks_for(env->pool, (size_t)mls_type_elems(&out->type), cast_chunk, &job);
    return MLS_OK;
}

/* ---- constexpr_sparse_to_dense ---- */

enum { NONZERO, MASK, SHAPE };

static enum mls_status finish_sparse(const struct mls_op_call *call, struct mls_type type,
                                     struct mls_error *reterr)
{
    const struct mls_tensor *nonzero = mls_op_in(call, NONZERO);
    size_t n_set = mls_count_bits(mls_op_in(call, MASK)->data, 0, (size_t)mls_type_elems(&type));
    if (nonzero->type.rank != 1 || (size_t)nonzero->type.dims[0] != n_set)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "nonzero_data has not the %zu elements of the mask", n_set);
    type.dtype = nonzero->type.dtype;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* Opset 6: the mask is bytes, and the shape a parameter. */
static enum mls_status infer_sparse_bytes(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = {.dtype = MLS_UINT1};
    int n = mls_op_ints(call, SHAPE, type.dims, MLS_RANK_MAX);
    type.rank = (uint8_t)(n < 0 ? 0 : n);
    size_t needed = n < 0 ? SIZE_MAX : mls_type_bytes(&type);
    if (needed == SIZE_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "shape is not a supported shape");
    int64_t given = mls_type_elems(&mls_op_in(call, MASK)->type);
    if ((size_t)given != needed)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "mask has %lld bytes; the shape needs %zu",
                           (long long)given, needed);
    return finish_sparse(call, type, reterr);
}

static enum mls_status infer_sparse_bits(const struct mls_op_call *call, struct mls_error *reterr)
{
    return finish_sparse(call, mls_op_in(call, MASK)->type, reterr);
}

struct sparse_job {
    const uint8_t *mask;
    const char *values;
    enum mls_dtype dtype;
    char *out;
    size_t n;
    size_t *first_values; /* the value at which each task begins */
};

/* Four-bit elements are spread as bytes first. */
static void expand_nibbles(const struct sparse_job *job, size_t first, size_t n, size_t at)
{
    enum { BATCH = 1024 };
    uint8_t values[BATCH], dense[BATCH];
    for (size_t i = 0; i < n; i += BATCH) {
        size_t part = n - i < BATCH ? n - i : BATCH;
        size_t n_values = mls_count_bits(job->mask, first + i, part);
        mls_unpack_bits((const uint8_t *)job->values, 4, at, n_values, values);
        mls_expand_bits(job->mask, first + i, part, values, 1, dense);
        mls_pack_nibbles(dense, part, (uint8_t *)job->out + (first + i) / 2);
        at += n_values;
    }
}

static void sparse_task(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct sparse_job *job = context;
    size_t first = task * MLS_SCALING_TASK_ELEMS, left = job->n - first;
    size_t n = left < MLS_SCALING_TASK_ELEMS ? left : MLS_SCALING_TASK_ELEMS;
    size_t elem_bytes = mls_dtype_bits(job->dtype) / 8;
    if (elem_bytes)
        mls_expand_bits(job->mask, first, n, job->values + job->first_values[task] * elem_bytes, elem_bytes,
                        job->out + first * elem_bytes);
    else
        expand_nibbles(job, first, n, job->first_values[task]);
}

static size_t n_sparse_tasks(const struct mls_op_call *call)
{
    size_t n = (size_t)mls_type_elems(&mls_op_out(call, 0)->type);
    return (n + MLS_SCALING_TASK_ELEMS - 1) / MLS_SCALING_TASK_ELEMS;
}

static size_t scratch_sparse(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return n_sparse_tasks(call) * sizeof(size_t);
}

static enum mls_status run_sparse(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *nonzero = mls_op_in(call, NONZERO);
    struct mls_tensor *out = mls_op_out(call, 0);
    struct sparse_job job = {.mask = mls_op_in(call, MASK)->data,
                             .values = nonzero->data,
                             .dtype = out->type.dtype,
                             .out = out->data,
                             .n = (size_t)mls_type_elems(&out->type),
                             .first_values = call->scratch};
    call->kernel = "sparse_to_dense";
    if (!nonzero->data) { /* all zeros */
        memset(out->data, 0, mls_type_bytes(&out->type));
        return MLS_OK;
    }
    size_t n_tasks = n_sparse_tasks(call);
    for (size_t i = 0, at = 0; i < n_tasks; i++) {
        size_t first = i * MLS_SCALING_TASK_ELEMS, left = job.n - first;
        job.first_values[i] = at;
        at += mls_count_bits(job.mask, first, left < MLS_SCALING_TASK_ELEMS ? left : MLS_SCALING_TASK_ELEMS);
    }
    mls_pool_for(env->pool, n_tasks, sparse_task, &job);
    return MLS_OK;
}

static bool code_sparse(const struct mls_op_call *call, struct mls_arena *arena, struct mls_coded *ret_coded)
{
    const struct mls_tensor *nonzero = mls_op_in(call, NONZERO);
    if (nonzero->coded) {
        *ret_coded = *nonzero->coded;
        return ret_coded->mask != NULL;
    }
    return mls_code_values(&mls_op_out(call, 0)->type, nonzero, ret_coded) &&
           mls_code_mask(mls_op_in(call, MASK)->data, arena, ret_coded);
}

#define CAST(opset)                                                                    \
    {                                                                                  \
        .name = "constexpr_cast", .since = (opset), .flags = MLS_OP_CONSTEXPR,         \
        .params = {[SOURCE] = {"source_val", MLS_T_FLOAT, MLS_PARAM_CONST, 0},         \
                   [OUTPUT_DTYPE] = {"output_dtype", MLS_T_TEXT, MLS_PARAM_CONST, 0}}, \
        .infer = infer_cast, .run = run_cast                                           \
    }

static const struct mls_op_row rows[] = {
    CAST(6),
    CAST(8),
    {.name = "constexpr_sparse_to_dense",
     .since = 6,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[NONZERO] = {"nonzero_data", MLS_T_FLOAT | MLS_T_BYTES, MLS_PARAM_CONST, 0},
                [MASK] = {"mask", MLS_DTYPE_BIT(MLS_UINT8), MLS_PARAM_CONST, 0},
                [SHAPE] = {"shape", MLS_DTYPE_BIT(MLS_UINT32), MLS_PARAM_CONST, 0}},
     .infer = infer_sparse_bytes,
     .scratch_bytes = scratch_sparse,
     .code = code_sparse,
     .run = run_sparse},
    {.name = "constexpr_sparse_to_dense",
     .since = 8,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[NONZERO] = {"nonzero_data", MLS_T_QUANTIZED, MLS_PARAM_CONST | MLS_PARAM_CODED, 0},
                [MASK] = {"mask", MLS_DTYPE_BIT(MLS_UINT1), MLS_PARAM_CONST, 0}},
     .infer = infer_sparse_bits,
     .scratch_bytes = scratch_sparse,
     .code = code_sparse,
     .run = run_sparse},
};

MLS_OP_FAMILY_DEFINE(constexpr, rows);
