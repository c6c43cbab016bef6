#include "ir/chain.h"

#include <stdlib.h>
#include <string.h>

/* What a feature's name means at the point reached. */
struct feature {
    const char *name;
    mls_value_id value;
};

struct chain {
    struct mls_arena *arena;
    const struct mls_program *parts;
    const struct ir_stage *stages;
    size_t n_stages;
    const struct mls_interface *interface;
    struct mls_error *reterr;

    struct mls_value *values; /* those of the parts, then new ones */
    struct mls_op *ops;
    struct mls_block *blocks;
    uint32_t n_values, n_ops, n_blocks;
    mls_value_id *meaning; /* by value of the parts: what stands for it */
    struct feature *features;
    size_t n_features;
    mls_op_id *order; /* operations of the joined block */
    uint32_t n_order;
    mls_value_id *inputs;
};

static enum mls_status no_memory(const struct chain *chain)
{
    return mls_fail(chain->reterr, MLS_ERR_MEMORY, "cannot join the models of a pipeline: out of memory");
}

static const struct feature *find_feature(const struct chain *chain, const char *name)
{
    for (size_t i = chain->n_features; i-- > 0;)
        if (!strcmp(chain->features[i].name, name))
            return &chain->features[i];
    return NULL;
}

static void add_feature(struct chain *chain, const char *name, mls_value_id value)
{
    chain->features[chain->n_features++] = (struct feature){name, value};
}

static enum mls_status nobody_gives(const struct chain *chain, const char *name)
{
    return mls_fail(chain->reterr, MLS_ERR_INTERFACE_MISMATCH,
                    "cannot join the models of a pipeline: no model gives the feature '%s'", name);
}

/* ---- Room --------------------------------------------------------------------------------------------- */

static const struct mls_block *block_of(const struct chain *chain, const struct ir_stage *stage)
{
    return &chain->parts->blocks[chain->parts->functions[stage->function.i].block.i];
}

/* Copies of the parts' arrays, with room for what joining adds: at most one conversion for each input. */
static bool make_room(struct chain *chain)
{
    const struct mls_program *parts = chain->parts;
    size_t n_inputs = 0, n_outputs = 0;
    for (size_t i = 0; i < chain->n_stages; i++) {
        const struct ir_stage *stage = &chain->stages[i];
        n_outputs += stage->interface ? stage->interface->n_outputs : 0;
        n_inputs += stage->kind == IR_STAGE_MODEL ? block_of(chain, stage)->n_inputs : 0;
    }
    size_t n_more = n_inputs + chain->interface->n_inputs;
    chain->values = MLS_NEW_ARRAY(chain->arena, parts->n_values + n_more, struct mls_value);
    chain->ops = MLS_NEW_ARRAY(chain->arena, parts->n_ops + n_inputs, struct mls_op);
    chain->blocks = MLS_NEW_ARRAY(chain->arena, (size_t)parts->n_blocks + 1, struct mls_block);
    chain->meaning = MLS_NEW_ARRAY(chain->arena, parts->n_values, mls_value_id);
    chain->features = MLS_NEW_ARRAY(chain->arena, n_outputs + chain->interface->n_inputs, struct feature);
    chain->order = MLS_NEW_ARRAY(chain->arena, parts->n_ops + n_inputs, mls_op_id);
    chain->inputs = MLS_NEW_ARRAY(chain->arena, chain->interface->n_inputs, mls_value_id);
    if (!chain->values || !chain->ops || !chain->blocks || !chain->meaning || !chain->features ||
        !chain->order || !chain->inputs)
        return false;
    if (parts->n_values)
        memcpy(chain->values, parts->values, parts->n_values * sizeof *chain->values);
    if (parts->n_ops)
        memcpy(chain->ops, parts->ops, parts->n_ops * sizeof *chain->ops);
    if (parts->n_blocks)
        memcpy(chain->blocks, parts->blocks, parts->n_blocks * sizeof *chain->blocks);
    chain->n_values = parts->n_values;
    chain->n_ops = parts->n_ops;
    chain->n_blocks = parts->n_blocks + 1;
    for (uint32_t i = 0; i < parts->n_values; i++)
        chain->meaning[i] = (mls_value_id){i};
    return true;
}

