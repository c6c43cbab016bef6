/*
 * bytes.h: what operations share that multiply 8-bit integers (kernels/dot8). No operations of MIL: core/pass makes them of
 * linear and conv whose x is dequantize(quantize(x)) and whose weights are stored as integers.
 */
#pragma once

#include "kernels/dot8/dot8.h"
#include "ops/op_family.h"
#include "ops/scaling.h"

enum { MLS_BYTES_PARAMS = 3 };

/* How x, of fp16, becomes bytes, as quantize has it. */
#define MLS_BYTES_PARAM_ROWS(first)                                                                   \
    [first] = {"x_scale", MLS_DTYPE_BIT(MLS_FP16), MLS_PARAM_CONST, 0},                               \
    [(first) + 1] = {"x_zero_point", MLS_T_BYTES, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0},           \
    [(first) + 2] = {"x_dtype", MLS_T_TEXT, MLS_PARAM_CONST, 0}

/* mls_bytes_check: whether these parameters, from `first` on, and a weight can be computed with. */
enum mls_status mls_bytes_check(const struct mls_op_call *call, unsigned first, const struct mls_tensor *weight, bool transposed,
                                struct mls_error *reterr);

struct mls_dot8_rounding mls_bytes_rounding(const struct mls_op_call *call, unsigned first);
