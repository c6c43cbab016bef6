#include "exec/exec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/limits.h"
#include "core/clock.h"

static uint64_t default_memory_limit(void)
{
    struct sysinfo info;
    return sysinfo(&info) ? (uint64_t)8 << 30 : (uint64_t)info.totalram * info.mem_unit / 4 * 3;
}

/* Constants count once, however many values share their bytes. */
static int by_address(const void *a, const void *b)
{
    const struct mls_constant *const *x = a, *const *y = b;
    uintptr_t left = (uintptr_t)(*x)->data, right = (uintptr_t)(*y)->data;
    return left < right ? -1 : left > right;
}

static bool count_weights(struct plan_shared *shared)
{
    const struct mls_program *program = &shared->model->program;
    const struct mls_constant **list =
        calloc(program->n_values ? program->n_values : 1, sizeof(struct mls_constant *));
    if (!list)
        return false;
    size_t n = 0;
    for (uint32_t i = 0; i < program->n_values; i++) {
        const struct mls_value *value = &program->values[i];
        bool ours = value->producer.i == MLS_NO_INDEX ||
                    program->ops[value->producer.i].function.i == shared->function.i;
        if (ours && value->constant && value->constant->size_bytes)
            list[n++] = value->constant;
    }
    qsort(list, n, sizeof(struct mls_constant *), by_address);
    for (size_t i = 0; i < n; i++)
        if (!i || list[i]->data != list[i - 1]->data)
            shared->weights_bytes += list[i]->size_bytes;
    free(list);
    return true;
}

static bool make_shared(struct plan_shared *shared)
{
    const struct mls_program *program = &shared->model->program;
    shared->arena = plan_arena_create(shared->model);
    if (!shared->arena)
        return false;
    shared->rows = MLS_NEW_ARRAY(shared->arena, program->n_ops, const struct mls_op_row *);
    shared->packed = MLS_NEW_ARRAY(shared->arena, (size_t)program->n_ops * 2 * MLS_PACK_KINDS, struct plan_packed);
    shared->made = MLS_NEW_ARRAY(shared->arena, program->n_ops, struct plan_made *);
    shared->coded = MLS_NEW_ARRAY(shared->arena, program->n_values, const struct mls_coded *);
    shared->folded = MLS_NEW_ARRAY(shared->arena, program->n_values, const void *);
    shared->folded_types = MLS_NEW_ARRAY(shared->arena, program->n_values, struct mls_type);
    return shared->rows && shared->packed && shared->made && shared->coded && shared->folded && shared->folded_types && count_weights(shared);
}

static uint32_t choose_threads(const struct mls_session_options *options)
{
    uint32_t threads = options->threads ? options->threads : mls_cpu_count();
    return threads < MLS_LIMIT_THREADS ? threads : MLS_LIMIT_THREADS;
}

/* Plans that are made quickly do without the passes that only save time, so that results stay the same. */
static uint64_t passes_off(const struct mls_session_options *options)
{
    uint64_t off = options->passes_off;
    if (options->reshape == MLS_RESHAPE_FREQUENT)
        off |= (uint64_t)1 << PASS_ELEMENTWISE | (uint64_t)1 << PASS_STATES;
    return options->no_fusion ? UINT64_MAX : off;
}

