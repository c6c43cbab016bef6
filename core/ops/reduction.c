/*
 * reduction.c: reductions over any set of axes. One operation per element of x in `flops`. Floats are summed
 * as reduce.h says; integers in 64 bits, and means, roots and logarithms of integers are truncated, as
 * NumPy's astype does.
 */
#include <math.h>

#include "kernels/convert/convert.h"
#include "ops/moments.h"
#include "ops/op_family.h"

enum { X_PARAM, AXES_PARAM, KEEP_DIMS_PARAM };

enum finish { AS_IS, MEAN, ROOT, LOGARITHM, LOG_SUM_EXP };

/* One row an operation: name, reduction, what is done at the end. */
#define REDUCTION_LIST(X)                              \
    X(reduce_l1_norm, MLS_REDUCE_SUM_ABS, AS_IS)       \
    X(reduce_l2_norm, MLS_REDUCE_SUM_SQUARE, ROOT)     \
    X(reduce_log_sum, MLS_REDUCE_SUM, LOGARITHM)       \
    X(reduce_log_sum_exp, MLS_REDUCE_MAX, LOG_SUM_EXP) \
    X(reduce_max, MLS_REDUCE_MAX, AS_IS)               \
    X(reduce_mean, MLS_REDUCE_SUM, MEAN)               \
    X(reduce_min, MLS_REDUCE_MIN, AS_IS)               \
    X(reduce_prod, MLS_REDUCE_PROD, AS_IS)             \
    X(reduce_sum, MLS_REDUCE_SUM, AS_IS)               \
    X(reduce_sum_square, MLS_REDUCE_SUM_SQUARE, AS_IS)

/* The type of x without the reduced axes, or with them as 1. */
static struct mls_type reduced_type(const struct mls_type *x, uint32_t reduced, bool keep_dims)
{
    struct mls_type type = mls_type_tensor(x->dtype, 0, NULL);
    for (unsigned i = 0; i < x->rank; i++) {
        if (!((reduced >> i) & 1u))
            type.dims[type.rank++] = x->dims[i];
        else if (keep_dims)
            type.dims[type.rank++] = 1;
    }
    return type;
}

static enum mls_status infer_reduced(const struct mls_op_call *call, bool needs_elements,
                                     struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X_PARAM)->type;
    struct mls_tensor *output = mls_op_out(call, 0);
    if (x->rank == MLS_RANK_UNKNOWN) {
        output->type = *x;
        return MLS_OK;
    }
    uint32_t reduced = 0;
    enum mls_status status = mls_axes_param(call, AXES_PARAM, x->rank, &reduced, reterr);
    if (status != MLS_OK)
        return status;
    for (unsigned i = 0; needs_elements && i < x->rank; i++)
        if (((reduced >> i) & 1u) && x->dims[i] == 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                               "dimension %u is empty and has no largest or smallest", i);
    output->type = reduced_type(x, reduced, mls_op_bool(call, KEEP_DIMS_PARAM, false));
    return MLS_OK;
}

static enum mls_status infer_sum(const struct mls_op_call *call, struct mls_error *reterr)
{
    return infer_reduced(call, false, reterr);
}

static enum mls_status infer_extreme(const struct mls_op_call *call, struct mls_error *reterr)
{
    return infer_reduced(call, true, reterr);
}

static uint64_t flops_of_input(const struct mls_op_call *call)
{
    int64_t n = mls_type_elems(&mls_op_in(call, X_PARAM)->type);
    return n > 0 ? (uint64_t)n : 0;
}

struct reduction_job {
    struct mls_axes axes;
    struct mls_reduce_source source; /* of floats */
    enum mls_reduce reduce;
    enum finish finish;
    enum mls_dtype dtype;
    const int32_t *integers; /* of integers */
    char *y;
    size_t elem_bytes;
};

static double finished(enum finish finish, double value, double count)
{
    switch (finish) {
    case MEAN:
        return value / count;
    case ROOT:
        return sqrt(value);
    case LOGARITHM:
    case LOG_SUM_EXP:
        return log(value);
    case AS_IS:
        break;
    }
    return value;
}

static void float_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct reduction_job *job = context;
    (void)thread;
    double count = (double)mls_axes_count(&job->axes);
    for (int64_t row = first; row < last; row++) {
        double value = mls_reduce_one(&job->source, job->reduce, row, 0);
        if (job->finish == LOG_SUM_EXP)
            value += log(mls_reduce_one(&job->source, MLS_REDUCE_SUM_EXP, row, (float)value));
        else
            value = finished(job->finish, value, count);
        mls_cast(MLS_FP64, &value, job->dtype, job->y + (size_t)row * job->elem_bytes, 1);
    }
}

