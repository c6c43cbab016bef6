/*
 * places.c: parts of a value that lie in one piece. What split, slices or concat do along the outermost dimension of more than one
 * element moves nothing: parts of a split and slices are views at an offset (of a
 * state, too, as long as nobody writes to it before the last of them is read), and what a concat (or stack) joins is computed where it
 * ends up, if nobody needs it after that. Both only where kernels find data aligned as usual.
 */
#include "plan/plan.h"

#include <string.h>

#include "ops/copy.h"
#include "ops/op_check.h"

enum { PART_ALIGN = 64 };

/* Whether the elements of an index of the step's axis follow each other in `whole`. */
static bool in_one_piece(const struct mls_plan *plan, const struct plan_step *step, const struct mls_type *whole)
{
    int param = mls_op_param_index(step->row, "axis");
    unsigned axis;
    if (param < 0 || !step->arguments[param].n || whole->kind != MLS_KIND_TENSOR || !mls_type_is_static(whole))
        return false;
    const struct mls_tensor *given = &plan->slots[step->arguments[param].slots[0]].tensor;
    if (!given->data || !mls_op_axis(mls_tensor_int(given, 0), whole->rank, &axis))
        return false;
    for (unsigned i = 0; i < axis; i++)
        if (whole->dims[i] != 1)
            return false;
    return true;
}

/* A slot of the step's own block whose memory is nothing but the planner's business. */
static bool is_free(const struct plan_slot *slot, const struct plan_step *step)
{
    return slot->storage == PLAN_ARENA && slot->block.i == step->block.i && slot->loop_body.i == MLS_NO_INDEX &&
           !slot->block_output && mls_type_is_static(&slot->tensor.type);
}

static void make_view(struct mls_plan *plan, uint32_t slot, uint32_t root, uint64_t offset_bytes)
{
    struct plan_slot *view = &plan->slots[slot], *whole = &plan->slots[root];
    view->storage = PLAN_VIEW;
    view->root = root;
    view->offset_bytes = offset_bytes;
    whole->first_step = view->first_step < whole->first_step ? view->first_step : whole->first_step;
    whole->last_step = view->last_step > whole->last_step ? view->last_step : whole->last_step;
}

static void leave_nothing(struct mls_plan *plan, uint32_t index)
{
    plan->steps[index].view = true;
    plan->infos[index].kernel = "view";
    plan->infos[index].cost = (struct mls_cost){0};
}

static bool view_parts(struct mls_plan *plan, uint32_t index)
{
    struct plan_step *step = &plan->steps[index];
    const struct plan_slot *x = &plan->slots[step->arguments[0].slots[0]];
    uint32_t root = plan_root(plan, step->arguments[0].slots[0]);
    uint64_t from = plan_offset(plan, step->arguments[0].slots[0]), at = 0;
    const struct plan_slot *whole = &plan->slots[root];
    bool lasts = whole->storage == PLAN_INPUT || (is_free(whole, step) && whole->first_step < index);
    if (!lasts || !in_one_piece(plan, step, &x->tensor.type))
        return false;
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        const struct plan_slot *part = &plan->slots[step->outputs[i]];
        if (!is_free(part, step) || (from + at) % PART_ALIGN)
            return false;
        at += mls_type_bytes(&part->tensor.type);
    }
    if (at != mls_type_bytes(&x->tensor.type))
        return false;
    at = from;
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        size_t bytes = mls_type_bytes(&plan->slots[step->outputs[i]].tensor.type);
        make_view(plan, step->outputs[i], root, at);
        at += bytes;
    }
    leave_nothing(plan, index);
    return true;
}

/* The arguments of a step as its row sees them; false when out of memory. */
static bool call_of(struct mls_plan *plan, const struct plan_step *step, struct mls_op_call *ret_call)
{
    *ret_call = (struct mls_op_call){.row = step->row, .n_outputs = step->n_outputs};
    ret_call->args = MLS_NEW_ARRAY(plan->arena, step->n_arguments, struct mls_arg);
    ret_call->outputs = MLS_NEW_ARRAY(plan->arena, step->n_outputs, struct mls_tensor *);
    if (!ret_call->args || !ret_call->outputs)
        return false;
    for (uint32_t i = 0; i < step->n_outputs; i++)
        ret_call->outputs[i] = &plan->slots[step->outputs[i]].tensor;
    for (uint32_t i = 0; i < step->n_arguments; i++) {
        const struct plan_argument *given = &step->arguments[i];
        struct mls_tensor **values = MLS_NEW_ARRAY(plan->arena, given->n, struct mls_tensor *);
        if (!values)
            return false;
        for (uint32_t j = 0; j < given->n; j++)
            values[j] = &plan->slots[given->slots[j]].tensor;
        ret_call->args[i] = (struct mls_arg){.values = values, .n = given->n};
    }
    return true;
}