enum mls_status mls_session_create(const struct mls_model *model, const struct mls_session_options *options,
                                   struct mls_session **ret_session, struct mls_error *reterr)
{
    static const struct mls_session_options none;
    const struct mls_session_options *chosen = options ? options : &none;
    struct mls_session *session = calloc(1, sizeof *session);
    if (!session)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot create a session: out of memory");
    pthread_mutex_init(&session->planning, NULL);
    pthread_mutex_init(&session->gate, NULL);
    pthread_cond_init(&session->left, NULL);
    session->max_at_once = chosen->max_at_once ? chosen->max_at_once : MLS_LIMIT_AT_ONCE;
    session->random_seed = chosen->random_seed;
    mls_clock_get();
    struct plan_shared *shared = &session->shared;
    shared->model = model;
    shared->precision = chosen->precision;
    shared->quick = chosen->reshape == MLS_RESHAPE_FREQUENT;
    shared->weights = chosen->weights;
    shared->passes_off = passes_off(chosen);
    shared->progress = chosen->progress;
    shared->max_memory_bytes = chosen->max_memory_bytes ? chosen->max_memory_bytes : default_memory_limit();
    shared->kernels = mls_kernels_pick(chosen->cpu_capped ? chosen->cpu : mls_cpu_best());
    session->threads = choose_threads(chosen);
    enum mls_status status =
        mls_model_function(model, chosen->function, &shared->function, &shared->interface, reterr);
    if (!status && !make_shared(shared))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot create a session: out of memory");
    if (!status)
        status = plan_bind(shared, reterr);
    if (!status && !(shared->pool = mls_pool_create(session->threads, mls_cpu_count())))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot create a session: cannot start %u threads",
                          session->threads);
    if (status)
        mls_session_free(session);
    else
        *ret_session = session;
    return status;
}

void mls_session_free(struct mls_session *session)
{
    if (!session)
        return;
    for (struct mls_plan *plan = session->plans, *next; plan; plan = next) {
        next = plan->next;
        plan_free(plan);
    }
    mls_pool_free(session->shared.pool);
    mls_arena_free(session->shared.arena);
    pthread_mutex_destroy(&session->planning);
    pthread_mutex_destroy(&session->gate);
    pthread_cond_destroy(&session->left);
    free(session);
}

const struct mls_interface *mls_session_interface(const struct mls_session *session)
{
    return session->shared.interface;
}

enum mls_isa mls_session_isa(const struct mls_session *session)
{
    return session->shared.kernels.isa;
}

uint32_t mls_session_threads(const struct mls_session *session)
{
    return session->threads;
}

uint32_t mls_session_max_at_once(struct mls_session *session)
{
    pthread_mutex_lock(&session->gate);
    uint32_t n = session->max_at_once;
    pthread_mutex_unlock(&session->gate);
    return n;
}

void mls_session_allow_at_once(struct mls_session *session, uint32_t n)
{
    pthread_mutex_lock(&session->gate);
    if (n > session->max_at_once)
        session->max_at_once = n;
    pthread_mutex_unlock(&session->gate);
    pthread_cond_broadcast(&session->left);
}

void session_enter(struct mls_session *session)
{
    pthread_mutex_lock(&session->gate);
    while (session->n_running >= session->max_at_once)
        pthread_cond_wait(&session->left, &session->gate);
    session->n_running++;
    pthread_mutex_unlock(&session->gate);
}

void session_leave(struct mls_session *session)
{
    pthread_mutex_lock(&session->gate);
    session->n_running--;
    pthread_mutex_unlock(&session->gate);
    pthread_cond_signal(&session->left);
}

/* ---- Plans: the session's list is in the order in which they were asked for, last first ---- */

static bool same_shapes(const struct mls_shape *a, const struct mls_shape *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].rank != b[i].rank || memcmp(a[i].dims, b[i].dims, a[i].rank * sizeof a[i].dims[0]))
            return false;
    return true;
}

/* The plan with these shapes, taken out of the list; NULL when there is none. */
static struct mls_plan *take_plan(struct mls_session *session, const struct mls_shape *shapes)
{
    size_t n_inputs = session->shared.interface->n_inputs;
    for (struct mls_plan **at = &session->plans; *at; at = &(*at)->next) {
        struct mls_plan *plan = *at;
        if (!same_shapes(plan->shapes, shapes, n_inputs))
            continue;
        *at = plan->next;
        session->n_plans--;
        return plan;
    }
    return NULL;
}

/* Gives up plans that nobody holds, the ones asked for longest ago first, until there is room for one more.
 */
