/* run.c: one prediction at a time on one plan. After the first prediction a plan of static shapes allocates
 * nothing. */
#include "exec/exec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mix.h"
#include "core/clock.h"
#include "core/feature.h"
#include "kernels/epilogue.h"

enum { MEMORY_ALIGN = 64, HUGE_PAGE_BYTES = 2 << 20 };

/* Zeroed pages, in huge pages where they are large enough to matter; NULL out of memory. */
unsigned char *run_map(size_t size_bytes)
{
    if (!size_bytes)
        size_bytes = 1;
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (size_bytes >= HUGE_PAGE_BYTES)
        madvise(memory, size_bytes, MADV_HUGEPAGE);
    return memory;
}

void run_unmap(unsigned char *memory, size_t size_bytes)
{
    if (memory)
        munmap(memory, size_bytes ? size_bytes : 1);
}

static void *at_offset(void *data, uint64_t offset_bytes)
{
    return data ? (unsigned char *)data + offset_bytes : NULL;
}

/* Where each slot's data lies in this run. Views follow their root, so they come second. */
static void resolve_slots(struct mls_run *run)
{
    const struct mls_plan *plan = run->plan;
    for (uint32_t i = 0; i < plan->n_slots; i++) {
        const struct plan_slot *slot = &plan->slots[i];
        run->tensors[i] = slot->tensor;
        if (slot->storage == PLAN_ARENA)
            run->tensors[i].data = run->arena + slot->offset_bytes;
        else if (mls_type_is_static(&slot->tensor.type) &&
                 (slot->storage == PLAN_INPUT || slot->storage == PLAN_STATE))
            run->tensors[i].data = run->kept + slot->offset_bytes;
    }
    for (uint32_t i = 0; i < plan->n_slots; i++)
        if (plan->slots[i].storage == PLAN_VIEW)
            run->tensors[i].data = at_offset(run->tensors[plan_root(plan, i)].data, plan_offset(plan, i));
}

void run_move_slot(struct mls_run *run, uint32_t slot, void *data)
{
    run->tensors[slot].data = data;
    for (uint32_t i = 0; i < run->plan->n_slots; i++)
        if (run->plan->slots[i].storage == PLAN_VIEW && plan_root(run->plan, i) == slot)
            run->tensors[i].data = at_offset(data, plan_offset(run->plan, i));
}

/* What the step does beyond its own operation, on this run's tensors. */
static bool wire_fused(struct mls_run *run, const struct plan_step *step, struct mls_op_call *call)
{
    if (!step->n_fused)
        return true;
    struct mls_fused_op *list = MLS_NEW_ARRAY(run->tables, step->n_fused, struct mls_fused_op);
    struct mls_fused_ops *fused = MLS_NEW(run->tables, struct mls_fused_ops);
    struct mls_epilogue *epilogue = MLS_NEW(run->tables, struct mls_epilogue);
    if (!list || !fused || !epilogue)
        return false;
    for (uint32_t i = 0; i < step->n_fused; i++) {
        list[i] = step->fused[i].op;
        if (step->fused[i].operand != PLAN_NONE)
            list[i].operand = &run->tensors[step->fused[i].operand];
    }
    *fused = (struct mls_fused_ops){
        .ops = list, .n = step->n_fused, .elem_bytes = mls_dtype_bits(call->outputs[0]->type.dtype) / 8};
    *epilogue = (struct mls_epilogue){.apply = mls_fused_apply, .context = fused};
    call->fused = epilogue;
    return true;
}

