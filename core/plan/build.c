/* build.c: walks a function in order and turns each live operation into a step, a constant, or nothing. */
#include "plan/builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "ops/op_check.h"

const struct mls_program *builder_program(const struct builder *builder)
{
    return &builder->shared->model->program;
}

const struct mls_function *builder_function(const struct builder *builder)
{
    return &builder_program(builder)->functions[builder->shared->function.i];
}

enum mls_status builder_out_of_memory(struct builder *builder)
{
    return mls_fail(builder->error, MLS_ERR_MEMORY, "cannot plan function '%s': out of memory",
                    builder_function(builder)->name);
}

enum mls_status builder_within_limit(struct builder *builder, uint64_t more_bytes)
{
    const struct plan_shared *shared = builder->shared;
    if (shared->packed_bytes + more_bytes <= shared->max_memory_bytes)
        return MLS_OK;
    mls_fail(builder->error, MLS_ERR_MEMORY,
             "cannot plan function '%s': it needs %.1f MiB besides the model as stored, %.1f of that made of its "
             "weights; the limit is %.1f MiB",
             builder_function(builder)->name, (double)(shared->packed_bytes + more_bytes) / (1 << 20),
             (double)shared->packed_bytes / (1 << 20), (double)shared->max_memory_bytes / (1 << 20));
    mls_error_hint(builder->error, "use smaller input shapes, or raise the limit (--max-memory)");
    return MLS_ERR_MEMORY;
}

enum mls_status builder_fail(struct builder *builder, const struct mls_op *op, enum mls_status status,
                             const char *reason)
{
    mls_fail(builder->error, status, "cannot load operation '%s' (%s) of function '%s': %s", op->name,
             op->type, builder_function(builder)->name, reason);
    mls_error_operation(builder->error, builder_function(builder)->name, op->name);
    return status;
}

struct mls_type builder_widen(const struct builder *builder, struct mls_type type)
{
    if (builder->shared->precision == MLS_PRECISION_HIGH && type.dtype == MLS_FP16)
        type.dtype = MLS_FP32;
    return type;
}

enum plan_storage builder_planned_storage(const struct mls_type *type)
{
    return type->kind != MLS_KIND_LIST && mls_type_is_static(type) ? PLAN_ARENA : PLAN_DYNAMIC;
}

uint32_t builder_add_slot(struct builder *builder, const char *name, const struct mls_type *type,
                          enum plan_storage storage)
{
    uint32_t index = builder->plan->n_slots++;
    builder->plan->slots[index] = (struct plan_slot){
        .tensor = {.type = *type},
        .storage = storage,
        .name = name,
        .block = builder->frames[builder->depth].block,
        .depth = builder->depth,
        .root = index,
        .first_step = builder->plan->n_steps,
        .last_step = builder->plan->n_steps,
        .loop_body = {MLS_NO_INDEX},
        .last_in_body = PLAN_NONE,
    };
    builder->piece.values[index] = (struct piece_value){.tensor = &builder->plan->slots[index].tensor};
    return index;
}

uint32_t builder_slot(struct builder *builder, mls_value_id value)
{
    uint32_t slot = builder->slot_of_value[value.i];
    const struct mls_value *source = &builder_program(builder)->values[value.i];
    if (slot != PLAN_NONE || !source->constant)
        return slot;
    struct mls_type type = builder_widen(builder, source->type);
    slot = builder_add_slot(builder, source->name, &type, PLAN_CONSTANT);
    if (!plan_constant(builder, slot, value))
        return PLAN_NONE;
    builder->slot_of_value[value.i] = slot;
    builder->piece.values[slot].n_uses = builder->n_uses[value.i];
    return slot;
}

static bool push(struct slot_list *list, uint32_t item)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 32;
        uint32_t *items = reallocarray(list->items, capacity, sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = item;
    return true;
}

