/*
 * elementwise_unary.c: functions of one tensor, elementwise. Every function counts as one operation per
 * element in `flops`, elementary functions (exp, sin …) included.
 */
#include "ops/elementwise.h"

#include "base/fp16.h"
#include "ops/op_family.h"

/* The default of an epsilon, in the type of x: 1e-12 is 0 in fp16. */
static float epsilon_of(const struct mls_op_call *call, double otherwise)
{
    float value = (float)mls_op_float(call, 1, otherwise);
    if (!mls_op_given(call, 1) && mls_op_in(call, 0)->type.dtype == MLS_FP16)
        value = mls_fp16_to_fp32(mls_fp32_to_fp16(value));
    return value;
}

/* Functions without parameters: id, name, types. */
#define PLAIN_LIST(X)                          \
    X(ABS, abs, MLS_T_FLOAT | MLS_T_I32)       \
    X(ACOS, acos, MLS_T_FLOAT)                 \
    X(ASIN, asin, MLS_T_FLOAT)                 \
    X(ATAN, atan, MLS_T_FLOAT)                 \
    X(ATANH, atanh, MLS_T_FLOAT)               \
    X(CEIL, ceil, MLS_T_FLOAT)                 \
    X(COS, cos, MLS_T_FLOAT)                   \
    X(COSH, cosh, MLS_T_FLOAT)                 \
    X(ERF, erf, MLS_T_FLOAT)                   \
    X(EXP, exp, MLS_T_FLOAT)                   \
    X(EXP2, exp2, MLS_T_FLOAT | MLS_T_I32)     \
    X(FLOOR, floor, MLS_T_FLOAT)               \
    X(ROUND, round, MLS_T_FLOAT)               \
    X(SIGN, sign, MLS_T_FLOAT | MLS_T_I32)     \
    X(SIN, sin, MLS_T_FLOAT)                   \
    X(SINH, sinh, MLS_T_FLOAT)                 \
    X(SQRT, sqrt, MLS_T_FLOAT)                 \
    X(SQUARE, square, MLS_T_FLOAT | MLS_T_I32) \
    X(TAN, tan, MLS_T_FLOAT)                   \
    X(TANH, tanh, MLS_T_FLOAT)

/* Functions with an epsilon: id, name, default (of the registry). */
#define EPSILON_LIST(X)       \
    X(INVERSE, inverse, 1e-4) \
    X(LOG, log, 1e-45)        \
    X(RSQRT, rsqrt, 1e-12)

static struct mls_unary_params epsilon_params(const struct mls_op_call *call, double otherwise)
{
    return (struct mls_unary_params){.alpha = epsilon_of(call, otherwise)};
}

#define X(id, name, types) MLS_UNARY_ROW_FUNCTIONS(name, MLS_UNARY_##id, {0})
PLAIN_LIST(X)
#undef X

#define X(id, name, otherwise) MLS_UNARY_ROW_FUNCTIONS(name, MLS_UNARY_##id, epsilon_params(call, otherwise))
EPSILON_LIST(X)
#undef X

static enum mls_status infer_with_scalar(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_check_scalars(call, 1, 1, reterr);
    return status == MLS_OK ? mls_infer_same(call, reterr) : status;
}

static enum mls_status infer_clip(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_check_scalars(call, 1, 2, reterr);
    if (status != MLS_OK)
        return status;
    double alpha = mls_op_float(call, 1, 0), beta = mls_op_float(call, 2, 0);
    if (call->row->since >= 7 && alpha >= beta)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "alpha (%g) must be smaller than beta (%g)",
                           alpha, beta);
    return mls_infer_same(call, reterr);
}

static struct mls_unary_params clip_params(const struct mls_op_call *call)
{
    return (struct mls_unary_params){.alpha = (float)mls_op_float(call, 1, 0),
                                     .beta = (float)mls_op_float(call, 2, 0)};
}
MLS_UNARY_ROW_FUNCTIONS(clip, MLS_UNARY_CLIP, clip_params(call))

static struct mls_unary_params threshold_params(const struct mls_op_call *call)
{
    return (struct mls_unary_params){.alpha = (float)mls_op_float(call, 1, 0),
                                     .alpha_int = (int32_t)mls_op_int(call, 1, 0)};
}
MLS_UNARY_ROW_FUNCTIONS(threshold, MLS_UNARY_THRESHOLD, threshold_params(call))

static enum mls_status run_logical_not(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    const struct mls_tensor *x = mls_op_in(call, 0);
    const uint8_t *source = x->data;
    uint8_t *target = mls_op_out(call, 0)->data;
    int64_t n = mls_type_elems(&x->type);
    for (int64_t i = 0; i < n; i++)
        target[i] = !source[i];
    call->kernel = "logical_not_bool__generic";
    return MLS_OK;
}

#define PLAIN(id, op, types)           \
    {.name = #op,                      \
     .since = 5,                       \
     .flags = MLS_OP_INPLACE,          \
     .params = {{"x", types, 0, 'T'}}, \
     .infer = mls_infer_same,          \
     .flops = mls_flops_elementwise,   \
     .fuse = fuse_##op,                \
     .run = run_##op},

#define EPSILON(op, opset, letter)                                                         \
    {.name = #op,                                                                          \
     .since = (opset),                                                                     \
     .flags = MLS_OP_INPLACE,                                                              \
     .params = {{"x", MLS_T_FLOAT, 0, 'T'},                                                \
                {"epsilon", MLS_T_FLOAT, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, (letter)}}, \
     .infer = infer_with_scalar,                                                           \
     .flops = mls_flops_elementwise,                                                       \
     .fuse = fuse_##op,                                                                    \
     .run = run_##op},
#define EPSILON_ROWS(id, op, otherwise) EPSILON(op, 5, 'T') EPSILON(op, 7, 'U')

#define CLIP(opset)                                                                             \
    {                                                                                           \
        .name = "clip", .since = (opset), .flags = MLS_OP_INPLACE,                              \
        .params = {{"x", MLS_T_FLOAT, 0, 'T'},                                                  \
                   {"alpha", MLS_T_FLOAT, MLS_PARAM_CONST, 'T'},                                \
                   {"beta", MLS_T_FLOAT, MLS_PARAM_CONST, 'T'}},                                \
        .infer = infer_clip, .flops = mls_flops_elementwise, .fuse = fuse_clip, .run = run_clip \
    }

static const struct mls_op_row rows[] = {
    PLAIN_LIST(PLAIN) EPSILON_LIST(EPSILON_ROWS) CLIP(5),
    CLIP(7),
    {.name = "threshold",
     .since = 5,
     .flags = MLS_OP_INPLACE,
     .params = {{"x", MLS_T_FLOAT | MLS_T_I32, 0, 'T'},
                {"alpha", MLS_T_FLOAT | MLS_T_I32, MLS_PARAM_CONST, 'T'}},
     .infer = infer_with_scalar,
     .flops = mls_flops_elementwise,
     .fuse = fuse_threshold,
     .run = run_threshold},
    {.name = "logical_not",
     .since = 5,
     .flags = MLS_OP_INPLACE,
     .params = {{"x", MLS_T_BOOL, 0, 0}},
     .infer = mls_infer_same,
     .flops = mls_flops_elementwise,
     .run = run_logical_not},
};

MLS_OP_FAMILY_DEFINE(elementwise_unary, rows);