static void make_room(struct mls_session *session)
{
    while (session->n_plans >= MLS_LIMIT_PLANS) {
        struct mls_plan **oldest = NULL;
        for (struct mls_plan **at = &session->plans; *at; at = &(*at)->next)
            if (!(*at)->n_holders)
                oldest = at;
        if (!oldest)
            return; /* held plans are the holders' business */
        struct mls_plan *plan = *oldest;
        *oldest = plan->next;
        session->n_plans--;
        plan_free(plan);
    }
}

/* Finds or makes the plan; the caller holds `planning`. */
static enum mls_status plan_for(struct mls_session *session, const struct mls_shape *shapes,
                                const struct mls_plan **ret_plan, struct mls_error *reterr)
{
    struct mls_plan *plan = take_plan(session, shapes);
    if (!plan) {
        enum mls_status status = plan_build(&session->shared, shapes, &plan, reterr);
        if (status)
            return status;
        make_room(session);
    }
    plan->next = session->plans;
    plan->n_holders++;
    session->plans = plan;
    session->n_plans++;
    *ret_plan = plan;
    return MLS_OK;
}

/* Only the session changes who holds a plan; to everyone else it is constant. */
static struct mls_plan *own(const struct mls_plan *plan)
{
    return (struct mls_plan *)(uintptr_t)plan;
}

void session_hold_plan(struct mls_session *session, const struct mls_plan *plan)
{
    pthread_mutex_lock(&session->planning);
    own(plan)->n_holders++;
    pthread_mutex_unlock(&session->planning);
}

void mls_session_release_plan(struct mls_session *session, const struct mls_plan *plan)
{
    if (!plan)
        return;
    pthread_mutex_lock(&session->planning);
    own(plan)->n_holders--;
    pthread_mutex_unlock(&session->planning);
}

enum mls_status mls_session_plan(struct mls_session *session, const struct mls_shape *shapes,
                                 const struct mls_plan **ret_plan, struct mls_error *reterr)
{
    size_t n_inputs = session->shared.interface->n_inputs;
    struct mls_shape *wanted = calloc(n_inputs ? n_inputs : 1, sizeof *wanted);
    if (!wanted)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot plan the model: out of memory");
    enum mls_status status = MLS_OK;
    if (shapes && n_inputs)
        memcpy(wanted, shapes, n_inputs * sizeof *wanted);
    else
        status = plan_default_shapes(&session->shared, wanted, reterr);
    if (!status)
        status = plan_check_shapes(&session->shared, wanted, reterr);
    if (!status) {
        pthread_mutex_lock(&session->planning);
        status = plan_for(session, wanted, ret_plan, reterr);
        pthread_mutex_unlock(&session->planning);
    }
    free(wanted);
    return status;
}

static bool is_input_open(const struct plan_shared *shared)
{
    const struct mls_program *program = &shared->model->program;
    const struct mls_block *block = &program->blocks[program->functions[shared->function.i].block.i];
    for (uint32_t i = 0; i < block->n_inputs; i++)
        if (!mls_type_is_static(&program->values[block->inputs[i].i].type))
            return true;
    return false;
}

enum mls_status mls_session_settle(const struct mls_session *session, struct mls_model *model,
                                   struct mls_error *reterr)
{
    const struct plan_shared *shared = &session->shared;
    const struct mls_program *program = &model->program;
    if (!shared->settled || is_input_open(shared))
        return MLS_OK;
    struct mls_value *values = MLS_NEW_ARRAY(model->arena, program->n_values, struct mls_value);
    if (!values)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot describe the model: out of memory");
    memcpy(values, program->values, program->n_values * sizeof *values);
    for (uint32_t i = 0; i < program->n_values; i++) {
        const struct mls_type *found = &shared->settled[i];
        struct mls_type *type = &values[i].type;
        if (found->dtype == MLS_NONE || type->kind != MLS_KIND_TENSOR || mls_type_is_static(type) ||
            found->rank > MLS_RANK_MAX)
            continue;
        type->rank = found->rank;
        memcpy(type->dims, found->dims, sizeof type->dims);
    }
    model->program.values = values;
    return MLS_OK;
}
