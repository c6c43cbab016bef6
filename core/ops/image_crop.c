/* image_crop.c: boxes of images, resized: crop_resize. */
#include <string.h>

#include "ops/copy.h"
#include "ops/op_family.h"
#include "ops/sampling.h"

/* Parameters of opsets 5 and 6 begin with x, roi; those of opset 7 with x, boxes, box_indices. */
enum { X, BOXES };
enum { BOX_INDICES = 2 };
enum { HEIGHT, WIDTH, NORMALIZED, SCALE, BOX_MODE, GRID, PAD_VALUE };

static unsigned option(const struct mls_op_call *call, unsigned which)
{
    return which + (call->row->since >= 7 ? 3 : 2);
}

enum box_mode { CORNERS_HEIGHT, CORNERS_WIDTH, CENTER_HEIGHT, CENTER_WIDTH, BOX_MODES };

static enum box_mode box_mode_of(const struct mls_op_call *call)
{
    static const char *const names[] = {[CORNERS_HEIGHT] = "CORNERS_HEIGHT_FIRST",
                                        [CORNERS_WIDTH] = "CORNERS_WIDTH_FIRST",
                                        [CENTER_HEIGHT] = "CENTER_SIZE_HEIGHT_FIRST",
                                        [CENTER_WIDTH] = "CENTER_SIZE_WIDTH_FIRST"};
    enum box_mode mode = CORNERS_HEIGHT;
    while (mode < BOX_MODES &&
           !mls_op_text_is(call, option(call, BOX_MODE), names[CORNERS_HEIGHT], names[mode]))
        mode++;
    return mode;
}

static enum mls_status check_options(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type;
    if (x->rank != 4)
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x must have rank 4");
    int64_t h = x->dims[2], w = x->dims[3];
    if (h == 0 || w == 0 || h > INT32_MAX || w > INT32_MAX || (h > 0 && w > INT32_MAX / h))
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "images of %lld x %lld cannot be cropped",
                           (long long)h, (long long)w);
    for (unsigned i = 0; i < 2; i++) {
        int64_t side = mls_op_int(call, option(call, HEIGHT + i), 1);
        if (side < 1)
            return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "%s is %lld",
                               call->row->params[option(call, HEIGHT + i)].name, (long long)side);
    }
    if (box_mode_of(call) == BOX_MODES)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "box_coordinate_mode is not known");
    if (mls_grid_parse(call, option(call, GRID)) == MLS_GRIDS)
        return mls_op_fail(call, reterr, MLS_ERR_OP_ARGUMENT, "sampling_mode is not known");
    return MLS_OK;
}

static enum mls_status bad_boxes(const struct mls_op_call *call, struct mls_error *reterr)
{
    char image[96], boxes[96];
    return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "x %s and %s %s do not go together",
                       mls_type_format(&mls_op_in(call, X)->type, image, sizeof image),
                       call->row->params[BOXES].name,
                       mls_type_format(&mls_op_in(call, BOXES)->type, boxes, sizeof boxes));
}

/* roi is [N, 1, 4 or 5, 1, 1]; five numbers begin with the index of the image. */
static enum mls_status infer_roi(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *roi = &mls_op_in(call, BOXES)->type;
    enum mls_status status = check_options(call, reterr);
    if (status)
        return status;
    if (roi->rank != 5 || roi->dims[1] != 1 || (roi->dims[2] != 4 && roi->dims[2] != 5) ||
        roi->dims[3] != 1 || roi->dims[4] != 1)
        return bad_boxes(call, reterr);
    int64_t dims[] = {roi->dims[0], roi->dims[2] == 4 ? x->dims[0] : 1, x->dims[1],
                      mls_op_int(call, option(call, HEIGHT), 1), mls_op_int(call, option(call, WIDTH), 1)};
    struct mls_type type = mls_type_tensor(x->dtype, 5, dims);
    mls_infer_later(x, &type);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

static enum mls_status infer_boxes(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *x = &mls_op_in(call, X)->type, *boxes = &mls_op_in(call, BOXES)->type;
    const struct mls_tensor *indices = mls_op_in(call, BOX_INDICES);
    enum mls_status status = check_options(call, reterr);
    if (status)
        return status;
    if (boxes->rank != 2 || boxes->dims[1] != 4)
        return bad_boxes(call, reterr);
    if (indices ? indices->type.rank != 1 || (indices->type.dims[0] >= 0 && boxes->dims[0] >= 0 &&
                                              indices->type.dims[0] != boxes->dims[0])
                : boxes->dims[0] >= 0 && x->dims[0] >= 0 && boxes->dims[0] > x->dims[0])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "box_indices do not give every box an image");
    int64_t dims[] = {boxes->dims[0], x->dims[1], mls_op_int(call, option(call, HEIGHT), 1),
                      mls_op_int(call, option(call, WIDTH), 1)};
    struct mls_type type = mls_type_tensor(x->dtype, 4, dims);
    mls_infer_later(x, &type);
    mls_op_out(call, 0)->type = type;
    return MLS_OK;
}

