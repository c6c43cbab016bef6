/* constexpr_nn.c: weights of networks that are stored as codes: scale * code + bias, with one of each or one
 * a channel. */
#include "ops/op_family.h"

enum { CODES, SCALE, BIAS, AXIS };

static enum mls_status infer_linear_codes(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, CODES)->type;
    int64_t axis = mls_op_int(call, AXIS, 0);
    if (!mls_type_is_static(&type) || (type.rank && (axis < 0 || axis >= type.rank)))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "its axis lies outside the codes");
    for (unsigned param = SCALE; param <= BIAS; param++) {
        const struct mls_type *factors = &mls_op_in(call, param)->type;
        int64_t n = mls_type_elems(factors);
        if (factors->rank != 1 || (n != 1 && (!type.rank || n != type.dims[axis])))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "scale and bias must have one element, or one for each channel");
    }
    type.dtype = MLS_FP32;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

struct job {
    const uint8_t *codes;
    bool is_signed;
    const struct mls_tensor *scale, *bias;
    size_t n_channels, n_inner;
    float *out;
};

static void expand_row(void *context, size_t row, uint32_t thread)
{
    (void)thread;
    const struct job *job = context;
    size_t channel = row % job->n_channels;
    float scale = ((const float *)job->scale->data)[job->scale->type.dims[0] == 1 ? 0 : channel];
    float bias = ((const float *)job->bias->data)[job->bias->type.dims[0] == 1 ? 0 : channel];
    const uint8_t *codes = job->codes + row * job->n_inner;
    float *out = job->out + row * job->n_inner;
    for (size_t i = 0; i < job->n_inner; i++)
        out[i] = scale * (float)(job->is_signed ? (int8_t)codes[i] : codes[i]) + bias;
}

static enum mls_status run_linear_codes(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *codes = mls_op_in(call, CODES);
    const struct mls_type *type = &codes->type;
    unsigned axis = (unsigned)mls_op_int(call, AXIS, 0);
    size_t n = (size_t)mls_type_elems(type), n_outer = 1;
    for (unsigned i = 0; i < axis; i++)
        n_outer *= (size_t)type->dims[i];
    size_t n_channels = type->rank ? (size_t)type->dims[axis] : 1;
    call->kernel = "linear_codes";
    if (!n)
        return MLS_OK;
    struct job job = {.codes = codes->data,
                      .is_signed = type->dtype == MLS_INT8,
                      .scale = mls_op_in(call, SCALE),
                      .bias = mls_op_in(call, BIAS),
                      .n_channels = n_channels,
                      .n_inner = n / (n_outer * n_channels),
                      .out = mls_op_out(call, 0)->data};
    mls_pool_for(env->pool, n_outer * n_channels, expand_row, &job);
    return MLS_OK;
}

static const struct mls_op_row rows[] = {
    {.name = "constexpr_nn_linear",
     .since = 5,
     .flags = MLS_OP_CONSTEXPR,
     .params = {[CODES] = {"codes", MLS_DTYPE_BIT(MLS_UINT8) | MLS_DTYPE_BIT(MLS_INT8), MLS_PARAM_CONST, 0},
                [SCALE] = {"scale", MLS_DTYPE_BIT(MLS_FP32), MLS_PARAM_CONST, 0},
                [BIAS] = {"bias", MLS_DTYPE_BIT(MLS_FP32), MLS_PARAM_CONST, 0},
                [AXIS] = {"axis", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_linear_codes,
     .run = run_linear_codes},
};

MLS_OP_FAMILY_DEFINE(constexpr_nn, rows);
