/* describe.c: what reports show of a step, apart from memory, which plan_place adds. */
#include "plan/builder.h"

#include <string.h>

static struct mls_step_operand operand(const struct builder *builder, uint32_t slot, const char *parameter)
{
    const struct plan_slot *used = &builder->plan->slots[slot];
    return (struct mls_step_operand){.name = used->name,
                                     .parameter = parameter,
                                     .type = used->tensor.type,
                                     .constant = used->storage == PLAN_CONSTANT};
}

/* Bytes that reading a value moves; 0 where they are not known. */
static uint64_t bytes_of(const struct mls_type *type)
{
    bool known = type->kind == MLS_KIND_TENSOR && type->dtype != MLS_TEXT && mls_type_is_static(type);
    return known ? mls_type_bytes(type) : 0;
}

/* Adds the inputs of an operation, without parameter `skipped`; false when out of memory. */
static bool add_inputs(struct builder *builder, const struct piece_node *work, uint32_t skipped,
                       struct mls_step *info)
{
    size_t n = info->n_inputs;
    for (uint32_t i = 0; i < work->n_arguments; i++)
        n += i == skipped ? 0 : work->arguments[i].n;
    struct mls_step_operand *inputs = MLS_NEW_ARRAY(builder->plan->arena, n, struct mls_step_operand);
    if (!inputs)
        return false;
    if (info->n_inputs)
        memcpy(inputs, info->inputs, info->n_inputs * sizeof *inputs);
    info->inputs = inputs;
    for (uint32_t i = 0; i < work->n_arguments; i++)
        for (uint32_t j = 0; i != skipped && j < work->arguments[i].n; j++)
            inputs[info->n_inputs++] =
                operand(builder, work->arguments[i].values[j], work->row->params[i].name);
    return true;
}

static bool set_outputs(struct builder *builder, const struct piece_node *work, struct mls_step *info)
{
    struct mls_step_operand *outputs =
        MLS_NEW_ARRAY(builder->plan->arena, work->call.n_outputs, struct mls_step_operand);
    if (!outputs)
        return false;
    for (uint32_t i = 0; i < work->call.n_outputs; i++)
        outputs[i] = operand(builder, work->outputs[i], "");
    info->outputs = outputs;
    info->n_outputs = work->call.n_outputs;
    return true;
}

/* What one execution does and moves: each operand once, whole. */
static void set_cost(const struct piece_node *work, struct mls_step *info)
{
    bool known = true;
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        info->cost.bytes_read += bytes_of(&info->inputs[i].type);
        known = known &&
                (info->inputs[i].type.kind == MLS_KIND_LIST || mls_type_is_static(&info->inputs[i].type));
    }
    for (uint32_t i = 0; i < info->n_outputs; i++)
        if (info->outputs[i].type.kind != MLS_KIND_LIST)
            info->cost.bytes_written += mls_type_bytes(&info->outputs[i].type);
    if (work->row->flops && known)
        info->cost.flops = work->row->flops(&work->call);
}

bool plan_describe(struct builder *builder, const struct piece_node *work, uint32_t index)
{
    const struct plan_step *step = &builder->plan->steps[index];
    const struct frame *frame = &builder->frames[builder->depth];
    struct mls_step *info = &builder->plan->infos[index];
    *info = (struct mls_step){
        .index = index,
        .op = {(uint32_t)(work->op - builder_program(builder)->ops)},
        .function = builder_function(builder)->name,
        .path = mls_arena_printf(builder->plan->arena, "%s/%s", frame->path, work->op->name),
        .type = work->op->type,
        .name = work->op->name,
        .depth = builder->depth,
        .control = work->row->flags & MLS_OP_CONTROL,
        .dynamic = step->dynamic,
        .scratch_bytes = step->scratch_bytes,
        .fused = work->origins,
        .n_fused = work->n_origins,
    };
    if (!info->path || !add_inputs(builder, work, PLAN_NONE, info) || !set_outputs(builder, work, info))
        return false;
    if (step->view)
        info->kernel = "view";
    else if (!info->dynamic && !info->control)
        set_cost(work, info);
    return true;
}

bool plan_describe_fused(struct builder *builder, const struct piece_node *work, unsigned param, uint32_t index)
{
    struct mls_step *info = &builder->plan->infos[index];
    uint32_t first = info->n_inputs;
    if (!add_inputs(builder, work, param, info))
        return false;
    for (uint32_t i = first; i < info->n_inputs; i++)
        info->cost.bytes_read += bytes_of(&info->inputs[i].type);
    if (work->row->flops)
        info->cost.flops += work->row->flops(&work->call);
    return true;
}
