#include "ops/bytes.h"

enum mls_status mls_bytes_check(const struct mls_op_call *call, unsigned first, const struct mls_tensor *weight, bool transposed,
                                struct mls_error *reterr)
{
    const struct mls_tensor *scale = mls_op_in(call, first), *zero = mls_op_in(call, first + 1);
    if (!weight->coded ||
        !mls_dot8_suits(weight->coded, transposed, transposed ? weight->coded->n : weight->coded->k))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "its weights are no integers with one scale a row");
    if (mls_type_elems(&scale->type) != 1 || (zero && mls_type_elems(&zero->type) != 1))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "x has more than one scale");
    if (!(mls_op_float(call, first, 0) > 0))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "the scale of x is not positive");
    return MLS_OK;
}

struct mls_dot8_rounding mls_bytes_rounding(const struct mls_op_call *call, unsigned first)
{
    return mls_dot8_round((float)mls_op_float(call, first, 1), (int32_t)mls_op_int(call, first + 1, 0),
                          mls_op_text_is(call, first + 2, NULL, "int8"));
}
