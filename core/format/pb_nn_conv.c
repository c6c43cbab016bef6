/* pb_nn_conv.c: convolution and pooling. */
#include "format/pb_nn.h"

#include <inttypes.h>
#include <stdio.h>

/* A pair of sizes, height before width; `otherwise` where the file gives none. */
static void read_pair(struct nn *nn, const uint64_t *values, size_t n, int64_t otherwise, const char *what,
                      int64_t *ret)
{
    ret[0] = ret[1] = otherwise;
    if (n == 0)
        return;
    if (n != 2 || values[0] > INT32_MAX || values[1] > INT32_MAX) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its %s must be two numbers, height and width", what);
        return;
    }
    ret[0] = (int64_t)values[0];
    ret[1] = (int64_t)values[1];
}

/* Padding in front of and behind height and width: zeros where there is none. */
static void read_border(struct nn *nn, const Pb__NnValidPadding *padding, int64_t *ret)
{
    const Pb__NnBorder *border = padding ? padding->amounts : NULL;
    for (size_t i = 0; i < 4; i++)
        ret[i] = 0;
    if (!border || !border->n_border)
        return;
    if (!nn_check(nn, border->n_border == 2, "its padding must be given for height and width"))
        return;
    for (size_t i = 0; i < 2; i++) {
        if (border->border[i]->start > INT32_MAX || border->border[i]->end > INT32_MAX) {
            nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its padding is out of range");
            return;
        }
        ret[2 * i] = (int64_t)border->border[i]->start;
        ret[2 * i + 1] = (int64_t)border->border[i]->end;
    }
}

static void arg_same(struct nn *nn, struct nn_op *op, const Pb__NnMode *same)
{
    nn_check(nn, same->mode == 0 || same->mode == 1, "its kind of padding is unknown");
    nn_arg_text(nn, op, "pad_type", same->mode ? "same_lower" : "same");
}

static void arg_border(struct nn *nn, struct nn_op *op, const Pb__NnValidPadding *valid)
{
    int64_t pad[4];
    read_border(nn, valid, pad);
    nn_arg_text(nn, op, "pad_type", "custom");
    nn_arg_ints(nn, op, "pad", pad, 4);
}

static void arg_bias(struct nn *nn, struct nn_op *op, bool has_bias, const Pb__NnWeights *bias, int64_t n)
{
    if (has_bias)
        nn_arg(nn, op, "bias", nn_weights(nn, bias, "bias", &n, 1));
}

/* ---- Convolution ----------------------------------------------------------------------------- */

/* The size that a transposed convolution has to give: what its padding leaves is divided as for "same". */
static void arg_output_size(struct nn *nn, struct nn_op *op, const Pb__NnConvolution *layer)
{
    int64_t size[2];
    read_pair(nn, layer->output_shape, layer->n_output_shape, 1, "output shape", size);
    nn_arg_ints(nn, op, "output_shape", (const int64_t[]){0, 0, size[0], size[1]}, 4);
    nn_arg_text(nn, op, "pad_type", "same");
}

void nn_convolution(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnConvolution *layer = message->convolution;
    int64_t kernel[2], stride[2], dilation[2];
    read_pair(nn, layer->kernel_size, layer->n_kernel_size, 3, "kernel size", kernel);
    read_pair(nn, layer->stride, layer->n_stride, 1, "stride", stride);
    read_pair(nn, layer->dilation_factor, layer->n_dilation_factor, 1, "dilation", dilation);
    uint64_t groups = layer->n_groups ? layer->n_groups : 1;
    bool counted = layer->output_channels && layer->kernel_channels && layer->output_channels <= INT32_MAX &&
                   layer->kernel_channels <= INT32_MAX && groups <= layer->output_channels &&
                   layer->output_channels % groups == 0;
    if (!nn_check(nn, counted, "its numbers of channels and groups do not fit"))
        return;
    bool transposed = layer->is_deconvolution;
    int64_t out = (int64_t)layer->output_channels, in = (int64_t)layer->kernel_channels;
    int64_t plain[4] = {out, in, kernel[0], kernel[1]};
    int64_t turned[4] = {in, out / (int64_t)groups, kernel[0], kernel[1]};
    mls_value_id input = nn_input(nn, 0), x = nn_batch4(nn, input);
    struct nn_op op;
    nn_begin(&op, transposed ? "conv_transpose" : "conv");
    nn_arg(nn, &op, "x", x);
    if (message->n_input > 1) /* weights that other layers compute */
        nn_arg(nn, &op, "weight", nn_input(nn, 1));
    else if (transposed)
        nn_arg(nn, &op, "weight",
               nn_weights_along(nn, layer->weights, "weights", turned, 4, groups == 1 ? 1 : 0));
    else
        nn_arg(nn, &op, "weight", nn_weights(nn, layer->weights, "weights", plain, 4));
    arg_bias(nn, &op, layer->has_bias, layer->bias, out);
    nn_arg_ints(nn, &op, "strides", stride, 2);
    nn_arg_ints(nn, &op, "dilations", dilation, 2); /* also of transposed ones, as the system does */
    nn_arg_int(nn, &op, "groups", (int64_t)groups);
    if (transposed && layer->n_output_shape) {
        arg_output_size(nn, &op, layer);
    } else if (layer->padding_case == PB__NN_CONVOLUTION__PADDING_SAME) {
        arg_same(nn, &op, layer->same);
    } else {
        arg_border(nn, &op, layer->padding_case == PB__NN_CONVOLUTION__PADDING_VALID ? layer->valid : NULL);
    }
    nn_bind(nn, 0, nn_unbatch(nn, nn_emit(nn, &op, 4), input));
}

