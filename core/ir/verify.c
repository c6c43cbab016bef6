#include "ir/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* State of a walk. */
struct verifier {
    const struct mls_program *program;
    uint8_t *values; /* by value: enum visibility */
    uint8_t *ops;    /* by operation: 1 once met */
    uint8_t *blocks; /* by block: 1 once met */
    mls_function_id function;
    const char *operation; /* being looked at, or "" */
    struct mls_error *reterr;
};

enum visibility { UNDEFINED, VISIBLE, GONE };

static enum mls_status invalid(const struct verifier *verifier, const char *reason, uint32_t index)
{
    enum mls_status status = mls_fail(verifier->reterr, MLS_ERR_PROGRAM_INVALID,
                                      "cannot verify the program: %s (number %" PRIu32 ")", reason, index);
    mls_error_operation(verifier->reterr, verifier->program->functions[verifier->function.i].name,
                        verifier->operation);
    return status;
}

static enum mls_status verify_block(struct verifier *verifier, mls_block_id id, mls_op_id parent,
                                    unsigned depth);

static enum mls_status define(struct verifier *verifier, const mls_value_id *ids, uint32_t n,
                              mls_op_id producer)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i].i >= verifier->program->n_values)
            return invalid(verifier, "a value does not exist", ids[i].i);
        if (verifier->values[ids[i].i] != UNDEFINED)
            return invalid(verifier, "a value is defined twice", ids[i].i);
        if (verifier->program->values[ids[i].i].producer.i != producer.i)
            return invalid(verifier, "a value names another producer", ids[i].i);
        verifier->values[ids[i].i] = VISIBLE;
    }
    return MLS_OK;
}

static enum mls_status use(const struct verifier *verifier, const mls_value_id *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i].i >= verifier->program->n_values)
            return invalid(verifier, "a value does not exist", ids[i].i);
        const struct mls_value *value = &verifier->program->values[ids[i].i];
        bool is_immediate = value->constant && value->producer.i == MLS_NO_INDEX;
        if (verifier->values[ids[i].i] != VISIBLE && !is_immediate)
            return invalid(verifier, "a value is used where it is not defined", ids[i].i);
    }
    return MLS_OK;
}

static void forget(struct verifier *verifier, const mls_value_id *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        verifier->values[ids[i].i] = GONE;
}

static enum mls_status verify_op(struct verifier *verifier, mls_op_id id, mls_block_id block, unsigned depth)
{
    const struct mls_program *program = verifier->program;
    if (id.i >= program->n_ops || verifier->ops[id.i])
        return invalid(verifier, "an operation does not exist or stands in two places", id.i);
    verifier->ops[id.i] = 1;
    const struct mls_op *op = &program->ops[id.i];
    verifier->operation = op->name;
    if (op->block.i != block.i || op->function.i != verifier->function.i)
        return invalid(verifier, "an operation names another place than it has", id.i);
    if (!op->type[0] || !op->name[0])
        return invalid(verifier, "an operation has no type or no name", id.i);
    enum mls_status status = MLS_OK;
    for (uint32_t i = 0; !status && i < op->n_arguments; i++) {
        if (i && strcmp(op->arguments[i - 1].name, op->arguments[i].name) >= 0)
            return invalid(verifier, "arguments are not in order of name", id.i);
        status = use(verifier, op->arguments[i].values, op->arguments[i].n_values);
    }
    for (uint32_t i = 0; !status && i < op->n_blocks; i++) {
        status = verify_block(verifier, op->blocks[i], id, depth + 1);
        if (!status)
            verifier->operation = op->name;
    }
    return status ? status : define(verifier, op->outputs, op->n_outputs, id);
}

/* Calls itself through operations, at most MLS_LIMIT_BLOCK_DEPTH deep. */
static enum mls_status verify_block(struct verifier *verifier, mls_block_id id, mls_op_id parent,
                                    unsigned depth)
{
    const struct mls_program *program = verifier->program;
    if (depth >= MLS_LIMIT_BLOCK_DEPTH)
        return mls_fail(verifier->reterr, MLS_ERR_LIMIT,
                        "cannot verify the program: blocks are nested deeper than %d", MLS_LIMIT_BLOCK_DEPTH);
    if (id.i >= program->n_blocks || verifier->blocks[id.i])
        return invalid(verifier, "a block does not exist or stands in two places", id.i);
    verifier->blocks[id.i] = 1;
    const struct mls_block *block = &program->blocks[id.i];
    if (block->parent.i != parent.i || block->function.i != verifier->function.i)
        return invalid(verifier, "a block names another place than it has", id.i);
    enum mls_status status = define(verifier, block->inputs, block->n_inputs, (mls_op_id){MLS_NO_INDEX});
    for (uint32_t i = 0; !status && i < block->n_ops; i++)
        status = verify_op(verifier, block->ops[i], id, depth);
    if (!status)
        status = use(verifier, block->outputs, block->n_outputs);
    if (status)
        return status;
    forget(verifier, block->inputs, block->n_inputs);
    for (uint32_t i = 0; i < block->n_ops; i++)
        forget(verifier, program->ops[block->ops[i].i].outputs, program->ops[block->ops[i].i].n_outputs);
    return MLS_OK;
}

