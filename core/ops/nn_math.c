/* nn_math.c: functions that layers of networks have and MIL has not. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/op_family.h"

enum { X };

/* ---- nn_asinh, nn_acosh -------------------------------------------------------------------------------- */

struct arc_job {
    float (*function)(float);
    const float *x;
    float *y;
};

static void arc_chunk(void *context, size_t first, size_t n)
{
    const struct arc_job *job = context;
    for (size_t i = first; i < first + n; i++)
        job->y[i] = job->function(job->x[i]);
}

static enum mls_status run_arc(struct mls_op_call *call, struct mls_op_env *env, float (*function)(float))
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct arc_job job = {.function = function, .x = x->data, .y = mls_op_out(call, 0)->data};
    call->kernel = "arc_fp32";
    mls_chunks_for(env->pool, (size_t)mls_type_elems(&x->type), arc_chunk, &job);
    return MLS_OK;
}

static enum mls_status run_nn_asinh(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_arc(call, env, asinhf);
}

static enum mls_status run_nn_acosh(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_arc(call, env, acoshf);
}

/* ---- nn_truth: whether the first element is more than 1e-6 from 0 --------------------------------- */

static enum mls_status infer_nn_truth(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    if (mls_type_elems(x) == 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "its condition has no element");
    mls_op_out(call, 0)->type = mls_type_tensor(MLS_BOOL, 0, NULL);
    return MLS_OK;
}

static enum mls_status run_nn_truth(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    if (mls_type_elems(&x->type) < 1)
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "its condition has no element");
    *(uint8_t *)mls_op_out(call, 0)->data = fabsf(*(const float *)x->data) > 1e-6f;
    call->kernel = "truth";
    return MLS_OK;
}

#define T_FP32 MLS_DTYPE_BIT(MLS_FP32)

static const struct mls_op_row rows[] = {
    {.name = "nn_asinh",
     .since = 5,
     .flags = MLS_OP_INPLACE,
     .params = {[X] = {"x", T_FP32, 0, 0}},
     .infer = mls_infer_same,
     .flops = mls_flops_elementwise,
     .run = run_nn_asinh},
    {.name = "nn_acosh",
     .since = 5,
     .flags = MLS_OP_INPLACE,
     .params = {[X] = {"x", T_FP32, 0, 0}},
     .infer = mls_infer_same,
     .flops = mls_flops_elementwise,
     .run = run_nn_acosh},
    {.name = "nn_truth",
     .since = 5,
     .params = {[X] = {"x", T_FP32, 0, 0}},
     .infer = infer_nn_truth,
     .run = run_nn_truth},
};

MLS_OP_FAMILY_DEFINE(nn_math, rows);
