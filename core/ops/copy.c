#include "ops/copy.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/move/move.h"

/* Work of one task: large enough to be worth handing out, small enough to share. */
enum { TASK_BYTES = 1 << 16, CACHE_LINE_BYTES = 64 };

struct dim {
    int64_t n;
    ptrdiff_t source; /* strides in bytes */
    ptrdiff_t target;
};

/* A copy reduced to as few dimensions as it has, target strides falling. */
struct plan {
    size_t elem_bytes;
    unsigned rank;
    struct dim dims[MLS_COPY_RANK_MAX];
};

enum method { ROWS, TRANSPOSE, STRIDED };

/*
 * One unit is a block of two dimensions: a chunk of `outer` times a chunk of `inner`. Units are numbered by
 * the counted dimensions, then the inner chunks, then the outer ones.
 */
struct job {
    enum method method;
    const struct mls_transpose_kernel *transpose;
    size_t elem_bytes;
    const char *source;
    char *target;
    struct dim inner;
    struct dim outer;
    int64_t outer_chunk; /* elements */
    int64_t inner_chunk;
    int64_t n_outer_chunks;
    int64_t n_chunks; /* of a block: outer times inner ones */
    unsigned n_counted;
    struct dim counted[MLS_COPY_RANK_MAX];
    size_t n_units;
    size_t units_per_task;
};

static ptrdiff_t magnitude(ptrdiff_t stride)
{
    return stride < 0 ? -stride : stride;
}

void mls_strides(unsigned rank, const int64_t *dims, int64_t *ret_strides)
{
    int64_t stride = 1;
    for (unsigned i = rank; i-- > 0;) {
        ret_strides[i] = stride;
        stride *= dims[i];
    }
}

/* Drops dimensions of one element and sorts the others by falling target stride; false when there is nothing.
 */
static bool sort_dims(const struct mls_copy *copy, struct plan *plan)
{
    ptrdiff_t elem_bytes = (ptrdiff_t)copy->elem_bytes;
    for (unsigned i = 0; i < copy->rank; i++) {
        if (copy->dims[i] == 0)
            return false;
        if (copy->dims[i] == 1)
            continue;
        struct dim dim = {copy->dims[i], copy->source_strides[i] * elem_bytes,
                          copy->target_strides[i] * elem_bytes};
        unsigned at = plan->rank++;
        for (; at > 0 && magnitude(plan->dims[at - 1].target) < magnitude(dim.target); at--)
            plan->dims[at] = plan->dims[at - 1];
        plan->dims[at] = dim;
    }
    return true;
}

/* Merges dimensions that walk together. */
static void merge_dims(struct plan *plan)
{
    unsigned kept = 0;
    for (unsigned i = 1; i < plan->rank; i++) {
        struct dim *outer = &plan->dims[kept];
        const struct dim *inner = &plan->dims[i];
        if (outer->source == inner->source * inner->n && outer->target == inner->target * inner->n)
            *outer = (struct dim){outer->n * inner->n, inner->source, inner->target};
        else
            plan->dims[++kept] = *inner;
    }
    plan->rank = plan->rank ? kept + 1 : 0;
}

/* Short contiguous rows (of pairs, of quadruples) are elements of their own. */
static void widen_elements(struct plan *plan)
{
    if (!plan->rank)
        return;
    const struct dim *inner = &plan->dims[plan->rank - 1];
    ptrdiff_t elem = (ptrdiff_t)plan->elem_bytes;
    size_t row = (size_t)inner->n * plan->elem_bytes;
    if (inner->source == elem && inner->target == elem && (row == 2 || row == 4 || row == 8)) {
        plan->elem_bytes = row;
        plan->rank--;
    }
}

static void take_dim(struct plan *plan, unsigned index, struct dim *ret_dim)
{
    *ret_dim = plan->dims[index];
    memmove(&plan->dims[index], &plan->dims[index + 1], (plan->rank - index - 1) * sizeof plan->dims[0]);
    plan->rank--;
}

/* Chooses how a block is copied, and which dimension goes with the innermost one. */
static void choose_block(struct plan *plan, const struct mls_move_kernels *kernels, struct job *job)
{
    ptrdiff_t elem = (ptrdiff_t)plan->elem_bytes;
    job->elem_bytes = plan->elem_bytes;
    job->inner = (struct dim){1, elem, elem};
    job->outer = (struct dim){1, 0, 0};
    if (plan->rank)
        take_dim(plan, plan->rank - 1, &job->inner);
    bool contiguous = job->inner.target == elem;
    job->method = contiguous && job->inner.source == elem ? ROWS : STRIDED;
    unsigned second = plan->rank - 1;
    if (job->method == STRIDED && contiguous && plan->elem_bytes <= MLS_MOVE_TRANSPOSE_BYTES) {
        for (unsigned i = 0; i < plan->rank; i++) {
            if (plan->dims[i].source == elem) {
                job->method = TRANSPOSE;
                job->transpose = &kernels->transpose[plan->elem_bytes];
                second = i;
            }
        }
    }
    if (plan->rank)
        take_dim(plan, second, &job->outer);
    job->n_counted = plan->rank;
    memcpy(job->counted, plan->dims, plan->rank * sizeof plan->dims[0]);
}

