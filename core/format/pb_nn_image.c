/* pb_nn_image.c: padding, cropping and resizing. */
#include "format/pb_nn.h"

/* Amounts for height and width, in front and behind. */
static bool read_amounts(struct nn *nn, const Pb__NnBorder *border, int64_t *ret)
{
    for (size_t i = 0; i < 4; i++)
        ret[i] = 0;
    if (!border || !border->n_border)
        return !nn->status;
    if (!nn_check(nn, border->n_border == 2, "its amounts must be given for height and width"))
        return false;
    for (size_t i = 0; i < 2; i++) {
        nn_check(nn, border->border[i]->start <= INT32_MAX && border->border[i]->end <= INT32_MAX,
                 "its amounts are out of range");
        ret[2 * i] = (int64_t)(border->border[i]->start & INT32_MAX);
        ret[2 * i + 1] = (int64_t)(border->border[i]->end & INT32_MAX);
    }
    return !nn->status;
}

static bool read_sizes(struct nn *nn, const uint64_t *sizes, size_t n, int64_t *ret)
{
    ret[0] = ret[1] = 1;
    if (!n)
        return !nn->status;
    if (!nn_check(nn, n == 2 && sizes[0] <= INT32_MAX && sizes[1] <= INT32_MAX,
                  "its sizes must be two numbers"))
        return false;
    ret[0] = (int64_t)sizes[0];
    ret[1] = (int64_t)sizes[1];
    return true;
}

/* ---- Padding --------------------------------------------------------------------------------- */

void nn_padding(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnPadding *layer = message->padding;
    bool reflect = layer->type_case == PB__NN_PADDING__TYPE_REFLECTION;
    bool replicate = layer->type_case == PB__NN_PADDING__TYPE_REPLICATION;
    int64_t amounts[4];
    if (!read_amounts(nn, layer->amounts, amounts))
        return;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, "pad");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "pad", amounts, 4);
    nn_arg_text(nn, &op, "mode", reflect ? "nn_reflect" : replicate ? "replicate" : "constant");
    if (layer->type_case == PB__NN_PADDING__TYPE_CONSTANT)
        nn_arg_float(nn, &op, "constant_val", layer->constant->alpha);
    nn_give(nn, &op, nn_rank(nn, x));
}

/* Amounts of all dimensions, also as a second input; or the size that a padded dimension has to reach. */
void nn_constant_pad(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnConstantPad *layer = message->constant_pad;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, layer->to_given_size ? "nn_pad_to" : "pad");
    nn_arg(nn, &op, "x", x);
    if (message->n_input > 1) {
        nn_arg(nn, &op, "pad", nn_indices(nn, nn_input(nn, 1)));
    } else {
        int64_t amounts[2 * MLS_RANK_MAX];
        size_t n = layer->n_amounts;
        if (!nn_check(nn, n <= 2 * MLS_RANK_MAX, "it pads more dimensions than there can be"))
            return;
        for (size_t i = 0; i < n; i++) {
            nn_check(nn, layer->amounts[i] <= INT32_MAX, "its amounts are out of range");
            amounts[i] = (int64_t)(layer->amounts[i] & INT32_MAX);
        }
        nn_arg_ints(nn, &op, "pad", amounts, n);
    }
    if (!layer->to_given_size)
        nn_arg_text(nn, &op, "mode", "constant");
    nn_arg_float(nn, &op, "constant_val", layer->value);
    nn_give(nn, &op, nn_rank(nn, x));
}

/* ---- Cropping -------------------------------------------------------------------------------- */

/* The last two dimensions from `begin` to `end`; an end of 0 is that of the input. */
static void slice_image(struct nn *nn, mls_value_id x, const int64_t *begin, const int64_t *end)
{
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, rank >= 2 && rank <= MLS_RANK_MAX, "its input must have at least 2 dimensions"))
        return;
    int64_t begins[MLS_RANK_MAX] = {0}, ends[MLS_RANK_MAX] = {0};
    bool masks[MLS_RANK_MAX];
    for (unsigned i = 0; i < rank; i++)
        masks[i] = i < rank - 2 || end[i - (rank - 2)] == 0;
    for (unsigned i = 0; i < 2; i++) {
        begins[rank - 2 + i] = begin[i];
        ends[rank - 2 + i] = end[i];
    }
    struct nn_op op;
    nn_begin(&op, "slice_by_index");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "begin", begins, rank);
    nn_arg_ints(nn, &op, "end", ends, rank);
    nn_arg_bools(nn, &op, "end_mask", masks, rank);
    nn_give(nn, &op, rank);
}

void nn_crop(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnCrop *layer = message->crop;
    mls_value_id x = nn_input(nn, 0);
    if (message->n_input > 1) {
        int64_t offset[2] = {0, 0};
        if (layer->n_offset && !read_sizes(nn, layer->offset, layer->n_offset, offset))
            return;
        struct nn_op op;
        nn_begin(&op, "nn_crop_like");
        nn_arg(nn, &op, "x", x);
        nn_arg(nn, &op, "like", nn_input(nn, 1));
        nn_arg_ints(nn, &op, "offset", offset, 2);
        nn_give(nn, &op, nn_rank(nn, x));
        return;
    }
    int64_t amounts[4];
    if (read_amounts(nn, layer->amounts, amounts))
        slice_image(nn, x, (const int64_t[]){amounts[0], amounts[2]},
                    (const int64_t[]){-amounts[1], -amounts[3]});
}

/* ---- Resizing -------------------------------------------------------------------------------- */

enum { UPSAMPLE_NEAREST, UPSAMPLE_BILINEAR };
enum { LINEAR_DEFAULT, LINEAR_ALIGNED, LINEAR_UNALIGNED };

