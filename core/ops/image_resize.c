/* image_resize.c: the last two dimensions made larger or smaller: resize and upsample, nearest and bilinear.
 */
#include <math.h>
#include <string.h>

#include "kernels/sample/sample.h"
#include "ops/copy.h"
#include "ops/op_family.h"
#include "ops/sampling.h"

enum { X, HEIGHT, WIDTH, MODE, HALF_PIXEL }; /* MODE: align_corners or sampling_mode */
enum { SHAPE = 1, RESIZED_DIMS, INTERPOLATION, RESIZE_SAMPLING_MODE }; /* of resize */

/* Where the elements of an axis of the result lie in an axis of n_in. */
struct axis {
    int64_t n_in;
    int64_t n_out;
    enum mls_grid grid;
};

static enum mls_status check_side(const struct mls_op_call *call, const struct mls_type *type,
                                  struct mls_error *reterr)
{
    unsigned rank = type->rank;
    for (unsigned i = rank < 2 ? 0 : rank - 2; i < rank; i++)
        if (type->dims[i] == 0 || type->dims[i] > INT32_MAX)
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "a side of %lld elements cannot be resized",
                               (long long)type->dims[i]);
    int64_t h = rank > 1 ? type->dims[rank - 2] : 1, w = rank ? type->dims[rank - 1] : 1;
    if (h > 0 && w > 0 && w > INT32_MAX / h)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "planes of %lld x %lld are too large",
                           (long long)h, (long long)w);
    return MLS_OK;
}

static enum mls_status finish(const struct mls_op_call *call, struct mls_type *type, struct mls_error *reterr)
{
    enum mls_status status = check_side(call, &mls_op_in(call, X)->type, reterr);
    if (!status)
        status = check_side(call, type, reterr);
    mls_infer_later(&mls_op_in(call, X)->type, type);
    if (!status)
        mls_op_out(call, 0)->type = *type;
    return status;
}

static enum mls_status check_rank(const struct mls_op_call *call, struct mls_error *reterr)
{
    unsigned rank = mls_op_in(call, X)->type.rank;
    if (rank >= 3 && rank <= MLS_RANK_MAX)
        return MLS_OK;
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have at least rank 3");
}

/* ---- Shapes ---- */

static enum mls_status infer_upsample(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    enum mls_status status = check_rank(call, reterr);
    if (status)
        return status;
    for (unsigned i = 0; i < 2; i++) {
        int64_t *dim = &type.dims[type.rank - 2u + i];
        double factor = mls_op_float(call, HEIGHT + i, 1), n = floor(factor * (double)*dim);
        if (!(factor > 0) || (*dim >= 0 && !(n <= INT32_MAX)))
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s is %g",
                               call->row->params[HEIGHT + i].name, factor);
        *dim = *dim < 0 ? MLS_DIM_UNKNOWN : (int64_t)n;
    }
    return finish(call, &type, reterr);
}

/* The way of sampling that align_corners and, from opset 6 on, half_pixel_centers choose. */
static enum mls_grid upsample_grid(const struct mls_op_call *call)
{
    bool align = mls_op_bool(call, MODE, true);
    bool half_pixel = call->row->since >= 6 ? mls_op_bool(call, HALF_PIXEL, !align) : !align;
    if (align)
        return half_pixel ? MLS_GRIDS : MLS_GRID_STRICT;
    return half_pixel ? MLS_GRID_UNALIGN : MLS_GRID_DEFAULT;
}

static enum mls_status infer_upsample_bilinear(const struct mls_op_call *call, struct mls_error *reterr)
{
    if (upsample_grid(call) == MLS_GRIDS)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "align_corners and half_pixel_centers exclude each other");
    return infer_upsample(call, reterr);
}

static enum mls_status infer_resize_to(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    enum mls_status status = check_rank(call, reterr);
    if (status)
        return status;
    for (unsigned i = 0; i < 2; i++) {
        int64_t n = mls_op_int(call, HEIGHT + i, 1);
        if (n < 1)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s is %lld",
                               call->row->params[HEIGHT + i].name, (long long)n);
        type.dims[type.rank - 2u + i] = n;
    }
    return finish(call, &type, reterr);
}