enum { PAD_3D_CUSTOM, PAD_3D_VALID, PAD_3D_SAME };

static void arg_padding3d(struct nn *nn, struct nn_op *op, int32_t type, const int64_t *pad)
{
    static const char *const names[] = {
        [PAD_3D_CUSTOM] = "custom", [PAD_3D_VALID] = "valid", [PAD_3D_SAME] = "same"};
    if (!nn_check(nn, type >= 0 && type <= PAD_3D_SAME, "its kind of padding is unknown"))
        return;
    nn_arg_text(nn, op, "pad_type", names[type]);
    if (type == PAD_3D_CUSTOM)
        nn_arg_ints(nn, op, "pad", pad, 6);
}

/* 1 stands for a size that the file does not give. */
static int64_t given(int32_t value)
{
    return value ? value : 1;
}

void nn_convolution3d(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnConvolution3d *layer = message->convolution3d;
    int64_t out = layer->output_channels, in = layer->input_channels, groups = given(layer->n_groups);
    if (!nn_check(nn, out > 0 && in > 0 && groups > 0 && out % groups == 0 && in % groups == 0,
                  "its numbers of channels and groups do not fit"))
        return;
    bool transposed = layer->is_deconvolution;
    int64_t plain[5] = {out, in / groups, layer->kernel_depth, layer->kernel_height, layer->kernel_width};
    int64_t turned[5] = {in, out / groups, layer->kernel_depth, layer->kernel_height, layer->kernel_width};
    struct nn_op op;
    nn_begin(&op, transposed ? "conv_transpose" : "conv");
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    nn_arg(nn, &op, "weight",
           transposed ? nn_weights_along(nn, layer->weights, "weights", turned, 5, groups == 1 ? 1 : 0)
                      : nn_weights(nn, layer->weights, "weights", plain, 5));
    arg_bias(nn, &op, layer->has_bias, layer->bias, out);
    nn_arg_ints(nn, &op, "strides",
                (const int64_t[]){given(layer->stride_depth), given(layer->stride_height),
                                  given(layer->stride_width)},
                3);
    nn_arg_ints(nn, &op, "dilations",
                (const int64_t[]){given(layer->dilation_depth), given(layer->dilation_height),
                                  given(layer->dilation_width)},
                3);
    nn_arg_int(nn, &op, "groups", groups);
    arg_padding3d(nn, &op, layer->padding_type,
                  (const int64_t[]){layer->padding_front, layer->padding_back, layer->padding_top,
                                    layer->padding_bottom, layer->padding_left, layer->padding_right});
    nn_check(nn, !layer->n_output_shape || (transposed && layer->n_output_shape == 3),
             "its output shape must be three numbers");
    if (!nn->status && layer->n_output_shape)
        nn_arg_ints(nn, &op, "output_shape",
                    (const int64_t[]){0, 0, (int64_t)layer->output_shape[0], (int64_t)layer->output_shape[1],
                                      (int64_t)layer->output_shape[2]},
                    5);
    nn_give(nn, &op, 5);
}

/* ---- Pooling --------------------------------------------------------------------------------- */

enum { POOL_MAX, POOL_AVERAGE, POOL_L2 };