/* Whether a state is written by one of the steps (after, until]: by name, or in place by a step whose result lies in it. */
static bool is_written(const struct mls_plan *plan, uint32_t state, uint32_t after, uint32_t until)
{
    for (uint32_t i = after + 1; i <= until && i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        bool by_name = step->row->flags & MLS_OP_ALIAS_STATE && step->arguments[0].slots[0] == state && !step->n_outputs;
        if (by_name && !step->view)
            return true;
        for (uint32_t j = 0; j < step->n_outputs && !step->view; j++)
            if (plan_root(plan, step->outputs[j]) == state)
                return true;
    }
    return false;
}

static bool view_slice(struct mls_plan *plan, uint32_t index)
{
    const struct plan_step *step = &plan->steps[index];
    uint32_t x = step->arguments[0].slots[0], root = plan_root(plan, x), part = step->outputs[0];
    const struct plan_slot *whole = &plan->slots[root];
    uint64_t first;
    struct mls_op_call call;
    bool lasts = whole->storage == PLAN_INPUT || (is_free(whole, step) && whole->first_step < index) ||
                 (whole->storage == PLAN_STATE && !is_written(plan, root, index, plan->slots[part].last_step));
    if (!lasts || !is_free(&plan->slots[part], step) || !call_of(plan, step, &call) || !step->row->part(&call, &first))
        return false;
    uint64_t at = plan_offset(plan, x) + first * mls_elem_bytes(&plan->slots[x].tensor);
    if (at % PART_ALIGN)
        return false;
    make_view(plan, part, root, at);
    leave_nothing(plan, index);
    return true;
}

uint32_t plan_view_parts(struct mls_plan *plan)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->dynamic || step->view)
            continue;
        if (!strcmp(step->row->name, "split"))
            n += view_parts(plan, i);
        else if (step->row->part)
            n += view_slice(plan, i);
    }
    return n;
}

/* Bytes of a root that the step joins with the root's first byte at `place` of the result. */
static uint64_t joined_bytes(const struct mls_plan *plan, const struct plan_step *step, uint32_t root, uint64_t place)
{
    uint64_t at = 0, joined = 0;
    for (uint32_t i = 0; i < step->arguments[0].n; i++) {
        uint32_t slot = step->arguments[0].slots[i];
        size_t bytes = mls_type_bytes(&plan->slots[slot].tensor.type);
        if (plan_root(plan, slot) == root && place + plan_offset(plan, slot) == at)
            joined += bytes;
        at += bytes;
    }
    return joined;
}

/* Puts what the step joins at `at` of its result there from the beginning. */
static bool place_value(struct mls_plan *plan, uint32_t index, uint32_t value, uint64_t at)
{
    const struct plan_step *step = &plan->steps[index];
    uint32_t root = plan_root(plan, value), result = step->outputs[0];
    uint64_t within = plan_offset(plan, value);
    const struct plan_slot *slot = &plan->slots[root];
    if (root == result || within > at || (at - within) % PART_ALIGN || !is_free(slot, step) || slot->last_step != index ||
        joined_bytes(plan, step, root, at - within) != mls_type_bytes(&slot->tensor.type))
        return false;
    make_view(plan, root, result, at - within);
    return true;
}

static bool join(struct mls_plan *plan, uint32_t index)
{
    struct plan_step *step = &plan->steps[index];
    int interleave = mls_op_param_index(step->row, "interleave");
    struct plan_slot *result = &plan->slots[step->outputs[0]];
    const struct mls_tensor *mixed = interleave >= 0 && step->arguments[interleave].n
                                         ? &plan->slots[step->arguments[interleave].slots[0]].tensor
                                         : NULL;
    if (result->storage != PLAN_ARENA || result->loop_body.i != MLS_NO_INDEX || result->block.i != step->block.i ||
        (mixed && (!mixed->data || mls_tensor_int(mixed, 0))) || !in_one_piece(plan, step, &result->tensor.type))
        return false;
    uint64_t at = 0;
    bool placed = false, all = true;
    for (uint32_t i = 0; i < step->arguments[0].n; i++) {
        uint32_t value = step->arguments[0].slots[i];
        placed |= place_value(plan, index, value, at);
        all = all && plan_root(plan, value) == step->outputs[0] && plan_offset(plan, value) == at;
        at += mls_type_bytes(&plan->slots[value].tensor.type);
    }
    if (all)
        leave_nothing(plan, index);
    return placed;
}

uint32_t plan_join_in_place(struct mls_plan *plan)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        const char *name = plan->steps[i].row->name;
        if ((!strcmp(name, "concat") || !strcmp(name, "stack")) && !plan->steps[i].dynamic)
            n += join(plan, i);
    }
    return n;
}
