/* control.c: planning of while_loop and cond. Their blocks become steps behind the control step. */
#include "plan/builder.h"

#include <stdlib.h>
#include <string.h>

#include "ops/op_check.h"

/* Sets the dims in which `type` differs from `other` to unknown. False when they cannot be reconciled. */
static bool reconcile(struct mls_type *type, const struct mls_type *other, bool *ret_changed)
{
    if (type->kind != other->kind || type->dtype != other->dtype)
        return false;
    if (type->rank == MLS_RANK_UNKNOWN)
        return true;
    if (type->rank != other->rank) {
        type->rank = MLS_RANK_UNKNOWN;
        *ret_changed = true;
        return true;
    }
    for (unsigned i = 0; i < type->rank; i++) {
        if (type->dims[i] != other->dims[i] && type->dims[i] != MLS_DIM_UNKNOWN) {
            type->dims[i] = MLS_DIM_UNKNOWN;
            *ret_changed = true;
        }
    }
    return true;
}

/* Block outputs are read once all steps of the block are done. */
static enum mls_status use_block_outputs(struct builder *builder, uint32_t control, struct plan_block *block)
{
    uint32_t last = block->end_step > block->first_step ? block->end_step - 1 : control;
    for (uint32_t i = 0; i < block->n_outputs; i++) {
        struct plan_slot *slot = &builder->plan->slots[block->outputs[i]];
        if (!builder_use(builder, block->outputs[i], last))
            return builder_out_of_memory(builder);
        slot->block_output = true;
        if (slot->loop_body.i != MLS_NO_INDEX)
            slot->last_in_body = PLAN_NONE;
    }
    return MLS_OK;
}

/* Forgets slots and steps from a point on, so that the blocks of a loop can be planned again with wider
 * types. */
static void rewind_to(struct builder *builder, uint32_t n_slots, uint32_t n_steps)
{
    uint32_t n_values = builder_program(builder)->n_values;
    for (uint32_t i = 0; i < n_values; i++)
        if (builder->slot_of_value[i] != PLAN_NONE && builder->slot_of_value[i] >= n_slots)
            builder->slot_of_value[i] = PLAN_NONE;
    builder->plan->n_slots = n_slots;
    builder->plan->n_steps = n_steps;
}

/* Plans both blocks. What they read from outside lives to the end of the control step: an iteration may read
 * it again. */
static enum mls_status plan_blocks(struct builder *builder, const struct mls_op *op, uint32_t control,
                                   const char *const labels[2])
{
    struct plan_step *step = &builder->plan->steps[control];
    struct slot_list captured = {0};
    enum mls_status status = MLS_OK;
    for (uint32_t i = 0; !status && i < op->n_blocks; i++)
        status = builder_block(builder, op->blocks[i], control, labels[i], &step->blocks[i], &captured);
    step->end_step = builder->plan->n_steps;
    for (size_t i = 0; !status && i < captured.n; i++)
        if (!builder_use(builder, captured.items[i], step->end_step - 1))
            status = builder_out_of_memory(builder);
    free(captured.items);
    return status;
}

/* The variables of a loop: one slot each, shared by the inputs of both blocks and the operation's output. */
static enum mls_status add_variables(struct builder *builder, struct piece_node *work,
                                     const struct piece_argument *initial)
{
    const struct mls_program *program = builder_program(builder);
    const struct mls_block *condition = &program->blocks[work->op->blocks[0].i];
    const struct mls_block *body = &program->blocks[work->op->blocks[1].i];
    for (uint32_t i = 0; i < initial->n; i++) {
        struct plan_slot *slot = &builder->plan->slots[work->outputs[i]];
        slot->tensor.type = builder->plan->slots[initial->values[i]].tensor.type;
        slot->loop_body = work->op->blocks[1];
        slot->last_in_body = PLAN_NONE;
        builder->slot_of_value[condition->inputs[i].i] = work->outputs[i];
        builder->slot_of_value[body->inputs[i].i] = work->outputs[i];
    }
    return MLS_OK;
}

static void settle_variables(struct builder *builder, const struct piece_node *work)
{
    for (uint32_t i = 0; i < work->call.n_outputs; i++) {
        struct plan_slot *slot = &builder->plan->slots[work->outputs[i]];
        slot->storage = builder_planned_storage(&slot->tensor.type);
        slot->last_in_body = PLAN_NONE;
    }
}

static enum mls_status widen_variables(struct builder *builder, const struct piece_node *work,
                                       const struct plan_block *body, bool *ret_changed)
{
    *ret_changed = false;
    for (uint32_t i = 0; i < body->n_outputs; i++) {
        const struct mls_type *produced = &builder->plan->slots[body->outputs[i]].tensor.type;
        struct mls_type *type = &builder->plan->slots[work->outputs[i]].tensor.type;
        if (!reconcile(type, produced, ret_changed))
            return builder_fail(builder, work->op, MLS_ERR_OP_TYPE,
                                "a loop variable changes its type from one iteration to the next");
    }
    return MLS_OK;
}

