/* Operations, blocks and functions of MIL text. */
#include "format/mil_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* What stands before '=' in an operation: "type name", several of them. */
struct declaration {
    struct mls_type type;
    const char *name;
};

/* An operation while its parts are read; they stand in another order than the IR numbers them. Owned: the
 * arrays. */
struct parts {
    struct declaration *outputs;
    size_t n_outputs, outputs_capacity;
    struct mls_argument *arguments;
    size_t n_arguments, arguments_capacity;
    mls_block_id *blocks;
    size_t n_blocks, blocks_capacity;
    struct mls_type val_type; /* of the attribute val */
    const struct mls_constant *val;
};

/* Where an operation or block stands. */
struct place {
    mls_function_id function;
    mls_block_id block;
    mls_op_id op; /* that a block belongs to */
};

static enum mls_status read_block(struct mil_reader *reader, struct place place, mls_block_id *ret_id);

/* One more element of an owned array that grows; NULL when out of memory. */
static void *push(void *array, size_t *n, size_t *capacity, size_t element_bytes)
{
    void **data = array;
    if (*n == *capacity) {
        size_t wanted = *capacity ? *capacity * 2 : 4;
        void *grown = reallocarray(*data, wanted, element_bytes);
        if (!grown)
            return NULL;
        *data = grown;
        *capacity = wanted;
    }
    return (unsigned char *)*data + (*n)++ * element_bytes;
}

static void parts_done(struct parts *parts)
{
    free(parts->outputs);
    free(parts->arguments);
    free(parts->blocks);
}

/* ---- Arguments --------------------------------------------------------------------------------------- */

/* A value's name, or a constant in its place. */
static enum mls_status read_binding(struct mil_reader *reader, const char *argument, mls_value_id *ret_id)
{
    if (mil_begins_type(reader)) {
        struct mls_value value = {.name = argument, .producer = {MLS_NO_INDEX}};
        enum mls_status status = mil_read_constant(reader, &value.type, &value.constant);
        return status ? status : ir_value_add(reader->program.builder, &value, ret_id, reader->reterr);
    }
    const char *name;
    enum mls_status status = mil_take_name(&reader->lexer, reader->program.arena, &name, reader->reterr);
    if (status)
        return status;
    *ret_id = ir_value_find(reader->program.builder, name);
    if (ret_id->i == MLS_NO_INDEX)
        return mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: argument %s refers to %s, which is not defined before it",
                        argument, name);
    return MLS_OK;
}

/* "(a, b)" binds several values, anything else one. */
static enum mls_status read_bindings(struct mil_reader *reader, struct mls_argument *argument)
{
    mls_value_id *ids = NULL, *id;
    size_t n = 0, capacity = 0;
    enum mls_status status = MLS_OK;
    bool several = mil_accept(&reader->lexer, '(');
    bool more = !(several && mil_accept(&reader->lexer, ')'));
    while (more && !status) {
        id = push(&ids, &n, &capacity, sizeof *ids);
        status = id && n <= MLS_LIMIT_VALUES ? read_binding(reader, argument->name, id)
                                             : program_no_memory(reader->reterr);
        more = !status && several && mil_accept(&reader->lexer, ',');
    }
    if (!status && several && n)
        status = mil_expect(&reader->lexer, ')', reader->reterr);
    mls_value_id *kept = status ? NULL : MLS_NEW_ARRAY(reader->program.arena, n, mls_value_id);
    if (!status && !kept)
        status = program_no_memory(reader->reterr);
    if (!status && n)
        memcpy(kept, ids, n * sizeof *ids);
    free(ids);
    argument->values = kept;
    argument->n_values = (uint32_t)n;
    return status;
}

/* "name = " of an argument or attribute. */
static enum mls_status read_key(struct mil_reader *reader, const char **ret_name)
{
    enum mls_status status = mil_take_name(&reader->lexer, reader->program.arena, ret_name, reader->reterr);
    return status ? status : mil_expect(&reader->lexer, '=', reader->reterr);
}

static enum mls_status add_argument(struct mil_reader *reader, const char *name, struct parts *parts)
{
    struct mls_argument argument = {.name = name};
    enum mls_status status = read_bindings(reader, &argument);
    struct mls_argument *slot = status ? NULL
                                       : push(&parts->arguments, &parts->n_arguments,
                                              &parts->arguments_capacity, sizeof *parts->arguments);
    if (!status && !slot)
        return program_no_memory(reader->reterr);
    if (!status)
        *slot = argument;
    return status;
}