static void choose_units(struct job *job)
{
    const int64_t task_elems = (int64_t)(TASK_BYTES / job->elem_bytes);
    job->inner_chunk = job->inner.n <= 2 * task_elems ? job->inner.n : task_elems;
    int64_t chunk = job->inner_chunk >= task_elems ? 1 : task_elems / job->inner_chunk;
    if (job->method == TRANSPOSE) { /* whole lines of the source */
        int64_t line = (int64_t)(CACHE_LINE_BYTES / job->elem_bytes);
        chunk = (chunk + line - 1) / line * line;
    }
    job->outer_chunk = chunk < job->outer.n ? chunk : job->outer.n;
    job->n_outer_chunks = (job->outer.n + job->outer_chunk - 1) / job->outer_chunk;
    job->n_chunks = job->n_outer_chunks * ((job->inner.n + job->inner_chunk - 1) / job->inner_chunk);
    job->n_units = (size_t)job->n_chunks;
    for (unsigned i = 0; i < job->n_counted; i++)
        job->n_units *= (size_t)job->counted[i].n;
    int64_t unit_elems = job->inner_chunk * job->outer_chunk;
    job->units_per_task = unit_elems >= task_elems ? 1 : (size_t)(task_elems / unit_elems);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void run_unit(const struct job *job, const char *source, char *target, int64_t chunk)
{
    int64_t first_outer = chunk % job->n_outer_chunks * job->outer_chunk;
    int64_t first_inner = chunk / job->n_outer_chunks * job->inner_chunk;
    int64_t n_outer = smaller(job->outer.n - first_outer, job->outer_chunk);
    int64_t n_inner = smaller(job->inner.n - first_inner, job->inner_chunk);
    source += first_outer * job->outer.source + first_inner * job->inner.source;
    target += first_outer * job->outer.target + first_inner * job->inner.target;
    switch (job->method) {
    case ROWS:
        mls_move_rows(source, job->outer.source, target, job->outer.target, (size_t)n_outer,
                      (size_t)n_inner * job->elem_bytes);
        break;
    case TRANSPOSE: /* source rows: the inner dimension; its columns: the chunk of the outer one */
        job->transpose->run(source, job->inner.source, target, job->outer.target, (size_t)n_inner,
                            (size_t)n_outer);
        break;
    case STRIDED: {
        struct mls_move_block block = {.n_outer = (size_t)n_outer,
                                       .n_inner = (size_t)n_inner,
                                       .source_outer = job->outer.source,
                                       .source_inner = job->inner.source,
                                       .target_outer = job->outer.target,
                                       .target_inner = job->inner.target};
        mls_move_strided(source, target, &block, job->elem_bytes);
        break;
    }
    }
}

static void run_task(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct job *job = context;
    size_t unit = task * job->units_per_task;
    size_t end = job->n_units - unit < job->units_per_task ? job->n_units : unit + job->units_per_task;
    int64_t chunk = (int64_t)(unit % (size_t)job->n_chunks), at[MLS_COPY_RANK_MAX] = {0};
    size_t rest = unit / (size_t)job->n_chunks;
    const char *source = job->source;
    char *target = job->target;
    for (unsigned i = job->n_counted; i-- > 0;) {
        at[i] = (int64_t)(rest % (size_t)job->counted[i].n);
        rest /= (size_t)job->counted[i].n;
        source += at[i] * job->counted[i].source;
        target += at[i] * job->counted[i].target;
    }
    for (; unit < end; unit++) {
        run_unit(job, source, target, chunk);
        if (++chunk < job->n_chunks)
            continue;
        chunk = 0;
        for (unsigned i = job->n_counted; i-- > 0;) {
            source += job->counted[i].source;
            target += job->counted[i].target;
            if (++at[i] < job->counted[i].n)
                break;
            source -= job->counted[i].n * job->counted[i].source;
            target -= job->counted[i].n * job->counted[i].target;
            at[i] = 0;
        }
    }
}

static const char *job_name(const struct job *job)
{
    if (job->method == TRANSPOSE)
        return job->transpose->name;
    return job->method == ROWS ? "copy_rows" : "copy_strided";
}

const char *mls_copy_run(const struct mls_copy *copy, const struct mls_op_env *env)
{
    struct plan plan = {.elem_bytes = copy->elem_bytes};
    if (!sort_dims(copy, &plan))
        return "copy_rows";
    merge_dims(&plan);
    widen_elements(&plan);
    struct job job = {.source = copy->source, .target = copy->target};
    choose_block(&plan, env->kernels->move, &job);
    choose_units(&job);
    size_t n_tasks = (job.n_units + job.units_per_task - 1) / job.units_per_task;
    if (n_tasks == 1)
        run_task(&job, 0, 0);
    else
        mls_pool_for(env->pool, n_tasks, run_task, &job);
    return job_name(&job);
}

void mls_copy_bytes(void *target, const void *source, size_t size_bytes, const struct mls_op_env *env)
{
    if (target == source || !size_bytes)
        return;
    struct mls_copy copy = {.elem_bytes = 1,
                            .rank = 1,
                            .dims = {(int64_t)size_bytes},
                            .source_strides = {1},
                            .target_strides = {1},
                            .source = source,
                            .target = target};
    mls_copy_run(&copy, env);
}