static void float_columns(void *context, int64_t kept, int64_t column, int64_t n, uint32_t thread)
{
    const struct reduction_job *job = context;
    (void)thread;
    double values[MLS_COLUMN_BLOCK], sums[MLS_COLUMN_BLOCK];
    float shifts[MLS_COLUMN_BLOCK];
    double count = (double)mls_axes_count(&job->axes);
    mls_reduce_block(&job->source, job->reduce, kept, column, n, NULL, values);
    if (job->finish == LOG_SUM_EXP) {
        for (int64_t i = 0; i < n; i++)
            shifts[i] = (float)values[i];
        mls_reduce_block(&job->source, MLS_REDUCE_SUM_EXP, kept, column, n, shifts, sums);
        for (int64_t i = 0; i < n; i++)
            values[i] += log(sums[i]);
    } else {
        for (int64_t i = 0; i < n; i++)
            values[i] = finished(job->finish, values[i], count);
    }
    size_t at = (size_t)(kept * job->axes.inner + column);
    mls_cast(MLS_FP64, values, job->dtype, job->y + at * job->elem_bytes, (size_t)n);
}

/* The elements of one result: `base` and all reduced offsets from it, each with a run of contiguous elements.
 */
static int32_t reduce_integers(const struct reduction_job *job, int64_t base)
{
    const struct mls_axes *axes = &job->axes;
    size_t run = axes->rows ? (size_t)axes->inner : 1;
    int64_t value = job->reduce == MLS_REDUCE_MAX    ? INT32_MIN
                    : job->reduce == MLS_REDUCE_MIN  ? INT32_MAX
                    : job->reduce == MLS_REDUCE_PROD ? 1
                                                     : 0;
    for (int64_t r = 0; run && r < axes->reduced; r++)
        value =
            mls_reduce_int32(job->reduce, job->integers + base + mls_axes_reduced(axes, r), run, 1, value);
    double real = (double)value;
    if (job->finish == LOG_SUM_EXP) {
        double sum = 0;
        for (int64_t r = 0; r < axes->reduced; r++)
            for (size_t i = 0; i < run; i++)
                sum += exp((double)job->integers[(size_t)(base + mls_axes_reduced(axes, r)) + i] - real);
        real += log(sum);
    } else if (job->finish != AS_IS) {
        real = finished(job->finish, real, (double)mls_axes_count(axes));
    } else {
        return (int32_t)value;
    }
    int32_t truncated;
    mls_cast(MLS_FP64, &real, MLS_INT32, &truncated, 1);
    return truncated;
}

static void integer_rows(void *context, int64_t first, int64_t last, uint32_t thread)
{
    const struct reduction_job *job = context;
    (void)thread;
    for (int64_t row = first; row < last; row++)
        ((int32_t *)(void *)job->y)[row] = reduce_integers(job, mls_axes_kept(&job->axes, row));
}

static void integer_columns(void *context, int64_t kept, int64_t column, int64_t n, uint32_t thread)
{
    const struct reduction_job *job = context;
    (void)thread;
    int64_t base = mls_axes_kept(&job->axes, kept);
    int32_t *y = (int32_t *)(void *)job->y + kept * job->axes.inner;
    for (int64_t i = column; i < column + n; i++)
        y[i] = reduce_integers(job, base + i);
}

static enum mls_status run_reduction(struct mls_op_call *call, struct mls_op_env *env, enum mls_reduce reduce,
                                     enum finish finish)
{
    const struct mls_tensor *x = mls_op_in(call, X_PARAM);
    uint32_t reduced = 0;
    enum mls_status status = mls_axes_param(call, AXES_PARAM, x->type.rank, &reduced, env->error);
    if (status != MLS_OK)
        return status;
    struct reduction_job job = {.axes = mls_axes_plan(&x->type, reduced),
                                .reduce = reduce,
                                .finish = finish,
                                .dtype = x->type.dtype,
                                .y = mls_op_out(call, 0)->data,
                                .elem_bytes = mls_dtype_bits(x->type.dtype) / 8};
    if (x->type.dtype == MLS_INT32) {
        job.integers = x->data;
        call->kernel = "reduce_int32__generic";
        mls_axes_for(&job.axes, env->pool, integer_rows, integer_columns, &job);
    } else {
        job.source = mls_reduce_source_of(x, &job.axes, env->kernels);
        call->kernel = job.source.kernels[reduce].name;
        mls_axes_for(&job.axes, env->pool, float_rows, float_columns, &job);
    }
    return MLS_OK;
}

#define RUN(name, reduce, finish)                                                       \
    static enum mls_status run_##name(struct mls_op_call *call, struct mls_op_env *env) \
    {                                                                                   \
        return run_reduction(call, env, reduce, finish);                                \
    }
REDUCTION_LIST(RUN)

/* An empty maximum has no value; an empty sum is 0. */
#define INFER(reduce) ((reduce) == MLS_REDUCE_MAX || (reduce) == MLS_REDUCE_MIN ? infer_extreme : infer_sum)

#define ROW(op, reduce, finish)                                                                          \
    {.name = #op,                                                                                        \
     .since = 5,                                                                                         \
     .params = {[X_PARAM] = {"x", MLS_T_FLOAT | MLS_T_I32, 0, 'T'},                                      \
                [AXES_PARAM] = {"axes", MLS_T_I32, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0},             \
                [KEEP_DIMS_PARAM] = {"keep_dims", MLS_T_BOOL, MLS_PARAM_OPTIONAL | MLS_PARAM_CONST, 0}}, \
     .infer = INFER(reduce),                                                                             \
     .flops = flops_of_input,                                                                            \
     .run = run_##op},

static const struct mls_op_row rows[] = {REDUCTION_LIST(ROW)};

MLS_OP_FAMILY_DEFINE(reduction, rows);