static enum mls_status infer_resize_bilinear(const struct mls_op_call *call, struct mls_error *reterr)
{
    if (mls_grid_parse(call, MODE) == MLS_GRIDS)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "sampling_mode is not known");
    return infer_resize_to(call, reterr);
}

static bool is_linear(const struct mls_op_call *call)
{
    return mls_op_text_is(call, INTERPOLATION, "LINEAR", "LINEAR");
}

/* The resized dimensions are the last ones of `shape`; 0 keeps what x has. */
static enum mls_status infer_resize(const struct mls_op_call *call, struct mls_error *reterr)
{
    struct mls_type type = mls_op_in(call, X)->type;
    const struct mls_type *shape = &mls_op_in(call, SHAPE)->type;
    int64_t dims[MLS_RANK_MAX], n_resized = mls_op_int(call, RESIZED_DIMS, 0);
    int n = mls_op_ints(call, SHAPE, dims, MLS_RANK_MAX);
    bool linear = is_linear(call);
    if (!linear && !mls_op_text_is(call, INTERPOLATION, NULL, "NEAREST_NEIGHBOR"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "interpolation_mode is not known");
    if (mls_grid_parse(call, RESIZE_SAMPLING_MODE) == MLS_GRIDS)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "sampling_mode is not known");
    if (linear && type.dtype == MLS_INT32)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED, "integers cannot be interpolated");
    if (type.rank == MLS_RANK_UNKNOWN || shape->rank != 1 || n_resized < 0 || n_resized > type.rank ||
        (shape->dims[0] >= 0 && (n_resized > shape->dims[0] || shape->dims[0] > type.rank)))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE,
                           "resized_dims %lld and the shape do not go with rank %u", (long long)n_resized,
                           (unsigned)type.rank);
    for (int64_t i = 0; i < n_resized; i++) {
        unsigned at = type.rank - (unsigned)n_resized + (unsigned)i;
        int64_t wanted = n < 0 ? MLS_DIM_UNKNOWN : dims[n - n_resized + i];
        if (n >= 0 && wanted < 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "shape has a dimension of %lld",
                               (long long)wanted);
        if (wanted == 0 || wanted == type.dims[at])
            continue;
        if (n_resized - i > 2 && n >= 0)
            return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                               "only the last two dimensions can be resized");
        type.dims[at] = wanted;
    }
    return finish(call, &type, reterr);
}

/* ---- Nearest ---- */

/* Element i of the result reads this element. The default way (of upsampling) rounds down, the others to the
 * nearest. */
static int32_t nearest_index(const struct axis *axis, int64_t i)
{
    double position = mls_grid_position(axis->grid, 0, (double)axis->n_in, axis->n_out, i);
    int64_t at =
        axis->grid == MLS_GRID_DEFAULT ? i * axis->n_in / axis->n_out : (int64_t)floor(position + 0.5);
    return (int32_t)(at < 0 ? 0 : at < axis->n_in ? at : axis->n_in - 1);
}

struct nearest_job {
    const char *x;
    char *out;
    size_t elem_bytes;
    struct axis rows;
    struct axis columns;
    const int32_t *column_of;
    int64_t n_rows; /* of all planes of the result */
    int64_t rows_per_task;
};

static void nearest_rows(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct nearest_job *job = context;
    const uint32_t unused = 0;
    size_t row_bytes = (size_t)job->columns.n_out * job->elem_bytes;
    int64_t row = (int64_t)task * job->rows_per_task, before = -1;
    int64_t end = job->n_rows - row < job->rows_per_task ? job->n_rows : row + job->rows_per_task;
    for (; row < end; row++) {
        char *to = job->out + (size_t)row * row_bytes;
        int64_t from =
            row / job->rows.n_out * job->rows.n_in + nearest_index(&job->rows, row % job->rows.n_out);
        if (from == before)
            memcpy(to, to - row_bytes, row_bytes);
        else if (job->columns.n_in == job->columns.n_out)
            memcpy(to, job->x + (size_t)from * row_bytes, row_bytes);
        else
            mls_sample_nearest(job->x + (size_t)(from * job->columns.n_in) * job->elem_bytes, job->column_of,
                               (size_t)job->columns.n_out, job->elem_bytes, &unused, to);
        before = from;
    }
}

/* The planes of x and of the result: what lies before the last two dimensions. */
static int64_t n_planes(const struct mls_type *x)
{
    return mls_dims_product(x, 0, x->rank < 2 ? 0 : x->rank - 2u);
}

