/* image_sample.c: images read at positions that the program computes: resample, affine. */
#include <string.h>

#include "base/fp16.h"
#include "kernels/sample/sample.h"
#include "ops/copy.h"
#include "ops/op_family.h"
#include "ops/sampling.h"

enum { X, COORDINATES, SAMPLING, PADDING, PADDING_VALUE, COORDINATES_MODE, ALIGN_CORNERS }; /* of resample */
enum { MATRIX = 1, A_HEIGHT, A_WIDTH, A_SAMPLING, A_PADDING, A_PADDING_VALUE, A_COORDINATES_MODE, A_ALIGN };

enum range { UNNORMALIZED, MINUS_ONE_TO_ONE, ZERO_TO_ONE, RANGES };

static enum range range_of(const struct mls_op_call *call, unsigned param)
{
    static const char *const names[] = {[UNNORMALIZED] = "unnormalized",
                                        [MINUS_ONE_TO_ONE] = "normalized_minus_one_to_one",
                                        [ZERO_TO_ONE] = "normalized_zero_to_one"};
    enum range range = UNNORMALIZED;
    while (range < RANGES && !mls_op_text_is(call, param, NULL, names[range]))
        range++;
    return range;
}

static enum mls_padding padding_of(const struct mls_op_call *call, unsigned param)
{
    static const char *const names[] = {[MLS_PAD_CONSTANT] = "constant",
                                        [MLS_PAD_BORDER] = "border",
                                        [MLS_PAD_REFLECTION] = "reflection",
                                        [MLS_PAD_SYMMETRIC] = "symmetric"};
    enum mls_padding padding = MLS_PAD_CONSTANT;
    while (padding < MLS_PADDINGS && !mls_op_text_is(call, param, NULL, names[padding]))
        padding++;
    return padding;
}

/* Whether planes of this image have offsets that tables can hold, and elements to read. */
static enum mls_status check_plane(const struct mls_op_call *call, const struct mls_type *x,
                                   struct mls_error *reterr)
{
    int64_t h = x->dims[2], w = x->dims[3];
    if (h == 0 || w == 0 || (h > 0 && w > 0 && (h > INT32_MAX || w > INT32_MAX / h)))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "images of %lld x %lld cannot be sampled",
                           (long long)h, (long long)w);
    return MLS_OK;
}

/* ---- resample ---- */

static enum mls_status check_modes(const struct mls_op_call *call, struct mls_error *reterr)
{
    bool bilinear = mls_op_text_is(call, SAMPLING, NULL, "bilinear");
    if (!bilinear && !mls_op_text_is(call, SAMPLING, NULL, "nearest"))
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "sampling_mode is neither bilinear nor nearest");
    if (padding_of(call, PADDING) == MLS_PADDINGS)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT,
                           "padding_mode is none of constant, border, reflection, symmetric");
    if (range_of(call, COORDINATES_MODE) == RANGES)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "coordinates_mode is not known");
    if (mls_type_elems(&mls_op_in(call, PADDING_VALUE)->type) != 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "padding_value must be a scalar");
    return MLS_OK;
}