/* ---- Features ----------------------------------------------------------------------------------------- */

/* The type that the first model wants that reads the input: it decides how an image or a number arrives. */
static struct mls_type input_type(const struct chain *chain, const struct mls_feature *feature)
{
    for (size_t i = 0; i < chain->n_stages; i++) {
        const struct ir_stage *stage = &chain->stages[i];
        const struct mls_block *block = stage->kind == IR_STAGE_MODEL ? block_of(chain, stage) : NULL;
        for (uint32_t k = 0; block && k < block->n_inputs; k++) {
            const struct mls_value *value = &chain->parts->values[block->inputs[k].i];
            if (!strcmp(value->name, feature->name))
                return value->type;
        }
    }
    return feature->type;
}

static enum mls_status add_inputs(struct chain *chain)
{
    for (size_t i = 0; i < chain->interface->n_inputs; i++) {
        const struct mls_feature *feature = &chain->interface->inputs[i];
        mls_value_id id = {chain->n_values++};
        if ((feature->kind == MLS_FEATURE_DICTIONARY) !=
            (input_type(chain, feature).kind == MLS_KIND_DICTIONARY))
            return mls_fail(
                chain->reterr, MLS_ERR_INTERFACE_MISMATCH,
                "cannot join the models of a pipeline: the input '%s' is a %s, and no model takes it so",
                feature->name, mls_feature_kind_name(feature->kind));
        chain->values[id.i] = (struct mls_value){
            .name = feature->name, .type = input_type(chain, feature), .producer = {MLS_NO_INDEX}};
        chain->inputs[i] = id;
        add_feature(chain, feature->name, id);
    }
    return MLS_OK;
}

/* Whether a value may stand for another without being changed. */
static bool same_type(const struct mls_type *given, const struct mls_type *wanted)
{
    bool ranked = given->rank <= MLS_RANK_MAX && wanted->rank <= MLS_RANK_MAX;
    if (given->kind != wanted->kind || given->dtype != wanted->dtype ||
        (ranked && given->rank != wanted->rank))
        return false;
    for (unsigned i = 0; ranked && i < given->rank; i++)
        if (given->dims[i] != wanted->dims[i] && given->dims[i] >= 0 && wanted->dims[i] >= 0)
            return false;
    return true;
}

static bool is_number(const struct mls_type *type)
{
    return type->kind == MLS_KIND_TENSOR && type->dtype != MLS_TEXT;
}

/* An operation that makes one model's numbers into those that the next one takes. */
static enum mls_status add_conversion(struct chain *chain, mls_value_id from, mls_value_id wanted,
                                      mls_value_id *ret_id)
{
    struct mls_argument *argument = MLS_NEW(chain->arena, struct mls_argument);
    mls_value_id *source = MLS_NEW(chain->arena, mls_value_id), *output = MLS_NEW(chain->arena, mls_value_id);
    const char *name = mls_arena_printf(chain->arena, "%s/convert", chain->values[from.i].name);
    if (!argument || !source || !output || !name)
        return no_memory(chain);
    mls_op_id op = {chain->n_ops++};
    *source = from;
    *output = (mls_value_id){chain->n_values++};
    *argument = (struct mls_argument){.name = "x", .values = source, .n_values = 1};
    chain->values[output->i] =
        (struct mls_value){.name = name, .type = chain->values[wanted.i].type, .producer = op};
    chain->ops[op.i] = (struct mls_op){.type = "feature_convert",
                                       .name = name,
                                       .block = {chain->n_blocks - 1},
                                       .arguments = argument,
                                       .n_arguments = 1,
                                       .outputs = output,
                                       .n_outputs = 1};
    chain->order[chain->n_order++] = op;
    *ret_id = *output;
    return MLS_OK;
}

