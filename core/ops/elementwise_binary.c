/* elementwise_binary.c: functions of two tensors with NumPy's broadcasting. One operation per element of the
 * result. */
#include "kernels/binary/binary.h"

#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/op_family.h"

/* Rows shorter than this are gathered into blocks: a call for each would cost more than its work. */
enum { SHORT_ROW_ELEMS = 16, BLOCK_ELEMS = 256, OPERAND_BYTES_MAX = 4 };

struct binary_job {
    const struct mls_broadcast *plan;
    mls_binary_run *run;
    enum mls_binary_form form;
    const char *x;
    const char *y;
    char *z;
    size_t operand_bytes; /* of one element */
    size_t result_bytes;
};

static void run_row(void *context, const int64_t *offsets, int64_t result_offset, int64_t n)
{
    const struct binary_job *job = context;
    job->run(job->x + (size_t)offsets[0] * job->operand_bytes,
             job->y + (size_t)offsets[1] * job->operand_bytes,
             job->z + (size_t)result_offset * job->result_bytes, (size_t)n, job->form);
}

static void run_short_rows(void *context, size_t first, size_t n)
{
    const struct binary_job *job = context;
    _Alignas(64) char x[BLOCK_ELEMS * OPERAND_BYTES_MAX], y[BLOCK_ELEMS * OPERAND_BYTES_MAX];
    for (size_t done = 0; done < n; done += BLOCK_ELEMS) {
        size_t now = n - done < BLOCK_ELEMS ? n - done : BLOCK_ELEMS;
        int64_t at = (int64_t)(first + done);
        mls_broadcast_gather(job->plan, 0, job->x, job->operand_bytes, at, (int64_t)now, x);
        mls_broadcast_gather(job->plan, 1, job->y, job->operand_bytes, at, (int64_t)now, y);
        job->run(x, y, job->z + (first + done) * job->result_bytes, now, MLS_BINARY_ROWS);
    }
}

static const struct mls_binary_kernel *find(const struct mls_kernels *kernels, enum mls_binary function,
                                            enum mls_dtype dtype)
{
    const struct mls_binary_kernel *kernel = NULL;
    if (dtype == MLS_FP16)
        kernel = &kernels->binary->fp16[function];
    else if (dtype == MLS_FP32)
        kernel = &kernels->binary->fp32[function];
    else if (dtype == MLS_INT32)
        kernel = &mls_binary_int32[function];
    else if (dtype == MLS_BOOL)
        kernel = &mls_binary_bool[function];
    return kernel && kernel->run ? kernel : NULL;
}

static enum mls_status run_binary(struct mls_op_call *call, struct mls_op_env *env, enum mls_binary function)
{
    const struct mls_tensor *x = mls_op_in(call, 0), *y = mls_op_in(call, 1);
    struct mls_tensor *z = mls_op_out(call, 0);
    const struct mls_binary_kernel *kernel = find(env->kernels, function, x->type.dtype);
    if (!kernel)
        return mls_op_fail(call, env->error, MLS_ERR_OP_UNSUPPORTED, "there is no kernel for %s",
                           mls_dtype_name(x->type.dtype));
    const struct mls_type *operands[] = {&x->type, &y->type};
    struct mls_broadcast plan = mls_broadcast_plan(operands, 2, &z->type);
    struct binary_job job = {.plan = &plan,
                             .run = kernel->run,
                             .form = MLS_BINARY_ROWS,
                             .x = x->data,
                             .y = y->data,
                             .z = z->data,
                             .operand_bytes = mls_dtype_bits(x->type.dtype) / 8,
                             .result_bytes = mls_dtype_bits(z->type.dtype) / 8};
    if (!mls_broadcast_step(&plan, 1))
        job.form = MLS_BINARY_Y_SCALAR;
    else if (!mls_broadcast_step(&plan, 0))
        job.form = MLS_BINARY_X_SCALAR;
    call->kernel = kernel->name;
    if (plan.rank > 1 && plan.dims[plan.rank - 1] < SHORT_ROW_ELEMS)
        mls_chunks_for(env->pool, (size_t)mls_type_elems(&z->type), run_short_rows, &job);
    else
        mls_broadcast_for(&plan, env->pool, run_row, &job);
    return MLS_OK;
}

/* Squares are by far the most frequent power. */
static bool is_square(const struct mls_op_call *call)
{
    const struct mls_tensor *y = mls_op_in(call, 1);
    const struct mls_tensor *z = mls_op_out(call, 0);
    return mls_type_elems(&y->type) == 1 && mls_tensor_float(y, 0) == 2 &&
           mls_type_elems(&mls_op_in(call, 0)->type) == mls_type_elems(&z->type);
}

