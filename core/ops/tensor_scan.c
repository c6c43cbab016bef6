/* tensor_scan.c: operations that walk a tensor in order: cumsum, non_zero. */
#include <string.h>

#include "base/fp16.h"
#include "ops/copy.h"
#include "ops/op_family.h"

/* ---- cumsum ---- */

enum { X, AXIS, EXCLUSIVE, REVERSE };

enum { COLUMNS = 64, TASK_ELEMS = 1 << 14 };

static enum mls_status infer_cumsum(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    unsigned axis;
    if (x->rank != MLS_RANK_UNKNOWN && !mls_op_axis(mls_op_int(call, AXIS, 0), x->rank, &axis))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld lies outside a tensor of rank %u",
                           (long long)mls_op_int(call, AXIS, 0), (unsigned)x->rank);
    return mls_infer_same(call, reterr);
}

/* A lane is up to COLUMNS neighbouring lines along the axis. */
struct scan_job {
    enum mls_dtype dtype;
    const char *x;
    char *out;
    int64_t n; /* along the axis */
    int64_t inner;
    int64_t lanes; /* of an outer index */
    bool exclusive;
    bool reverse;
    int64_t n_lanes;
    int64_t lanes_per_task;
};

/* Sums of fp16 are kept in fp32; integers wrap. */
#define SCAN(name, type, sum_type, load, store)                                    \
    static void name(const struct scan_job *job, int64_t first, int64_t columns)   \
    {                                                                              \
        const type *x = (const void *)job->x;                                      \
        type *out = (void *)job->out;                                              \
        sum_type sums[COLUMNS] = {0};                                              \
        for (int64_t k = 0; k < job->n; k++) {                                     \
            int64_t at = first + (job->reverse ? job->n - 1 - k : k) * job->inner; \
            for (int64_t c = 0; c < columns; c++) {                                \
                sum_type before = sums[c];                                         \
                sums[c] += load(x[at + c]);                                        \
                out[at + c] = store(job->exclusive ? before : sums[c]);            \
            }                                                                      \
        }                                                                          \
    }

SCAN(scan_fp16, uint16_t, float, mls_fp16_to_fp32, mls_fp32_to_fp16)
SCAN(scan_fp32, float, float, , )
SCAN(scan_int32, uint32_t, uint32_t, , )

static void scan_lanes(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct scan_job *job = context;
    int64_t lane = (int64_t)task * job->lanes_per_task;
    int64_t end = job->n_lanes - lane < job->lanes_per_task ? job->n_lanes : lane + job->lanes_per_task;
    for (; lane < end; lane++) {
        int64_t column = lane % job->lanes * COLUMNS,
                first = lane / job->lanes * job->n * job->inner + column;
        int64_t columns = job->inner - column < COLUMNS ? job->inner - column : COLUMNS;
        if (job->dtype == MLS_FP16)
            scan_fp16(job, first, columns);
        else if (job->dtype == MLS_FP32)
            scan_fp32(job, first, columns);
        else
            scan_int32(job, first, columns);
    }
}

static enum mls_status run_cumsum(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    unsigned axis;
    mls_op_axis(mls_op_int(call, AXIS, 0), x->type.rank, &axis);
    struct scan_job job = {.dtype = x->type.dtype,
                           .x = x->data,
                           .out = mls_op_out(call, 0)->data,
                           .n = x->type.dims[axis],
                           .inner = mls_dims_product(&x->type, axis + 1, x->type.rank),
                           .exclusive = mls_op_bool(call, EXCLUSIVE, false),
                           .reverse = mls_op_bool(call, REVERSE, false)};
    call->kernel = "cumsum";
    if (mls_type_elems(&x->type) == 0)
        return MLS_OK;
    int64_t lane_elems = job.n * (job.inner < COLUMNS ? job.inner : COLUMNS);
    job.lanes = (job.inner + COLUMNS - 1) / COLUMNS;
    job.n_lanes = mls_dims_product(&x->type, 0, axis) * job.lanes;
    job.lanes_per_task = lane_elems >= TASK_ELEMS ? 1 : TASK_ELEMS / lane_elems;
    mls_pool_for(env->pool, (size_t)((job.n_lanes - 1) / job.lanes_per_task + 1), scan_lanes, &job);
    return MLS_OK;
}

/* ---- non_zero ---- */

static enum mls_status infer_non_zero(const struct mls_op_call *call, struct mls_error *reterr)
{
    (void)reterr;
    const struct mls_type *x = &mls_op_in(call, X)->type;
    int64_t dims[] = {MLS_DIM_UNKNOWN, x->rank == MLS_RANK_UNKNOWN ? MLS_DIM_UNKNOWN : x->rank};
    mls_op_out(call, 0)->type = mls_type_tensor(MLS_INT32, 2, dims);
    return MLS_OK;
}

/* -0 is zero, NaN is not. */
static bool is_set(const struct mls_tensor *x, int64_t i)
{
    switch (x->type.dtype) {
    case MLS_FP16:
        return ((const uint16_t *)x->data)[i] & 0x7fff;
    case MLS_FP32:
        return ((const float *)x->data)[i] != 0;
    case MLS_INT32:
        return ((const int32_t *)x->data)[i] != 0;
    default: /* BOOL */
        return ((const uint8_t *)x->data)[i] != 0;
    }
}

static enum mls_status run_non_zero(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    int64_t n = mls_type_elems(&x->type), n_set = 0;
    unsigned rank = x->type.rank;
    for (unsigned i = 0; i < rank; i++)
        if (x->type.dims[i] > INT32_MAX)
            return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE,
                               "indices into %lld elements do not fit int32", (long long)x->type.dims[i]);
    for (int64_t i = 0; i < n; i++)
        n_set += is_set(x, i);
    out->type = mls_type_tensor(MLS_INT32, 2, (int64_t[]){n_set, rank});
    enum mls_status status = mls_op_allocate(call, env, 0);
    if (status)
        return status;
    int32_t *row = out->data;
    for (int64_t i = 0; i < n; i++) {
        if (!is_set(x, i))
            continue;
        int64_t rest = i;
        for (unsigned d = rank; d-- > 0;) {
            row[d] = (int32_t)(rest % x->type.dims[d]);
            rest /= x->type.dims[d];
        }
        row += rank;
    }
    call->kernel = "non_zero";
    return MLS_OK;
}

#define OPTION(name, types)                                  \
    {                                                        \
        name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }

static const struct mls_op_row rows[] = {
    {.name = "cumsum",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT | MLS_T_I32, 0, 0},
                [AXIS] = OPTION("axis", MLS_T_I32),
                [EXCLUSIVE] = OPTION("exclusive", MLS_T_BOOL),
                [REVERSE] = OPTION("reverse", MLS_T_BOOL)},
     .infer = infer_cumsum,
     .flops = mls_flops_elementwise,
     .run = run_cumsum},
    {.name = "non_zero",
     .since = 5,
     .flags = MLS_OP_ALLOCATES,
     .params = {[X] = {"x", MLS_T_MOVE_5, 0, 0}},
     .infer = infer_non_zero,
     .run = run_non_zero},
};

MLS_OP_FAMILY_DEFINE(tensor_scan, rows);