static enum mls_status infer_resample(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *at = &mls_op_in(call, COORDINATES)->type;
    enum mls_status status = check_modes(call, reterr);
    if (status)
        return status;
    bool pairs = at->rank == 4 && (at->dims[3] == 2 || at->dims[3] == MLS_DIM_UNKNOWN);
    if (x->rank != 4 || !pairs || (x->dims[0] >= 0 && at->dims[0] >= 0 && x->dims[0] != at->dims[0])) {
        char image[96], positions[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x %s and coordinates %s do not go together",
                           mls_type_format(x, image, sizeof image),
                           mls_type_format(at, positions, sizeof positions));
    }
    status = check_plane(call, x, reterr);
    if (status)
        return status;
    struct mls_type type = *x;
    if (type.dims[0] < 0)
        type.dims[0] = at->dims[0];
    type.dims[2] = at->dims[1];
    type.dims[3] = at->dims[2];
    mls_infer_later(x, &type);
    mls_infer_later(at, &type);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

struct resample {
    const struct mls_tensor *coordinates;
    enum range range;
    enum mls_padding padding;
    bool align;
    int64_t width;
    int64_t height;
    int64_t n_pixels;
};

/* A coordinate as a position in elements; the arithmetic is fp32 throughout, as PyTorch's is. */
static float position_of(float coordinate, int64_t n, enum range range, bool align)
{
    float length = (float)n;
    if (range == MINUS_ONE_TO_ONE)
        return align ? (coordinate + 1) / 2 * (length - 1) : ((coordinate + 1) * length - 1) / 2;
    if (range == ZERO_TO_ONE)
        return align ? coordinate * (length - 1) : coordinate * length - 0.5f;
    return coordinate;
}

static float coordinate_at(const struct mls_tensor *coordinates, int64_t i)
{
    switch (coordinates->type.dtype) {
    case MLS_FP32:
        return ((const float *)coordinates->data)[i];
    case MLS_FP16:
        return mls_fp16_to_fp32(((const uint16_t *)coordinates->data)[i]);
    default:
        return (float)mls_tensor_int(coordinates, i);
    }
}

static void position_pixel(const struct resample *r, int64_t image, int64_t pixel, float *ret_x, float *ret_y)
{
    int64_t i = 2 * (image * r->n_pixels + pixel);
    *ret_x = position_of(coordinate_at(r->coordinates, i), r->width, r->range, r->align);
    *ret_y = position_of(coordinate_at(r->coordinates, i + 1), r->height, r->range, r->align);
}

static void fill_resample(const void *context, int64_t image, int64_t first, int64_t n, struct mls_pixel *ret)
{
    const struct resample *r = context;
    for (int64_t i = 0; i < n; i++) {
        float x, y;
        position_pixel(r, image, first + i, &x, &y);
        ret[i].x = mls_axis_linear(x, r->width, r->padding);
        ret[i].y = mls_axis_linear(y, r->height, r->padding);
    }
}

/* Nearest sampling: one image a time, a table of indices for BLOCK pixels a task, then all planes. */
enum { NEAREST_BLOCK = 2048 };

struct nearest_job {
    const struct resample *resample;
    const struct mls_tensor *x;
    struct mls_tensor *out;
    const void *outside;
    int64_t n_blocks;
    int64_t n_planes;
};

static void nearest_task(void *context, size_t task, uint32_t thread)
{
    (void)thread;
    const struct nearest_job *job = context;
    const struct resample *r = job->resample;
    int32_t indices[NEAREST_BLOCK];
    int64_t image = (int64_t)task / job->n_blocks, first = (int64_t)task % job->n_blocks * NEAREST_BLOCK;
    int64_t n = r->n_pixels - first < NEAREST_BLOCK ? r->n_pixels - first : NEAREST_BLOCK;
    for (int64_t i = 0; i < n; i++) {
        float x, y;
        position_pixel(r, image, first + i, &x, &y);
        int32_t column = mls_axis_nearest(x, r->width, r->padding),
                row = mls_axis_nearest(y, r->height, r->padding);
        indices[i] = column < 0 || row < 0 ? -1 : (int32_t)(row * r->width) + column;
    }
    size_t elem_bytes = mls_elem_bytes(job->x);
    for (int64_t plane = image * job->n_planes; plane < (image + 1) * job->n_planes; plane++)
        mls_sample_nearest((const char *)job->x->data + (size_t)(plane * r->height * r->width) * elem_bytes,
                           indices, (size_t)n, elem_bytes, job->outside,
                           (char *)job->out->data + (size_t)(plane * r->n_pixels + first) * elem_bytes);
}

static size_t scratch_sampling(const struct mls_op_call *call, const struct mls_op_env *env)
{
    (void)call;
    return mls_sampling_scratch(env);
}

static enum mls_status run_resample(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *at = mls_op_in(call, COORDINATES);
    struct mls_tensor *out = mls_op_out(call, 0);
    if (at->type.dims[0] != x->type.dims[0] || at->type.dims[3] != 2)
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "x and coordinates are not as planned");
    struct resample resample = {.coordinates = at,
                                .range = range_of(call, COORDINATES_MODE),
                                .padding = padding_of(call, PADDING),
                                .align = mls_op_bool(call, ALIGN_CORNERS, false),
                                .width = x->type.dims[3],
                                .height = x->type.dims[2],
                                .n_pixels = at->type.dims[1] * at->type.dims[2]};
    if (mls_op_text_is(call, SAMPLING, NULL, "nearest")) {
        struct nearest_job job = {.resample = &resample,
                                  .x = x,
                                  .out = out,
                                  .outside = mls_op_in(call, PADDING_VALUE)->data,
                                  .n_blocks = (resample.n_pixels + NEAREST_BLOCK - 1) / NEAREST_BLOCK,
                                  .n_planes = x->type.dims[1]};
        mls_pool_for(env->pool, (size_t)(x->type.dims[0] * job.n_blocks), nearest_task, &job);
        call->kernel = "sample_nearest";
        return MLS_OK;
    }
    struct mls_sampling sampling = {.x = x,
                                    .out = out,
                                    .n_images = x->type.dims[0],
                                    .n_planes = x->type.dims[1],
                                    .height = resample.height,
                                    .width = resample.width,
                                    .n_pixels = resample.n_pixels,
                                    .padding_value = (float)mls_op_float(call, PADDING_VALUE, 0),
                                    .fill = fill_resample,
                                    .context = &resample};
    call->kernel = mls_sample_images(&sampling, call->scratch, env);
    return MLS_OK;
}