static bool is_scalar_bool(const struct mls_type *type)
{
    return type->kind == MLS_KIND_TENSOR && type->dtype == MLS_BOOL && mls_type_elems(type) == 1;
}

static enum mls_status plan_loop(struct builder *builder, struct piece_node *work)
{
    static const char *const labels[2] = {"condition", "body"};
    int param = mls_op_param_index(work->row, "loop_vars");
    const struct piece_argument *initial = &work->arguments[param];
    enum mls_status status = add_variables(builder, work, initial);
    uint32_t control = status ? PLAN_NONE : builder_emit(builder, work);
    if (control == PLAN_NONE)
        return status ? status : builder_out_of_memory(builder);
    uint32_t n_slots = builder->plan->n_slots;
    struct plan_step *step = &builder->plan->steps[control];
    bool changed = true;
    uint32_t touched[PASS_COUNT];
    memcpy(touched, builder->plan->touched, sizeof touched);
    /* each round makes at least one dimension or rank unknown for good, so there are few */
    while (changed) {
        rewind_to(builder, n_slots, control + 1);
        memcpy(builder->plan->touched, touched, sizeof touched);
        settle_variables(builder, work);
        status = plan_blocks(builder, work->op, control, labels);
        if (!status)
            status = widen_variables(builder, work, &step->blocks[1], &changed);
        if (status)
            return status;
    }
    if (!is_scalar_bool(&builder->plan->slots[step->blocks[0].outputs[0]].tensor.type))
        return builder_fail(builder, work->op, MLS_ERR_OP_TYPE, "its condition does not give one bool");
    for (unsigned i = 0; !status && i < 2; i++)
        status = use_block_outputs(builder, control, &step->blocks[i]);
    for (uint32_t i = 0; !status && i < work->call.n_outputs; i++)
        if (!builder_use(builder, work->outputs[i], step->end_step - 1))
            status = builder_out_of_memory(builder);
    return status;
}

/* A branch that is known to be taken is planned as if it stood alone; the other one never runs. */
static enum mls_status plan_taken(struct builder *builder, struct piece_node *work, bool predicate)
{
    const struct mls_block *block = &builder_program(builder)->blocks[work->op->blocks[predicate ? 0 : 1].i];
    enum mls_status status = builder_walk(builder, block);
    for (uint32_t i = 0; !status && i < work->call.n_outputs; i++) {
        uint32_t slot = builder_slot(builder, block->outputs[i]);
        if (slot == PLAN_NONE)
            return builder_out_of_memory(builder);
        builder->plan->slots[work->outputs[i]].storage = PLAN_DYNAMIC; /* not used: takes no memory */
        builder->slot_of_value[work->op->outputs[i].i] = slot;
    }
    return status;
}

static enum mls_status plan_branches(struct builder *builder, struct piece_node *work)
{
    static const char *const labels[2] = {"true", "false"};
    int param = mls_op_param_index(work->row, "pred");
    if (param < 0 || !is_scalar_bool(&mls_op_in(&work->call, (unsigned)param)->type))
        return builder_fail(builder, work->op, MLS_ERR_OP_TYPE, "its predicate is not one bool");
    const struct mls_tensor *predicate = mls_op_in(&work->call, (unsigned)param);
    if (predicate->data)
        return plan_taken(builder, work, *(const uint8_t *)predicate->data);
    uint32_t control = builder_emit(builder, work);
    if (control == PLAN_NONE)
        return builder_out_of_memory(builder);
    enum mls_status status = plan_blocks(builder, work->op, control, labels);
    struct plan_step *step = &builder->plan->steps[control];
    for (unsigned i = 0; !status && i < 2; i++)
        status = use_block_outputs(builder, control, &step->blocks[i]);
    for (uint32_t i = 0; !status && i < work->call.n_outputs; i++) {
        struct plan_slot *slot = &builder->plan->slots[work->outputs[i]];
        bool changed = false;
        slot->tensor.type = builder->plan->slots[step->blocks[0].outputs[i]].tensor.type;
        if (!reconcile(&slot->tensor.type, &builder->plan->slots[step->blocks[1].outputs[i]].tensor.type,
                       &changed)) {
            builder_fail(builder, work->op, MLS_ERR_OP_TYPE, "its branches give different types");
            builder->error->cause = MLS_CAUSE_BRANCH_TYPES;
            return MLS_ERR_OP_TYPE;
        }
        slot->storage = builder_planned_storage(&slot->tensor.type);
        if (!builder_use(builder, work->outputs[i], step->end_step - 1))
            status = builder_out_of_memory(builder);
    }
    return status;
}

enum mls_status plan_control(struct builder *builder, mls_op_id op)
{
    struct piece_node work;
    enum mls_status status = builder_work(builder, op, &work);
    if (status)
        return status;
    return strcmp(work.op->type, "while_loop") ? plan_branches(builder, &work) : plan_loop(builder, &work);
}
