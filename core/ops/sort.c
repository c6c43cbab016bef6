/*
 * sort.c: topk and argsort. Among equal values the lower index comes first; NaNs come last in both
 * directions, as NumPy has them.
 */
#include <string.h>

#include "base/checked.h"
#include "base/fp16.h"
#include "ops/copy.h"
#include "ops/op_family.h"

enum { X, K, AXIS, ASCENDING, SORT, RETURN_INDICES, INDICES_DTYPE }; /* of topk */
enum { ARG_AXIS = 1, ARG_ASCENDING };                                /* of argsort */

enum { TASK_ELEMS = 1 << 13, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/*
 * An entry: the value in the upper half, made so that entries sort as unsigned integers, and the index in the
 * lower half.
 */
typedef uint64_t entry;

static inline uint32_t float_key(float value, bool ascending)
{
    uint32_t bits;
    if (value != value)
        return UINT32_MAX;
    value += 0.0f; /* -0 is 0 */
    memcpy(&bits, &value, sizeof bits);
    bits ^= bits >> 31 ? UINT32_MAX : (uint32_t)1 << 31;
    return ascending ? bits : ~bits;
}

static inline uint32_t int_key(int64_t value, bool ascending)
{
    uint32_t bits = (uint32_t)(value - INT32_MIN);
    return ascending ? bits : ~bits;
}

/* Element i of a line as a key. */
static uint32_t key_of(const struct mls_tensor *x, int64_t i, bool ascending)
{
    if (x->type.dtype == MLS_FP32)
        return float_key(((const float *)x->data)[i], ascending);
    if (x->type.dtype == MLS_FP16)
        return float_key(mls_fp16_to_fp32(((const uint16_t *)x->data)[i]), ascending);
    return int_key(mls_tensor_int(x, i), ascending);
}

/* Restores the order of a heap, largest first, below `at`. */
static void sift_down(entry *heap, size_t n, size_t at)
{
    entry moved = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= moved)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

struct line_job {
    const struct mls_tensor *x;
    bool ascending;
    int64_t n;
    int64_t k;
    int64_t inner;
    int64_t n_lines;
    int64_t lines_per_task;
    entry *scratch;
    size_t scratch_entries; /* of one thread */
    struct mls_tensor *values;
    struct mls_tensor *indices;
};

/* The k smallest entries, sorted: a heap of the best so far, which few elements enter when k is small. */
static entry *select_heap(const struct line_job *job, int64_t first, entry *heap)
{
    size_t k = (size_t)job->k;
    for (int64_t i = 0; i < job->n; i++) {
        entry e = (entry)key_of(job->x, first + i * job->inner, job->ascending) << 32 | (entry)i;
        if ((size_t)i < k) {
            heap[i] = e;
            if ((size_t)i + 1 == k)
                for (size_t at = k / 2; at-- > 0;)
                    sift_down(heap, k, at);
        } else if (e < heap[0]) {
            heap[0] = e;
            sift_down(heap, k, 0);
        }
    }
    for (size_t left = k; left > 1; left--) {
        entry largest = heap[0];
        heap[0] = heap[left - 1];
        sift_down(heap, left - 1, 0);
        heap[left - 1] = largest;
    }
    return heap;
}

/* All entries sorted by their keys, digit by digit from the lowest; stable, so indices need no digits. */
static entry *sort_digits(const struct line_job *job, int64_t first, entry *buffer)
{
    size_t n = (size_t)job->n;
    entry *from = buffer, *to = buffer + n;
    for (size_t i = 0; i < n; i++)
        from[i] = (entry)key_of(job->x, first + (int64_t)i * job->inner, job->ascending) << 32 | (entry)i;
    for (unsigned shift = 32; shift < 64; shift += DIGIT_BITS) {
        size_t starts[DIGITS] = {0};
        for (size_t i = 0; i < n; i++)
            starts[(from[i] >> shift) % DIGITS]++;
        if (starts[(from[0] >> shift) % DIGITS] == n)
            continue;
        size_t start = 0;
        for (size_t d = 0; d < DIGITS; d++) {
            size_t count = starts[d];
            starts[d] = start;
            start += count;
        }
        for (size_t i = 0; i < n; i++)
            to[starts[(from[i] >> shift) % DIGITS]++] = from[i];
        entry *other = from;
        from = to;
        to = other;
    }
    return from;
}

static bool selects(int64_t n, int64_t k)
{
    return k <= n / 8 || n <= 64;
}

static void store_line(const struct line_job *job, int64_t line, const entry *entries)
{
    int64_t outer = line / job->inner, column = line % job->inner;
    int64_t from = outer * job->n * job->inner + column, to = outer * job->k * job->inner + column;
    size_t elem_bytes = mls_elem_bytes(job->x);
    for (int64_t i = 0; i < job->k; i++, to += job->inner) {
        uint32_t index = (uint32_t)entries[i];
        if (job->values)
            memcpy((char *)job->values->data + (size_t)to * elem_bytes,
                   (const char *)job->x->data + (size_t)(from + index * job->inner) * elem_bytes, elem_bytes);
        if (job->indices && job->indices->type.dtype == MLS_UINT16)
            ((uint16_t *)job->indices->data)[to] = (uint16_t)index;
        else if (job->indices)
            ((int32_t *)job->indices->data)[to] = (int32_t)index;
    }
}

static void sort_lines(void *context, size_t task, uint32_t thread)
{
    const struct line_job *job = context;
    entry *scratch = job->scratch + thread * job->scratch_entries;
    int64_t line = (int64_t)task * job->lines_per_task;
    int64_t end = job->n_lines - line < job->lines_per_task ? job->n_lines : line + job->lines_per_task;
    for (; line < end; line++) {
        int64_t first = line / job->inner * job->n * job->inner + line % job->inner;
        const entry *entries =
            selects(job->n, job->k) ? select_heap(job, first, scratch) : sort_digits(job, first, scratch);
        store_line(job, line, entries);
    }
}

static size_t entries_of(int64_t n, int64_t k)
{
    return selects(n, k) ? (size_t)k : 2 * (size_t)n;
}

static void run_lines(struct line_job *job, struct mls_op_call *call, unsigned axis, struct mls_op_env *env)
{
    const struct mls_type *x = &job->x->type;
    job->inner = mls_dims_product(x, axis + 1, x->rank);
    job->n_lines = mls_dims_product(x, 0, axis) * job->inner;
    job->scratch = call->scratch;
    job->scratch_entries = entries_of(job->n, job->k);
    call->kernel = selects(job->n, job->k) ? "select_heap" : "sort_radix";
    if (job->n_lines == 0 || job->k == 0)
        return;
    job->lines_per_task = job->n >= TASK_ELEMS ? 1 : TASK_ELEMS / job->n;
    mls_pool_for(env->pool, (size_t)((job->n_lines - 1) / job->lines_per_task + 1), sort_lines, job);
}

/* ---- topk ---- */

static enum mls_status bad_axis(const struct mls_op_call *call, int64_t axis, struct mls_error *reterr)
{
    return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside a tensor of rank %u",
                       (long long)axis, (unsigned)mls_op_in(call, X)->type.rank);
}

