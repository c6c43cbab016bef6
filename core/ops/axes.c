#include "ops/axes.h"

#include "ops/elementwise.h"

struct mls_axes mls_axes_plan(const struct mls_type *type, uint32_t reduced)
{
    /* Groups from the outermost on. */
    unsigned n = 0;
    int64_t dims[MLS_RANK_MAX];
    bool is_reduced[MLS_RANK_MAX];
    for (unsigned i = 0; i < type->rank; i++) {
        bool this_reduced = (reduced >> i) & 1u;
        if (type->dims[i] == 1)
            continue;
        if (n && is_reduced[n - 1] == this_reduced) {
            dims[n - 1] *= type->dims[i];
        } else {
            dims[n] = type->dims[i];
            is_reduced[n++] = this_reduced;
        }
    }
    struct mls_axes axes = {.rows = true, .inner = 1, .kept = 1, .reduced = 1};
    if (!n)
        return axes;
    axes.rows = is_reduced[n - 1];
    axes.inner = dims[n - 1];
    int64_t stride = axes.inner, strides[MLS_RANK_MAX];
    for (unsigned i = n - 1; i-- > 0;) {
        strides[i] = stride;
        stride *= dims[i];
    }
    for (unsigned i = 0; i + 1 < n; i++) {
        if (is_reduced[i]) {
            axes.reduced_dims[axes.n_reduced] = dims[i];
            axes.reduced_strides[axes.n_reduced++] = strides[i];
            axes.reduced *= dims[i];
        } else {
            axes.kept_dims[axes.n_kept] = dims[i];
            axes.kept_strides[axes.n_kept++] = strides[i];
            axes.kept *= dims[i];
        }
    }
    return axes;
}

static int64_t offset_of(const int64_t *dims, const int64_t *strides, unsigned n, int64_t index)
{
    if (n == 1)
        return index * strides[0];
    int64_t offset = 0;
    for (unsigned i = n; i-- > 0;) {
        offset += index % dims[i] * strides[i];
        index /= dims[i];
    }
    return offset;
}

int64_t mls_axes_kept(const struct mls_axes *axes, int64_t index)
{
    return offset_of(axes->kept_dims, axes->kept_strides, axes->n_kept, index);
}

int64_t mls_axes_reduced(const struct mls_axes *axes, int64_t index)
{
    return offset_of(axes->reduced_dims, axes->reduced_strides, axes->n_reduced, index);
}

int64_t mls_axes_count(const struct mls_axes *axes)
{
    return axes->rows ? axes->reduced * axes->inner : axes->reduced;
}

enum mls_status mls_axes_param(const struct mls_op_call *call, unsigned param, unsigned rank,
                               uint32_t *ret_reduced, struct mls_error *reterr)
{
    if (!mls_op_given(call, param)) {
        *ret_reduced = (1u << rank) - 1;
        return MLS_OK;
    }
    int64_t axes[MLS_RANK_MAX];
    int n = mls_op_ints(call, param, axes, MLS_RANK_MAX);
    if (n < 0)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "parameter \"%s\" is no list of at most %d integers",
                           call->row->params[param].name, MLS_RANK_MAX);
    uint32_t reduced = 0;
    for (int i = 0; i < n; i++) {
        unsigned axis;
        if (!mls_op_axis(axes[i], rank, &axis))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                               "axis %lld lies outside the %u dimensions of x", (long long)axes[i], rank);
        if (reduced & (1u << axis))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "axis %lld is named twice",
                               (long long)axes[i]);
        reduced |= 1u << axis;
    }
    *ret_reduced = reduced;
    return MLS_OK;
}

struct axes_job {
    const struct mls_axes *axes;
    mls_axes_rows *rows;
    mls_axes_columns *columns;
    void *context;
    int64_t units; /* rows, or blocks of columns of all kept groups */
    int64_t units_per_task;
    int64_t blocks; /* of columns in a kept group */
};

static void run_task(void *context, size_t task, uint32_t thread)
{
    const struct axes_job *job = context;
    int64_t first = (int64_t)task * job->units_per_task;
    int64_t last = first + job->units_per_task < job->units ? first + job->units_per_task : job->units;
    if (job->axes->rows) {
        job->rows(job->context, first, last, thread);
        return;
    }
    for (int64_t unit = first; unit < last; unit++) {
        int64_t column = unit % job->blocks * MLS_COLUMN_BLOCK;
        int64_t left = job->axes->inner - column;
        job->columns(job->context, unit / job->blocks, column,
                     left < MLS_COLUMN_BLOCK ? left : MLS_COLUMN_BLOCK, thread);
    }
}

void mls_axes_for(const struct mls_axes *axes, struct mls_pool *pool, mls_axes_rows *rows,
                  mls_axes_columns *columns, void *context)
{
    struct axes_job job = {.axes = axes, .rows = rows, .columns = columns, .context = context, .blocks = 1};
    int64_t unit_elems = mls_axes_count(axes);
    if (!axes->rows) {
        job.blocks = (axes->inner + MLS_COLUMN_BLOCK - 1) / MLS_COLUMN_BLOCK;
        unit_elems *= axes->inner < MLS_COLUMN_BLOCK ? axes->inner : MLS_COLUMN_BLOCK;
    }
    job.units = axes->kept * job.blocks;
    if (!job.units)
        return;
    job.units_per_task = unit_elems < 1 ? MLS_CHUNK_ELEMS : (MLS_CHUNK_ELEMS + unit_elems - 1) / unit_elems;
    int64_t n_tasks = (job.units + job.units_per_task - 1) / job.units_per_task;
    if (n_tasks == 1)
        run_task(&job, 0, 0);
    else
        mls_pool_for(pool, (size_t)n_tasks, run_task, &job);
}