static enum mls_status run_pow(struct mls_op_call *call, struct mls_op_env *env)
{
    if (is_square(call))
        return mls_unary_apply(call, env, MLS_UNARY_SQUARE, &(struct mls_unary_params){0});
    return run_binary(call, env, MLS_BINARY_POW);
}

/* With one number, or with as many as there are values: then they meet in order. */
static bool fuse_binary(const struct mls_op_call *call, const struct mls_kernels *kernels, unsigned param,
                        enum mls_binary function, struct mls_fused_op *ret_fused)
{
    if (param > 1)
        return false;
    const struct mls_tensor *operand = mls_op_in(call, 1 - param), *result = mls_op_out(call, 0);
    const struct mls_binary_kernel *kernel = find(kernels, function, operand->type.dtype);
    bool scalar = mls_type_elems(&operand->type) == 1;
    if (!kernel || (!scalar && mls_type_elems(&operand->type) != mls_type_elems(&result->type)))
        return false;
    *ret_fused = (struct mls_fused_op){.binary = kernel->run,
                                       .form = !scalar ? MLS_BINARY_ROWS
                                               : param ? MLS_BINARY_X_SCALAR
                                                       : MLS_BINARY_Y_SCALAR,
                                       .operand_first = param == 1,
                                       .operand = operand};
    return true;
}

/* Functions whose `run` is nothing but their kernel: id, name. */
#define KERNEL_ONLY_LIST(X) \
    X(ADD, add)             \
    X(FLOOR_DIV, floor_div) \
    X(MAXIMUM, maximum)     \
    X(MINIMUM, minimum)     \
    X(MOD, mod)             \
    X(MUL, mul)             \
    X(REAL_DIV, real_div)   \
    X(SUB, sub)

#define RUN(id, name)                                                                   \
    static enum mls_status run_##name(struct mls_op_call *call, struct mls_op_env *env) \
    {                                                                                   \
        return run_binary(call, env, MLS_BINARY_##id);                                  \
    }
#define RUN_OPERATOR(id, name, operator) RUN(id, name)
KERNEL_ONLY_LIST(RUN)

#define FUSE(id, name)                                                                         \
    static bool fuse_##name(const struct mls_op_call *call, const struct mls_kernels *kernels, \
                            unsigned param, struct mls_fused_op *ret_fused)                    \
    {                                                                                          \
        return fuse_binary(call, kernels, param, MLS_BINARY_##id, ret_fused);                  \
    }
KERNEL_ONLY_LIST(FUSE)
MLS_BINARY_COMPARISON_LIST(RUN_OPERATOR)
MLS_BINARY_LOGICAL_LIST(RUN_OPERATOR)

static enum mls_status infer_comparison(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_infer_broadcast(call, reterr);
    if (status == MLS_OK)
        mls_op_out(call, 0)->type.dtype = MLS_BOOL;
    return status;
}

#define ROW(op, types, row_flags, inference, fuse_of)            \
    {.name = #op,                                                \
     .since = 5,                                                 \
     .flags = (row_flags),                                       \
     .params = {{"x", (types), 0, 'T'}, {"y", (types), 0, 'T'}}, \
     .infer = (inference),                                       \
     .flops = mls_flops_elementwise,                             \
     .fuse = (fuse_of),                                          \
     .run = run_##op},
#define ARITHMETIC(id, op) ROW(op, MLS_T_FLOAT | MLS_T_I32, MLS_OP_INPLACE, mls_infer_broadcast, fuse_##op)
/* Not in place: a result of one byte may be as large as an operand of fewer elements that is still read. */
#define COMPARISON(id, op, operator) ROW(op, MLS_T_FLOAT | MLS_T_I32, 0, infer_comparison, NULL)
#define LOGICAL(id, op, operator) ROW(op, MLS_T_BOOL, MLS_OP_INPLACE, mls_infer_broadcast, NULL)

static const struct mls_op_row rows[] = {
    KERNEL_ONLY_LIST(ARITHMETIC)
    /* not fused: whether it is a square depends on a value */
    ROW(pow, MLS_T_FLOAT | MLS_T_I32, MLS_OP_INPLACE, mls_infer_broadcast, NULL)
        MLS_BINARY_COMPARISON_LIST(COMPARISON) MLS_BINARY_LOGICAL_LIST(LOGICAL)};

MLS_OP_FAMILY_DEFINE(elementwise_binary, rows);
