/* control.c: while_loop and cond at run time. */
#include "exec/exec.h"

#include <string.h>

#include "base/limits.h"
#include "ops/op_check.h"

static enum mls_status fail(struct mls_run *run, uint32_t index, enum mls_status status, const char *reason)
{
    const struct mls_step *info = &run->plan->infos[index];
    mls_fail(run->error, status, "cannot run operation '%s' (%s): %s", info->name, info->type, reason);
    mls_error_operation(run->error, info->function, info->name);
    return status;
}

/* Puts the value of `source` into `target`. With `move`, heap memory changes hands instead of being copied.
 */
static bool assign(struct mls_run *run, uint32_t target, uint32_t source, bool move)
{
    if (target == source)
        return true;
    struct mls_tensor *to = &run->tensors[target], *from = &run->tensors[source];
    if (run->plan->slots[target].storage != PLAN_DYNAMIC) {
        size_t bytes = mls_type_bytes(&to->type);
        if (bytes && to->data != from->data)
            memmove(to->data, from->data, bytes);
        return true;
    }
    run_clear(run, target);
    to->type = from->type;
    to->keys = from->keys;
    if (move) {
        to->data = from->data;
        to->list = from->list;
        from->data = NULL;
        from->list = NULL;
        return true;
    }
    if (from->type.kind == MLS_KIND_LIST) {
        to->list = from->list ? mls_list_clone(&run->heap, from->list) : NULL;
        return to->list || !from->list;
    }
    size_t bytes = mls_type_bytes(&from->type);
    to->data = mls_heap_alloc(&run->heap, bytes);
    if (to->data && bytes)
        memcpy(to->data, from->data, bytes);
    return to->data;
}

/* Whether a block's output owns heap memory that nothing else reads once the block is done. */
static bool movable(const struct mls_run *run, const struct plan_block *block, uint32_t position,
                    mls_block_id parent)
{
    uint32_t slot = block->outputs[position];
    const struct plan_slot *source = &run->plan->slots[slot];
    if (source->storage != PLAN_DYNAMIC || source->loop_body.i != MLS_NO_INDEX || source->block.i == parent.i)
        return false;
    if (block->end_step == block->first_step)
        return false;
    for (uint32_t i = 0; i < block->n_outputs; i++)
        if (i != position && block->outputs[i] == slot)
            return false;
    return source->block.i == run->plan->steps[block->first_step].block.i;
}

static enum mls_status give_outputs(struct mls_run *run, uint32_t index, const struct plan_block *block)
{
    const struct plan_step *step = &run->plan->steps[index];
    for (uint32_t i = 0; i < step->n_outputs; i++)
        if (!assign(run, step->outputs[i], block->outputs[i], movable(run, block, i, step->block)))
            return fail(run, index, MLS_ERR_MEMORY, "out of memory");
    return MLS_OK;
}

/* Whether a body's output lies on a variable of the loop that is replaced before it is read. */
static bool is_exchanged(const struct mls_run *run, const struct plan_step *step,
                         const struct plan_block *body, uint32_t position)
{
    uint32_t root = plan_root(run->plan, body->outputs[position]);
    for (uint32_t i = 0; i < position; i++)
        if (root == step->outputs[i])
            return true;
    return false;
}

struct exchange {
    struct mls_tensor copies[MLS_LIMIT_LOOP_SWAPS];
    uint32_t n;
};

/* Copies what the replacement of earlier variables would overwrite, in order of position. */
static enum mls_status save_exchanged(struct mls_run *run, uint32_t index, const struct plan_block *body,
                                      struct exchange *exchange)
{
    const struct plan_step *step = &run->plan->steps[index];
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        if (!is_exchanged(run, step, body, i))
            continue;
        struct mls_tensor copy = run->tensors[body->outputs[i]];
        if (exchange->n == MLS_LIMIT_LOOP_SWAPS || copy.type.kind == MLS_KIND_LIST)
            return fail(run, index, MLS_ERR_LIMIT,
                        "its variables exchange their values in an unsupported way");
        size_t bytes = mls_type_bytes(&copy.type);
        const void *original = copy.data;
        copy.data = mls_heap_alloc(&run->heap, bytes);
        if (!copy.data)
            return fail(run, index, MLS_ERR_MEMORY, "out of memory");
        memcpy(copy.data, original, bytes);
        exchange->copies[exchange->n++] = copy;
    }
    return MLS_OK;
}

/* New values of the loop variables: as if all were replaced at once. */
static enum mls_status next_iteration(struct mls_run *run, uint32_t index, const struct plan_block *body)
{
    const struct plan_step *step = &run->plan->steps[index];
    struct exchange exchange = {.n = 0};
    enum mls_status status = save_exchanged(run, index, body, &exchange);
    for (uint32_t i = 0, taken = 0; !status && i < step->n_outputs; i++) {
        struct mls_tensor *source = &run->tensors[body->outputs[i]];
        struct mls_tensor original = *source;
        bool exchanged = is_exchanged(run, step, body, i);
        if (exchanged)
            *source = exchange.copies[taken++];
        if (!assign(run, step->outputs[i], body->outputs[i], movable(run, body, i, step->block)))
            status = fail(run, index, MLS_ERR_MEMORY, "out of memory");
        if (exchanged)
            *source = original;
    }
    for (uint32_t i = 0; i < exchange.n; i++)
        mls_heap_free(&run->heap, exchange.copies[i].data, mls_type_bytes(&exchange.copies[i].type));
    return status;
}

static enum mls_status run_loop(struct mls_run *run, uint32_t index)
{
    const struct plan_step *step = &run->plan->steps[index];
    const struct plan_block *condition = &step->blocks[0], *body = &step->blocks[1];
    const struct plan_argument *initial = &step->arguments[mls_op_param_index(step->row, "loop_vars")];
    for (uint32_t i = 0; i < step->n_outputs; i++)
        if (!assign(run, step->outputs[i], initial->slots[i], false))
            return fail(run, index, MLS_ERR_MEMORY, "out of memory");
    for (uint32_t n = 0; n < MLS_LIMIT_LOOP_STEPS; n++) {
        enum mls_status status = run_steps(run, condition->first_step, condition->end_step);
        if (status)
            return status;
        const unsigned char *go_on = run->tensors[condition->outputs[0]].data;
        if (!*go_on)
            return MLS_OK;
        status = run_steps(run, body->first_step, body->end_step);
        if (!status)
            status = next_iteration(run, index, body);
        if (status)
            return status;
    }
    return fail(run, index, MLS_ERR_LIMIT, "it runs for more iterations than are allowed");
}

enum mls_status run_control(struct mls_run *run, uint32_t index)
{
    const struct plan_step *step = &run->plan->steps[index];
    if (!strcmp(step->row->name, "while_loop"))
        return run_loop(run, index);
    const struct plan_argument *predicate = &step->arguments[mls_op_param_index(step->row, "pred")];
    const unsigned char *taken = run->tensors[predicate->slots[0]].data;
    const struct plan_block *block = &step->blocks[*taken ? 0 : 1];
    enum mls_status status = run_steps(run, block->first_step, block->end_step);
    return status ? status : give_outputs(run, index, block);
}
