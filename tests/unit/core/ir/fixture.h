/* fixture.h: a small valid program as data, for tests that change one thing of it: y = add(x, y = 0.5), z =
 * relu(y). */
#pragma once

#include "support/test.h"

#include <string.h>

#include "core/model.h"

enum { X, HALF, Y, Z, N_VALUES };

struct fixture {
    float half;
    struct mls_constant constant;
    struct mls_value values[N_VALUES];
    struct mls_argument add_arguments[2], relu_arguments[1];
    mls_value_id add_x, add_y, relu_x, add_out, relu_out, in, out;
    struct mls_op ops[2];
    mls_op_id op_ids[2];
    struct mls_block blocks[2];
    mls_block_id block_ids[1];
    struct mls_function function;
    struct mls_program program;
};

static inline void fixture_init(struct fixture *f)
{
    const mls_op_id none = {MLS_NO_INDEX};
    const int64_t dims[] = {1, MLS_DIM_UNKNOWN};
    struct mls_type vector = mls_type_tensor(MLS_FP32, 2, dims);
    memset(f, 0, sizeof *f);
    f->half = 0.5f;
    f->constant = (struct mls_constant){.data = &f->half, .size_bytes = sizeof f->half};
    f->values[X] = (struct mls_value){"x", vector, none, NULL};
    f->values[HALF] = (struct mls_value){"y", mls_type_tensor(MLS_FP32, 0, NULL), none, &f->constant};
    f->values[Y] = (struct mls_value){"y", vector, {0}, NULL};
    f->values[Z] = (struct mls_value){"z", vector, {1}, NULL};
    f->add_x.i = f->in.i = X;
    f->add_y.i = HALF;
    f->add_out.i = f->relu_x.i = Y;
    f->relu_out.i = f->out.i = Z;
    f->add_arguments[0] = (struct mls_argument){"x", &f->add_x, 1};
    f->add_arguments[1] = (struct mls_argument){"y", &f->add_y, 1};
    f->relu_arguments[0] = (struct mls_argument){"x", &f->relu_x, 1};
    f->ops[0] = (struct mls_op){.type = "add",
                                .name = "sum",
                                .arguments = f->add_arguments,
                                .n_arguments = 2,
                                .outputs = &f->add_out,
                                .n_outputs = 1};
    f->ops[1] = (struct mls_op){.type = "relu",
                                .name = "z",
                                .arguments = f->relu_arguments,
                                .n_arguments = 1,
                                .outputs = &f->relu_out,
                                .n_outputs = 1};
    f->op_ids[1].i = 1;
    f->blocks[0] = (struct mls_block){.parent = none,
                                      .inputs = &f->in,
                                      .n_inputs = 1,
                                      .ops = f->op_ids,
                                      .n_ops = 2,
                                      .outputs = &f->out,
                                      .n_outputs = 1};
    f->blocks[1] = (struct mls_block){.parent = {1}};
    f->block_ids[0].i = 1;
    f->function = (struct mls_function){.name = "main", .opset = 6};
    f->program = (struct mls_program){.functions = &f->function,
                                      .n_functions = 1,
                                      .blocks = f->blocks,
                                      .n_blocks = 2,
                                      .ops = f->ops,
                                      .n_ops = 2,
                                      .values = f->values,
                                      .n_values = N_VALUES};
}
