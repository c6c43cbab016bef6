/* select.c: elements of a or of b by a condition, all three broadcast together. */
#include "kernels/select/select.h"

#include "ops/broadcast.h"
#include "ops/op_family.h"

enum { CONDITION, A, B };

static enum mls_status infer_select(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *a = &mls_op_in(call, A)->type, *b = &mls_op_in(call, B)->type;
    const struct mls_type *condition = &mls_op_in(call, CONDITION)->type;
    struct mls_type type = mls_type_tensor(a->dtype, 0, NULL), both = type;
    if (!mls_op_broadcast(a, b, &both) || !mls_op_broadcast(&both, condition, &type)) {
        char first[96], second[96], third[96];
        return mls_op_fail(
            call, reterr, MLS_ERR_OP_SHAPE, "cond %s, a %s and b %s cannot be broadcast together",
            mls_type_format(condition, first, sizeof first), mls_type_format(a, second, sizeof second),
            mls_type_format(b, third, sizeof third));
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

struct select_job {
    mls_select_run *run;
    struct mls_select_steps steps;
    const uint8_t *condition;
    const char *a;
    const char *b;
    char *z;
    size_t elem_bytes;
};

static void run_row(void *context, const int64_t *offsets, int64_t result_offset, int64_t n)
{
    const struct select_job *job = context;
    job->run(job->condition + offsets[CONDITION], job->a + (size_t)offsets[A] * job->elem_bytes,
             job->b + (size_t)offsets[B] * job->elem_bytes, job->z + (size_t)result_offset * job->elem_bytes,
             (size_t)n, job->steps);
}

static enum mls_status run_select(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *condition = mls_op_in(call, CONDITION), *a = mls_op_in(call, A),
                            *b = mls_op_in(call, B);
    struct mls_tensor *z = mls_op_out(call, 0);
    const struct mls_type *operands[] = {[CONDITION] = &condition->type, [A] = &a->type, [B] = &b->type};
    struct mls_broadcast plan = mls_broadcast_plan(operands, 3, &z->type);
    size_t elem_bytes = mls_dtype_bits(z->type.dtype) / 8;
    const struct mls_select_kernel *kernel = &env->kernels->select->by_bytes[elem_bytes];
    struct select_job job = {.run = kernel->run,
                             .steps = {.condition = (uint8_t)mls_broadcast_step(&plan, CONDITION),
                                       .a = (uint8_t)mls_broadcast_step(&plan, A),
                                       .b = (uint8_t)mls_broadcast_step(&plan, B)},
                             .condition = condition->data,
                             .a = a->data,
                             .b = b->data,
                             .z = z->data,
                             .elem_bytes = elem_bytes};
    call->kernel = kernel->name;
    mls_broadcast_for(&plan, env->pool, run_row, &job);
    return MLS_OK;
}

static const struct mls_op_row rows[] = {
    {.name = "select",
     .since = 5,
     .flags = MLS_OP_INPLACE | MLS_OP_SCALAR_DECLARED,
     .params = {[CONDITION] = {"cond", MLS_T_BOOL, 0, 0},
                [A] = {"a", MLS_T_FLOAT | MLS_T_I32 | MLS_T_BOOL, 0, 'T'},
                [B] = {"b", MLS_T_FLOAT | MLS_T_I32 | MLS_T_BOOL, 0, 'T'}},
     .infer = infer_select,
     .run = run_select},
};

MLS_OP_FAMILY_DEFINE(select, rows);