bool builder_use(struct builder *builder, uint32_t slot, uint32_t step)
{
    struct plan_slot *used = &builder->plan->slots[plan_root(builder->plan, slot)];
    if (used->last_step < step)
        used->last_step = step;
    if (used->depth >= builder->depth)
        return true;
    /* read inside a nested block: it has to live until the control step that runs the block is done */
    struct frame *frame = &builder->frames[used->depth + 1];
    if (frame->block.i == used->loop_body.i)
        used->last_in_body = step;
    return push(&frame->escapes, plan_root(builder->plan, slot));
}

static enum mls_status wire_arguments(struct builder *builder, struct piece_node *work)
{
    struct mls_arena *arena = builder->plan->arena;
    for (uint32_t i = 0; i < work->n_arguments; i++) {
        const struct mls_argument *given = mls_op_argument(work->op, work->row->params[i].name);
        if (!given)
            continue;
        uint32_t *slots = MLS_NEW_ARRAY(arena, given->n_values, uint32_t);
        struct mls_tensor **tensors = MLS_NEW_ARRAY(arena, given->n_values, struct mls_tensor *);
        if (!slots || !tensors)
            return builder_out_of_memory(builder);
        for (uint32_t j = 0; j < given->n_values; j++) {
            slots[j] = builder_slot(builder, given->values[j]);
            if (slots[j] == PLAN_NONE)
                return builder_fail(builder, work->op, MLS_ERR_PROGRAM_INVALID,
                                    "an argument has no value here");
            tensors[j] = &builder->plan->slots[slots[j]].tensor;
        }
        work->arguments[i] = (struct piece_argument){.values = slots, .n = given->n_values};
        work->call.args[i] = (struct mls_arg){.values = tensors, .n = given->n_values};
    }
    return MLS_OK;
}

static enum mls_status wire_outputs(struct builder *builder, struct piece_node *work)
{
    for (uint32_t i = 0; i < work->op->n_outputs; i++) {
        const struct mls_value *value = &builder_program(builder)->values[work->op->outputs[i].i];
        struct mls_type type = builder_widen(builder, value->type);
        uint32_t slot = builder_add_slot(builder, value->name, &type, PLAN_UNUSED);
        builder->slot_of_value[work->op->outputs[i].i] = slot;
        work->outputs[i] = slot;
        work->call.outputs[i] = &builder->plan->slots[slot].tensor;
        builder->piece.values[slot].n_uses = builder->n_uses[work->op->outputs[i].i];
    }
    return MLS_OK;
}

enum mls_status builder_work(struct builder *builder, mls_op_id op_id, struct piece_node *ret_work)
{
    struct mls_arena *arena = builder->plan->arena;
    const struct mls_op *op = &builder_program(builder)->ops[op_id.i];
    const struct mls_op_row *row = builder->shared->rows[op_id.i];
    uint32_t n = 0;
    while (n < MLS_OP_PARAMS_MAX && row->params[n].name)
        n++;
    struct piece_node work = {
        .op = op,
        .row = row,
        .n_arguments = n,
        .arguments = MLS_NEW_ARRAY(arena, n, struct piece_argument),
        .outputs = MLS_NEW_ARRAY(arena, op->n_outputs, uint32_t),
        .origins = MLS_NEW(arena, mls_op_id),
        .n_origins = 1,
        .call = {.row = row,
                 .function = builder_function(builder)->name,
                 .name = op->name,
                 .opset = mls_op_opset(builder_program(builder), op),
                 .n_outputs = op->n_outputs,
                 .args = MLS_NEW_ARRAY(arena, n, struct mls_arg),
                 .outputs = MLS_NEW_ARRAY(arena, op->n_outputs, struct mls_tensor *)},
    };
    if (!work.arguments || !work.outputs || !work.origins || !work.call.args || !work.call.outputs)
        return builder_out_of_memory(builder);
    work.origins[0] = op_id;
    enum mls_status status = wire_arguments(builder, &work);
    if (!status)
        status = wire_outputs(builder, &work);
    if (!status)
        *ret_work = work;
    return status;
}