static enum mls_dtype indices_dtype(const struct mls_op_call *call)
{
    if (call->row->since < 7 || mls_op_text_is(call, INDICES_DTYPE, "int32", "int32"))
        return MLS_INT32;
    return mls_op_text_is(call, INDICES_DTYPE, NULL, "uint16") ? MLS_UINT16 : MLS_NONE;
}

static enum mls_status check_topk(const struct mls_op_call *call, struct mls_error *reterr)
{
    bool indices = call->row->since < 6 || mls_op_bool(call, RETURN_INDICES, true);
    if (call->n_outputs != (indices ? 2u : 1u))
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "it has %u outputs instead of %d",
                           call->n_outputs, indices ? 2 : 1);
    if (indices && indices_dtype(call) == MLS_NONE)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "output_indices_dtype is neither int32 nor uint16");
    return MLS_OK;
}

static enum mls_status infer_topk(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    int64_t k = mls_op_int(call, K, 1);
    unsigned axis;
    enum mls_status status = check_topk(call, reterr);
    if (status)
        return status;
    if (type.rank != MLS_RANK_UNKNOWN) {
        if (!mls_op_axis(mls_op_int(call, AXIS, -1), type.rank, &axis))
            return bad_axis(call, mls_op_int(call, AXIS, -1), reterr);
        int64_t n = type.dims[axis];
        if (k == -1 && call->row->since >= 7)
            k = n;
        else if (k < 0 || (n >= 0 && k > n))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "k is %lld for %lld elements along the axis", (long long)k, (long long)n);
        if (n > INT32_MAX || (call->n_outputs > 1 && indices_dtype(call) == MLS_UINT16 && n > UINT16_MAX + 1))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "indices into %lld elements do not fit their type", (long long)n);
        type.dims[axis] = k;
        mls_infer_later(&mls_op_in(call, X)->type, &type);
    }
    mls_op_out(call, 0)->type = type;
    if (call->n_outputs > 1) {
        type.dtype = indices_dtype(call);
        mls_op_out(call, 1)->type = type;
    }
    return MLS_OK;
}