static bool wire_call(struct mls_run *run, uint32_t index, const char *function)
{
    const struct plan_step *step = &run->plan->steps[index];
    const struct mls_step *info = &run->plan->infos[index];
    const struct mls_program *program = &run->session->shared.model->program;
    struct mls_op_call *call = &run->calls[index];
    *call = (struct mls_op_call){
        .row = step->row,
        .function = function,
        .name = info->name,
        .opset = mls_op_opset(program, &program->ops[info->op.i]),
        .args = MLS_NEW_ARRAY(run->tables, step->n_arguments, struct mls_arg),
        .outputs = MLS_NEW_ARRAY(run->tables, step->n_outputs, struct mls_tensor *),
        .n_outputs = step->n_outputs,
        .packed = step->packed,
    };
    if (!call->args || !call->outputs)
        return false;
    for (uint32_t i = 0; i < step->n_outputs; i++)
        call->outputs[i] = &run->tensors[step->outputs[i]];
    for (uint32_t i = 0; i < step->n_arguments; i++) {
        const struct plan_argument *argument = &step->arguments[i];
        struct mls_tensor **values = MLS_NEW_ARRAY(run->tables, argument->n, struct mls_tensor *);
        if (!values)
            return false;
        for (uint32_t j = 0; j < argument->n; j++)
            values[j] = &run->tensors[argument->slots[j]];
        call->args[i] = (struct mls_arg){.values = values, .n = argument->n, .dies = argument->dies};
    }
    return wire_fused(run, step, call);
}

static bool allocate_run(struct mls_run *run)
{
    const struct mls_plan *plan = run->plan;
    run->tables = plan_arena_create(run->session->shared.model);
    if (!run->tables)
        return false;
    run->tensors = MLS_NEW_ARRAY(run->tables, plan->n_slots, struct mls_tensor);
    run->calls = MLS_NEW_ARRAY(run->tables, plan->n_steps, struct mls_op_call);
    run->backings = MLS_NEW_ARRAY(run->tables, run->session->shared.interface->n_outputs, struct backing);
    run->input_arenas = MLS_NEW_ARRAY(run->tables, run->session->shared.interface->n_inputs, struct mls_arena *);
    run->arena = run_map(plan->memory.arena_bytes);
    run->kept = run_map(plan->kept_bytes);
    run->scratch_bytes = plan->memory.scratch_bytes;
    run->scratch = run_map(run->scratch_bytes);
    return run->tensors && run->calls && run->backings && run->input_arenas && run->arena && run->kept && run->scratch;
}

enum mls_status mls_run_create(struct mls_session *session, const struct mls_plan *plan,
                               struct mls_run **ret_run, struct mls_error *reterr)
{
    struct mls_run *run = calloc(1, sizeof *run);
    if (!run)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot prepare a prediction: out of memory");
    run->session = session;
    run->plan = plan;
    session_hold_plan(session, plan);
    run->heap.limit_bytes = session->shared.max_memory_bytes;
    bool ok = allocate_run(run);
    if (ok)
        resolve_slots(run);
    for (uint32_t i = 0; ok && i < plan->n_steps; i++)
        ok = wire_call(run, i, session->shared.interface->function);
    if (!ok) {
        mls_run_free(run);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot prepare a prediction: %llu MiB are not to be had",
                        (unsigned long long)((plan->memory.arena_bytes + plan->memory.scratch_bytes) >> 20));
    }
    *ret_run = run;
    return MLS_OK;
}

void run_clear(struct mls_run *run, uint32_t slot)
{
    struct mls_tensor *tensor = &run->tensors[slot];
    mls_list_free(&run->heap, tensor->list);
    tensor->list = NULL;
    if (tensor->data)
        mls_heap_free(&run->heap, tensor->data, mls_type_bytes(&tensor->type));
    tensor->data = NULL;
}

static void clear_dynamic(struct mls_run *run)
{
    for (uint32_t i = 0; i < run->plan->n_slots; i++)
        if (run->plan->slots[i].storage == PLAN_DYNAMIC)
            run_clear(run, i);
}

void mls_run_free(struct mls_run *run)
{
    if (!run)
        return;
    if (run->tensors)
        clear_dynamic(run);
    for (size_t i = 0; run->input_arenas && i < run->session->shared.interface->n_inputs; i++)
        mls_arena_free(run->input_arenas[i]);
    run_unmap(run->arena, run->plan->memory.arena_bytes);
    run_unmap(run->kept, run->plan->kept_bytes);
    run_unmap(run->scratch, run->scratch_bytes);
    mls_arena_free(run->tables);
    mls_session_release_plan(run->session, run->plan);
    free(run);
}

