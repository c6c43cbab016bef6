#include "format/pb_mil.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

const char *pb_text(struct mls_arena *arena, const char *text)
{
    return mls_arena_text(arena, text, strlen(text));
}

/* Where an operation or block stands. */
struct place {
    mls_function_id function;
    mls_block_id block;
};

static enum mls_status read_block(struct program_reader *reader, const Pb__Block *message,
                                  mls_function_id function, mls_op_id parent, mls_block_id *ret_id,
                                  struct mls_error *reterr);

/* ---- Arguments ------------------------------------------------------------------------------- */

static enum mls_status read_immediate(struct program_reader *reader, const Pb__Value *message,
                                      const char *argument, mls_value_id *ret_id, struct mls_error *reterr)
{
    if (!message)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID, "cannot read the program: argument %s has no value",
                        argument);
    struct mls_value value = {.name = argument, .producer = {MLS_NO_INDEX}};
    enum mls_status status = pb_read_constant(reader, message, &value.type, &value.constant, reterr);
    return status ? status : ir_value_add(reader->builder, &value, ret_id, reterr);
}

static enum mls_status read_binding(struct program_reader *reader, const Pb__Binding *message,
                                    const char *argument, mls_value_id *ret_id, struct mls_error *reterr)
{
    if (message->binding_case == PB__BINDING__BINDING_VALUE)
        return read_immediate(reader, message->value, argument, ret_id, reterr);
    if (message->binding_case != PB__BINDING__BINDING_NAME)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: argument %s is bound to nothing", argument);
    mls_value_id id = ir_value_find(reader->builder, message->name);
    if (id.i == MLS_NO_INDEX)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: argument %s refers to %s, which is not defined before it",
                        argument, message->name);
    *ret_id = id;
    return MLS_OK;
}

static enum mls_status read_argument(struct program_reader *reader, const Pb__ArgumentEntry *entry,
                                     struct mls_argument *ret_argument, struct mls_error *reterr)
{
    size_t n = entry->value ? entry->value->n_arguments : 0;
    const char *name = pb_text(reader->arena, entry->key);
    mls_value_id *values = MLS_NEW_ARRAY(reader->arena, n, mls_value_id);
    if (!name || !values)
        return program_no_memory(reterr);
    if (n > MLS_LIMIT_VALUES)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot read the program: argument %s has more than %d values",
                        name, MLS_LIMIT_VALUES);
    for (size_t i = 0; i < n; i++) {
        enum mls_status status = read_binding(reader, entry->value->arguments[i], name, &values[i], reterr);
        if (status)
            return status;
    }
    *ret_argument = (struct mls_argument){.name = name, .values = values, .n_values = (uint32_t)n};
    return MLS_OK;
}

static enum mls_status read_operand(struct program_reader *reader, const Pb__ValueEntry *attribute,
                                    struct mls_argument *ret_argument, struct mls_error *reterr)
{
    const char *name = pb_text(reader->arena, attribute->key);
    mls_value_id *value = MLS_NEW(reader->arena, mls_value_id);
    if (!name || !value)
        return program_no_memory(reterr);
    *ret_argument = (struct mls_argument){.name = name, .values = value, .n_values = 1};
    return read_immediate(reader, attribute->value, name, value, reterr);
}