/* The types that inference found must be those that the program declares, wherever it declares them. */
static enum mls_status check_declared(struct builder *builder, const struct piece_node *work)
{
    for (uint32_t i = 0; i < work->op->n_outputs; i++) {
        struct mls_type declared =
            builder_widen(builder, builder_program(builder)->values[work->op->outputs[i].i].type);
        const struct mls_type *found = &work->call.outputs[i]->type;
        bool same = declared.kind == found->kind && declared.dtype == found->dtype;
        bool ranked = declared.rank <= MLS_RANK_MAX && found->rank <= MLS_RANK_MAX;
        ranked = ranked && !(declared.rank == 0 && work->row->flags & MLS_OP_SCALAR_DECLARED);
        same = same && (!ranked || declared.rank == found->rank);
        for (unsigned j = 0; same && ranked && j < declared.rank; j++)
            same = declared.dims[j] < 0 || found->dims[j] < 0 || declared.dims[j] == found->dims[j];
        if (same || declared.kind == MLS_KIND_DICTIONARY)
            continue;
        char want[160], have[160];
        mls_fail(builder->error, MLS_ERR_OP_SHAPE,
                 "cannot load operation '%s' (%s) of function '%s': the program declares its output as %s, "
                 "but it computes %s",
                 work->op->name, work->op->type, builder_function(builder)->name,
                 mls_type_format(&declared, want, sizeof want), mls_type_format(found, have, sizeof have));
        mls_error_operation(builder->error, builder_function(builder)->name, work->op->name);
        return MLS_ERR_OP_SHAPE;
    }
    return MLS_OK;
}

static enum mls_status infer(struct builder *builder, struct piece_node *work)
{
    enum mls_status status = mls_op_check_params(work->row, &work->call, builder->error);
    if (!status)
        status = work->row->infer(&work->call, builder->error);
    if (status)
        return status;
    for (uint32_t i = 0; i < work->call.n_outputs; i++)
        work->call.outputs[i]->type = builder_widen(builder, work->call.outputs[i]->type);
    return check_declared(builder, work);
}

/* Whether the dims of a tensor, or of a list's elements, are known. */
static bool has_shape(const struct mls_type *type)
{
    struct mls_type element = *type;
    element.kind = MLS_KIND_TENSOR;
    return mls_type_is_static(&element);
}

/*
 * Whether types have to be inferred again at run time: where results are open, and where an input is, since
 * nobody has checked its shape yet.
 */
static bool needs_heap(const struct piece_node *work)
{
    if (work->row->flags & MLS_OP_ALLOCATES)
        return true;
    for (uint32_t i = 0; i < work->call.n_outputs; i++)
        if (!has_shape(&work->call.outputs[i]->type))
            return true;
    for (uint32_t i = 0; i < work->n_arguments; i++)
        for (uint32_t j = 0; j < work->arguments[i].n; j++)
            if (!has_shape(&work->call.args[i].values[j]->type))
                return true;
    return false;
}

/*
 * A view shares the storage of what it views. Not of states, which may change while the view is read, and not
 * of the heap, whose memory is given back when its own value ends.
 */
static bool may_view(const struct builder *builder, const struct piece_node *work)
{
    if (!(work->row->flags & MLS_OP_VIEW) || !work->arguments[0].n || work->call.n_outputs != 1)
        return false;
    const struct plan_slot *root =
        &builder->plan->slots[plan_root(builder->plan, work->arguments[0].values[0])];
    return root->storage == PLAN_ARENA || root->storage == PLAN_INPUT;
}

static void choose_storage(struct builder *builder, const struct piece_node *work, struct plan_step *step,
                           uint32_t index)
{
    step->dynamic = work->dynamic;
    step->view = !step->dynamic && may_view(builder, work);
    for (uint32_t i = 0; i < work->call.n_outputs; i++) {
        struct plan_slot *slot = &builder->plan->slots[work->outputs[i]];
        slot->first_step = index;
        slot->last_step = index;
        slot->storage = step->dynamic ? PLAN_DYNAMIC : builder_planned_storage(&slot->tensor.type);
        if (step->view) {
            slot->storage = PLAN_VIEW;
            slot->root = plan_root(builder->plan, work->arguments[0].values[0]);
        }
    }
}