static size_t scratch_topk(const struct mls_op_call *call, const struct mls_op_env *env)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    unsigned axis;
    if (!mls_type_is_static(x) || !mls_op_axis(mls_op_int(call, AXIS, -1), x->rank, &axis))
        return 0;
    return entries_of(x->dims[axis], mls_op_out(call, 0)->type.dims[axis]) * sizeof(entry) *
           mls_pool_threads(env->pool);
}

static enum mls_status run_topk(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    unsigned axis;
    mls_op_axis(mls_op_int(call, AXIS, -1), x->type.rank, &axis);
    struct line_job job = {.x = x,
                           .ascending = mls_op_bool(call, ASCENDING, false),
                           .n = x->type.dims[axis],
                           .k = mls_op_out(call, 0)->type.dims[axis],
                           .values = mls_op_out(call, 0),
                           .indices = call->n_outputs > 1 ? mls_op_out(call, 1) : NULL};
    if (job.k > job.n)
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "k is %lld for %lld elements along the axis",
                           (long long)job.k, (long long)job.n);
    run_lines(&job, call, axis, env);
    return MLS_OK;
}

/* ---- argsort ---- */

static enum mls_status infer_argsort(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    unsigned axis;
    if (type.rank != MLS_RANK_UNKNOWN && !mls_op_axis(mls_op_int(call, ARG_AXIS, -1), type.rank, &axis))
        return bad_axis(call, mls_op_int(call, ARG_AXIS, -1), reterr);
    type.dtype = MLS_INT32;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static size_t scratch_argsort(const struct mls_op_call *call, const struct mls_op_env *env)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    unsigned axis;
    if (!mls_type_is_static(x) || !mls_op_axis(mls_op_int(call, ARG_AXIS, -1), x->rank, &axis))
        return 0;
    return entries_of(x->dims[axis], x->dims[axis]) * sizeof(entry) * mls_pool_threads(env->pool);
}

static enum mls_status run_argsort(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    unsigned axis;
    mls_op_axis(mls_op_int(call, ARG_AXIS, -1), x->type.rank, &axis);
    struct line_job job = {.x = x,
                           .ascending = mls_op_bool(call, ARG_ASCENDING, false),
                           .n = x->type.dims[axis],
                           .k = x->type.dims[axis],
                           .indices = mls_op_out(call, 0)};
    run_lines(&job, call, axis, env);
    return MLS_OK;
}

#define OPTION(name, types)                                  \
    {                                                        \
        name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }
#define TOPK(opset, types, k_types, ...)                                    \
    {                                                                       \
        .name = "topk", .since = (opset), .flags = MLS_OP_OUTPUTS,          \
        .params = {[X] = {"x", (types), 0, 0},                              \
                   [K] = OPTION("k", k_types),                              \
                   [AXIS] = OPTION("axis", MLS_T_I32),                      \
                   [ASCENDING] = OPTION("ascending", MLS_T_BOOL),           \
                   __VA_ARGS__},                                            \
        .infer = infer_topk, .scratch_bytes = scratch_topk, .run = run_topk \
    }

static const struct mls_op_row rows[] = {
    {.name = "topk",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {[X] = {"x", MLS_T_FLOAT | MLS_T_I32, 0, 0},
                [K] = OPTION("k", MLS_T_I32),
                [AXIS] = OPTION("axis", MLS_T_I32),
                [ASCENDING] = OPTION("ascending", MLS_T_BOOL)},
     .infer = infer_topk,
     .scratch_bytes = scratch_topk,
     .run = run_topk},
    TOPK(6, MLS_T_FLOAT | MLS_T_I32, MLS_T_I32, OPTION("sort", MLS_T_BOOL),
         OPTION("return_indices", MLS_T_BOOL)),
    TOPK(7, MLS_T_MOVE_7 & ~MLS_T_BOOL, MLS_T_INDEX_7, OPTION("sort", MLS_T_BOOL),
         OPTION("return_indices", MLS_T_BOOL), OPTION("output_indices_dtype", MLS_T_TEXT)),
    {.name = "argsort",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT | MLS_T_I32, 0, 0},
                [ARG_AXIS] = OPTION("axis", MLS_T_I32),
                [ARG_ASCENDING] = OPTION("ascending", MLS_T_BOOL)},
     .infer = infer_argsort,
     .scratch_bytes = scratch_argsort,
     .run = run_argsort},
};

MLS_OP_FAMILY_DEFINE(sort, rows);