/* ---- Stages ------------------------------------------------------------------------------------------- */

static enum mls_status take_inputs(struct chain *chain, const struct mls_block *block)
{
    for (uint32_t i = 0; i < block->n_inputs; i++) {
        mls_value_id wanted = block->inputs[i];
        const struct mls_value *value = &chain->values[wanted.i];
        const struct feature *feature = find_feature(chain, value->name);
        if (!feature)
            return nobody_gives(chain, value->name);
        mls_value_id given = feature->value;
        const struct mls_type *type = &chain->values[given.i].type;
        if (!same_type(type, &value->type)) {
            if (!is_number(type) || !is_number(&value->type))
                return mls_fail(
                    chain->reterr, MLS_ERR_INTERFACE_MISMATCH,
                    "cannot join the models of a pipeline: the feature '%s' is of another kind than the "
                    "model takes",
                    value->name);
            enum mls_status status = add_conversion(chain, given, wanted, &given);
            if (status)
                return status;
        }
        chain->meaning[wanted.i] = given;
    }
    return MLS_OK;
}

static enum mls_status give_outputs(struct chain *chain, const struct ir_stage *stage,
                                    const struct mls_block *block)
{
    for (size_t i = 0; i < stage->interface->n_outputs; i++) {
        const char *name = stage->interface->outputs[i].name;
        uint32_t k = 0;
        while (k < block->n_outputs && strcmp(chain->values[block->outputs[k].i].name, name))
            k++;
        if (k == block->n_outputs)
            return nobody_gives(chain, name);
        add_feature(chain, name, chain->meaning[block->outputs[k].i]);
    }
    return MLS_OK;
}

static enum mls_status add_model(struct chain *chain, const struct ir_stage *stage)
{
    const struct mls_block *block = block_of(chain, stage);
    enum mls_status status = take_inputs(chain, block);
    if (status)
        return status;
    for (uint32_t i = 0; i < block->n_ops; i++) {
        chain->order[chain->n_order++] = block->ops[i];
        chain->ops[block->ops[i].i].block = (mls_block_id){chain->n_blocks - 1};
    }
    return give_outputs(chain, stage, block);
}

/* Of the features since the pipeline within began, only its outputs stay. */
static enum mls_status close_pipeline(struct chain *chain, size_t n_before,
                                      const struct mls_interface *interface)
{
    size_t n_given = chain->n_features;
    for (size_t i = 0; i < interface->n_outputs; i++) {
        const struct feature *feature = find_feature(chain, interface->outputs[i].name);
        if (!feature)
            return nobody_gives(chain, interface->outputs[i].name);
        add_feature(chain, interface->outputs[i].name, feature->value);
    }
    memmove(chain->features + n_before, chain->features + n_given,
            interface->n_outputs * sizeof *chain->features);
    chain->n_features = n_before + interface->n_outputs;
    return MLS_OK;
}

static enum mls_status add_stages(struct chain *chain)
{
    size_t *starts = calloc(chain->n_stages + 1, sizeof *starts), depth = 0;
    if (!starts)
        return no_memory(chain);
    enum mls_status status = MLS_OK;
    for (size_t i = 0; i < chain->n_stages && !status; i++) {
        const struct ir_stage *stage = &chain->stages[i];
        if (stage->kind == IR_STAGE_MODEL)
            status = add_model(chain, stage);
        else if (stage->kind == IR_STAGE_OPEN)
            starts[depth++] = chain->n_features;
        else
            status = close_pipeline(chain, starts[--depth], stage->interface);
    }
    free(starts);
    return status;
}

/* ---- The joined program ------------------------------------------------------------------------------- */