static enum mls_status read_arguments(struct program_reader *reader, const Pb__Operation *message,
                                      struct mls_op *op, struct mls_error *reterr)
{
    size_t capacity = message->n_inputs + message->n_attributes;
    struct mls_argument *arguments = MLS_NEW_ARRAY(reader->arena, capacity, struct mls_argument);
    if (!arguments)
        return program_no_memory(reterr);
    enum mls_status status = MLS_OK;
    size_t n = 0;
    for (size_t i = 0; !status && i < message->n_inputs; i++)
        status = read_argument(reader, message->inputs[i], &arguments[n++], reterr);
    for (size_t i = 0; !status && i < message->n_attributes; i++) {
        if (program_is_operand(message->type, message->attributes[i]->key))
            status = read_operand(reader, message->attributes[i], &arguments[n++], reterr);
    }
    if (status)
        return status;
    return program_set_arguments(arguments, n, op, reterr);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static const Pb__Value *find_attribute(const Pb__Operation *message, const char *name)
{
    for (size_t i = 0; i < message->n_attributes; i++) {
        if (strcmp(message->attributes[i]->key, name) == 0)
            return message->attributes[i]->value;
    }
    return NULL;
}

/* The name that the operation was given, else that of its first output, else its type. */
static const char *read_op_name(struct program_reader *reader, const Pb__Operation *message)
{
    const Pb__Value *value = find_attribute(message, "name");
    if (value && value->value_case == PB__VALUE__VALUE_IMMEDIATE_VALUE &&
        value->immediate_value->value_case == PB__IMMEDIATE_VALUE__VALUE_TENSOR &&
        value->immediate_value->tensor->value_case == PB__TENSOR_VALUE__VALUE_STRINGS) {
        const Pb__Strings *strings = value->immediate_value->tensor->strings;
        if (strings->n_values == 1 && strings->values[0].len)
            return mls_arena_text(reader->arena, (const char *)strings->values[0].data,
                                  strings->values[0].len);
    }
    if (message->n_outputs && message->outputs[0]->name[0])
        return pb_text(reader->arena, message->outputs[0]->name);
    return pb_text(reader->arena, message->type);
}

static enum mls_status define(struct program_reader *reader, const Pb__NamedValueType *message, mls_op_id producer,
                              mls_value_id *ret_id, struct mls_error *reterr)
{
    struct mls_value value = {.name = pb_text(reader->arena, message->name), .producer = producer};
    if (!value.name)
        return program_no_memory(reterr);
    if (!value.name[0])
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID, "cannot read the program: a value has no name");
    enum mls_status status = pb_read_type(message->type, &value.type, reterr);
    return status ? status : ir_value_define(reader->builder, &value, ret_id, reterr);
}

static enum mls_status define_all(struct program_reader *reader, Pb__NamedValueType *const *messages, size_t n,
                                  mls_op_id producer, const mls_value_id **ret_ids, struct mls_error *reterr)
{
    mls_value_id *ids = MLS_NEW_ARRAY(reader->arena, n, mls_value_id);
    if (!ids)
        return program_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        enum mls_status status = define(reader, messages[i], producer, &ids[i], reterr);
        if (status)
            return status;
    }
    *ret_ids = ids;
    return MLS_OK;
}

/* The output of a "const" is known from the file: its attribute "val". */
static enum mls_status attach_constant(struct program_reader *reader, const Pb__Operation *message,
                                       const struct mls_op *op, struct mls_error *reterr)
{
    const Pb__Value *val = find_attribute(message, "val");
    struct mls_type type = {0};
    const struct mls_constant *constant = NULL;
    enum mls_status status = val ? pb_read_constant(reader, val, &type, &constant, reterr) : MLS_OK;
    return status ? status : program_attach_constant(reader, op, &type, constant, reterr);
}