static void arg_factor(struct nn *nn, struct nn_op *op, const char *name, float factor)
{
    if (factor == (float)(int32_t)factor)
        nn_arg_int(nn, op, name, (int32_t)factor);
    else
        nn_arg_float(nn, op, name, factor);
}

void nn_upsample(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnUpsample *layer = message->upsample;
    int64_t factor[2];
    bool fractional = layer->n_fractional_factor == 2;
    if (!read_sizes(nn, layer->scaling_factor, fractional ? 0 : layer->n_scaling_factor, factor))
        return;
    float factors[2] = {(float)factor[0], (float)factor[1]};
    for (size_t i = 0; fractional && i < 2; i++)
        factors[i] = layer->fractional_factor[i];
    bool sane = factors[0] > 0 && factors[0] < 65536 && factors[1] > 0 && factors[1] < 65536;
    if (!nn_check(nn, sane, "its factors are out of range") ||
        !nn_check(nn, layer->mode == UPSAMPLE_NEAREST || layer->mode == UPSAMPLE_BILINEAR,
                  "its mode is not known"))
        return;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, layer->mode == UPSAMPLE_NEAREST ? "upsample_nearest_neighbor" : "upsample_bilinear");
    nn_arg(nn, &op, "x", x);
    arg_factor(nn, &op, "scale_factor_height", factors[0]);
    arg_factor(nn, &op, "scale_factor_width", factors[1]);
    if (layer->mode == UPSAMPLE_BILINEAR) {
        /* by default, output i is taken at i / factor */
        nn_arg_bool(nn, &op, "align_corners", layer->linear_mode == LINEAR_ALIGNED);
        nn_arg_bool(nn, &op, "half_pixel_centers", layer->linear_mode == LINEAR_UNALIGNED);
    }
    nn_give(nn, &op, nn_rank(nn, x));
}

static const char *const sampling_modes[] = {"STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT",
                                             "OFFSET_CORNERS"};

static bool arg_sampling(struct nn *nn, struct nn_op *op, const Pb__NnMode *mode)
{
    int32_t number = mode ? mode->mode : 0;
    if (!nn_check(nn, number >= 0 && number < 4, "its sampling mode is not known"))
        return false;
    nn_arg_text(nn, op, "sampling_mode", sampling_modes[number]);
    return true;
}

void nn_resize_bilinear(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnResizeBilinear *layer = message->resize_bilinear;
    int64_t size[2];
    struct nn_op op;
    nn_begin(&op, "resize_bilinear");
    if (!read_sizes(nn, layer->target_size, layer->n_target_size, size) ||
        !arg_sampling(nn, &op, layer->mode))
        return;
    mls_value_id x = nn_input(nn, 0);
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "target_size_height", size[0]);
    nn_arg_int(nn, &op, "target_size_width", size[1]);
    nn_give(nn, &op, nn_rank(nn, x));
}

/* Images [1, batch, channel, height, width] and boxes [n, 1, 4 or 5, 1, 1]; in networks of rank 5 without the
 * second. */
void nn_crop_resize(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    static const char *const boxes[] = {"CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST",
                                        "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST"};
    const Pb__NnCropResize *layer = message->crop_resize;
    int32_t box_mode = layer->box_mode ? layer->box_mode->mode : 0;
    int64_t size[2];
    struct nn_op op;
    nn_begin(&op, "crop_resize");
    if (!nn_check(nn, box_mode >= 0 && box_mode < 4, "its kind of boxes is not known") ||
        !read_sizes(nn, layer->target_size, layer->n_target_size, size) ||
        !arg_sampling(nn, &op, layer->mode))
        return;
    mls_value_id x = nn_input(nn, 0), roi = nn_input(nn, 1);
    unsigned rank = nn_known_rank(nn, x);
    if (nn_known_rank(nn, roi) == 4)
        roi = nn_expand(nn, roi, (const int64_t[]){1}, 1);
    nn_arg(nn, &op, "x", rank == 5 ? nn_squeeze(nn, x, (const int64_t[]){0}, 1) : x);
    nn_arg(nn, &op, "roi", roi);
    nn_arg_int(nn, &op, "target_height", size[0]);
    nn_arg_int(nn, &op, "target_width", size[1]);
    nn_arg_bool(nn, &op, "normalized_coordinates", layer->normalized);
    nn_arg_float(nn, &op, "spatial_scale", layer->spatial_scale == 0.0f ? 1 : layer->spatial_scale);
    nn_arg_text(nn, &op, "box_coordinate_mode", boxes[box_mode]);
    mls_value_id y = nn_emit(nn, &op, 5);
    nn_bind(nn, 0, rank == 4 ? nn_batch4(nn, y) : y);
}

enum { SPACE_TO_DEPTH, DEPTH_TO_SPACE, PIXEL_SHUFFLE };

void nn_reorganize(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    static const struct {
        const char *type, *size;
    } modes[] = {[SPACE_TO_DEPTH] = {"space_to_depth", "block_size"},
                 [DEPTH_TO_SPACE] = {"depth_to_space", "block_size"},
                 [PIXEL_SHUFFLE] = {"pixel_shuffle", "upscale_factor"}};
    const Pb__NnReorganize *layer = message->reorganize_data;
    if (!nn_check(nn, layer->mode >= 0 && layer->mode <= PIXEL_SHUFFLE, "its mode is not known") ||
        !nn_check(nn, layer->block_size <= INT32_MAX, "its blocks are too large"))
        return;
    mls_value_id input = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, modes[layer->mode].type);
    nn_arg(nn, &op, "x", nn_batch4(nn, input));
    nn_arg_int(nn, &op, modes[layer->mode].size, (int64_t)layer->block_size);
    nn_bind(nn, 0, nn_unbatch(nn, nn_emit(nn, &op, 4), input));
}