static struct axis axis_of(const struct mls_op_call *call, unsigned from_end, enum mls_grid grid)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *out = &mls_op_out(call, 0)->type;
    if (x->rank <= from_end)
        return (struct axis){1, 1, MLS_GRID_DEFAULT};
    return (struct axis){x->dims[x->rank - 1u - from_end], out->dims[x->rank - 1u - from_end], grid};
}

static enum mls_status run_nearest(struct mls_op_call *call, enum mls_grid grid, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    int32_t *column_of = call->scratch;
    struct nearest_job job = {.x = x->data,
                              .out = mls_op_out(call, 0)->data,
                              .elem_bytes = mls_elem_bytes(x),
                              .rows = axis_of(call, 1, grid),
                              .columns = axis_of(call, 0, grid),
                              .column_of = column_of};
    for (int64_t i = 0; i < job.columns.n_out; i++)
        column_of[i] = nearest_index(&job.columns, i);
    job.n_rows = n_planes(&x->type) * job.rows.n_out;
    job.rows_per_task = 1 + (1 << 15) / job.columns.n_out;
    mls_pool_for(env->pool, (size_t)((job.n_rows + job.rows_per_task - 1) / job.rows_per_task), nearest_rows,
                 &job);
    call->kernel = "resize_nearest";
    return MLS_OK;
}

/* ---- Bilinear ---- */

struct linear {
    struct mls_axis_point *columns;
    struct mls_axis_point *rows;
    int64_t width;
};

static void fill_linear(const void *context, int64_t image, int64_t first, int64_t n, struct mls_pixel *ret)
{
    (void)image;
    const struct linear *linear = context;
    int64_t row = first / linear->width, column = first % linear->width;
    for (int64_t i = 0; i < n; i++) {
        ret[i].x = linear->columns[column];
        ret[i].y = linear->rows[row];
        if (++column == linear->width) {
            column = 0;
            row++;
        }
    }
}

static void solve_axis(const struct axis *axis, struct mls_axis_point *ret_points)
{
    for (int64_t i = 0; i < axis->n_out; i++) {
        double position = mls_grid_position(axis->grid, 0, (double)axis->n_in, axis->n_out, i);
        ret_points[i] = mls_axis_linear((float)position, axis->n_in, MLS_PAD_BORDER);
    }
}

static enum mls_status run_bilinear(struct mls_op_call *call, enum mls_grid grid, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct axis rows = axis_of(call, 1, grid), columns = axis_of(call, 0, grid);
    struct mls_axis_point *points = (void *)((char *)call->scratch + mls_sampling_scratch(env));
    struct linear linear = {.columns = points, .rows = points + columns.n_out, .width = columns.n_out};
    solve_axis(&columns, linear.columns);
    solve_axis(&rows, linear.rows);
    struct mls_sampling sampling = {.x = x,
                                    .out = mls_op_out(call, 0),
                                    .n_images = 1,
                                    .n_planes = n_planes(&x->type),
                                    .height = rows.n_in,
                                    .width = columns.n_in,
                                    .n_pixels = rows.n_out * columns.n_out,
                                    .fill = fill_linear,
                                    .context = &linear};
    call->kernel = mls_sample_images(&sampling, call->scratch, env);
    return MLS_OK;
}

static size_t scratch_nearest(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)env;
    return (size_t)axis_of(call, 0, MLS_GRID_DEFAULT).n_out * sizeof(int32_t);
}

static size_t scratch_bilinear(const struct mls_op_call *call, const struct mls_op_env *env)
{
    int64_t n = axis_of(call, 0, MLS_GRID_DEFAULT).n_out + axis_of(call, 1, MLS_GRID_DEFAULT).n_out;
    return mls_sampling_scratch(env) + (size_t)n * sizeof(struct mls_axis_point);
}

static size_t scratch_resize(const struct mls_op_call *call, const struct mls_op_env *env)
{
    return is_linear(call) ? scratch_bilinear(call, env) : scratch_nearest(call, env);
}

/* ---- Rows ---- */

static enum mls_status run_upsample_nearest(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_nearest(call, MLS_GRID_DEFAULT, env);
}

