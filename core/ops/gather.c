/*
 * gather.c: elements and slices picked by index. Out of range and not validated, an index picks the nearest
 * end: the definitions leave the value open.
 */
#include <string.h>

#include "kernels/convert/convert.h"
#include "kernels/matvec/matvec.h"
#include "ops/copy.h"
#include "ops/indices.h"
#include "ops/op_family.h"

enum { X, INDICES, AXIS, BATCH_DIMS, VALIDATE }; /* of gather */
enum { ALONG_VALIDATE = 3 };                     /* of gather_along_axis */
enum { ND_BATCH_DIMS = 2, ND_VALIDATE };         /* of gather_nd */

/* Bytes that one task should move at least. */
enum { TASK_BYTES = 1 << 16 };

/* An index as `rule` has it; -1 only when it is an error. */
static inline int64_t pick(const struct mls_tensor *indices, int64_t i, int64_t n, struct mls_index_rule rule)
{
    int64_t index = mls_index_get(indices, i, n, rule);
    if (index >= 0 || rule.strict || n == 0)
        return index;
    return mls_tensor_int(indices, i) < 0 ? 0 : n - 1;
}

static inline void copy_element(char *to, const char *from, size_t bytes)
{
    switch (bytes) { /* constant sizes are single instructions */
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    default:
        memcpy(to, from, bytes);
        break;
    }
}

/* False when a common dimension differs. */
static bool same_dims(const struct mls_type *a, const struct mls_type *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (a->dims[i] >= 0 && b->dims[i] >= 0 && a->dims[i] != b->dims[i])
            return false;
    return true;
}

static enum mls_status bad_shapes(const struct mls_op_call *call, struct mls_error *reterr)
{
    char x[96], indices[96];
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x %s and indices %s do not go together",
                       mls_type_format(&mls_op_in(call, X)->type, x, sizeof x),
                       mls_type_format(&mls_op_in(call, INDICES)->type, indices, sizeof indices));
}

static bool unknown_rank(const struct mls_op_call *call)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    if (x->rank != MLS_RANK_UNKNOWN && mls_op_in(call, INDICES)->type.rank != MLS_RANK_UNKNOWN)
        return false;
    mls_op_out(call, 0)->type = (struct mls_type){.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
    return true;
}

static enum mls_status bad_axis(const struct mls_op_call *call, struct mls_error *reterr)
{
    return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside a tensor of rank %u",
                       (long long)mls_op_int(call, AXIS, 0), (unsigned)mls_op_in(call, X)->type.rank);
}

/* ---- gather ---- */

static int64_t batch_dims_of(const struct mls_op_call *call, unsigned param)
{
    return call->row->since >= 6 ? mls_op_int(call, param, 0) : 0;
}

static enum mls_status infer_gather(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *indices = &mls_op_in(call, INDICES)->type;
    unsigned axis;
    if (unknown_rank(call))
        return MLS_OK;
    if (!mls_op_axis(mls_op_int(call, AXIS, 0), x->rank, &axis))
        return bad_axis(call, reterr);
    int64_t batch = batch_dims_of(call, BATCH_DIMS);
    if (batch < 0 || batch > axis || batch > indices->rank)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "batch_dims %lld is more than axis %u or the rank of indices", (long long)batch,
                           axis);
    if (!same_dims(x, indices, (unsigned)batch))
        return bad_shapes(call, reterr);
    if (x->rank - 1 + indices->rank - (unsigned)batch > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                           MLS_RANK_MAX);
    struct mls_type type = mls_type_tensor(x->dtype, 0, NULL);
    for (unsigned i = 0; i < axis; i++)
        type.dims[type.rank++] = x->dims[i];
    for (unsigned i = (unsigned)batch; i < indices->rank; i++)
        type.dims[type.rank++] = indices->dims[i];
    for (unsigned i = axis + 1; i < x->rank; i++)
        type.dims[type.rank++] = x->dims[i];
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* The slices [batch][middle] of x, each of n rows, from which every batch takes its own rows. */
struct gather_job {
    const struct mls_tensor *indices;
    struct mls_index_rule rule;
    const char *x;
    char *out;
    int64_t n_middle;  /* slices of a batch */
    int64_t n;         /* rows of a slice */
    int64_t n_indices; /* of a batch */
    size_t row_bytes;
    int64_t n_rows; /* of the result */
    int64_t rows_per_task;
    int64_t bad; /* an index that was refused, or -1; any of several */
};