static enum mls_status read_arguments(struct mil_reader *reader, struct parts *parts)
{
    enum mls_status status = mil_expect(&reader->lexer, '(', reader->reterr);
    while (!status && !mil_accept(&reader->lexer, ')')) {
        const char *name;
        status = read_key(reader, &name);
        if (!status)
            status = add_argument(reader, name, parts);
        if (!status && !mil_accept(&reader->lexer, ',') && !mil_is(&reader->lexer, ')'))
            status = mil_wrong(&reader->lexer, "',' or ')'", reader->reterr);
    }
    return status;
}

/* ---- Attributes -------------------------------------------------------------------------------------- */

/* The name that the operation was given; other types than text are no names. */
static enum mls_status read_name(struct mil_reader *reader, struct mls_op *op)
{
    struct mls_type type;
    const struct mls_constant *constant;
    enum mls_status status = mil_read_constant(reader, &type, &constant);
    if (status || type.kind != MLS_KIND_TENSOR || type.dtype != MLS_TEXT || mls_type_elems(&type) != 1)
        return status;
    struct mls_text text;
    memcpy(&text, constant->data, sizeof text);
    if (text.length_bytes) {
        op->name = text.bytes;
        reader->program.operation = text.bytes;
    }
    return MLS_OK;
}

static enum mls_status read_attribute(struct mil_reader *reader, struct mls_op *op, struct parts *parts)
{
    const char *name;
    enum mls_status status = read_key(reader, &name);
    if (status)
        return status;
    if (!strcmp(name, "name"))
        return read_name(reader, op);
    if (!strcmp(op->type, "const") && !strcmp(name, "val"))
        return mil_read_constant(reader, &parts->val_type, &parts->val);
    if (program_is_operand(op->type, name))
        return add_argument(reader, name, parts);
    return mil_skip(&reader->lexer, ',', ']', reader->reterr);
}

/* "[a = …, b = …]", if there is one. */
static enum mls_status read_attributes(struct mil_reader *reader, struct mls_op *op, struct parts *parts)
{
    enum mls_status status = MLS_OK;
    if (!mil_accept(&reader->lexer, '['))
        return MLS_OK;
    while (!status && !mil_accept(&reader->lexer, ']')) {
        status = read_attribute(reader, op, parts);
        if (!status && !mil_accept(&reader->lexer, ',') && !mil_is(&reader->lexer, ']'))
            status = mil_wrong(&reader->lexer, "',' or ']'", reader->reterr);
    }
    return status;
}

/* ---- Operations -------------------------------------------------------------------------------------- */

/* "type name, type name" up to a sign that the caller expects. */
static enum mls_status read_declarations(struct mil_reader *reader, struct parts *parts)
{
    do {
        struct declaration *declaration =
            push(&parts->outputs, &parts->n_outputs, &parts->outputs_capacity, sizeof *parts->outputs);
        if (!declaration)
            return program_no_memory(reader->reterr);
        enum mls_status status = mil_read_type(reader, &declaration->type);
        if (!status)
            status = mil_take_name(&reader->lexer, reader->program.arena, &declaration->name, reader->reterr);
        if (!status && !declaration->name[0])
            status = mil_wrong(&reader->lexer, "a name that is not empty before this", reader->reterr);
        if (status)
            return status;
    } while (mil_accept(&reader->lexer, ','));
    return MLS_OK;
}

static enum mls_status define_all(struct mil_reader *reader, const struct declaration *declarations, size_t n,
                                  mls_op_id producer, const mls_value_id **ret_ids)
{
    mls_value_id *ids = MLS_NEW_ARRAY(reader->program.arena, n, mls_value_id);
    if (!ids)
        return program_no_memory(reader->reterr);
    for (size_t i = 0; i < n; i++) {
        struct mls_value value = {
            .name = declarations[i].name, .type = declarations[i].type, .producer = producer};
        enum mls_status status = ir_value_define(reader->program.builder, &value, &ids[i], reader->reterr);
        if (status)
            return status;
    }
    *ret_ids = ids;
    return MLS_OK;
}

