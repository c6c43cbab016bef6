#include "ops/scaling.h"

#include "kernels/lut/lut.h"
#include "kernels/quant/quant.h"

static enum mls_status check_vector(const struct mls_op_call *call, unsigned param, int64_t dim,
                                    struct mls_error *reterr)
{
    const struct mls_tensor *tensor = mls_op_in(call, param);
    if (!tensor || tensor->type.rank == 0)
        return MLS_OK;
    const char *name = call->row->params[param].name;
    if (tensor->type.rank != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s must be a number or a vector", name);
    if (dim >= 0 && tensor->type.dims[0] != dim)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%s has %lld elements, the axis %lld", name,
                           (long long)tensor->type.dims[0], (long long)dim);
    return MLS_OK;
}

static bool is_vector(const struct mls_op_call *call, unsigned param)
{
    return mls_op_given(call, param) && mls_op_in(call, param)->type.rank != 0;
}

enum mls_status mls_scaling_axis(const struct mls_op_call *call, const struct mls_scaling_params *params,
                                 struct mls_blocks *ret_blocks, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, params->data)->type;
    int64_t entries[MLS_RANK_MAX] = {1, 1, 1, 1, 1, 1, 1, 1};
    bool by_axis = is_vector(call, params->scale) || is_vector(call, params->offset);
    ret_blocks->rank = 0;
    if (by_axis && !mls_op_given(call, params->axis))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "scales that are a vector need an axis");
    if (type.rank == MLS_RANK_UNKNOWN)
        return MLS_OK;
    if (by_axis) {
        unsigned axis;
        int64_t given = mls_op_int(call, params->axis, 0);
        if (!mls_op_axis(given, type.rank, &axis))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "axis %lld lies outside a tensor of rank %u", (long long)given,
                               (unsigned)type.rank);
        enum mls_status status = check_vector(call, params->scale, type.dims[axis], reterr);
        if (!status)
            status = check_vector(call, params->offset, type.dims[axis], reterr);
        if (status)
            return status;
        entries[axis] = type.dims[axis];
    }
    if (type.rank == 0)
        type = mls_type_tensor(type.dtype, 1, (int64_t[]){1});
    if (mls_type_elems(&type) > 0)
        mls_blocks_solve(&type, entries, ret_blocks);
    return MLS_OK;
}

static size_t n_tasks(size_t n)
{
    return (n + MLS_SCALING_TASK_ELEMS - 1) / MLS_SCALING_TASK_ELEMS;
}

size_t mls_scaling_scratch_bytes(int64_t n_entries, int64_t n_dense)
{
    return n_tasks((size_t)n_dense) * sizeof(size_t) + 2 * (size_t)n_entries * sizeof(float);
}

/* A number or one for every entry, as one for every entry. */
static void load_entries(const struct mls_convert_kernels *convert, const struct mls_tensor *tensor, size_t n,
                         float *ret)
{
    size_t n_given = tensor ? (size_t)mls_type_elems(&tensor->type) : 0;
    if (n_given != n || n == 1) {
        float value = 0;
        if (tensor)
            mls_load_floats(convert, tensor->type.dtype, tensor->data, 0, 1, &value);
        for (size_t i = 0; i < n; i++)
            ret[i] = value;
        return;
    }
    for (size_t i = 0; i < n; i += MLS_QUANT_BATCH)
        mls_load_floats(convert, tensor->type.dtype, tensor->data, i,
                        n - i < MLS_QUANT_BATCH ? n - i : MLS_QUANT_BATCH, ret + i);
}

struct mls_scaling mls_scaling_prepare(const struct mls_op_call *call, const struct mls_op_env *env,
                                       const struct mls_scaling_params *params,
                                       const struct mls_blocks *blocks, const struct mls_tensor *mask,
                                       const struct mls_tensor *out)
{
    const struct mls_tensor *data = mls_op_in(call, params->data);
    size_t n = (size_t)mls_type_elems(mask ? &mask->type : &data->type);
    size_t *first_values = call->scratch;
    float *scales = (float *)(void *)(first_values + (mask ? n_tasks(n) : 0));
    float *offsets = scales + blocks->n_entries;
    load_entries(env->kernels->convert, mls_op_in(call, params->scale), (size_t)blocks->n_entries, scales);
    load_entries(env->kernels->convert, mls_op_in(call, params->offset), (size_t)blocks->n_entries, offsets);
    return (struct mls_scaling){.convert = env->kernels->convert,
                                .blocks = *blocks,
                                .scales = scales,
                                .offsets = offsets,
                                .mask = mask ? mask->data : NULL,
                                .first_values = mask ? first_values : NULL,
                                .from = data->type.dtype,
                                .source = data->data,
                                .to = out->type.dtype,
                                .target = out->data,
                                .n = n};
}