static mls_value_id reduce_over(struct nn *nn, mls_value_id x, int32_t type, int64_t n_axes)
{
    static const char *const reductions[] = {
        [POOL_MAX] = "reduce_max", [POOL_AVERAGE] = "reduce_mean", [POOL_L2] = "reduce_l2_norm"};
    const int64_t axes[3] = {-1, -2, -3};
    struct nn_op op;
    nn_begin(&op, reductions[type]);
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "axes", axes, (size_t)n_axes);
    nn_arg_bool(nn, &op, "keep_dims", true);
    return nn_emit(nn, &op, nn_rank(nn, x));
}

/* The last window covers the last pixel; the padding in front and behind is the same. */
static void arg_complete(struct nn *nn, struct nn_op *op, const Pb__NnCompletePadding *complete)
{
    int64_t amounts[2];
    read_pair(nn, complete->amounts, complete->n_amounts, 0, "padding", amounts);
    nn_arg_text(nn, op, "pad_type", "custom");
    nn_arg_ints(nn, op, "pad", (const int64_t[]){amounts[0], amounts[0], amounts[1], amounts[1]}, 4);
    nn_arg_bool(nn, op, "ceil_mode", true);
}

void nn_pooling(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    static const char *const types[] = {
        [POOL_MAX] = "max_pool", [POOL_AVERAGE] = "avg_pool", [POOL_L2] = "l2_pool"};
    const Pb__NnPooling *layer = message->pooling;
    mls_value_id input = nn_input(nn, 0);
    if (!nn_check(nn, layer->type >= POOL_MAX && layer->type <= POOL_L2, "its kind of pooling is unknown"))
        return;
    if (layer->global) {
        nn_bind(nn, 0, reduce_over(nn, input, layer->type, 2));
        return;
    }
    int64_t kernel[2], stride[2];
    read_pair(nn, layer->kernel_size, layer->n_kernel_size, 3, "kernel size", kernel);
    read_pair(nn, layer->stride, layer->n_stride, 1, "stride", stride);
    struct nn_op op;
    nn_begin(&op, types[layer->type]);
    nn_arg(nn, &op, "x", nn_batch4(nn, input));
    nn_arg_ints(nn, &op, "kernel_sizes", kernel, 2);
    nn_arg_ints(nn, &op, "strides", stride, 2);
    if (layer->padding_case == PB__NN_POOLING__PADDING_SAME)
        arg_same(nn, &op, layer->same);
    else if (layer->padding_case == PB__NN_POOLING__PADDING_INCLUDE_LAST_PIXEL)
        arg_complete(nn, &op, layer->include_last_pixel);
    else
        arg_border(nn, &op, layer->padding_case == PB__NN_POOLING__PADDING_VALID ? layer->valid : NULL);
    if (layer->type == POOL_AVERAGE)
        nn_arg_bool(nn, &op, "exclude_padding_from_average", layer->exclude_padding);
    nn_bind(nn, 0, nn_unbatch(nn, nn_emit(nn, &op, 4), input));
}

void nn_pooling3d(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnPooling3d *layer = message->pooling3d;
    if (!nn_check(nn, layer->type == POOL_MAX || layer->type == POOL_AVERAGE,
                  "its kind of pooling is unknown"))
        return;
    struct nn_op op;
    nn_begin(&op, layer->type == POOL_MAX ? "max_pool" : "avg_pool");
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    nn_arg_ints(nn, &op, "kernel_sizes",
                (const int64_t[]){layer->kernel_depth, layer->kernel_height, layer->kernel_width}, 3);
    nn_arg_ints(nn, &op, "strides",
                (const int64_t[]){given(layer->stride_depth), given(layer->stride_height),
                                  given(layer->stride_width)},
                3);
    arg_padding3d(nn, &op, layer->padding_type,
                  (const int64_t[]){layer->padding_front, layer->padding_back, layer->padding_top,
                                    layer->padding_bottom, layer->padding_left, layer->padding_right});
    if (layer->type == POOL_AVERAGE)
        nn_arg_bool(nn, &op, "exclude_padding_from_average", layer->exclude_padding);
    nn_give(nn, &op, 5);
}

void nn_global_pooling3d(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    int32_t type = message->global_pooling3d->mode;
    if (nn_check(nn, type == POOL_MAX || type == POOL_AVERAGE, "its kind of pooling is unknown"))
        nn_bind(nn, 0, reduce_over(nn, nn_input(nn, 0), type, 3));
}
