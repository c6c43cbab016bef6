#include "ops/elementwise.h"

struct chunks {
    mls_chunk_run *run;
    void *context;
    size_t n;
};

static void run_chunk(void *context, size_t index, uint32_t thread)
{
    const struct chunks *chunks = context;
    (void)thread;
    size_t first = index * MLS_CHUNK_ELEMS;
    size_t left = chunks->n - first;
    chunks->run(chunks->context, first, left < MLS_CHUNK_ELEMS ? left : MLS_CHUNK_ELEMS);
}

void mls_chunks_for(struct mls_pool *pool, size_t n, mls_chunk_run *run, void *context)
{
    struct chunks chunks = {.run = run, .context = context, .n = n};
    size_t n_tasks = (n + MLS_CHUNK_ELEMS - 1) / MLS_CHUNK_ELEMS;
    if (n_tasks == 1)
        run_chunk(&chunks, 0, 0);
    else if (n_tasks)
        mls_pool_for(pool, n_tasks, run_chunk, &chunks);
}

const struct mls_unary_kernel *mls_unary_find(const struct mls_kernels *kernels, enum mls_unary function,
                                              enum mls_dtype dtype)
{
    const struct mls_unary_kernel *kernel = NULL;
    if (dtype == MLS_FP16)
        kernel = &kernels->unary->fp16[function];
    else if (dtype == MLS_FP32)
        kernel = &kernels->unary->fp32[function];
    else if (dtype == MLS_INT32)
        kernel = &mls_unary_int32[function];
    return kernel && kernel->run ? kernel : NULL;
}

struct unary_job {
    mls_unary_run *run;
    const char *x;
    char *y;
    size_t elem_bytes;
    const struct mls_unary_params *params;
};

static void run_unary(void *context, size_t first, size_t n)
{
    const struct unary_job *job = context;
    job->run(job->x + first * job->elem_bytes, job->y + first * job->elem_bytes, n, job->params);
}

enum mls_status mls_unary_apply(struct mls_op_call *call, struct mls_op_env *env, enum mls_unary function,
                                const struct mls_unary_params *params)
{
    const struct mls_tensor *x = mls_op_in(call, 0);
    const struct mls_unary_kernel *kernel = mls_unary_find(env->kernels, function, x->type.dtype);
    if (!kernel)
        return mls_op_fail(call, env->error, MLS_ERR_OP_UNSUPPORTED, "there is no kernel for %s",
                           mls_dtype_name(x->type.dtype));
    struct unary_job job = {.run = kernel->run,
                            .x = x->data,
                            .y = mls_op_out(call, 0)->data,
                            .elem_bytes = mls_dtype_bits(x->type.dtype) / 8,
                            .params = params};
    mls_chunks_for(env->pool, (size_t)mls_type_elems(&x->type), run_unary, &job);
    call->kernel = kernel->name;
    return MLS_OK;
}

bool mls_unary_fuse(const struct mls_op_call *call, const struct mls_kernels *kernels,
                    enum mls_unary function, const struct mls_unary_params *params,
                    struct mls_fused_op *ret_fused)
{
    const struct mls_unary_kernel *kernel = mls_unary_find(kernels, function, mls_op_in(call, 0)->type.dtype);
    if (!kernel)
        return false;
    *ret_fused = (struct mls_fused_op){.unary = kernel->run, .params = *params};
    return true;
}

enum mls_status mls_check_scalars(const struct mls_op_call *call, unsigned first, unsigned last,
                                  struct mls_error *reterr)
{
    for (unsigned i = first; i <= last; i++) {
        const struct mls_tensor *value = mls_op_in(call, i);
        if (value && mls_type_elems(&value->type) != 1) {
            char text[96];
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "parameter \"%s\" must be one number, not %s",
                               call->row->params[i].name, mls_type_format(&value->type, text, sizeof text));
        }
    }
    return MLS_OK;
}
