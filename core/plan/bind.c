#include "plan/plan.h"

#include <string.h>

#include "ops/op_check.h"

static enum mls_status fail(const struct plan_shared *shared, const struct mls_op *op,
                            struct mls_error *reterr, enum mls_status status, const char *reason,
                            const char *detail)
{
    const struct mls_function *function = &shared->model->program.functions[shared->function.i];
    mls_fail(reterr, status, "cannot load operation '%s' (%s) of function '%s': %s%s%s", op->name, op->type,
             function->name, reason, detail ? " " : "", detail ? detail : "");
    mls_error_operation(reterr, function->name, op->name);
    return status;
}

static enum mls_status check_arguments(const struct plan_shared *shared, const struct mls_op *op,
                                       const struct mls_op_row *row, struct mls_error *reterr)
{
    for (uint32_t i = 0; i < op->n_arguments; i++) {
        int param = mls_op_param_index(row, op->arguments[i].name);
        if (param < 0)
            return fail(shared, op, reterr, MLS_ERR_OP_ARGUMENT, "it has no parameter called",
                        op->arguments[i].name);
        bool variadic = row->params[param].flags & MLS_PARAM_VARIADIC;
        if (!variadic && op->arguments[i].n_values != 1)
            return fail(shared, op, reterr, MLS_ERR_OP_ARGUMENT, "it takes one value for parameter",
                        op->arguments[i].name);
    }
    for (int i = 0; i < MLS_OP_PARAMS_MAX && row->params[i].name; i++)
        if (!(row->params[i].flags & MLS_PARAM_OPTIONAL) && !mls_op_argument(op, row->params[i].name))
            return fail(shared, op, reterr, MLS_ERR_OP_ARGUMENT, "it lacks the required parameter",
                        row->params[i].name);
    return MLS_OK;
}

static bool is_loop(const struct mls_op *op)
{
    return !strcmp(op->type, "while_loop");
}

/* Blocks of control flow as MIL defines them: while_loop has a condition and a body, cond a block for each
 * branch. */
static enum mls_status check_blocks(const struct plan_shared *shared, const struct mls_op *op,
                                    const struct mls_op_row *row, struct mls_error *reterr)
{
    if (!(row->flags & MLS_OP_CONTROL))
        return op->n_blocks
                   ? fail(shared, op, reterr, MLS_ERR_PROGRAM_INVALID, "it has blocks, but takes none", NULL)
                   : MLS_OK;
    const struct mls_block *blocks = shared->model->program.blocks;
    if (op->n_blocks != 2)
        return fail(shared, op, reterr, MLS_ERR_PROGRAM_INVALID, "it needs two blocks", NULL);
    const struct mls_block *first = &blocks[op->blocks[0].i], *second = &blocks[op->blocks[1].i];
    if (is_loop(op)) {
        const struct mls_argument *variables = mls_op_argument(op, "loop_vars");
        uint32_t n = variables ? variables->n_values : 0;
        if (op->n_outputs != n || first->n_inputs != n || second->n_inputs != n || second->n_outputs != n ||
            first->n_outputs != 1)
            return fail(shared, op, reterr, MLS_ERR_PROGRAM_INVALID,
                        "its blocks do not fit its loop variables", NULL);
        return MLS_OK;
    }
    if (first->n_inputs || second->n_inputs || first->n_outputs != op->n_outputs ||
        second->n_outputs != op->n_outputs)
        return fail(shared, op, reterr, MLS_ERR_PROGRAM_INVALID, "its branches do not fit its outputs", NULL);
    return MLS_OK;
}

enum mls_status plan_bind(struct plan_shared *shared, struct mls_error *reterr)
{
    const struct mls_program *program = &shared->model->program;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        if (op->function.i != shared->function.i)
            continue;
        uint32_t opset = mls_op_opset(program, op);
        const struct mls_op_row *row = mls_op_find(op->type, opset);
        if (!row) {
            fail(shared, op, reterr, MLS_ERR_OP_UNKNOWN, "it is not an operation of",
                 mls_system_for_opset(opset));
            mls_error_hint(reterr, "custom operations and operations of newer systems cannot be run here");
            return MLS_ERR_OP_UNKNOWN;
        }
        shared->rows[i] = row;
        if (row->flags & MLS_OP_CONST)
            continue;
        enum mls_status status = check_arguments(shared, op, row, reterr);
        if (!status)
            status = check_blocks(shared, op, row, reterr);
        if (status)
            return status;
    }
    return MLS_OK;
}