static void gather_rows(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    struct gather_job *job = context;
    int64_t row = (int64_t)task * job->rows_per_task;
    int64_t end = job->n_rows - row < job->rows_per_task ? job->n_rows : row + job->rows_per_task;
    for (; row < end; row++) {
        int64_t slice = row / job->n_indices, batch = slice / job->n_middle;
        int64_t i = batch * job->n_indices + row % job->n_indices;
        int64_t index = pick(job->indices, i, job->n, job->rule);
        if (index < 0) {
            __atomic_store_n(&job->bad, i, __ATOMIC_RELAXED);
            return;
        }
        copy_element(job->out + (size_t)row * job->row_bytes,
                     job->x + (size_t)(slice * job->n + index) * job->row_bytes, job->row_bytes);
    }
}

/* Rows of a compressed table, decoded as they are picked. */
struct coded_job {
    const struct mls_kernels *kernels;
    const struct mls_coded *table;
    struct gather_job rows;
};

static void gather_coded(void *context, size_t row, uint32_t thread)
{
    (void)thread;
    struct coded_job *job = context;
    size_t k = job->table->k;
    struct mls_coded_cache cache;
    int64_t index = pick(job->rows.indices, (int64_t)row, job->rows.n, job->rows.rule);
    if (index < 0) {
        __atomic_store_n(&job->rows.bad, (int64_t)row, __ATOMIC_RELAXED);
        return;
    }
    cache.n_known = 0;
    mls_coded_terms(job->kernels, job->table, (size_t)index, 0, k, &cache,
                    (uint16_t *)(void *)job->rows.out + row * k);
}

/* Rows of a matrix are decoded; along other axes the table is needed as a whole. */
static bool gathers_rows(const struct mls_op_call *call)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    unsigned axis;
    return mls_op_axis(mls_op_int(call, AXIS, 0), x->rank, &axis) && !axis &&
           !batch_dims_of(call, BATCH_DIMS);
}

static enum mls_status pack_gather(const struct mls_op_call *call, struct mls_op_env *env,
                                   struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    if (!x->coded || gathers_rows(call))
        return MLS_OK;
    size_t bytes = mls_type_bytes(&x->type);
    uint16_t *table = bytes != SIZE_MAX ? mls_arena_alloc(arena, bytes, 64) : NULL;
    if (!table)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "no memory for its table");
    mls_coded_expand(env->kernels, env->pool, x->coded, &(struct mls_coded_part){0, x->coded->n, 0, x->coded->k},
                     table);
    *ret_packed = table;
    *ret_packed_bytes = bytes;
    return MLS_OK;
}

static enum mls_status run_gather(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *indices = mls_op_in(call, INDICES);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned axis, batch = (unsigned)batch_dims_of(call, BATCH_DIMS);
    mls_op_axis(mls_op_int(call, AXIS, 0), x->type.rank, &axis);
    struct gather_job job = {.indices = indices,
                             .rule = mls_index_rule(call, VALIDATE),
                             .x = x->coded ? call->packed : x->data,
                             .out = out->data,
                             .n_middle = mls_dims_product(&x->type, batch, axis),
                             .n = x->type.dims[axis],
                             .n_indices = mls_dims_product(&indices->type, batch, indices->type.rank),
                             .row_bytes = (size_t)mls_dims_product(&x->type, axis + 1, x->type.rank) *
                                          mls_elem_bytes(x),
                             .bad = -1};
    call->kernel = "gather_rows";
    if (mls_type_elems(&out->type) == 0)
        return MLS_OK;
    job.n_rows = mls_dims_product(&x->type, 0, axis) * job.n_indices;
    if ((size_t)job.n_rows * job.row_bytes != mls_type_bytes(&out->type) ||
        !same_dims(&x->type, &indices->type, batch))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "x and indices are not as planned");
    if (x->coded && !call->packed) {
        struct coded_job coded = {.kernels = env->kernels, .table = x->coded, .rows = job};
        mls_pool_for(env->pool, (size_t)job.n_rows, gather_coded, &coded);
        call->kernel = "gather_coded_rows";
        return coded.rows.bad < 0 ? MLS_OK : mls_index_fail(call, indices, coded.rows.bad, job.n, env->error);
    }
    job.rows_per_task = job.row_bytes >= TASK_BYTES ? 1 : (int64_t)(TASK_BYTES / job.row_bytes);
    mls_pool_for(env->pool, (size_t)((job.n_rows - 1) / job.rows_per_task + 1), gather_rows, &job);
    return job.bad < 0 ? MLS_OK : mls_index_fail(call, indices, job.bad, job.n, env->error);
}

