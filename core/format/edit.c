#include "format/edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/edit_weights.h"
#include "format/pb_mil.h"
#include "format/pb_write.h"

/* What is to become of one operation. */
struct change {
    Pb__Operation *op;
    uint32_t function;
    Pb__Operation **added;
    size_t n_added;
    bool removed;
};

struct spec_edit {
    const struct mls_model *model;
    struct mls_arena *arena; /* messages and what is added to them */
    Pb__Program *program;
    struct program_function *functions; /* in the order of the model's */
    struct change *changes;             /* by operation of the model */
    uint32_t n_seen;
    bool mismatch; /* the walk found other operations than the model has */
    struct pb_pending_list pending;
};

static enum mls_status no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write the model: out of memory");
}

static Pb__Function *function_at(const struct spec_edit *edit, uint32_t index)
{
    return ((const Pb__FunctionEntry *)edit->functions[index].source)->value;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Numbers the operations as pb_read_program does. Messages nest no deeper than pb_unpack allowed. */
static void number_block(struct spec_edit *edit, const Pb__Block *block, uint32_t function)
{
    for (size_t i = 0; i < block->n_operations; i++) {
        Pb__Operation *op = block->operations[i];
        if (edit->n_seen == edit->model->program.n_ops) {
            edit->mismatch = true;
            return;
        }
        edit->changes[edit->n_seen++] = (struct change){.op = op, .function = function};
        for (size_t j = 0; j < op->n_blocks; j++)
            number_block(edit, op->blocks[j], function);
    }
}

static enum mls_status number_ops(struct spec_edit *edit, struct mls_error *reterr)
{
    const struct mls_model *model = edit->model;
    const char **names = MLS_NEW_ARRAY(edit->arena, model->n_interfaces, const char *);
    edit->changes = MLS_NEW_ARRAY(edit->arena, model->program.n_ops, struct change);
    if (!names || !edit->changes)
        return no_memory(reterr);
    for (size_t i = 0; i < model->n_interfaces; i++)
        names[i] = model->interfaces[i].function;
    enum mls_status status =
        pb_order_functions(edit->arena, edit->program, names, model->n_interfaces, &edit->functions, reterr);
    for (uint32_t f = 0; !status && f < edit->program->n_functions; f++) {
        const Pb__Function *function = function_at(edit, f);
        const Pb__Block *body = function ? pb_find_body(function) : NULL;
        if (body)
            number_block(edit, body, f);
    }
    if (!status && (edit->mismatch || edit->n_seen != model->program.n_ops))
        status = mls_fail(reterr, MLS_ERR_INTERNAL, "cannot edit the model: it is not that of its package");
    return status;
}

enum mls_status spec_edit_open(const struct mls_model *model, struct spec_edit **ret_edit,
                               struct mls_error *reterr)
{
    struct mls_arena *arena = mls_arena_create_beside(model->arena);
    struct spec_edit *edit = arena ? MLS_NEW(arena, struct spec_edit) : NULL;
    if (!edit) {
        mls_arena_free(arena);
        return no_memory(reterr);
    }
    *edit = (struct spec_edit){.model = model, .arena = arena};
    struct mls_bytes spec = mls_package_spec(model->package, NULL);
    struct spec_envelope envelope;
    struct pb_memory memory;
    pb_memory_init(&memory, arena, SIZE_MAX); /* its limit was kept when the model was loaded */
    struct mls_arena *scratch = memory.scratch;
    memory.scratch = arena;
    mls_arena_free(scratch);
    ProtobufCMessage *message = NULL;
    enum mls_status status = spec_read_envelope(spec, &envelope, reterr);
    if (!status)
        status = pb_unpack(&pb__program__descriptor, envelope.content, spec, &memory, &message, reterr);
    if (!status) {
        edit->program = (Pb__Program *)message;
        status = number_ops(edit, reterr);
    }
    if (status)
        spec_edit_free(edit);
    else
        *ret_edit = edit;
    return status;
}

void spec_edit_free(struct spec_edit *edit)
{
    if (edit)
        mls_arena_free(edit->arena);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static uint32_t opset_of(const struct spec_edit *edit, uint32_t function)
{
    uint32_t opset = MLS_OPSET_MIN;
    sscanf(function_at(edit, function)->opset, "CoreML%" SCNu32, &opset);
    return opset;
}

enum mls_status spec_edit_raise(struct spec_edit *edit, uint32_t opset, struct mls_error *reterr)
{
    char *name = mls_arena_printf(edit->arena, "CoreML%" PRIu32, opset);
    if (!name)
        return no_memory(reterr);
    for (uint32_t f = 0; f < edit->program->n_functions; f++) {
        Pb__Function *function = function_at(edit, f);
        if (opset_of(edit, f) >= opset)
            continue;
        for (size_t i = 0; i < function->n_block_specializations; i++)
            if (!strcmp(function->block_specializations[i]->key, name))
                return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED,
                                "cannot raise function %s to %s: it has another body for that opset",
                                edit->functions[f].name, name);
        for (size_t i = 0; i < function->n_block_specializations; i++)
            if (!strcmp(function->block_specializations[i]->key, function->opset))
                function->block_specializations[i]->key = name;
        function->opset = name;
    }
    return MLS_OK;
}

static enum mls_status add_ops(struct spec_edit *edit, struct change *change, const struct edit_op *ops,
                               size_t n, struct mls_error *reterr)
{
    change->added = MLS_NEW_ARRAY(edit->arena, n, Pb__Operation *);
    if (!change->added)
        return no_memory(reterr);
    uint32_t opset = opset_of(edit, change->function);
    for (size_t i = 0; i < n; i++) {
        change->added[i] = pb_write_op(edit->arena, &ops[i], opset, &edit->pending);
        if (!change->added[i])
            return no_memory(reterr);
    }
    change->n_added = n;
    return MLS_OK;
}

enum mls_status spec_edit_replace(struct spec_edit *edit, mls_op_id op, const struct edit_op *ops, size_t n,
                                  struct mls_error *reterr)
{
    edit->changes[op.i].removed = true;
    return add_ops(edit, &edit->changes[op.i], ops, n, reterr);
}

enum mls_status spec_edit_insert(struct spec_edit *edit, mls_op_id op, const struct edit_op *ops, size_t n,
                                 struct mls_error *reterr)
{
    return add_ops(edit, &edit->changes[op.i], ops, n, reterr);
}

enum mls_status spec_edit_rebind(struct spec_edit *edit, mls_op_id op, const char *argument,
                                 const char *value, struct mls_error *reterr)
{
    const Pb__Operation *message = edit->changes[op.i].op;
    for (size_t i = 0; i < message->n_inputs; i++) {
        const Pb__Argument *found = message->inputs[i]->value;
        if (strcmp(message->inputs[i]->key, argument) || !found || !found->n_arguments)
            continue;
        Pb__Binding *binding = found->arguments[0];
        binding->binding_case = PB__BINDING__BINDING_NAME;
        binding->name = mls_arena_text(edit->arena, value, strlen(value));
        return binding->name ? MLS_OK : no_memory(reterr);
    }
    return mls_fail(reterr, MLS_ERR_INTERNAL, "cannot edit operation '%s': it has no argument %s",
                    edit->model->program.ops[op.i].name, argument);
}

/* ---- The result ------------------------------------------------------------------------------ */

/* Operations that stand in the blocks of one, itself included. */
static uint32_t n_numbers(const Pb__Operation *op)
{
    uint32_t n = 1;
    for (size_t i = 0; i < op->n_blocks; i++)
        for (size_t j = 0; j < op->blocks[i]->n_operations; j++)
            n += n_numbers(op->blocks[i]->operations[j]);
    return n;
}

static size_t n_after(const struct spec_edit *edit, uint32_t first, const Pb__Block *block)
{
    size_t n = 0;
    for (size_t i = 0; i < block->n_operations; i++) {
        const struct change *change = &edit->changes[first];
        n += change->n_added + !change->removed;
        first += n_numbers(block->operations[i]);
    }
    return n;
}

/* Puts the changes of a block whose operations are numbered from *first on; steps *first past them. */
static bool apply_block(struct spec_edit *edit, uint32_t *first, Pb__Block *block)
{
    Pb__Operation **ops = MLS_NEW_ARRAY(edit->arena, n_after(edit, *first, block), Pb__Operation *);
    if (!ops)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < block->n_operations; i++) {
        Pb__Operation *op = block->operations[i];
        const struct change *change = &edit->changes[(*first)++];
        for (size_t j = 0; j < change->n_added; j++)
            ops[n++] = change->added[j];
        if (!change->removed)
            ops[n++] = op;
        for (size_t j = 0; j < op->n_blocks; j++)
            if (!apply_block(edit, first, op->blocks[j]))
                return false;
    }
    block->operations = ops;
    block->n_operations = n;
    return true;
}