/* ---- Running ---- */

struct crop {
    const struct mls_op_call *call;
    enum box_mode box_mode;
    enum mls_grid grid;
    bool normalized;
    double scale;
    int64_t width; /* of x */
    int64_t height;
    int64_t out_width;
    int64_t out_height;
    int64_t images_per_box; /* results that share a box */
    int64_t box_elems;
    int64_t box_skip; /* elements of a box before its four coordinates */
};

/*
 * In opset 5, which has no padding value for boxes beyond the image, Core ML takes the whole of an axis on
 * which the box begins beyond the image and runs backwards: coremltools' tests have one such box, 2…1 of an
 * image of 0…1.
 */
static bool is_whole_axis(const struct crop *crop, double begin, double end, double last)
{
    return crop->call->row->since < 6 && begin > last && end < begin;
}

/* The ends of box `box`, in elements: [0] along the height, [1] along the width. */
static void read_box(const struct crop *crop, int64_t box, double ret_begin[2], double ret_end[2])
{
    const struct mls_tensor *boxes = mls_op_in(crop->call, BOXES);
    double v[4];
    for (int i = 0; i < 4; i++)
        v[i] = mls_tensor_float(boxes, box * crop->box_elems + crop->box_skip + i);
    bool width_first = crop->box_mode == CORNERS_WIDTH || crop->box_mode == CENTER_WIDTH;
    bool centre = crop->box_mode == CENTER_HEIGHT || crop->box_mode == CENTER_WIDTH;
    for (int axis = 0; axis < 2; axis++) {
        double first = v[width_first ? 1 - axis : axis], second = v[2 + (width_first ? 1 - axis : axis)];
        double last = (double)((axis ? crop->width : crop->height) - 1);
        double factor = crop->scale * (crop->normalized ? last : 1);
        ret_begin[axis] = (centre ? first - second / 2 : first) * factor;
        ret_end[axis] = (centre ? first + second / 2 : second) * factor;
        if (is_whole_axis(crop, ret_begin[axis], ret_end[axis], last)) {
            ret_begin[axis] = 0;
            ret_end[axis] = last;
        }
    }
}

/*
 * Positions outside the image are padding as a whole, as in TensorFlow's crop_and_resize. The ways of
 * sampling whose positions lie up to half an element outside a box that fills the image clamp those.
 */
static struct mls_axis_point crop_point(const struct crop *crop, double position, int64_t n)
{
    bool half = crop->grid == MLS_GRID_UNALIGN || crop->grid == MLS_GRID_DEFAULT;
    double slack = half ? 1 : 0, last = (double)(n - 1);
    if (!(position >= -slack && position <= last + slack))
        return (struct mls_axis_point){.outside = 1};
    return mls_axis_linear((float)position, n, MLS_PAD_BORDER);
}

static void fill_crop(const void *context, int64_t image, int64_t first, int64_t n, struct mls_pixel *ret)
{
    const struct crop *crop = context;
    double begin[2], end[2];
    read_box(crop, image / crop->images_per_box, begin, end);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = (first + i) / crop->out_width, column = (first + i) % crop->out_width;
        double y = mls_grid_position(crop->grid, begin[0], end[0] - begin[0] + 1, crop->out_height, row);
        double x = mls_grid_position(crop->grid, begin[1], end[1] - begin[1] + 1, crop->out_width, column);
        ret[i].x = crop_point(crop, x, crop->width);
        ret[i].y = crop_point(crop, y, crop->height);
    }
}

/* The image that each result reads; the error when an index lies outside. */
static enum mls_status choose_images(const struct crop *crop, int64_t n_images, int64_t *ret_image_of,
                                     struct mls_error *reterr)
{
    const struct mls_op_call *call = crop->call;
    const struct mls_tensor *boxes = mls_op_in(call, BOXES);
    const struct mls_tensor *indices = call->row->since >= 7 ? mls_op_in(call, BOX_INDICES) : NULL;
    int64_t n_given = mls_op_in(call, X)->type.dims[0];
    for (int64_t i = 0; i < n_images; i++) {
        int64_t box = i / crop->images_per_box;
        ret_image_of[i] = indices                 ? mls_tensor_int(indices, box)
                          : crop->box_skip        ? mls_tensor_int(boxes, box * crop->box_elems)
                          : call->row->since >= 7 ? box
                                                  : i % crop->images_per_box;
        if (ret_image_of[i] < 0 || ret_image_of[i] >= n_given)
            return mls_op_fail(call, reterr, MLS_ERR_RUN_INDEX,
                               "box %lld is of image %lld, but there are %lld images", (long long)box,
                               (long long)ret_image_of[i], (long long)n_given);
    }
    return MLS_OK;
}

static int64_t n_results(const struct mls_op_call *call)
{
    const struct mls_type *out = &mls_op_out(call, 0)->type;
    return out->rank == 5 ? out->dims[0] * out->dims[1] : out->dims[0];
}

