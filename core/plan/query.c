/* query.c: what other rooms may ask about a plan. */
#include "plan/plan.h"

struct mls_arena *plan_arena_create(const struct mls_model *model)
{
    bool sealed = model->package && mls_package_info(model->package)->sealed;
    return sealed ? mls_arena_create_secret(0) : mls_arena_create(0);
}

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

uint32_t mls_plan_pass_touched(const struct mls_plan *plan, uint32_t pass)
{
    return plan->touched[pass];
}
