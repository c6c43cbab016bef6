/* liveness.c: decisions that need the last reader of every value: sharing memory, and giving it back. */
#include "plan/plan.h"

static bool shareable_input(const struct mls_plan *plan, const struct plan_step *step, uint32_t index,
                            uint32_t root, size_t output_bytes)
{
    const struct plan_slot *slot = &plan->slots[root];
    return slot->storage == PLAN_ARENA && slot->last_step == index && slot->block.i == step->block.i &&
           slot->loop_body.i == MLS_NO_INDEX && !slot->block_output &&
           mls_type_bytes(&slot->tensor.type) == output_bytes;
}

static void share(struct mls_plan *plan, uint32_t index)
{
    struct plan_step *step = &plan->steps[index];
    struct plan_slot *output = &plan->slots[step->outputs[0]];
    if (output->storage != PLAN_ARENA || output->loop_body.i != MLS_NO_INDEX)
        return;
    size_t bytes = mls_type_bytes(&output->tensor.type);
    for (uint32_t i = 0; i < step->n_arguments; i++) {
        for (uint32_t j = 0; j < step->arguments[i].n; j++) {
            uint32_t value = step->arguments[i].slots[j], root = plan_root(plan, value);
            bool whole = mls_type_bytes(&plan->slots[value].tensor.type) == bytes; /* not a part of it */
            if (!whole || !shareable_input(plan, step, index, root, bytes))
                continue;
            struct plan_slot *input = &plan->slots[root];
            input->last_step = output->last_step;
            input->block_output = output->block_output;
            output->storage = PLAN_VIEW;
            output->root = root;
            return;
        }
    }
}

void plan_share_memory(struct mls_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].row->flags & MLS_OP_INPLACE && plan->steps[i].n_outputs == 1 &&
            !plan->steps[i].dynamic)
            share(plan, i);
}

/* The step of the slot's own block that contains its last reader. */
static uint32_t last_in_own_block(const struct mls_plan *plan, const struct plan_slot *slot)
{
    uint32_t step = slot->last_step;
    while (plan->steps[step].block.i != slot->block.i && plan->steps[step].parent != PLAN_NONE)
        step = plan->steps[step].parent;
    return step;
}

static bool dies_here(const struct mls_plan *plan, uint32_t slot_index, uint32_t index)
{
    const struct plan_slot *slot = &plan->slots[slot_index];
    if (slot->storage != PLAN_DYNAMIC)
        return false;
    if (slot->loop_body.i == plan->steps[index].block.i)
        return slot->last_in_body == index;
    return !slot->block_output && slot->block.i == plan->steps[index].block.i && slot->last_step == index;
}

static bool released_by_step(const struct plan_slot *slot)
{
    return slot->storage == PLAN_DYNAMIC && !slot->block_output;
}

bool plan_find_releases(struct mls_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct plan_step *step = &plan->steps[i];
        for (uint32_t j = 0; j < step->n_arguments; j++)
            step->arguments[j].dies =
                step->arguments[j].n == 1 && dies_here(plan, step->arguments[j].slots[0], i);
    }
    for (uint32_t i = 0; i < plan->n_slots; i++)
        if (released_by_step(&plan->slots[i]) && plan->n_steps)
            plan->steps[last_in_own_block(plan, &plan->slots[i])].n_releases++;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct plan_step *step = &plan->steps[i];
        step->releases = MLS_NEW_ARRAY(plan->arena, step->n_releases, uint32_t);
        if (!step->releases)
            return false;
        step->n_releases = 0;
    }
    for (uint32_t i = 0; i < plan->n_slots; i++) {
        if (!released_by_step(&plan->slots[i]) || !plan->n_steps)
            continue;
        struct plan_step *step = &plan->steps[last_in_own_block(plan, &plan->slots[i])];
        step->releases[step->n_releases++] = i;
    }
    return true;
}