static bool copy_arguments(struct builder *builder, const struct piece_node *work, struct plan_step *step)
{
    step->n_arguments = work->n_arguments;
    step->arguments = MLS_NEW_ARRAY(builder->plan->arena, work->n_arguments, struct plan_argument);
    for (uint32_t i = 0; step->arguments && i < work->n_arguments; i++) {
        step->arguments[i] = (struct plan_argument){.slots = work->arguments[i].values, .n = work->arguments[i].n};
        for (uint32_t j = 0; j < work->arguments[i].n; j++)
            if (!builder_use(builder, work->arguments[i].values[j], (uint32_t)(step - builder->plan->steps)))
                return false;
    }
    return step->arguments != NULL;
}

/* What the node does to its own result. */
static bool add_fused(struct builder *builder, const struct piece_node *work, uint32_t index)
{
    struct plan_step *step = &builder->plan->steps[index];
    step->fused = MLS_NEW_ARRAY(builder->plan->arena, work->n_fused, struct plan_fused);
    step->n_fused = work->n_fused;
    for (uint32_t i = 0; step->fused && i < work->n_fused; i++) {
        const struct piece_fused *fused = &work->fused[i];
        step->fused[i] = (struct plan_fused){.op = fused->op, .operand = fused->operand};
        for (uint32_t j = 0; j < fused->node->n_arguments; j++)
            if (j != fused->param && fused->node->arguments[j].n &&
                !builder_use(builder, fused->node->arguments[j].values[0], index))
                return false;
        if (!plan_describe_fused(builder, fused->node, fused->param, index))
            return false;
    }
    return step->fused != NULL;
}

uint32_t builder_emit(struct builder *builder, const struct piece_node *work)
{
    struct mls_arena *arena = builder->plan->arena;
    uint32_t index = builder->plan->n_steps++;
    struct plan_step *step = &builder->plan->steps[index];
    *step = (struct plan_step){
        .row = work->row,
        .outputs = work->outputs,
        .n_outputs = work->call.n_outputs,
        .block = builder->frames[builder->depth].block,
        .end_step = index + 1,
        .parent = builder->frames[builder->depth].control,
        .packed = work->call.packed,
        .n_blocks = work->op->n_blocks,
        .blocks = MLS_NEW_ARRAY(arena, work->op->n_blocks, struct plan_block),
    };
    if (!step->blocks)
        return PLAN_NONE;
    choose_storage(builder, work, step, index);
    if (work->row->scratch_bytes && !step->dynamic && !step->view) {
        struct mls_op_env env = {
            .kernels = &builder->shared->kernels, .pool = builder->shared->pool, .error = builder->error};
        step->scratch_bytes = work->row->scratch_bytes(&work->call, &env);
    }
    if (!copy_arguments(builder, work, step))
        return PLAN_NONE;
    if (step->view)
        builder_use(builder, work->outputs[0], index);
    return plan_describe(builder, work, index) && add_fused(builder, work, index) ? index : PLAN_NONE;
}

static enum mls_status plan_op(struct builder *builder, mls_op_id op_id)
{
    const struct mls_op_row *row = builder->shared->rows[op_id.i];
    if ((row->flags & MLS_OP_CONST) || !builder->live[op_id.i])
        return MLS_OK;
    if (row->flags & MLS_OP_CONTROL) {
        enum mls_status flushed = plan_piece(builder);
        return flushed ? flushed : plan_control(builder, op_id);
    }
    bool done = plan_folded_before(builder, op_id);
    struct piece_node work;
    enum mls_status status = done ? MLS_OK : builder_work(builder, op_id, &work);
    if (!status && !done)
        status = infer(builder, &work);
    if (!status && !done)
        status = plan_keep_coded(builder, &work, &done);
    if (!status && !done && row->flags & MLS_OP_CONSTEXPR)
        status = plan_decompress_inputs(builder, work.op);
    if (!status && !done)
        status = plan_fold(builder, &work, &done);
    if (!status && done)
        builder->plan->touched[PASS_KNOWN_VALUES]++;
    if (status || done)
        return status;
    work.dynamic = needs_heap(&work);
    return plan_piece_add(builder, &work);
}