/* ---- gather_along_axis ---- */

static enum mls_status infer_gather_along_axis(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *indices = &mls_op_in(call, INDICES)->type;
    unsigned axis;
    if (unknown_rank(call))
        return MLS_OK;
    if (x->rank != indices->rank)
        return bad_shapes(call, reterr);
    if (!mls_op_axis(mls_op_int(call, AXIS, 0), x->rank, &axis))
        return bad_axis(call, reterr);
    struct mls_type type = *indices, other = *x;
    other.dims[axis] = indices->dims[axis];
    if (!same_dims(&other, indices, x->rank))
        return bad_shapes(call, reterr);
    type.dtype = x->dtype;
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_gather_along_axis(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *indices = mls_op_in(call, INDICES);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned axis;
    mls_op_axis(mls_op_int(call, AXIS, 0), x->type.rank, &axis);
    struct mls_type expected = x->type;
    expected.dims[axis] = indices->type.dims[axis];
    if (!same_dims(&expected, &indices->type, x->type.rank) ||
        !same_dims(&out->type, &indices->type, x->type.rank))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "x and indices are not as planned");
    struct mls_index_rule rule = mls_index_rule(call, ALONG_VALIDATE);
    size_t elem_bytes = mls_elem_bytes(x);
    int64_t n = x->type.dims[axis], n_indices = indices->type.dims[axis];
    int64_t outer = mls_dims_product(&x->type, 0, axis);
    int64_t inner = mls_dims_product(&x->type, axis + 1, x->type.rank);
    const char *from = x->data;
    char *to = out->data;
    call->kernel = "gather_elements";
    for (int64_t o = 0, i = 0; o < outer; o++, from += (size_t)(n * inner) * elem_bytes) {
        for (int64_t k = 0; k < n_indices; k++) {
            for (int64_t j = 0; j < inner; j++, i++, to += elem_bytes) {
                int64_t index = pick(indices, i, n, rule);
                if (index < 0)
                    return mls_index_fail(call, indices, i, n, env->error);
                copy_element(to, from + (size_t)(index * inner + j) * elem_bytes, elem_bytes);
            }
        }
    }
    return MLS_OK;
}

/* ---- gather_nd ---- */