static enum mls_status read_op(struct program_reader *reader, const Pb__Operation *message, struct place place,
                               mls_op_id *ret_id, struct mls_error *reterr)
{
    const char *outer = reader->operation, *outer_type = reader->op_type;
    struct mls_op op = {.type = pb_text(reader->arena, program_op_type(message->type)),
                        .name = read_op_name(reader, message),
                        .function = place.function,
                        .block = place.block,
                        .n_outputs = (uint32_t)message->n_outputs,
                        .n_blocks = (uint32_t)message->n_blocks};
    mls_block_id *blocks = MLS_NEW_ARRAY(reader->arena, message->n_blocks, mls_block_id);
    if (!op.type || !op.name || !blocks)
        return program_no_memory(reterr);
    reader->operation = op.name;
    reader->op_type = op.type;
    if (!op.type[0])
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID, "cannot read the program: an operation has no type");
    enum mls_status status = ir_op_reserve(reader->builder, ret_id, reterr);
    if (!status)
        status = read_arguments(reader, message, &op, reterr);
    for (size_t i = 0; !status && i < message->n_blocks; i++)
        status = read_block(reader, message->blocks[i], place.function, *ret_id, &blocks[i], reterr);
    if (!status)
        status = define_all(reader, message->outputs, message->n_outputs, *ret_id, &op.outputs, reterr);
    if (!status && strcmp(op.type, "const") == 0)
        status = attach_constant(reader, message, &op, reterr);
    if (status)
        return status;
    op.blocks = blocks;
    ir_op_set(reader->builder, *ret_id, &op);
    reader->operation = outer;
    reader->op_type = outer_type;
    return MLS_OK;
}

/* ---- Blocks and functions -------------------------------------------------------------------- */

/* The operations and outputs of a block whose scope is open and whose inputs are defined. */
static enum mls_status read_body(struct program_reader *reader, const Pb__Block *message, mls_block_id id,
                                 struct mls_block *block, struct mls_error *reterr)
{
    mls_op_id *ops = MLS_NEW_ARRAY(reader->arena, message->n_operations, mls_op_id);
    mls_value_id *outputs = MLS_NEW_ARRAY(reader->arena, message->n_outputs, mls_value_id);
    if (!ops || !outputs)
        return program_no_memory(reterr);
    for (size_t i = 0; i < message->n_operations; i++) {
        struct place place = {block->function, id};
        enum mls_status status = read_op(reader, message->operations[i], place, &ops[i], reterr);
        if (status)
            return status;
    }
    for (size_t i = 0; i < message->n_outputs; i++) {
        outputs[i] = ir_value_find(reader->builder, message->outputs[i]);
        if (outputs[i].i == MLS_NO_INDEX)
            return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                            "cannot read the program: output %s of a block is not defined in it",
                            message->outputs[i]);
    }
    block->ops = ops;
    block->n_ops = (uint32_t)message->n_operations;
    block->outputs = outputs;
    block->n_outputs = (uint32_t)message->n_outputs;
    ir_block_set(reader->builder, id, block);
    return MLS_OK;
}

/* Calls itself through operations; opening a scope fails at the limit of nesting. */
static enum mls_status read_block(struct program_reader *reader, const Pb__Block *message,
                                  mls_function_id function, mls_op_id parent, mls_block_id *ret_id,
                                  struct mls_error *reterr)
{
    struct mls_block block = {
        .function = function, .parent = parent, .n_inputs = (uint32_t)message->n_inputs};
    enum mls_status status = ir_scope_open(reader->builder, reterr);
    if (status)
        return status;
    status = ir_block_reserve(reader->builder, ret_id, reterr);
    if (!status)
        status = define_all(reader, message->inputs, message->n_inputs, (mls_op_id){MLS_NO_INDEX},
                            &block.inputs, reterr);
    if (!status)
        status = read_body(reader, message, *ret_id, &block, reterr);
    ir_scope_close(reader->builder);
    return status;
}

static enum mls_status read_opset(const char *text, uint32_t *ret_opset, struct mls_error *reterr)
{
    for (uint32_t opset = MLS_OPSET_MIN; opset <= MLS_OPSET_MAX; opset++) {
        char known[16];
        snprintf(known, sizeof known, "CoreML%" PRIu32, opset);
        if (strcmp(text, known) == 0) {
            *ret_opset = opset;
            return MLS_OK;
        }
    }
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_OPSET_UNKNOWN, "cannot read the program: unknown opset '%s'", text);
    mls_error_hint(
        reterr, "opsets CoreML%d to CoreML%d are known: export again with an older minimum_deployment_target",
        MLS_OPSET_MIN, MLS_OPSET_MAX);
    return status;
}

