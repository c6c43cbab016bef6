/* toy_model.h: models written by hand, as the reader of packages would give them. */
#pragma once

#include <stdarg.h>
#include <string.h>

#include "core/model.h"

enum {
    TOY_VALUES = 256,
    TOY_OPS = 128,
    TOY_ARGUMENTS = 512,
    TOY_FEATURES = 8,
    TOY_INTS = 512,
    TOY_NAME_BYTES = 24
};

/* Everything lies in this struct, which therefore must not be copied. */
struct toy {
    struct mls_model model;
    struct mls_function function;
    struct mls_block block;
    struct mls_value values[TOY_VALUES];
    struct mls_constant constants[TOY_VALUES];
    char names[TOY_VALUES][TOY_NAME_BYTES];
    struct mls_op ops[TOY_OPS];
    mls_op_id op_ids[TOY_OPS];
    mls_value_id outputs[TOY_OPS];
    struct mls_argument arguments[TOY_ARGUMENTS];
    mls_value_id argument_values[TOY_ARGUMENTS];
    uint32_t n_arguments;
    int32_t ints[TOY_INTS];
    uint32_t n_ints;
    struct mls_interface interface;
    struct mls_feature inputs[TOY_FEATURES];
    struct mls_feature feature_outputs[TOY_FEATURES];
    struct mls_feature states[TOY_FEATURES];
    struct mls_range ranges[MLS_RANK_MAX];
    struct mls_shape shapes[256];
    mls_value_id block_outputs[4];
};

static inline void toy_begin(struct toy *toy, uint32_t opset)
{
    memset(toy, 0, sizeof(*toy));
    toy->function = (struct mls_function){.name = "main", .opset = opset};
    toy->block.parent.i = MLS_NO_INDEX;
    toy->block.ops = toy->op_ids;
    toy->block.outputs = toy->block_outputs;
    toy->interface = (struct mls_interface){.function = "main",
                                            .inputs = toy->inputs,
                                            .outputs = toy->feature_outputs,
                                            .states = toy->states,
                                            .predicted_feature = "",
                                            .predicted_probabilities = ""};
    toy->model.spec_version = (int32_t)opset + 1;
    toy->model.type_name = "mlProgram";
    toy->model.interfaces = &toy->interface;
    toy->model.n_interfaces = 1;
    toy->model.default_function = "main";
    toy->model.program = (struct mls_program){.functions = &toy->function,
                                              .n_functions = 1,
                                              .blocks = &toy->block,
                                              .n_blocks = 1,
                                              .ops = toy->ops,
                                              .values = toy->values};
}

static inline struct mls_type toy_type(enum mls_dtype dtype, unsigned rank, const int *dims)
{
    int64_t wide[MLS_RANK_MAX] = {0};
    for (unsigned i = 0; i < rank; i++)
        wide[i] = dims[i];
    return mls_type_tensor(dtype, rank, wide);
}

/* FP16, INT32 …: a type with its dims, as toy_value and toy_op take it. */
#define TOY_TYPE(dtype, ...) \
    toy_type((dtype), sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__})

static inline mls_value_id toy_value(struct toy *toy, struct mls_type type)
{
    uint32_t id = toy->model.program.n_values++;
    snprintf(toy->names[id], TOY_NAME_BYTES, "v%u", (unsigned)id);
    toy->values[id] = (struct mls_value){.name = toy->names[id], .type = type, .producer = {MLS_NO_INDEX}};
    return (mls_value_id){id};
}

/* An input of the function that is a tensor of the interface as well. */
static inline mls_value_id toy_input(struct toy *toy, struct mls_type type)
{
    mls_value_id id = toy_value(toy, type);
    toy->inputs[toy->interface.n_inputs++] = (struct mls_feature){
        .name = toy->names[id.i], .description = "", .kind = MLS_FEATURE_TENSOR, .type = type};
    return id;
}

static inline mls_value_id toy_constant(struct toy *toy, struct mls_type type)
{
    mls_value_id id = toy_value(toy, type);
    toy->constants[id.i] = (struct mls_constant){.size_bytes = mls_type_bytes(&type)};
    toy->values[id.i].constant = &toy->constants[id.i];
    return id;
}

static inline mls_value_id toy_ints(struct toy *toy, int n, ...)
{
    mls_value_id id = toy_constant(toy, TOY_TYPE(MLS_INT32, n));
    toy->constants[id.i].data = &toy->ints[toy->n_ints];
    va_list list;
    va_start(list, n);
    for (int i = 0; i < n; i++)
        toy->ints[toy->n_ints++] = va_arg(list, int);
    va_end(list);
    return id;
}

struct toy_argument {
    const char *name;
    mls_value_id value;
};

static inline mls_value_id toy_op_list(struct toy *toy, const char *type, struct mls_type output,
                                       const struct toy_argument *arguments, size_t n)
{
    uint32_t index = toy->model.program.n_ops++;
    mls_value_id id = toy_value(toy, output);
    struct mls_op *op = &toy->ops[index];
    toy->values[id.i].producer.i = index;
    toy->outputs[index] = id;
    toy->op_ids[index].i = index;
    *op = (struct mls_op){.type = type,
                          .name = toy->names[id.i],
                          .arguments = &toy->arguments[toy->n_arguments],
                          .n_arguments = (uint32_t)n,
                          .outputs = &toy->outputs[index],
                          .n_outputs = 1};
    for (size_t i = 0; i < n; i++) {
        toy->argument_values[toy->n_arguments] = arguments[i].value;
        toy->arguments[toy->n_arguments] = (struct mls_argument){
            .name = arguments[i].name, .values = &toy->argument_values[toy->n_arguments], .n_values = 1};
        toy->n_arguments++;
    }
    toy->block.n_ops = toy->model.program.n_ops;
    return id;
}

/* An operation with one output: toy_op(toy, "add", type, {"x", a}, {"y", b}). Returns the output. */
#define toy_op(toy, type, output, ...)                                         \
    toy_op_list((toy), (type), (output), (struct toy_argument[]){__VA_ARGS__}, \
                sizeof((struct toy_argument[]){__VA_ARGS__}) / sizeof(struct toy_argument))

static inline void toy_output(struct toy *toy, mls_value_id value)
{
    toy->block_outputs[toy->block.n_outputs++] = value;
    toy->feature_outputs[toy->interface.n_outputs++] =
        (struct mls_feature){.name = toy->values[value.i].name,
                             .description = "",
                             .kind = MLS_FEATURE_TENSOR,
                             .type = toy->values[value.i].type};
}