/* Blocks follow the arguments, each "name (inputs) { … } -> (outputs)"; name and inputs may be absent. */
static enum mls_status read_blocks(struct mil_reader *reader, struct place place, struct parts *parts)
{
    struct mil_lexer *lexer = &reader->lexer;
    enum mls_status status = MLS_OK;
    bool more = lexer->token.kind == MIL_NAME || mil_is(lexer, '(') || mil_is(lexer, '{');
    while (more && !status) {
        mls_block_id *slot =
            push(&parts->blocks, &parts->n_blocks, &parts->blocks_capacity, sizeof *parts->blocks);
        if (!slot)
            return program_no_memory(reader->reterr);
        mls_block_id id;
        if (lexer->token.kind == MIL_NAME)
            mil_next(lexer);
        status = read_block(reader, place, &id);
        if (!status)
            parts->blocks[parts->n_blocks - 1] = id;
        more = !status && mil_accept(lexer, ',');
    }
    return status;
}

/* What follows the outputs: type, arguments, and attributes before or after the blocks. */
static enum mls_status read_parts(struct mil_reader *reader, struct place place, struct mls_op *op,
                                  struct parts *parts)
{
    const char *type;
    enum mls_status status = mil_take_name(&reader->lexer, reader->program.arena, &type, reader->reterr);
    if (status)
        return status;
    op->type = program_op_type(type);
    op->name = parts->n_outputs ? parts->outputs[0].name : op->type;
    reader->program.operation = op->name;
    reader->program.op_type = op->type;
    if (!op->type[0])
        return mil_wrong(&reader->lexer, "an operation's type before this", reader->reterr);
    status = read_arguments(reader, parts);
    if (!status)
        status = read_attributes(reader, op, parts);
    if (!status)
        status = read_blocks(reader, place, parts);
    if (!status)
        status = read_attributes(reader, op, parts);
    return status ? status : mil_expect(&reader->lexer, ';', reader->reterr);
}

static enum mls_status finish_op(struct mil_reader *reader, mls_op_id id, struct parts *parts,
                                 struct mls_op *op)
{
    struct mls_arena *arena = reader->program.arena;
    struct mls_argument *arguments = MLS_NEW_ARRAY(arena, parts->n_arguments, struct mls_argument);
    mls_block_id *blocks = MLS_NEW_ARRAY(arena, parts->n_blocks, mls_block_id);
    if (!arguments || !blocks)
        return program_no_memory(reader->reterr);
    if (parts->n_arguments)
        memcpy(arguments, parts->arguments, parts->n_arguments * sizeof *arguments);
    if (parts->n_blocks)
        memcpy(blocks, parts->blocks, parts->n_blocks * sizeof *blocks);
    op->blocks = blocks;
    op->n_blocks = (uint32_t)parts->n_blocks;
    op->n_outputs = (uint32_t)parts->n_outputs;
    enum mls_status status = program_set_arguments(arguments, parts->n_arguments, op, reader->reterr);
    if (!status)
        status = define_all(reader, parts->outputs, parts->n_outputs, id, &op->outputs);
    if (!status && !strcmp(op->type, "const"))
        status = program_attach_constant(&reader->program, op, &parts->val_type, parts->val, reader->reterr);
    if (!status)
        ir_op_set(reader->program.builder, id, op);
    return status;
}

/* Whether the operation has no outputs: "type(" rather than "type name". */
static bool begins_call(const struct mil_reader *reader)
{
    struct mil_lexer ahead = reader->lexer;
    mil_next(&ahead);
    return mil_is(&ahead, '(');
}

static enum mls_status read_op(struct mil_reader *reader, struct place place, mls_op_id *ret_id)
{
    const char *outer = reader->program.operation, *outer_type = reader->program.op_type;
    struct mls_op op = {.function = place.function, .block = place.block};
    struct parts parts = {0};
    enum mls_status status = ir_op_reserve(reader->program.builder, ret_id, reader->reterr);
    place.op = *ret_id;
    if (!status && !begins_call(reader)) {
        status = read_declarations(reader, &parts);
        if (!status)
            status = mil_expect(&reader->lexer, '=', reader->reterr);
    }
    if (!status)
        status = read_parts(reader, place, &op, &parts);
    if (!status)
        status = finish_op(reader, *ret_id, &parts, &op);
    parts_done(&parts);
    if (!status) {
        reader->program.operation = outer;
        reader->program.op_type = outer_type;
    }
    return status;
}

/* ---- Blocks and functions ---------------------------------------------------------------------------- */