enum mls_status builder_walk(struct builder *builder, const struct mls_block *block)
{
    enum mls_status status = MLS_OK;
    for (uint32_t i = 0; !status && i < block->n_ops; i++)
        status = plan_op(builder, block->ops[i]);
    return status ? status : plan_piece(builder);
}

/* The slots of a block's outputs, in the plan's arena; NULL when one has no value or memory is short. */
static const uint32_t *output_slots(struct builder *builder, const struct mls_block *block)
{
    uint32_t *slots = MLS_NEW_ARRAY(builder->plan->arena, block->n_outputs, uint32_t);
    for (uint32_t i = 0; slots && i < block->n_outputs; i++) {
        slots[i] = builder_slot(builder, block->outputs[i]);
        if (slots[i] == PLAN_NONE)
            return NULL;
    }
    return slots;
}

enum mls_status builder_block(struct builder *builder, mls_block_id block_id, uint32_t control,
                              const char *label, struct plan_block *ret_block, struct slot_list *captured)
{
    const struct mls_block *block = &builder_program(builder)->blocks[block_id.i];
    if (builder->depth + 1 >= MLS_LIMIT_BLOCK_DEPTH)
        return mls_fail(builder->error, MLS_ERR_LIMIT,
                        "cannot plan function '%s': its blocks are nested too deeply",
                        builder_function(builder)->name);
    const char *path =
        mls_arena_printf(builder->plan->arena, "%s.%s", builder->plan->infos[control].path, label);
    if (!path)
        return builder_out_of_memory(builder);
    struct frame *frame = &builder->frames[++builder->depth];
    *frame = (struct frame){.block = block_id, .control = control, .path = path};
    uint32_t first = builder->plan->n_steps;
    enum mls_status status = builder_walk(builder, block);
    const uint32_t *outputs = status ? NULL : output_slots(builder, block);
    if (!status && !outputs)
        status = builder_out_of_memory(builder);
    builder->depth--;
    for (size_t i = 0; !status && i < frame->escapes.n; i++)
        if (!push(captured, frame->escapes.items[i]))
            status = builder_out_of_memory(builder);
    free(frame->escapes.items);
    frame->escapes = (struct slot_list){0};
    if (!status)
        *ret_block = (struct plan_block){first, builder->plan->n_steps, outputs, block->n_outputs};
    return status;
}

static enum mls_status add_inputs(struct builder *builder, const struct mls_shape *shapes)
{
    const struct mls_interface *interface = builder->shared->interface;
    const struct mls_block *block = &builder_program(builder)->blocks[builder_function(builder)->block.i];
    struct mls_plan *plan = builder->plan;
    uint32_t *inputs = MLS_NEW_ARRAY(plan->arena, interface->n_inputs, uint32_t);
    uint32_t *states = MLS_NEW_ARRAY(plan->arena, interface->n_states, uint32_t);
    if (!inputs || !states)
        return builder_out_of_memory(builder);
    plan->inputs = inputs;
    plan->states = states;
    for (size_t i = 0; i < interface->n_inputs; i++)
        inputs[i] = PLAN_NONE;
    for (uint32_t i = 0; i < block->n_inputs; i++) {
        const struct mls_value *value = &builder_program(builder)->values[block->inputs[i].i];
        struct mls_type type = builder_widen(builder, value->type);
        bool state = type.kind == MLS_KIND_STATE;
        const struct mls_feature *features = state ? interface->states : interface->inputs;
        size_t n = state ? interface->n_states : interface->n_inputs, j = 0;
        while (j < n && strcmp(features[j].name, value->name))
            j++;
        if (j == n)
            return mls_fail(builder->error, MLS_ERR_INTERFACE_MISMATCH,
                            "cannot plan function '%s': its input '%s' is not in the model's description",
                            builder_function(builder)->name, value->name);
        if (!state && !plan_input_is_open(&features[j])) {
            type.rank = shapes[j].rank;
            memcpy(type.dims, shapes[j].dims, sizeof type.dims);
        }
        uint32_t slot = builder_add_slot(builder, value->name, &type, state ? PLAN_STATE : PLAN_INPUT);
        builder->slot_of_value[block->inputs[i].i] = slot;
        *(state ? &states[j] : &inputs[j]) = slot;
    }
    return MLS_OK;
}

