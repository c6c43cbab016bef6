/*
 * fuse.c: elementwise operations that the step before them does in place, while its results are in the cache.
 * Decided as operations are planned, so that no step is ever taken back: the step grows by one operation, and
 * its output becomes that operation's. Bits are those of separate steps, since every operation still rounds
 * to the declared type.
 */
#include "plan/builder.h"

#include <string.h>

static bool same_type(const struct mls_type *a, const struct mls_type *b)
{
    return a->kind == b->kind && a->dtype == b->dtype && a->rank == b->rank &&
           !memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]);
}

/* The step in this block that computes the one value of a parameter for nobody else and can go on with it; or
 * PLAN_NONE. */
static uint32_t producer_of(const struct builder *builder, const struct op_work *work, unsigned param)
{
    if (work->arguments[param].n != 1)
        return PLAN_NONE;
    const struct mls_argument *given = mls_op_argument(work->op, work->row->params[param].name);
    uint32_t slot_index = work->arguments[param].slots[0];
    const struct plan_slot *slot = &builder->plan->slots[slot_index];
    if (builder->n_uses[given->values[0].i] != 1 || slot->storage != PLAN_ARENA ||
        slot->first_step >= builder->plan->n_steps)
        return PLAN_NONE;
    const struct plan_step *step = &builder->plan->steps[slot->first_step];
    bool grows = step->row->flags & MLS_OP_EPILOGUE && step->n_outputs == 1 &&
                 step->outputs[0] == slot_index && step->n_fused < MLS_FUSED_MAX &&
                 step->block.i == builder->frames[builder->depth].block.i;
    return grows ? slot->first_step : PLAN_NONE;
}

/* Whether a value is there, and will not change, when a step runs. */
static bool is_ready(const struct builder *builder, uint32_t slot_index, uint32_t step)
{
    const struct plan_slot *slot = &builder->plan->slots[plan_root(builder->plan, slot_index)];
    if (slot->storage == PLAN_ARENA)
        return slot->first_step < step && slot->loop_body.i == MLS_NO_INDEX;
    return slot->storage == PLAN_CONSTANT || slot->storage == PLAN_INPUT;
}

static bool can_join(const struct builder *builder, const struct op_work *work, unsigned param, uint32_t step,
                     struct plan_fused *ret_fused)
{
    const struct mls_type *value = &mls_op_in(&work->call, param)->type,
                          *result = &work->call.outputs[0]->type;
    if (!same_type(value, result) || (value->dtype != MLS_FP16 && value->dtype != MLS_FP32))
        return false;
    struct plan_fused fused = {.operand = PLAN_NONE};
    if (!work->row->fuse(&work->call, &builder->shared->kernels, param, &fused.op))
        return false;
    for (uint32_t i = 0; i < work->n_arguments; i++) {
        if (i == param || !work->arguments[i].n)
            continue;
        if (!is_ready(builder, work->arguments[i].slots[0], step))
            return false;
        if (mls_op_in(&work->call, i) == fused.op.operand)
            fused.operand = work->arguments[i].slots[0];
    }
    *ret_fused = fused;
    return true;
}

static bool join(struct builder *builder, struct op_work *work, unsigned param, uint32_t index,
                 const struct plan_fused *fused)
{
    struct plan_step *step = &builder->plan->steps[index];
    struct plan_fused *list = MLS_NEW_ARRAY(builder->plan->arena, step->n_fused + 1, struct plan_fused);
    if (!list || !plan_describe_fused(builder, work, param, index))
        return false;
    if (step->n_fused)
        memcpy(list, step->fused, step->n_fused * sizeof *list);
    list[step->n_fused++] = *fused;
    step->fused = list;
    builder->plan->slots[step->outputs[0]].storage = PLAN_UNUSED;
    struct plan_slot *output = &builder->plan->slots[work->outputs[0]];
    output->storage = PLAN_ARENA;
    output->first_step = index;
    output->last_step = index;
    step->outputs = work->outputs;
    for (uint32_t i = 0; i < work->n_arguments; i++)
        for (uint32_t j = 0; i != param && j < work->arguments[i].n; j++)
            if (!builder_use(builder, work->arguments[i].slots[j], index))
                return false;
    return true;
}

enum mls_status plan_fuse(struct builder *builder, struct op_work *work, bool *ret_fused)
{
    *ret_fused = false;
    if (builder->shared->no_fusion || !work->row->fuse || work->call.n_outputs != 1)
        return MLS_OK;
    for (unsigned param = 0; param < work->n_arguments; param++) {
        uint32_t step = producer_of(builder, work, param);
        struct plan_fused fused;
        if (step == PLAN_NONE || !can_join(builder, work, param, step, &fused))
            continue;
        *ret_fused = true;
        return join(builder, work, param, step, &fused) ? MLS_OK : builder_out_of_memory(builder);
    }
    return MLS_OK;
}