static enum mls_status read_outputs(struct mil_reader *reader, struct mls_block *block)
{
    struct mls_argument outputs = {.name = "->"};
    enum mls_status status = mil_expect_arrow(&reader->lexer, reader->reterr);
    if (!status && !mil_is(&reader->lexer, '('))
        status = mil_wrong(&reader->lexer, "'('", reader->reterr);
    if (!status)
        status = read_bindings(reader, &outputs);
    for (uint32_t i = 0; i < outputs.n_values && !status; i++)
        if (!strcmp(ir_value_at(reader->program.builder, outputs.values[i])->name, outputs.name))
            status = mil_wrong(&reader->lexer, "names of values only before this", reader->reterr);
    block->outputs = outputs.values;
    block->n_outputs = outputs.n_values;
    return status;
}

/* "{ operations } -> (outputs)" of a block whose scope is open and whose inputs are defined. */
static enum mls_status read_body(struct mil_reader *reader, mls_block_id id, struct mls_block *block)
{
    mls_op_id *ops = NULL;
    size_t n = 0, capacity = 0;
    struct place place = {.function = block->function, .block = id};
    enum mls_status status = mil_expect(&reader->lexer, '{', reader->reterr);
    while (!status && !mil_accept(&reader->lexer, '}')) {
        mls_op_id *slot = push(&ops, &n, &capacity, sizeof *ops);
        status = slot ? read_op(reader, place, slot) : program_no_memory(reader->reterr);
    }
    if (!status)
        status = read_outputs(reader, block);
    mls_op_id *kept = status ? NULL : MLS_NEW_ARRAY(reader->program.arena, n, mls_op_id);
    if (!status && !kept)
        status = program_no_memory(reader->reterr);
    if (!status) {
        if (n)
            memcpy(kept, ops, n * sizeof *ops);
        block->ops = kept;
        block->n_ops = (uint32_t)n;
        ir_block_set(reader->program.builder, id, block);
    }
    free(ops);
    return status;
}

/* "(inputs)" of a block or function, defined in its scope. */
static enum mls_status read_inputs(struct mil_reader *reader, struct mls_block *block)
{
    struct parts parts = {0};
    enum mls_status status = MLS_OK;
    if (mil_accept(&reader->lexer, '(')) {
        if (!mil_is(&reader->lexer, ')'))
            status = read_declarations(reader, &parts);
        if (!status)
            status = mil_expect(&reader->lexer, ')', reader->reterr);
    }
    if (!status)
        status =
            define_all(reader, parts.outputs, parts.n_outputs, (mls_op_id){MLS_NO_INDEX}, &block->inputs);
    block->n_inputs = (uint32_t)parts.n_outputs;
    parts_done(&parts);
    return status;
}

/* Calls itself through operations; opening a scope fails at the limit of nesting. */
static enum mls_status read_block(struct mil_reader *reader, struct place place, mls_block_id *ret_id)
{
    struct mls_block block = {.function = place.function, .parent = place.op};
    enum mls_status status = ir_scope_open(reader->program.builder, reader->reterr);
    if (status)
        return status;
    status = ir_block_reserve(reader->program.builder, ret_id, reader->reterr);
    if (!status)
        status = read_inputs(reader, &block);
    if (!status)
        status = read_body(reader, *ret_id, &block);
    ir_scope_close(reader->program.builder);
    return status;
}

static enum mls_status read_opset(struct mil_reader *reader, uint32_t *ret_opset)
{
    static const char *const names[][MLS_OPSET_MAX + 1] = {
        {[5] = "ios15", [6] = "ios16", [7] = "ios17", [8] = "ios18", [9] = "ios26"},
        {[5] = "CoreML5", [6] = "CoreML6", [7] = "CoreML7", [8] = "CoreML8", [9] = "CoreML9"},
    };
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t opset = MLS_OPSET_MIN; opset <= MLS_OPSET_MAX; opset++)
            if (mil_is_word(&reader->lexer, names[i][opset])) {
                mil_next(&reader->lexer);
                *ret_opset = opset;
                return MLS_OK;
            }
    int shown = (int)(reader->lexer.token.length_bytes < 32 ? reader->lexer.token.length_bytes : 32);
    enum mls_status status =
        mls_fail(reader->reterr, MLS_ERR_OPSET_UNKNOWN, "cannot read the program: unknown opset '%.*s'",
                 shown, reader->lexer.token.text);
    mls_error_hint(reader->reterr,
                   "opsets ios15 to ios26 are known: export again with an older minimum_deployment_target");
    return status;
}

