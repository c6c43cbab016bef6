/* conv_infer.c: types of convolutions. */
#include "ops/bytes.h"
#include "ops/conv.h"
#include "ops/conv_weights.h"

static const struct mls_space_params space_params = {.strides = MLS_CONV_P_STRIDES,
                                                     .pad_type = MLS_CONV_P_PAD_TYPE,
                                                     .pad = MLS_CONV_P_PAD,
                                                     .dilations = MLS_CONV_P_DILATIONS,
                                                     .default_pad_type = "valid"};

static enum mls_status check_channels(const struct mls_op_call *call, const struct mls_type *x,
                                      const struct mls_type *weight, struct mls_error *reterr)
{
    int64_t groups = mls_op_int(call, MLS_CONV_P_GROUPS, 1);
    int64_t in = x->dims[1], out = weight->dims[0], in_of_group = weight->dims[1];
    if (groups < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "groups is %lld; it must be positive",
                           (long long)groups);
    if (!out || !in_of_group)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "the weight has no elements");
    if (out != MLS_DIM_UNKNOWN && out % groups)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "%lld output channels cannot be divided into %lld groups", (long long)out,
                           (long long)groups);
    if (in != MLS_DIM_UNKNOWN && in % groups)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "%lld input channels cannot be divided into %lld groups", (long long)in,
                           (long long)groups);
    if (in != MLS_DIM_UNKNOWN && in_of_group != MLS_DIM_UNKNOWN && in / groups != in_of_group)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "x has %lld channels in %lld groups, but the weight is for %lld channels a group",
                           (long long)in, (long long)groups, (long long)in_of_group);
    return mls_conv_check_bias(call, MLS_CONV_P_BIAS, out, reterr);
}

enum mls_status mls_conv_read_space(const struct mls_op_call *call, struct mls_space *ret, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, MLS_CONV_P_X)->type, *weight = &mls_op_in(call, MLS_CONV_P_WEIGHT)->type;
    enum mls_status status = mls_conv_check_ranks(call, x, weight, reterr);
    if (status != MLS_OK)
        return status;
    return mls_space_read(call, &space_params, x->rank - 2u, weight->dims + 2, ret, reterr);
}

enum mls_status mls_conv_infer(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_CONV_P_WEIGHT);
    struct mls_type type = mls_op_in(call, MLS_CONV_P_X)->type;
    if (type.rank != MLS_RANK_UNKNOWN && weight->type.rank != MLS_RANK_UNKNOWN) {
        struct mls_space space;
        enum mls_status status = mls_conv_read_space(call, &space, reterr);
        if (status == MLS_OK)
            status = check_channels(call, &type, &weight->type, reterr);
        if (status == MLS_OK)
            status = mls_space_output(call, &space, type.dims + 2, type.dims + 2, reterr);
        if (status != MLS_OK)
            return status;
        type.dims[1] = weight->type.dims[0];
    } else {
        type.rank = MLS_RANK_UNKNOWN;
    }
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

enum mls_status mls_conv_infer_quantized(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_tensor *weight = mls_op_in(call, MLS_CONV_P_WEIGHT);
    enum mls_status status = mls_conv_infer(call, reterr);
    if (status != MLS_OK)
        return status;
    if (!mls_op_text_is(call, MLS_CONV_P_QUANTIZATION_TYPE, NULL, "linear"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "only quantization_type linear is supported");
    if (mls_op_int(call, MLS_CONV_P_NBITS, 8) != 8)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "only nbits 8 is supported");
    if (mls_op_given(call, MLS_CONV_P_BIAS))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "a quantized bias is not supported");
    for (unsigned param = MLS_CONV_P_QUANT_SCALE; param <= MLS_CONV_P_QUANT_BIAS; param++) {
        int64_t n = mls_type_elems(&mls_op_in(call, param)->type);
        if (n != 1 && n != weight->type.dims[0])
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "parameter \"%s\" must hold one element, or one for each output channel",
                               call->row->params[param].name);
    }
    return MLS_OK;
}

enum mls_status mls_conv_infer_bytes(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = mls_conv_infer(call, reterr);
    return status ? status : mls_bytes_check(call, MLS_CONV_P_BYTES, mls_op_in(call, MLS_CONV_P_WEIGHT), false, reterr);
}