static struct mls_op_env environment(struct mls_run *run)
{
    return (struct mls_op_env){.kernels = &run->session->shared.kernels,
                               .pool = run->session->shared.pool,
                               .heap = &run->heap,
                               .random_state = &run->random_state,
                               .error = run->error};
}

static enum mls_status out_of_memory(struct mls_run *run, uint32_t index, size_t bytes)
{
    const struct mls_step *info = &run->plan->infos[index];
    mls_fail(run->error, MLS_ERR_MEMORY,
             "cannot run operation '%s' (%s): it needs %zu bytes more than there are", info->name, info->type,
             bytes);
    mls_error_operation(run->error, info->function, info->name);
    return MLS_ERR_MEMORY;
}

static enum mls_status grow_scratch(struct mls_run *run, uint32_t index, size_t size_bytes)
{
    if (size_bytes <= run->scratch_bytes)
        return MLS_OK;
    unsigned char *memory = run_map(size_bytes);
    if (!memory)
        return out_of_memory(run, index, size_bytes);
    run_unmap(run->scratch, run->scratch_bytes);
    run->scratch = memory;
    run->scratch_bytes = size_bytes;
    return MLS_OK;
}

/* Steps that were planned with a known dimension rely on it. */
static enum mls_status check_planned(struct mls_run *run, uint32_t index)
{
    const struct plan_step *step = &run->plan->steps[index];
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        const struct mls_type *planned = &run->plan->slots[step->outputs[i]].tensor.type;
        const struct mls_type *found = &run->calls[index].outputs[i]->type;
        bool ranked = planned->rank <= MLS_RANK_MAX;
        bool same = planned->dtype == found->dtype && (!ranked || planned->rank == found->rank);
        for (unsigned j = 0; same && ranked && j < planned->rank; j++)
            same = planned->dims[j] < 0 || planned->dims[j] == found->dims[j];
        if (same)
            continue;
        char want[160], have[160];
        const struct mls_step *info = &run->plan->infos[index];
        mls_fail(run->error, MLS_ERR_RUN_SHAPE,
                 "cannot run operation '%s' (%s): its output has to be %s and is %s", info->name, info->type,
                 mls_type_format(planned, want, sizeof want), mls_type_format(found, have, sizeof have));
        mls_error_operation(run->error, info->function, info->name);
        return MLS_ERR_RUN_SHAPE;
    }
    return MLS_OK;
}

/* Shapes that only the values tell: inference again, now that all inputs have data, then memory for the
 * outputs. */
static enum mls_status prepare_dynamic(struct mls_run *run, uint32_t index, struct mls_op_env *env)
{
    const struct plan_step *step = &run->plan->steps[index];
    struct mls_op_call *call = &run->calls[index];
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        run_clear(run, step->outputs[i]);
        call->outputs[i]->type = run->plan->slots[step->outputs[i]].tensor.type;
    }
    enum mls_status status = step->row->infer(call, run->error);
    if (status)
        return status;
    bool high = run->session->shared.precision == MLS_PRECISION_HIGH;
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        struct mls_tensor *output = call->outputs[i];
        if (high && output->type.dtype == MLS_FP16)
            output->type.dtype = MLS_FP32;
    }
    status = check_planned(run, index);
    if (status)
        return status;
    for (uint32_t i = 0; i < step->n_outputs; i++) {
        struct mls_tensor *output = call->outputs[i];
        if (step->row->flags & MLS_OP_ALLOCATES || output->type.kind == MLS_KIND_LIST)
            continue;
        size_t bytes = mls_type_bytes(&output->type);
        output->data = bytes == SIZE_MAX ? NULL : mls_heap_alloc(&run->heap, bytes);
        if (!output->data)
            return out_of_memory(run, index, bytes);
    }
    return step->row->scratch_bytes ? grow_scratch(run, index, step->row->scratch_bytes(call, env)) : MLS_OK;
}