/* Resizing, other than upsampling, takes the centres of the elements by default. */
static enum mls_status run_resize_nearest(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_nearest(call, MLS_GRID_UNALIGN, env);
}

static enum mls_status run_upsample_bilinear(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_bilinear(call, upsample_grid(call), env);
}

static enum mls_status run_resize_bilinear(struct mls_op_call *call, struct mls_op_env *env)
{
    return run_bilinear(call, mls_grid_parse(call, MODE), env);
}

static enum mls_status run_resize(struct mls_op_call *call, struct mls_op_env *env)
{
    enum mls_grid grid = mls_grid_parse(call, RESIZE_SAMPLING_MODE);
    if (is_linear(call))
        return run_bilinear(call, grid, env);
    return grid == MLS_GRID_DEFAULT ? run_resize_nearest(call, env) : run_nearest(call, grid, env);
}

static uint64_t flops_bilinear(const struct mls_op_call *call)
{
    return 8 * mls_flops_elementwise(call); /* four products and four sums a pixel */
}

static uint64_t flops_resize(const struct mls_op_call *call)
{
    return is_linear(call) ? flops_bilinear(call) : 0;
}

#define OPTION(name, types)                                  \
    {                                                        \
        name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, 0 \
    }
#define T_FACTOR (MLS_DTYPE_BIT(MLS_FP32) | MLS_T_I32)
#define FACTORS \
    [HEIGHT] = OPTION("scale_factor_height", T_FACTOR), [WIDTH] = OPTION("scale_factor_width", T_FACTOR)

static const struct mls_op_row rows[] = {
    {.name = "upsample_nearest_neighbor",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 0}, FACTORS},
     .infer = infer_upsample,
     .scratch_bytes = scratch_nearest,
     .run = run_upsample_nearest},
    {.name = "resize_nearest_neighbor",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 0},
                [HEIGHT] = {"target_size_height", MLS_T_I32, MLS_PARAM_CONST, 0},
                [WIDTH] = {"target_size_width", MLS_T_I32, MLS_PARAM_CONST, 0}},
     .infer = infer_resize_to,
     .scratch_bytes = scratch_nearest,
     .run = run_resize_nearest},
    {.name = "upsample_bilinear",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 0}, FACTORS, [MODE] = OPTION("align_corners", MLS_T_BOOL)},
     .infer = infer_upsample_bilinear,
     .flops = flops_bilinear,
     .scratch_bytes = scratch_bilinear,
     .run = run_upsample_bilinear},
    {.name = "upsample_bilinear",
     .since = 6,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 0},
                FACTORS,
                [MODE] = OPTION("align_corners", MLS_T_BOOL),
                [HALF_PIXEL] = OPTION("half_pixel_centers", MLS_T_BOOL)},
     .infer = infer_upsample_bilinear,
     .flops = flops_bilinear,
     .scratch_bytes = scratch_bilinear,
     .run = run_upsample_bilinear},
    {.name = "resize_bilinear",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 0},
                [HEIGHT] = OPTION("target_size_height", MLS_T_I32),
                [WIDTH] = OPTION("target_size_width", MLS_T_I32),
                [MODE] = OPTION("sampling_mode", MLS_T_TEXT)},
     .infer = infer_resize_bilinear,
     .flops = flops_bilinear,
     .scratch_bytes = scratch_bilinear,
     .run = run_resize_bilinear},
    {.name = "resize",
     .since = 7,
     .params = {[X] = {"x", MLS_T_FLOAT | MLS_T_I32, 0, 0},
                [SHAPE] = {"shape",
                           MLS_T_I32 | MLS_DTYPE_BIT(MLS_INT16) | MLS_DTYPE_BIT(MLS_UINT16) |
                               MLS_DTYPE_BIT(MLS_UINT32),
                           0, 0},
                [RESIZED_DIMS] = {"resized_dims", MLS_DTYPE_BIT(MLS_UINT32) | MLS_T_I32, MLS_PARAM_CONST, 0},
                [INTERPOLATION] = OPTION("interpolation_mode", MLS_T_TEXT),
                [RESIZE_SAMPLING_MODE] = OPTION("sampling_mode", MLS_T_TEXT)},
     .infer = infer_resize,
     .flops = flops_resize,
     .scratch_bytes = scratch_resize,
     .run = run_resize},
};

MLS_OP_FAMILY_DEFINE(image_resize, rows);
