/* live.c: which operations matter: those that outputs or states depend on. The rest is never planned. */
#include "plan/builder.h"

#include <stdlib.h>

#include "ops/op_check.h"

struct worklist {
    uint32_t *ops;
    size_t n;
};

/* An operation enters the list once, when it is first marked, so n_ops entries are enough. */
static void mark_op(struct builder *builder, struct worklist *list, mls_op_id op)
{
    if (op.i == MLS_NO_INDEX || builder->live[op.i])
        return;
    builder->live[op.i] = true;
    list->ops[list->n++] = op.i;
}

static void mark_values(struct builder *builder, struct worklist *list, const mls_value_id *values,
                        uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        builder->n_uses[values[i].i]++;
        mark_op(builder, list, builder_program(builder)->values[values[i].i].producer);
    }
}

static void mark_needs(struct builder *builder, struct worklist *list, const struct mls_op *op)
{
    const struct mls_program *program = builder_program(builder);
    const struct mls_op_row *row = builder->shared->rows[op - program->ops];
    for (uint32_t i = 0; i < op->n_arguments; i++) {
        int param = row ? mls_op_param_index(row, op->arguments[i].name) : -1;
        bool coded = param >= 0 && row->params[param].flags & MLS_PARAM_CODED;
        mark_values(builder, list, op->arguments[i].values, op->arguments[i].n_values);
        for (uint32_t j = 0; coded && j < op->arguments[i].n_values; j++)
            builder->n_coded_uses[op->arguments[i].values[j].i]++;
    }
    for (uint32_t i = 0; i < op->n_blocks; i++) {
        const struct mls_block *block = &program->blocks[op->blocks[i].i];
        mark_values(builder, list, block->outputs, block->n_outputs);
    }
    /* what runs inside a block runs only if its control flow does */
    mark_op(builder, list, program->blocks[op->block.i].parent);
}

bool plan_mark_live(struct builder *builder)
{
    const struct mls_program *program = builder_program(builder);
    struct worklist list = {.ops = calloc(program->n_ops ? program->n_ops : 1, sizeof *list.ops)};
    if (!list.ops)
        return false;
    const struct mls_function *function = &program->functions[builder->shared->function.i];
    const struct mls_block *block = &program->blocks[function->block.i];
    mark_values(builder, &list, block->outputs, block->n_outputs);
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op_row *row = builder->shared->rows[i];
        if (row && (row->flags & MLS_OP_ALIAS_STATE))
            mark_op(builder, &list, (mls_op_id){i});
    }
    while (list.n)
        mark_needs(builder, &list, &program->ops[list.ops[--list.n]]);
    free(list.ops);
    for (uint32_t i = 0; i < program->n_ops; i++)
        if (builder->shared->rows[i] && !(builder->shared->rows[i]->flags & MLS_OP_CONST) && !builder->live[i])
            builder->plan->touched[PASS_DEAD_CODE]++;
    return true;
}