static enum mls_status run_step(struct mls_run *run, uint32_t index)
{
    const struct plan_step *step = &run->plan->steps[index];
    if (step->view)
        return MLS_OK;
    struct mls_op_call *call = &run->calls[index];
    struct mls_op_env env = environment(run);
    enum mls_status status = step->dynamic ? prepare_dynamic(run, index, &env) : MLS_OK;
    if (status)
        return status;
    call->scratch = run->scratch;
    status = step->row->run(call, &env);
    if (!status && step->row->flags & MLS_OP_ALLOCATES)
        status = check_planned(run, index);
    _Atomic(const char *) *kernel = &run->plan->infos[index].kernel;
    if (call->kernel && call->kernel != atomic_load_explicit(kernel, memory_order_relaxed))
        atomic_store_explicit(kernel, call->kernel, memory_order_relaxed);
    return status;
}

/* What threads did is noted from here on, if the observer asks for it and no other run of the session has it already. */
static void begin_watch(struct mls_run *run)
{
    struct mls_pool *pool = run->session->shared.pool;
    uint32_t n = mls_pool_threads(pool);
    run->watches = false;
    if (!run->observer || !run->observer->thread || n < 2)
        return;
    if (!run->watch) {
        struct mls_pool_watch *watch = MLS_NEW(run->tables, struct mls_pool_watch);
        struct mls_pool_log *logs = MLS_NEW_ARRAY(run->tables, n, struct mls_pool_log);
        for (uint32_t i = 0; logs && i < n; i++) {
            logs[i].parts = MLS_NEW_ARRAY(run->tables, MLS_THREAD_PARTS_MAX, struct mls_thread_part);
            logs[i].room = logs[i].parts ? MLS_THREAD_PARTS_MAX : 0;
        }
        if (!watch || !logs)
            return;
        watch->logs = logs;
        run->watch = watch;
    }
    run->watches = mls_pool_watch(pool, run->watch);
    for (uint32_t i = 0; i < n && run->watches; i++)
        run->watch->logs[i].n = 0;
}

static void end_watch(struct mls_run *run, bool ok)
{
    struct mls_pool *pool = run->session->shared.pool;
    if (!run->watches)
        return;
    mls_pool_unwatch(pool);
    for (uint32_t i = 0; i < mls_pool_threads(pool); i++)
        ok = ok && run->watch->logs[i].n <= run->watch->logs[i].room;
    for (uint32_t i = 0; i < mls_pool_threads(pool) && ok; i++)
        run->observer->thread(run->observer->user, i, run->watch->logs[i].parts, run->watch->logs[i].n);
}

enum mls_status run_steps(struct mls_run *run, uint32_t first, uint32_t end)
{
    const struct mls_observer *observer = run->observer;
    for (uint32_t i = first; i < end; i = run->plan->steps[i].end_step) {
        const struct plan_step *step = &run->plan->steps[i];
        bool control = step->row->flags & MLS_OP_CONTROL;
        uint64_t begin = observer ? mls_clock_ticks() : 0;
        if (run->watches)
            run->watch->step = i;
        enum mls_status status = control ? run_control(run, i) : run_step(run, i);
        if (status)
            return status;
        if (observer && observer->values)
            observer->values(observer->user, i, run->calls[i].outputs, run->calls[i].n_outputs);
        for (uint32_t j = 0; j < step->n_releases; j++)
            run_clear(run, step->releases[j]);
        if (observer && observer->step) {
            uint64_t now = mls_clock_ticks();
            observer->step(observer->user, i, begin, now);
            run->ops_ticks += control ? 0 : now - begin;
            run->hooks_ticks += mls_clock_ticks() - now;
        }
        if (atomic_load_explicit(&run->cancelled, memory_order_relaxed))
            return mls_fail(run->error, MLS_ERR_CANCELLED, "the prediction was cancelled");
    }
    return MLS_OK;
}