static enum mls_status infer_gather_nd(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *indices = &mls_op_in(call, INDICES)->type;
    if (unknown_rank(call))
        return MLS_OK;
    int64_t batch = batch_dims_of(call, ND_BATCH_DIMS);
    if (indices->rank == 0 || batch < 0 || batch >= indices->rank || batch > x->rank)
        return bad_shapes(call, reterr);
    int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 0) {
        mls_op_out(call, 0)->type = (struct mls_type){.dtype = x->dtype, .rank = MLS_RANK_UNKNOWN};
        return MLS_OK;
    }
    if (depth > x->rank - batch || !same_dims(x, indices, (unsigned)batch))
        return bad_shapes(call, reterr);
    struct mls_type type = mls_type_tensor(x->dtype, 0, NULL);
    if (indices->rank - 1 + x->rank - batch - depth > MLS_RANK_MAX)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "the result has more than %d dimensions",
                           MLS_RANK_MAX);
    for (unsigned i = 0; i + 1 < indices->rank; i++)
        type.dims[type.rank++] = indices->dims[i];
    for (unsigned i = (unsigned)(batch + depth); i < x->rank; i++)
        type.dims[type.rank++] = x->dims[i];
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status run_gather_nd(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *indices = mls_op_in(call, INDICES);
    struct mls_tensor *out = mls_op_out(call, 0);
    unsigned batch = (unsigned)batch_dims_of(call, ND_BATCH_DIMS), last = indices->type.rank - 1u;
    unsigned depth = (unsigned)indices->type.dims[last];
    struct mls_index_rule rule = mls_index_rule(call, ND_VALIDATE);
    int64_t n_batches = mls_dims_product(&indices->type, 0, batch);
    int64_t n_tuples = mls_dims_product(&indices->type, batch, last);
    int64_t slice = mls_dims_product(&x->type, batch, x->type.rank);
    size_t elem_bytes = mls_elem_bytes(x);
    size_t row_bytes = (size_t)mls_dims_product(&x->type, batch + depth, x->type.rank) * elem_bytes;
    if (!same_dims(&x->type, &indices->type, batch) ||
        (size_t)(n_batches * n_tuples) * row_bytes != mls_type_bytes(&out->type))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "x and indices are not as planned");
    char *to = out->data;
    call->kernel = "gather_rows";
    for (int64_t t = 0; t < n_batches * n_tuples && row_bytes; t++, to += row_bytes) {
        int64_t position = 0;
        for (unsigned d = 0; d < depth; d++) {
            int64_t n = x->type.dims[batch + d], i = t * depth + d;
            int64_t index = pick(indices, i, n, rule);
            if (index < 0)
                return mls_index_fail(call, indices, i, n, env->error);
            position = position * n + index;
        }
        const char *from = (const char *)x->data + (size_t)(t / n_tuples * slice) * elem_bytes;
        copy_element(to, from + (size_t)position * row_bytes, row_bytes);
    }
    return MLS_OK;
}

#define T_5 (MLS_T_FLOAT | MLS_T_I32)
#define T_7 (MLS_T_MOVE_7 & ~MLS_T_BOOL)
#define I_6 (MLS_T_I32 | MLS_DTYPE_BIT(MLS_INT16) | MLS_DTYPE_BIT(MLS_UINT16))
#define I_7 (I_6 | MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8))
#define OPTION(name, types)                                  \
    {                                                        \
        name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }
#define GATHER(op, opset, types, index_types, ...)               \
    {                                                            \
        .name = #op, .since = (opset),                           \
        .params = {[X] = {"x", (types), X_FLAGS_##op, 0},        \
                   [INDICES] = {"indices", (index_types), 0, 0}, \
                   __VA_ARGS__},                                 \
        .infer = infer_##op, MORE_##op.run = run_##op            \
    }
#define X_FLAGS_gather MLS_PARAM_CODED
#define X_FLAGS_gather_along_axis 0
#define X_FLAGS_gather_nd 0
#define MORE_gather .pack = pack_gather,
#define MORE_gather_along_axis
#define MORE_gather_nd
#define WITH_AXIS OPTION("axis", MLS_T_I32)
#define WITH_BATCH OPTION("batch_dims", MLS_T_I32)
#define WITH_VALIDATE OPTION("validate_indices", MLS_T_BOOL)

static const struct mls_op_row rows[] = {
    GATHER(gather, 5, T_5, MLS_T_I32, WITH_AXIS),
    GATHER(gather, 6, T_5, I_6, WITH_AXIS, WITH_BATCH),
    GATHER(gather, 7, T_7, I_7, WITH_AXIS, WITH_BATCH, WITH_VALIDATE),
    GATHER(gather_along_axis, 5, T_5, MLS_T_I32, WITH_AXIS),
    GATHER(gather_along_axis, 6, T_5, I_6, WITH_AXIS),
    GATHER(gather_along_axis, 7, T_7, I_7, WITH_AXIS, WITH_VALIDATE),
    {.name = "gather_nd",
     .since = 5,
     .params = {[X] = {"x", T_5, 0, 0}, [INDICES] = {"indices", MLS_T_I32, 0, 0}},
     .infer = infer_gather_nd,
     .run = run_gather_nd},
    GATHER(gather_nd, 6, T_5, I_6, WITH_BATCH),
    GATHER(gather_nd, 7, T_7, I_7, WITH_BATCH, WITH_VALIDATE),
};

MLS_OP_FAMILY_DEFINE(gather, rows);