/* ---- affine ---- */

static enum mls_status infer_affine(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *matrix = &mls_op_in(call, MATRIX)->type;
    bool supported = mls_op_text_is(call, A_SAMPLING, NULL, "bilinear") &&
                     padding_of(call, A_PADDING) == MLS_PAD_CONSTANT &&
                     range_of(call, A_COORDINATES_MODE) == MINUS_ONE_TO_ONE &&
                     mls_op_bool(call, A_ALIGN, false);
    if (!supported)
        return mls_op_fail(
            call, reterr, MLS_ERR_OP_UNSUPPORTED,
            "only bilinear sampling, constant padding, coordinates from -1 to 1 and aligned corners exist");
    int64_t height = mls_op_int(call, A_HEIGHT, 0), width = mls_op_int(call, A_WIDTH, 0);
    if (x->rank != 4 || matrix->rank != 2 || (matrix->dims[1] >= 0 && matrix->dims[1] != 6) ||
        (matrix->dims[0] > 1 && x->dims[0] >= 0 && matrix->dims[0] != x->dims[0]) || matrix->dims[0] == 0) {
        char image[96], text[96];
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x %s and transform_matrix %s do not go together",
                           mls_type_format(x, image, sizeof image),
                           mls_type_format(matrix, text, sizeof text));
    }
    if (height < 1 || width < 1)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "the output is %lld x %lld", (long long)height,
                           (long long)width);
    enum mls_status status = check_plane(call, x, reterr);
    struct mls_type type = *x;
    type.dims[2] = height;
    type.dims[3] = width;
    mls_infer_later(x, &type);
    mls_infer_later(matrix, &type);
    if (!status)
        mls_op_out(call, 0)->type = type;
    return status;
}

struct affine {
    const struct mls_tensor *matrix;
    int64_t width; /* of x */
    int64_t height;
    int64_t out_width;
    int64_t out_height;
};

/* The coordinate of element i of n, from -1 to 1; the middle where there is one element only. */
static float centred(int64_t i, int64_t n)
{
    return n > 1 ? 2 * (float)i / (float)(n - 1) - 1 : 0;
}

static void fill_affine(const void *context, int64_t image, int64_t first, int64_t n, struct mls_pixel *ret)
{
    const struct affine *a = context;
    float m[6];
    int64_t row = a->matrix->type.dims[0] > 1 ? image : 0;
    for (int i = 0; i < 6; i++)
        m[i] = (float)mls_tensor_float(a->matrix, 6 * row + i);
    for (int64_t i = 0; i < n; i++) {
        float x = centred((first + i) % a->out_width, a->out_width);
        float y = centred((first + i) / a->out_width, a->out_height);
        float to_x = position_of(m[0] * x + m[1] * y + m[2], a->width, MINUS_ONE_TO_ONE, true);
        float to_y = position_of(m[3] * x + m[4] * y + m[5], a->height, MINUS_ONE_TO_ONE, true);
        ret[i].x = mls_axis_linear(to_x, a->width, MLS_PAD_CONSTANT);
        ret[i].y = mls_axis_linear(to_y, a->height, MLS_PAD_CONSTANT);
    }
}