static bool apply_changes(struct spec_edit *edit)
{
    uint32_t first = 0;
    for (uint32_t f = 0; f < edit->program->n_functions; f++) {
        const Pb__Function *function = function_at(edit, f);
        for (size_t i = 0; function && i < function->n_block_specializations; i++)
            if (function->block_specializations[i]->value == pb_find_body(function) &&
                !apply_block(edit, &first, function->block_specializations[i]->value))
                return false;
    }
    return true;
}

enum mls_status spec_edit_finish(struct spec_edit *edit, struct mls_arena *keep,
                                 struct edit_output *ret_output, struct mls_error *reterr)
{
    struct edit_output output = {.opset = MLS_OPSET_MIN, .spec_version = edit->model->spec_version};
    for (uint32_t f = 0; f < edit->program->n_functions; f++)
        if (function_at(edit, f) && opset_of(edit, f) > output.opset)
            output.opset = opset_of(edit, f);
    if (output.spec_version < (int32_t)output.opset + 1)
        output.spec_version = (int32_t)output.opset + 1;
    if (!apply_changes(edit))
        return no_memory(reterr);
    struct edit_weights weights = {
        .package = edit->model->package, .arena = edit->arena, .pending = &edit->pending};
    enum mls_status status = edit_weights_lay_out(&weights, edit->program, reterr);
    if (!status)
        status = edit_weights_write(&weights, keep, &output.weights, reterr);
    if (status)
        return status;
    output.weights_reference = edit_weights_reference;
    output.spec = pb_envelope_write(mls_package_spec(edit->model->package, NULL), output.spec_version,
                                    &edit->program->base, keep);
    if (!output.spec.data)
        return no_memory(reterr);
    *ret_output = output;
    return MLS_OK;
}
