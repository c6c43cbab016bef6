/* op_check.h: what a row's table of parameters asks of a call, checked for all operations in one place. */
#pragma once

#include "ops/op.h"

/*
 * mls_op_check_params: that every required parameter is there, that constants are known, that kinds and
 * element types are among those that the row takes, and that the parameters of a domain agree. `infer` may
 * rely on all of it.
 */
enum mls_status mls_op_check_params(const struct mls_op_row *row, const struct mls_op_call *call,
                                    struct mls_error *reterr);

/* mls_op_param_count: the parameters of a row. */
unsigned mls_op_param_count(const struct mls_op_row *row);

/* mls_op_param_index: the parameter called `name`, or -1. */
int mls_op_param_index(const struct mls_op_row *row, const char *name);