const Pb__Block *pb_find_body(const Pb__Function *message)
{
    for (size_t i = 0; i < message->n_block_specializations; i++) {
        if (strcmp(message->block_specializations[i]->key, message->opset) == 0)
            return message->block_specializations[i]->value;
    }
    return NULL;
}

static enum mls_status read_function(struct program_reader *reader, const Pb__FunctionEntry *entry,
                                     mls_function_id id, struct mls_function *ret_function,
                                     struct mls_error *reterr)
{
    struct mls_function function = {.name = pb_text(reader->arena, entry->key)};
    if (!function.name)
        return program_no_memory(reterr);
    reader->function = function.name;
    reader->operation = "";
    if (!function.name[0] || !entry->value)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: a function has no name or no content");
    const Pb__Function *message = entry->value;
    enum mls_status status = read_opset(message->opset, &function.opset, reterr);
    if (status)
        return status;
    const Pb__Block *body = pb_find_body(message);
    if (!body || body->n_inputs)
        return mls_fail(reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: function %s has no body for opset %s", function.name,
                        message->opset);
    struct mls_block block = {
        .function = id, .parent = {MLS_NO_INDEX}, .n_inputs = (uint32_t)message->n_inputs};
    status = ir_scope_open(reader->builder, reterr);
    if (status)
        return status;
    status = ir_block_reserve(reader->builder, &function.block, reterr);
    if (!status)
        status = define_all(reader, message->inputs, message->n_inputs, block.parent, &block.inputs, reterr);
    if (!status)
        status = read_body(reader, body, function.block, &block, reterr);
    ir_scope_close(reader->builder);
    if (!status)
        *ret_function = function;
    return status;
}

enum mls_status pb_order_functions(struct mls_arena *arena, const Pb__Program *message, const char *const *names,
                                   size_t n_names, struct program_function **ret_order, struct mls_error *reterr)
{
    size_t n = message->n_functions;
    if (n > MLS_LIMIT_FUNCTIONS)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot read the program: it has more than %d functions",
                        MLS_LIMIT_FUNCTIONS);
    struct program_function *order = MLS_NEW_ARRAY(arena, n, struct program_function);
    if (!order)
        return program_no_memory(reterr);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct program_function){.name = message->functions[i]->key, .source = message->functions[i]};
    *ret_order = order;
    return program_order_functions(order, n, names, n_names, reterr);
}

enum mls_status pb_read_one_function(struct program_reader *reader, const Pb__Program *message, const char *name,
                                     mls_function_id id, struct mls_function *ret_function,
                                     struct mls_error *reterr)
{
    for (size_t i = 0; i < message->n_functions; i++) {
        if (strcmp(message->functions[i]->key, name) != 0)
            continue;
        enum mls_status status = read_function(reader, message->functions[i], id, ret_function, reterr);
        if (status)
            program_error_place(reader, reterr);
        return status;
    }
    return mls_fail(reterr, MLS_ERR_INTERFACE_MISMATCH, "cannot read the program: it has no function '%s'", name);
}

enum mls_status pb_read_program(struct program_reader *reader, const Pb__Program *message,
                                const char *const *names, size_t n_names, struct mls_program *ret_program,
                                struct mls_error *reterr)
{
    program_begin(reader);
    struct program_function *order = NULL;
    enum mls_status status = pb_order_functions(reader->arena, message, names, n_names, &order, reterr);
    if (status)
        return status;
    struct mls_function *functions = MLS_NEW_ARRAY(reader->arena, message->n_functions, struct mls_function);
    if (!functions)
        return program_no_memory(reterr);
    for (size_t i = 0; i < message->n_functions; i++) {
        status = read_function(reader, order[i].source, (mls_function_id){(uint32_t)i}, &functions[i], reterr);
        if (status) {
            program_error_place(reader, reterr);
            return status;
        }
    }
    return ir_finish(reader->builder, functions, (uint32_t)message->n_functions, ret_program, reterr);
}
