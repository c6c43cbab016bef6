/* backing.c: outputs in the caller's memory. */
#include "exec/exec.h"

#include <string.h>

enum { BACKING_ALIGN = 64 };

/* Whether the operation that computes the output can write to other memory: the output is all of a block of
 * the arena that no other output's backing has taken. */
static bool can_move(const struct mls_run *run, size_t index)
{
    const struct mls_plan *plan = run->plan;
    uint32_t root = plan_root(plan, plan->outputs[index]);
    for (size_t i = 0; i < run->session->shared.interface->n_outputs; i++)
        if (i != index && run->backings[i].direct && plan_root(plan, plan->outputs[i]) == root)
            return false;
    return plan->slots[root].storage == PLAN_ARENA &&
           mls_type_bytes(&plan->slots[root].tensor.type) ==
               mls_type_bytes(&run->tensors[plan->outputs[index]].type);
}

static enum mls_status no_room(const struct mls_run *run, size_t index, size_t needed_bytes,
                               struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                    "cannot put output \"%s\" into the memory given: it takes %zu bytes, there are %zu",
                    run->session->shared.interface->outputs[index].name, needed_bytes,
                    run->backings[index].size_bytes);
}

enum mls_status mls_run_back_output(struct mls_run *run, size_t index, void *memory, size_t size_bytes,
                                    struct mls_error *reterr)
{
    struct backing *backing = &run->backings[index];
    uint32_t root = plan_root(run->plan, run->plan->outputs[index]);
    if (backing->direct)
        run_move_slot(run, root, run->arena + run->plan->slots[root].offset_bytes);
    *backing = (struct backing){.memory = memory, .size_bytes = size_bytes};
    if (!memory)
        return MLS_OK;
    size_t needed = mls_type_bytes(&run->tensors[run->plan->outputs[index]].type);
    if (needed != SIZE_MAX && needed > size_bytes) {
        enum mls_status status = no_room(run, index, needed, reterr);
        *backing = (struct backing){0};
        return status;
    }
    if ((uintptr_t)memory % BACKING_ALIGN == 0 && can_move(run, index)) {
        backing->direct = true;
        run_move_slot(run, root, memory);
    }
    return MLS_OK;
}

enum mls_status run_copy_backings(struct mls_run *run)
{
    for (size_t i = 0; i < run->session->shared.interface->n_outputs; i++) {
        const struct backing *backing = &run->backings[i];
        if (!backing->memory || backing->direct)
            continue;
        const struct mls_tensor *output = &run->tensors[run->plan->outputs[i]];
        size_t bytes = mls_type_bytes(&output->type);
        if (bytes > backing->size_bytes)
            return no_room(run, i, bytes, run->error);
        if (bytes)
            memcpy(backing->memory, output->data, bytes);
    }
    return MLS_OK;
}
