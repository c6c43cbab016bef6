/*
 * states.c: states that are read and written where they lie. A read of a state is a view of its memory when
 * every use of the value comes before the next write; a slice_update of such a value happens in place when
 * the value has no later use and the result is what is written next; that write then has nothing to do. Of an
 * attention cache, a prediction so touches the new rows only.
 */
#include "plan/plan.h"

#include <string.h>

struct walk {
    struct mls_plan *plan;
    uint32_t state; /* slot */
    uint32_t *n_in_place;
};

static bool is_operation(const struct plan_step *step, const char *name)
{
    return !strcmp(step->row->name, name);
}

static bool uses_state(const struct plan_step *step, uint32_t state)
{
    return step->row->flags & MLS_OP_ALIAS_STATE && step->arguments[0].n == 1 &&
           step->arguments[0].slots[0] == state;
}

/* The next write to the state after a step, or n_steps. */
static uint32_t next_write(const struct walk *walk, uint32_t after)
{
    for (uint32_t i = after + 1; i < walk->plan->n_steps; i++)
        if (uses_state(&walk->plan->steps[i], walk->state) &&
            is_operation(&walk->plan->steps[i], "write_state"))
            return i;
    return walk->plan->n_steps;
}

static bool is_alias(const struct walk *walk, uint32_t slot)
{
    return plan_root(walk->plan, slot) == walk->state;
}

static bool may_alias(const struct walk *walk, uint32_t slot, uint32_t until)
{
    const struct plan_slot *value = &walk->plan->slots[slot];
    return value->storage == PLAN_ARENA && !value->block_output && value->loop_body.i == MLS_NO_INDEX &&
           value->last_step <= until;
}

/* The alias takes over the part of the state; whoever reads it reads the state. */
static void make_alias(const struct walk *walk, uint32_t slot)
{
    struct plan_slot *value = &walk->plan->slots[slot];
    value->storage = PLAN_VIEW;
    value->root = walk->state;
}

/* Whether any alias of the state, or a read that is yet to come, needs its content after `step` and before
 * `write`. */
static bool needed_later(const struct walk *walk, uint32_t step, uint32_t write)
{
    const struct mls_plan *plan = walk->plan;
    for (uint32_t i = 0; i < plan->n_slots; i++) {
        const struct plan_slot *slot = &plan->slots[i];
        if (slot->storage == PLAN_VIEW && slot->root == walk->state && slot->first_step <= step &&
            slot->last_step > step)
            return true;
    }
    for (uint32_t i = step + 1; i < write; i++)
        if (uses_state(&plan->steps[i], walk->state))
            return true;
    return false;
}

/* slice_update of an alias, whose result is written to the state next. */
static void update_in_place(const struct walk *walk, uint32_t index)
{
    enum { UPDATED, UPDATE, WRITTEN = 1 };
    struct mls_plan *plan = walk->plan;
    const struct plan_step *step = &plan->steps[index];
    uint32_t result = step->outputs[0], write = next_write(walk, index);
    if (write == plan->n_steps || step->dynamic || !is_alias(walk, step->arguments[UPDATED].slots[0]) ||
        is_alias(walk, step->arguments[UPDATE].slots[0]) ||
        plan->steps[write].arguments[WRITTEN].slots[0] != result)
        return;
    if (may_alias(walk, result, next_write(walk, write)) && !needed_later(walk, index, write)) {
        make_alias(walk, result);
        ++*walk->n_in_place;
    }
}

static void alias_state(const struct walk *walk)
{
    struct mls_plan *plan = walk->plan;
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        struct plan_step *step = &plan->steps[i];
        if (uses_state(step, walk->state) && is_operation(step, "read_state")) {
            if (may_alias(walk, step->outputs[0], next_write(walk, i))) {
                make_alias(walk, step->outputs[0]);
                step->view = true;
                ++*walk->n_in_place;
            }
        } else if (is_operation(step, "slice_update")) {
            update_in_place(walk, i);
        } else if (uses_state(step, walk->state) && is_alias(walk, step->arguments[1].slots[0])) {
            step->view = true; /* it is there already */
            ++*walk->n_in_place;
        }
    }
}

/* Steps inside nested blocks have no fixed order with those outside, so their states stay apart. */
static bool has_nested_user(const struct mls_plan *plan, uint32_t state)
{
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (uses_state(&plan->steps[i], state) && plan->steps[i].parent != PLAN_NONE)
            return true;
    return false;
}

uint32_t plan_alias_states(struct mls_plan *plan, uint32_t n_states)
{
    uint32_t n_in_place = 0;
    for (uint32_t i = 0; i < n_states; i++) {
        struct walk walk = {.plan = plan, .state = plan->states[i], .n_in_place = &n_in_place};
        if (walk.state != PLAN_NONE && !has_nested_user(plan, walk.state))
            alias_state(&walk);
    }
    return n_in_place;
}