static size_t scratch_crop(const struct mls_op_call *call, const struct mls_op_env *env)
{
    return mls_sampling_scratch(env) + (size_t)n_results(call) * sizeof(int64_t);
}

static enum mls_status run_crop(struct mls_op_call *call, struct mls_op_env *env)
{
    const struct mls_tensor *x = mls_op_in(call, X);
    struct mls_tensor *out = mls_op_out(call, 0);
    const struct mls_type *boxes = &mls_op_in(call, BOXES)->type;
    int64_t *image_of = (void *)((char *)call->scratch + mls_sampling_scratch(env));
    bool with_index = call->row->since < 7 && boxes->dims[2] == 5;
    struct crop crop = {.call = call,
                        .box_mode = box_mode_of(call),
                        .grid = mls_grid_parse(call, option(call, GRID)),
                        .normalized = mls_op_bool(call, option(call, NORMALIZED), false),
                        .scale = mls_op_float(call, option(call, SCALE), 1),
                        .width = x->type.dims[3],
                        .height = x->type.dims[2],
                        .out_width = out->type.dims[out->type.rank - 1],
                        .out_height = out->type.dims[out->type.rank - 2],
                        .images_per_box = out->type.rank == 5 ? out->type.dims[1] : 1,
                        .box_elems = with_index ? 5 : 4,
                        .box_skip = with_index};
    const struct mls_tensor *indices = call->row->since >= 7 ? mls_op_in(call, BOX_INDICES) : NULL;
    if (boxes->dims[0] != out->type.dims[0] || (indices && indices->type.dims[0] != boxes->dims[0]))
        return mls_op_fail(call, env->error, MLS_ERR_RUN_SHAPE, "the boxes are not as planned");
    enum mls_status status = choose_images(&crop, n_results(call), image_of, env->error);
    if (status)
        return status;
    double padding = call->row->since >= 6 ? mls_op_float(call, option(call, PAD_VALUE), 0) : 0;
    struct mls_sampling sampling = {.x = x,
                                    .out = out,
                                    .n_images = n_results(call),
                                    .n_planes = x->type.dims[1],
                                    .height = crop.height,
                                    .width = crop.width,
                                    .n_pixels = crop.out_width * crop.out_height,
                                    .image_of = image_of,
                                    .padding_value = (float)padding,
                                    .fill = fill_crop,
                                    .context = &crop};
    call->kernel = mls_sample_images(&sampling, call->scratch, env);
    return MLS_OK;
}

static uint64_t flops_crop(const struct mls_op_call *call)
{
    return 8 * mls_flops_elementwise(call); /* four products and four sums a pixel */
}

#define OPTION(name, types, domain)                               \
    {                                                             \
        name, types, MLS_PARAM_CONST | MLS_PARAM_OPTIONAL, domain \
    }
#define OPTIONS(first)                                                                   \
    [(first) + HEIGHT] = OPTION("target_height", MLS_T_I32, 0),                          \
               [(first) + WIDTH] = OPTION("target_width", MLS_T_I32, 0),                 \
               [(first) + NORMALIZED] = OPTION("normalized_coordinates", MLS_T_BOOL, 0), \
               [(first) + SCALE] = OPTION("spatial_scale", MLS_DTYPE_BIT(MLS_FP32), 0),  \
               [(first) + BOX_MODE] = OPTION("box_coordinate_mode", MLS_T_TEXT, 0),      \
               [(first) + GRID] = OPTION("sampling_mode", MLS_T_TEXT, 0)

static const struct mls_op_row rows[] = {
    {.name = "crop_resize",
     .since = 5,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 'T'}, [BOXES] = {"roi", MLS_T_FLOAT, 0, 'T'}, OPTIONS(2)},
     .infer = infer_roi,
     .flops = flops_crop,
     .scratch_bytes = scratch_crop,
     .run = run_crop},
    {.name = "crop_resize",
     .since = 6,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 'T'},
                [BOXES] = {"roi", MLS_T_FLOAT, 0, 'T'},
                OPTIONS(2),
                [2 + PAD_VALUE] = OPTION("pad_value", MLS_T_FLOAT, 'T')},
     .infer = infer_roi,
     .flops = flops_crop,
     .scratch_bytes = scratch_crop,
     .run = run_crop},
    {.name = "crop_resize",
     .since = 7,
     .params = {[X] = {"x", MLS_T_FLOAT, 0, 'T'},
                [BOXES] = {"boxes", MLS_T_FLOAT | MLS_DTYPE_BIT(MLS_UINT16), 0, 0},
                [BOX_INDICES] = {"box_indices", MLS_T_I32 | MLS_DTYPE_BIT(MLS_UINT16), MLS_PARAM_OPTIONAL, 0},
                OPTIONS(3),
                [3 + PAD_VALUE] = OPTION("pad_value", MLS_T_FLOAT, 'T')},
     .infer = infer_boxes,
     .flops = flops_crop,
     .scratch_bytes = scratch_crop,
     .run = run_crop},
};

MLS_OP_FAMILY_DEFINE(image_crop, rows);