/* The values of dense elements [first, first + n), by the runs that share an entry. */
static void dequantize_batch(const struct mls_scaling *scaling, size_t first, size_t n, float *x)
{
    size_t end = first + n;
    while (first < end) {
        struct mls_blocks_run run = mls_blocks_run(&scaling->blocks, (int64_t)first, (int64_t)end);
        const float *scales = scaling->scales + run.entry, *offsets = scaling->offsets + run.entry;
        size_t n_run = (size_t)run.n;
        if (!scaling->mask) {
            mls_dequantize_floats(x, n_run, scales, offsets, (size_t)run.step);
            x += n_run;
        } else if (run.step == 0) {
            size_t n_values = mls_count_bits(scaling->mask, first, n_run);
            mls_dequantize_floats(x, n_values, scales, offsets, 0);
            x += n_values;
        } else {
            for (size_t i = 0; i < n_run; i++)
                if (mls_count_bits(scaling->mask, first + i, 1))
                    mls_dequantize_floats(x++, 1, scales + i, offsets + i, 0);
        }
        first += n_run;
    }
}

static void dequantize_task(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct mls_scaling *scaling = context;
    float x[MLS_QUANT_BATCH];
    size_t first = task * MLS_SCALING_TASK_ELEMS;
    size_t end = scaling->n - first < MLS_SCALING_TASK_ELEMS ? scaling->n : first + MLS_SCALING_TASK_ELEMS;
    size_t at = scaling->mask ? scaling->first_values[task] : first;
    for (; first < end; first += MLS_QUANT_BATCH) {
        size_t n = end - first < MLS_QUANT_BATCH ? end - first : MLS_QUANT_BATCH;
        size_t n_values = scaling->mask ? mls_count_bits(scaling->mask, first, n) : n;
        if (!n_values)
            continue;
        mls_load_floats(scaling->convert, scaling->from, scaling->source, at, n_values, x);
        dequantize_batch(scaling, first, n, x);
        mls_store_floats(scaling->convert, x, n_values, scaling->to, scaling->target, at);
        at += n_values;
    }
}

void mls_scaling_dequantize(struct mls_scaling *scaling, struct mls_pool *pool)
{
    size_t tasks = n_tasks(scaling->n);
    for (size_t i = 0, at = 0; scaling->mask && i < tasks; i++) {
        size_t first = i * MLS_SCALING_TASK_ELEMS, left = scaling->n - first;
        scaling->first_values[i] = at;
        at += mls_count_bits(scaling->mask, first,
                             left < MLS_SCALING_TASK_ELEMS ? left : MLS_SCALING_TASK_ELEMS);
    }
    mls_pool_for(pool, tasks, dequantize_task, scaling);
}

static void quantize_task(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct mls_scaling *scaling = context;
    float x[MLS_QUANT_BATCH];
    bool is_signed = scaling->to == MLS_INT8;
    float low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
    size_t at = task * MLS_SCALING_TASK_ELEMS;
    size_t end = scaling->n - at < MLS_SCALING_TASK_ELEMS ? scaling->n : at + MLS_SCALING_TASK_ELEMS;
    uint8_t *target = scaling->target;
    while (at < end) {
        size_t n = end - at < MLS_QUANT_BATCH ? end - at : MLS_QUANT_BATCH;
        mls_load_floats(scaling->convert, scaling->from, scaling->source, at, n, x);
        for (size_t done = 0; done < n;) {
            struct mls_blocks_run run =
                mls_blocks_run(&scaling->blocks, (int64_t)(at + done), (int64_t)(at + n));
            mls_quantize_floats(x + done, (size_t)run.n, scaling->scales + run.entry,
                                scaling->offsets + run.entry, (size_t)run.step, low, high);
            done += (size_t)run.n;
        }
        for (size_t i = 0; i < n; i++)
            target[at + i] = (uint8_t)(int)x[i];
        at += n;
    }
}

void mls_scaling_quantize(struct mls_scaling *scaling, struct mls_pool *pool)
{
    mls_pool_for(pool, n_tasks(scaling->n), quantize_task, scaling);
}