/* Takes what a prediction changes for this one; false when another has it. */
static bool occupy(struct mls_run *run)
{
    if (atomic_exchange_explicit(&run->busy, true, memory_order_acquire))
        return false;
    if (run->states && atomic_exchange_explicit(&run->states->busy, true, memory_order_acquire)) {
        atomic_store_explicit(&run->busy, false, memory_order_release);
        return false;
    }
    return true;
}

static void vacate(struct mls_run *run)
{
    if (run->states)
        atomic_store_explicit(&run->states->busy, false, memory_order_release);
    atomic_store_explicit(&run->busy, false, memory_order_release);
}

static enum mls_status predict(struct mls_run *run, const struct mls_observer *observer,
                               struct mls_run_time *ret_time)
{
    uint64_t begin = mls_clock_ticks();
    run->observer = observer;
    begin_watch(run);
    run->ops_ticks = 0;
    run->hooks_ticks = 0;
    run->random_state = mls_mix64(run->session->random_seed) + mls_mix64(run->n_predictions++ * MLS_MIX_STEP);
    run->heap.peak_bytes = run->heap.live_bytes;
    atomic_store_explicit(&run->cancelled, false, memory_order_relaxed);
    clear_dynamic(run);
    uint64_t first = mls_clock_ticks();
    enum mls_status status = run_steps(run, 0, run->plan->n_steps);
    uint64_t last = mls_clock_ticks();
    atomic_store_explicit(&run->dynamic_bytes, run->heap.peak_bytes, memory_order_relaxed);
    if (!status)
        status = run_copy_backings(run);
    uint64_t end = mls_clock_ticks();
    if (ret_time) {
        /* unobserved, what operations and dispatch take cannot be told apart */
        uint64_t ops = observer && observer->step ? run->ops_ticks : last - first;
        *ret_time = (struct mls_run_time){.begin_ticks = begin,
                                          .end_ticks = end,
                                          .ops_ticks = ops,
                                          .hooks_ticks = run->hooks_ticks,
                                          .dispatch_ticks = last - first - ops - run->hooks_ticks,
                                          .other_ticks = first - begin + end - last};
    }
    end_watch(run, !status);
    run->observer = NULL;
    return status;
}

enum mls_status mls_run_predict(struct mls_run *run, const struct mls_observer *observer,
                                struct mls_run_time *ret_time, struct mls_error *reterr)
{
    struct mls_error ignored;
    if (!occupy(run))
        return mls_fail(reterr, MLS_ERR_STATE_BUSY,
                        "cannot predict: another prediction is using the same run or the same states");
    session_enter(run->session);
    run->error = reterr ? reterr : &ignored;
    enum mls_status status = predict(run, observer, ret_time);
    run->error = NULL;
    session_leave(run->session);
    vacate(run);
    return status;
}

struct mls_tensor *mls_run_input(struct mls_run *run, size_t index)
{
    uint32_t slot = run->plan->inputs[index];
    return slot == PLAN_NONE ? NULL : &run->tensors[slot];
}

const struct mls_tensor *mls_run_output(const struct mls_run *run, size_t index)
{
    return &run->tensors[run->plan->outputs[index]];
}

struct mls_tensor *mls_run_state(struct mls_run *run, size_t index)
{
    return &run->tensors[run->plan->states[index]];
}

struct mls_session *mls_run_session(const struct mls_run *run)
{
    return run->session;
}

void mls_run_cancel(struct mls_run *run)
{
    atomic_store_explicit(&run->cancelled, true, memory_order_relaxed);
}

uint64_t mls_run_memory_bytes(const struct mls_run *run)
{
    return run->plan->memory.arena_bytes + run->plan->kept_bytes + run->scratch_bytes;
}

uint64_t mls_run_dynamic_bytes(const struct mls_run *run)
{
    return atomic_load_explicit(&run->dynamic_bytes, memory_order_relaxed);
}