/* The interface's outputs, in its order, from the block's, by name. They live to the end of the prediction.
 */
static enum mls_status find_outputs(struct builder *builder)
{
    const struct mls_interface *interface = builder->shared->interface;
    const struct mls_program *program = builder_program(builder);
    const struct mls_block *block = &program->blocks[builder_function(builder)->block.i];
    uint32_t *outputs = MLS_NEW_ARRAY(builder->plan->arena, interface->n_outputs, uint32_t);
    if (!outputs)
        return builder_out_of_memory(builder);
    builder->plan->outputs = outputs;
    uint32_t end = builder->plan->n_steps ? builder->plan->n_steps - 1 : 0;
    for (size_t i = 0; i < interface->n_outputs; i++) {
        uint32_t j = 0;
        while (j < block->n_outputs &&
               strcmp(program->values[block->outputs[j].i].name, interface->outputs[i].name))
            j++;
        outputs[i] = j < block->n_outputs ? builder_slot(builder, block->outputs[j]) : PLAN_NONE;
        if (outputs[i] == PLAN_NONE)
            return mls_fail(
                builder->error, MLS_ERR_INTERFACE_MISMATCH,
                "cannot plan function '%s': it does not compute the output '%s' of the model's description",
                builder_function(builder)->name, interface->outputs[i].name);
        builder_use(builder, outputs[i], end);
        builder->plan->slots[plan_root(builder->plan, outputs[i])].block_output = true;
    }
    return MLS_OK;
}

static enum mls_status finish(struct builder *builder)
{
    struct mls_plan *plan = builder->plan;
    mls_progress_at(builder->shared->progress, MLS_STAGE_PLAN, 0, 1);
    if (!(builder->shared->passes_off >> PASS_STATES & 1))
        plan->touched[PASS_STATES] += plan_alias_states(plan, (uint32_t)builder->shared->interface->n_states);
    bool places = !(builder->shared->passes_off >> PASS_PLACES & 1);
    if (places)
        plan->touched[PASS_PLACES] += plan_view_parts(plan);
    plan_share_memory(plan);
    if (places)
        plan->touched[PASS_PLACES] += plan_join_in_place(plan);
    if (!plan_find_releases(plan) || !plan_place(plan, builder->shared->quick))
        return builder_out_of_memory(builder);
    plan->memory.weights_bytes = builder->shared->weights_bytes;
    plan->memory.packed_bytes = builder->shared->packed_bytes;
    enum mls_status status =
        builder_within_limit(builder, plan->memory.arena_bytes + plan->memory.scratch_bytes + plan->kept_bytes);
    if (!status)
        mls_progress_at(builder->shared->progress, MLS_STAGE_PLAN, 1, 1);
    return status;
}