static const mls_value_id *meanings(const struct chain *chain, const mls_value_id *ids, uint32_t n)
{
    mls_value_id *found = MLS_NEW_ARRAY(chain->arena, n, mls_value_id);
    for (uint32_t i = 0; found && i < n; i++)
        found[i] = ids[i].i < chain->parts->n_values ? chain->meaning[ids[i].i] : ids[i];
    return found;
}

/* Uses of the models' inputs become uses of what stands for them. */
static bool rewrite_uses(struct chain *chain)
{
    for (uint32_t i = 0; i < chain->n_ops; i++) {
        struct mls_op *op = &chain->ops[i];
        struct mls_argument *arguments = MLS_NEW_ARRAY(chain->arena, op->n_arguments, struct mls_argument);
        if (!arguments)
            return false;
        for (uint32_t k = 0; k < op->n_arguments; k++) {
            arguments[k] = op->arguments[k];
            arguments[k].values = meanings(chain, op->arguments[k].values, op->arguments[k].n_values);
            if (!arguments[k].values)
                return false;
        }
        if (!op->opset)
            op->opset =
                i < chain->parts->n_ops ? chain->parts->functions[op->function.i].opset : MLS_OPSET_MIN;
        op->arguments = arguments;
        op->function = (mls_function_id){0};
    }
    for (uint32_t i = 0; i + 1 < chain->n_blocks; i++) {
        chain->blocks[i].function = (mls_function_id){0};
        chain->blocks[i].outputs = meanings(chain, chain->blocks[i].outputs, chain->blocks[i].n_outputs);
        if (!chain->blocks[i].outputs)
            return false;
    }
    return true;
}

static enum mls_status finish(struct chain *chain, struct mls_program *ret_program)
{
    const struct mls_interface *interface = chain->interface;
    mls_value_id *outputs = MLS_NEW_ARRAY(chain->arena, interface->n_outputs, mls_value_id);
    struct mls_function *function = MLS_NEW(chain->arena, struct mls_function);
    if (!outputs || !function || !rewrite_uses(chain))
        return no_memory(chain);
    for (size_t i = 0; i < interface->n_outputs; i++) {
        const struct feature *feature = find_feature(chain, interface->outputs[i].name);
        if (!feature)
            return nobody_gives(chain, interface->outputs[i].name);
        outputs[i] = feature->value;
    }
    *function = (struct mls_function){
        .name = interface->function, .opset = MLS_OPSET_MIN, .block = {chain->n_blocks - 1}};
    for (uint32_t i = 0; i < chain->parts->n_functions; i++)
        if (chain->parts->functions[i].opset > function->opset)
            function->opset = chain->parts->functions[i].opset;
    chain->blocks[chain->n_blocks - 1] = (struct mls_block){.parent = {MLS_NO_INDEX},
                                                            .inputs = chain->inputs,
                                                            .n_inputs = (uint32_t)interface->n_inputs,
                                                            .ops = chain->order,
                                                            .n_ops = chain->n_order,
                                                            .outputs = outputs,
                                                            .n_outputs = (uint32_t)interface->n_outputs};
    *ret_program = (struct mls_program){.functions = function,
                                        .n_functions = 1,
                                        .blocks = chain->blocks,
                                        .n_blocks = chain->n_blocks,
                                        .ops = chain->ops,
                                        .n_ops = chain->n_ops,
                                        .values = chain->values,
                                        .n_values = chain->n_values};
    return MLS_OK;
}

enum mls_status ir_chain(struct mls_arena *arena, const struct mls_program *parts,
                         const struct ir_stage *stages, size_t n_stages,
                         const struct mls_interface *interface, struct mls_program *ret_program,
                         struct mls_error *reterr)
{
    struct chain chain = {.arena = arena,
                          .parts = parts,
                          .stages = stages,
                          .n_stages = n_stages,
                          .interface = interface,
                          .reterr = reterr};
    if (!make_room(&chain))
        return no_memory(&chain);
    enum mls_status status = add_inputs(&chain);
    if (!status)
        status = add_stages(&chain);
    return status ? status : finish(&chain, ret_program);
}