static enum mls_status verify_functions(struct verifier *verifier)
{
    const struct mls_program *program = verifier->program;
    for (uint32_t i = 0; i < program->n_functions; i++) {
        const struct mls_function *function = &program->functions[i];
        if (function->opset < MLS_OPSET_MIN || function->opset > MLS_OPSET_MAX)
            return mls_fail(verifier->reterr, MLS_ERR_OPSET_UNKNOWN,
                            "cannot verify the program: function %s has opset %" PRIu32
                            ", known are %d to %d",
                            function->name, function->opset, MLS_OPSET_MIN, MLS_OPSET_MAX);
        verifier->function = (mls_function_id){i};
        verifier->operation = "";
        enum mls_status status = verify_block(verifier, function->block, (mls_op_id){MLS_NO_INDEX}, 0);
        if (status)
            return status;
    }
    return MLS_OK;
}

enum mls_status ir_verify_program(const struct mls_program *program, struct mls_error *reterr)
{
    if (program->n_ops > MLS_LIMIT_OPS || program->n_values > MLS_LIMIT_VALUES ||
        program->n_functions > MLS_LIMIT_FUNCTIONS)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot verify the program: it has too many operations, values or functions");
    size_t n = (size_t)program->n_values + program->n_ops + program->n_blocks;
    uint8_t *marks = calloc(n + 1, 1);
    if (!marks)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot verify the program: out of memory");
    struct verifier verifier = {.program = program,
                                .values = marks,
                                .ops = marks + program->n_values,
                                .blocks = marks + program->n_values + program->n_ops,
                                .operation = "",
                                .reterr = reterr};
    enum mls_status status = verify_functions(&verifier);
    free(marks);
    return status;
}

/* ---- Interface ------------------------------------------------------------------------------- */

static enum mls_status mismatch(const struct mls_interface *interface, struct mls_error *reterr,
                                const char *what, const char *name)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_INTERFACE_MISMATCH,
                 "cannot match the program with the model description: %s '%s' of function %s", what, name,
                 interface->function);
    mls_error_operation(reterr, interface->function, NULL);
    return status;
}

static const struct mls_feature *find_feature(const struct mls_feature *features, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(features[i].name, name) == 0)
            return &features[i];
    }
    return NULL;
}

static bool has_value(const struct mls_program *program, const mls_value_id *ids, uint32_t n,
                      const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(program->values[ids[i].i].name, name) == 0)
            return true;
    }
    return false;
}

/* Arrays are handed over as they are, so that the number of elements must be the same where both sides state
 * it. */
static bool fits(const struct mls_value *value, const struct mls_feature *feature)
{
    bool is_state = feature->kind == MLS_FEATURE_STATE;
    if (is_state != (value->type.kind == MLS_KIND_STATE))
        return false;
    if (feature->kind != MLS_FEATURE_TENSOR && !is_state)
        return true;
    if (!mls_type_is_static(&value->type) || !mls_type_is_static(&feature->type))
        return true;
    return mls_type_elems(&value->type) == mls_type_elems(&feature->type);
}

static enum mls_status verify_inputs(const struct mls_program *program, const struct mls_block *block,
                                     const struct mls_interface *interface, struct mls_error *reterr)
{
    for (uint32_t i = 0; i < block->n_inputs; i++) {
        const struct mls_value *value = &program->values[block->inputs[i].i];
        const struct mls_feature *feature = find_feature(interface->inputs, interface->n_inputs, value->name);
        if (!feature)
            feature = find_feature(interface->states, interface->n_states, value->name);
        if (!feature)
            return mismatch(interface, reterr,
                            "MIL program input not found in Core ML model inputs:", value->name);
        if (!fits(value, feature))
            return mismatch(interface, reterr, "type or number of elements differ for input", value->name);
    }
    for (size_t i = 0; i < interface->n_inputs; i++) {
        if (!has_value(program, block->inputs, block->n_inputs, interface->inputs[i].name))
            return mismatch(interface, reterr, "the program lacks input", interface->inputs[i].name);
    }
    for (size_t i = 0; i < interface->n_states; i++) {
        if (!has_value(program, block->inputs, block->n_inputs, interface->states[i].name))
            return mismatch(interface, reterr, "the program lacks state", interface->states[i].name);
    }
    return MLS_OK;
}

enum mls_status ir_verify_interface(const struct mls_program *program, const struct mls_interface *interface,
                                    struct mls_error *reterr)
{
    const struct mls_function *function = NULL;
    for (uint32_t i = 0; i < program->n_functions && !function; i++) {
        if (strcmp(program->functions[i].name, interface->function) == 0)
            function = &program->functions[i];
    }
    if (!function)
        return mls_fail(
            reterr, MLS_ERR_INTERFACE_MISMATCH,
            "cannot match the program with the model description: the program has no function '%s'",
            interface->function);
    const struct mls_block *block = &program->blocks[function->block.i];
    enum mls_status status = verify_inputs(program, block, interface, reterr);
    for (size_t i = 0; !status && i < interface->n_outputs; i++) {
        if (!has_value(program, block->outputs, block->n_outputs, interface->outputs[i].name))
            status = mismatch(interface, reterr, "the program lacks output", interface->outputs[i].name);
    }
    return status;
}
