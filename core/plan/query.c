/* query.c: what other rooms may ask about a plan. */
#include "plan/plan.h"

size_t mls_plan_step_count(const struct mls_plan *plan)
{
    return plan->n_steps;
}

const struct mls_step *mls_plan_step(const struct mls_plan *plan, size_t index)
{
    return &plan->infos[index];
}

size_t mls_plan_buffer_count(const struct mls_plan *plan)
{
    return plan->n_buffers;
}

const struct mls_buffer *mls_plan_buffer(const struct mls_plan *plan, size_t index)
{
    return &plan->buffers[index];
}

struct mls_memory mls_plan_memory(const struct mls_plan *plan)
{
    return plan->memory;
}