/* "func name<opset>(inputs) [attributes] { … } -> (outputs);": notes where things stand, and goes past it. */
static enum mls_status list_function(struct mil_reader *reader, struct mil_function *function)
{
    struct mil_lexer *lexer = &reader->lexer;
    enum mls_status status = mil_expect_word(lexer, "func", reader->reterr);
    if (!status)
        status = mil_take_name(lexer, reader->program.arena, &function->name, reader->reterr);
    if (!status)
        status = mil_expect(lexer, '<', reader->reterr);
    if (!status)
        status = read_opset(reader, &function->opset);
    if (!status)
        status = mil_expect(lexer, '>', reader->reterr);
    function->inputs = *lexer;
    if (!status && !mil_is(lexer, '('))
        status = mil_wrong(lexer, "'('", reader->reterr);
    if (!status)
        status = mil_skip(lexer, '[', '{', reader->reterr);
    function->attributes = *lexer;
    function->has_attributes = mil_is(lexer, '[');
    return status ? status : mil_skip(lexer, ';', ';', reader->reterr);
}

enum mls_status mil_list_functions(struct mil_reader *reader, struct mil_function **ret_functions,
                                   size_t *ret_n)
{
    struct mil_lexer *lexer = &reader->lexer;
    struct mil_function *functions =
        MLS_NEW_ARRAY(reader->program.arena, MLS_LIMIT_FUNCTIONS, struct mil_function);
    size_t n = 0;
    enum mls_status status =
        functions ? mil_expect_word(lexer, "program", reader->reterr) : program_no_memory(reader->reterr);
    if (!status)
        status = mil_skip(lexer, '[', '{', reader->reterr); /* past the version */
    if (!status && mil_is(lexer, '[')) {
        mil_next(lexer);
        status = mil_skip(lexer, ']', ']', reader->reterr); /* buildInfo */
        mil_accept(lexer, ']');
    }
    if (!status)
        status = mil_expect(lexer, '{', reader->reterr);
    while (!status && !mil_accept(lexer, '}')) {
        if (n == MLS_LIMIT_FUNCTIONS)
            return mls_fail(reader->reterr, MLS_ERR_LIMIT,
                            "cannot read the program: it has more than %d functions", MLS_LIMIT_FUNCTIONS);
        status = list_function(reader, &functions[n]);
        n++;
        mil_accept(lexer, ';');
    }
    *ret_functions = functions;
    *ret_n = n;
    return status;
}

static enum mls_status read_function(struct mil_reader *reader, const struct mil_function *source,
                                     mls_function_id id, struct mls_function *ret_function)
{
    struct mls_function function = {.name = source->name, .opset = source->opset};
    struct mls_block block = {.function = id, .parent = {MLS_NO_INDEX}};
    reader->program.function = source->name;
    reader->program.operation = "";
    reader->lexer = source->inputs;
    if (!function.name[0])
        return mil_wrong(&reader->lexer, "a function's name before this", reader->reterr);
    enum mls_status status = ir_scope_open(reader->program.builder, reader->reterr);
    if (status)
        return status;
    status = ir_block_reserve(reader->program.builder, &function.block, reader->reterr);
    if (!status)
        status = read_inputs(reader, &block);
    if (!status && mil_accept(&reader->lexer, '[')) {
        status = mil_skip(&reader->lexer, ']', ']', reader->reterr);
        mil_accept(&reader->lexer, ']');
    }
    if (!status)
        status = read_body(reader, function.block, &block);
    ir_scope_close(reader->program.builder);
    if (!status)
        *ret_function = function;
    return status;
}

enum mls_status mil_read_program(struct mil_reader *reader, const char *const *names, size_t n_names,
                                 struct mls_program *ret_program)
{
    struct mls_arena *arena = reader->program.arena;
    struct mil_function *listed;
    size_t n;
    program_begin(&reader->program);
    enum mls_status status = mil_list_functions(reader, &listed, &n);
    if (status)
        return status;
    struct program_function *order = MLS_NEW_ARRAY(arena, n, struct program_function);
    struct mls_function *functions = MLS_NEW_ARRAY(arena, n, struct mls_function);
    if (!order || !functions)
        return program_no_memory(reader->reterr);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct program_function){.name = listed[i].name, .source = &listed[i]};
    status = program_order_functions(order, n, names, n_names, reader->reterr);
    for (size_t i = 0; i < n && !status; i++) {
        status = read_function(reader, order[i].source, (mls_function_id){(uint32_t)i}, &functions[i]);
        if (status)
            program_error_place(&reader->program, reader->reterr);
    }
    return status ? status
                  : ir_finish(reader->program.builder, functions, (uint32_t)n, ret_program, reader->reterr);
}
