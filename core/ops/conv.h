/* conv.h: parameters and types of conv, conv_quantized, and the form of conv that multiplies bytes. */
#pragma once

#include "ops/op_family.h"
#include "ops/space.h"

enum {
    MLS_CONV_P_X,
    MLS_CONV_P_WEIGHT,
    MLS_CONV_P_BIAS,
    MLS_CONV_P_STRIDES,
    MLS_CONV_P_PAD_TYPE,
    MLS_CONV_P_PAD,
    MLS_CONV_P_DILATIONS,
    MLS_CONV_P_GROUPS,
    MLS_CONV_P_QUANTIZATION_TYPE, /* from here on: conv_quantized */
    MLS_CONV_P_NBITS,
    MLS_CONV_P_QUANT_SCALE,
    MLS_CONV_P_QUANT_BIAS
};
enum { MLS_CONV_P_BYTES = MLS_CONV_P_GROUPS + 1 }; /* and on: pass_conv_bytes */

/* mls_conv_read_space: the window, from static or open types. */
enum mls_status mls_conv_read_space(const struct mls_op_call *call, struct mls_space *ret, struct mls_error *reterr);

enum mls_status mls_conv_infer(const struct mls_op_call *call, struct mls_error *reterr);
enum mls_status mls_conv_infer_quantized(const struct mls_op_call *call, struct mls_error *reterr);
enum mls_status mls_conv_infer_bytes(const struct mls_op_call *call, struct mls_error *reterr);