/* Tables with room for every value and operation of the program; pages that are not touched cost nothing. */
static bool make_tables(struct builder *builder, const struct mls_shape *shapes)
{
    const struct mls_program *program = builder_program(builder);
    struct mls_plan *plan = builder->plan;
    size_t n_inputs = builder->shared->interface->n_inputs;
    size_t n_slots = (size_t)program->n_values + PLAN_MADE_PER_OP * (size_t)program->n_ops + 1;
    plan->slots = MLS_NEW_ARRAY(plan->arena, n_slots, struct plan_slot);
    builder->piece.values = calloc(n_slots, sizeof *builder->piece.values);
    plan->steps = MLS_NEW_ARRAY(plan->arena, program->n_ops, struct plan_step);
    plan->infos = MLS_NEW_ARRAY(plan->arena, program->n_ops, struct mls_step);
    plan->shapes = MLS_NEW_ARRAY(plan->arena, n_inputs, struct mls_shape);
    builder->live = calloc(program->n_ops ? program->n_ops : 1, sizeof *builder->live);
    builder->n_uses = calloc(program->n_values ? program->n_values : 1, sizeof *builder->n_uses);
    builder->n_coded_uses = calloc(program->n_values ? program->n_values : 1, sizeof *builder->n_coded_uses);
    builder->slot_of_value =
        malloc((program->n_values ? program->n_values : 1) * sizeof *builder->slot_of_value);
    if (!builder->piece.values || !plan->slots || !plan->steps || !plan->infos || !plan->shapes || !builder->live || !builder->n_uses ||
        !builder->n_coded_uses || !builder->slot_of_value)
        return false;
    memset(builder->slot_of_value, 0xff, program->n_values * sizeof *builder->slot_of_value);
    if (n_inputs)
        memcpy(plan->shapes, shapes, n_inputs * sizeof *shapes);
    return true;
}

/* Keeps the types that the first plan of the session found. */
static void keep_types(struct builder *builder)
{
    struct plan_shared *shared = builder->shared;
    uint32_t n = builder_program(builder)->n_values;
    if (shared->settled || !(shared->settled = MLS_NEW_ARRAY(shared->arena, n, struct mls_type)))
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = builder->slot_of_value[i];
        if (slot != PLAN_NONE && slot < builder->plan->n_slots)
            shared->settled[i] = builder->plan->slots[slot].tensor.type;
    }
}

enum mls_status plan_build(struct plan_shared *shared, const struct mls_shape *shapes,
                           struct mls_plan **ret_plan, struct mls_error *reterr)
{
    struct mls_error ignored;
    struct builder builder = {.shared = shared, .error = reterr ? reterr : &ignored};
    const struct mls_program *program = &shared->model->program;
    mls_block_id entry = program->functions[shared->function.i].block;
    struct mls_arena *arena = plan_arena_create(shared->model);
    builder.plan = arena ? MLS_NEW(arena, struct mls_plan) : NULL;
    if (!builder.plan) {
        mls_arena_free(arena);
        return builder_out_of_memory(&builder);
    }
    builder.plan->arena = arena;
    plan_piece_begin(&builder);
    builder.frames[0] =
        (struct frame){.block = entry, .control = PLAN_NONE, .path = builder_function(&builder)->name};
    enum mls_status status = MLS_OK;
    if (!make_tables(&builder, shapes) || !plan_mark_live(&builder))
        status = builder_out_of_memory(&builder);
    mls_progress_at(shared->progress, MLS_STAGE_SHAPES, 0, 1);
    if (!status)
        status = add_inputs(&builder, shapes);
    if (!status)
        status = builder_walk(&builder, &program->blocks[entry.i]);
    if (!status)
        status = find_outputs(&builder);
    if (!status)
        keep_types(&builder);
    if (!status)
        status = finish(&builder);
    free(builder.piece.values);
    free(builder.piece.nodes);
    free(builder.live);
    free(builder.n_uses);
    free(builder.n_coded_uses);
    free(builder.slot_of_value);
    if (status)
        plan_free(builder.plan);
    else
        *ret_plan = builder.plan;
    return status;
}

void plan_free(struct mls_plan *plan)
{
    if (plan)
        mls_arena_free(plan->arena);
}
