/* cast.c: a tensor's elements as another type. Rules of conversion: kernels/convert/convert.h. */
#include "kernels/convert/convert.h"

#include "ops/elementwise.h"
#include "ops/op_family.h"

#define CAST_TYPES_5 (MLS_T_FLOAT | MLS_T_I32 | MLS_T_BOOL)
#define CAST_TYPES_7                                                                                \
    (CAST_TYPES_5 | MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8) | MLS_DTYPE_BIT(MLS_INT16) | \
     MLS_DTYPE_BIT(MLS_UINT16))

/* The type that parameter "dtype" names, when this definition allows it; otherwise MLS_NONE. */
static enum mls_dtype target_of(const struct mls_op_call *call)
{
    mls_dtype_set allowed = call->row->params[0].types;
    for (unsigned i = 0; i < MLS_DTYPE_COUNT; i++)
        if ((allowed & MLS_DTYPE_BIT(i)) && mls_op_text_is(call, 1, NULL, mls_dtype_name((enum mls_dtype)i)))
            return (enum mls_dtype)i;
    return MLS_NONE;
}

static enum mls_status infer_cast(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_dtype target = target_of(call);
    if (target == MLS_NONE)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"dtype\" names no type that opset %u casts to", call->opset);
    struct mls_tensor *output = mls_op_out(call, 0);
    /* With high precision every fp16 of the program is declared fp32, and a cast to fp16 must not round
     * either. */
    if (target == MLS_FP16 && output->type.dtype == MLS_FP32)
        target = MLS_FP32;
    output->type = mls_op_in(call, 0)->type;
    output->type.dtype = target;
    return MLS_OK;
}

struct cast_job {
    const struct mls_convert_kernels *convert;
    enum mls_dtype from;
    enum mls_dtype to;
    const char *source;
    char *target;
};

static void cast_chunk(void *context, size_t first, size_t n)
{
    const struct cast_job *job = context;
    mls_cast(job->from, job->source + mls_dtype_bytes(job->from, first), job->to,
             job->target + mls_dtype_bytes(job->to, first), n);
}

static void widen_chunk(void *context, size_t first, size_t n)
{
    const struct cast_job *job = context;
    job->convert->fp16_to_fp32((const uint16_t *)(const void *)job->source + first,
                               (float *)(void *)job->target + first, n);
}

static void narrow_chunk(void *context, size_t first, size_t n)
{
    const struct cast_job *job = context;
    job->convert->fp32_to_fp16((const float *)(const void *)job->source + first,
                               (uint16_t *)(void *)job->target + first, n);
}

static enum mls_status run_cast(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, 0);
    struct mls_tensor *output = mls_op_out(call, 0);
    struct cast_job job = {.convert = env->kernels->convert,
                           .from = x->type.dtype,
                           .to = output->type.dtype,
                           .source = x->data,
                           .target = output->data};
    mls_chunk_run *run = cast_chunk;
    call->kernel = "cast__generic";
    if (job.from == MLS_FP16 && job.to == MLS_FP32) {
        run = widen_chunk;
        call->kernel = job.convert->fp16_to_fp32_name;
    } else if (job.from == MLS_FP32 && job.to == MLS_FP16) {
        run = narrow_chunk;
        call->kernel = job.convert->fp32_to_fp16_name;
    }
    mls_chunks_for(env->pool, (size_t)mls_type_elems(&x->type), run, &job);
    return MLS_OK;
}

#define CAST(opset, types)                                                                                \
    {                                                                                                     \
        .name = "cast", .since = (opset), .flags = MLS_OP_INPLACE,                                        \
        .params = {{"x", (types), 0, 0}, {"dtype", MLS_T_TEXT, MLS_PARAM_CONST, 0}}, .infer = infer_cast, \
        .flops = mls_flops_elementwise, .run = run_cast                                                   \
    }

static const struct mls_op_row rows[] = {CAST(5, CAST_TYPES_5), CAST(7, CAST_TYPES_7)};

MLS_OP_FAMILY_DEFINE(cast, rows);