static enum mls_status run_affine(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X), *matrix = mls_op_in(call, MATRIX);
    struct mls_tensor *out = mls_op_out(call, 0);
    if (matrix->type.dims[1] != 6 || (matrix->type.dims[0] != 1 && matrix->type.dims[0] != x->type.dims[0]))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "transform_matrix is not as planned");
    struct affine affine = {.matrix = matrix,
                            .width = x->type.dims[3],
                            .height = x->type.dims[2],
                            .out_width = out->type.dims[3],
                            .out_height = out->type.dims[2]};
    struct mls_sampling sampling = {.x = x,
                                    .out = out,
                                    .n_images = x->type.dims[0],
                                    .n_planes = x->type.dims[1],
                                    .height = affine.height,
                                    .width = affine.width,
                                    .n_pixels = affine.out_width * affine.out_height,
                                    .padding_value = (float)mls_op_float(call, A_PADDING_VALUE, 0),
                                    .fill = fill_affine,
                                    .context = &affine};
    call->kernel = mls_sample_images(&sampling, call->scratch, env);
    return MLS_OK;
}

#define CONST_PARAM(name, types, domain)     \
    {                                        \
        name, types, MLS_PARAM_CONST, domain \
    }
#define RESAMPLE(opset, coordinate_types)                                               \
    {                                                                                   \
        .name = "resample", .since = (opset),                                           \
        .params = {[X] = {"x", MLS_T_FLOAT, 0, 'T'},                                    \
                   [COORDINATES] = {"coordinates", (coordinate_types), 0, 0},           \
                   [SAMPLING] = CONST_PARAM("sampling_mode", MLS_T_TEXT, 0),            \
                   [PADDING] = CONST_PARAM("padding_mode", MLS_T_TEXT, 0),              \
                   [PADDING_VALUE] = CONST_PARAM("padding_value", MLS_T_FLOAT, 'T'),    \
                   [COORDINATES_MODE] = CONST_PARAM("coordinates_mode", MLS_T_TEXT, 0), \
                   [ALIGN_CORNERS] = CONST_PARAM("align_corners", MLS_T_BOOL, 0)},      \
        .infer = infer_resample, .scratch_bytes = scratch_sampling, .run = run_resample \
    }

static const struct mls_op_row rows[] = {
    RESAMPLE(5, MLS_DTYPE_BIT(MLS_FP32) | MLS_T_I32),
    RESAMPLE(6, MLS_T_FLOAT | MLS_T_I32),
    RESAMPLE(7, MLS_T_MOVE_7 & ~MLS_T_BOOL),
    {.name = "affine",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 'T'},
                [MATRIX] = {"transform_matrix", MLS_T_FLOAT, 0, 'T'},
                [A_HEIGHT] = CONST_PARAM("output_height", MLS_T_I32, 0),
                [A_WIDTH] = CONST_PARAM("output_width", MLS_T_I32, 0),
                [A_SAMPLING] = CONST_PARAM("sampling_mode", MLS_T_TEXT, 0),
                [A_PADDING] = CONST_PARAM("padding_mode", MLS_T_TEXT, 0),
                [A_PADDING_VALUE] = CONST_PARAM("padding_value", MLS_T_FLOAT, 'T'),
                [A_COORDINATES_MODE] = CONST_PARAM("coordinates_mode", MLS_T_TEXT, 0),
                [A_ALIGN] = CONST_PARAM("align_corners", MLS_T_BOOL, 0)},
     .infer = infer_affine,
     .scratch_bytes = scratch_sampling,
     .run = run_affine},
};

MLS_OP_FAMILY_DEFINE(image_sample, rows);
