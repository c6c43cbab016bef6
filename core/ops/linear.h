/* linear.h: what linear and its form of bytes share. */
#pragma once

#include "ops/op_family.h"

enum { MLS_LINEAR_X, MLS_LINEAR_WEIGHT, MLS_LINEAR_BIAS, MLS_LINEAR_PARAMS };

enum mls_status mls_linear_infer(const struct mls_op_call *call, struct mls_error *reterr);
uint64_t mls_linear_flops(const struct mls_op_call *call);
