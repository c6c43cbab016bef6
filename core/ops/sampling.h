/* sampling.h: reading images between their pixels: what resample, affine, resizing and cropping share. */
#pragma once

#include "ops/op.h"

enum mls_padding { MLS_PAD_CONSTANT, MLS_PAD_BORDER, MLS_PAD_REFLECTION, MLS_PAD_SYMMETRIC, MLS_PADDINGS };

/* Along one axis: two neighbouring elements and their weights, and the weight of padding. */
struct mls_axis_point {
    int32_t left; /* the second is left + 1, or left where there is one element only */
    float weights[2];
    float outside;
};

/* mls_axis_linear: position (in elements; any float) among n elements, n >= 1. */
struct mls_axis_point mls_axis_linear(float position, int64_t n, enum mls_padding padding);
/* mls_axis_nearest: the nearest element (halves to even), or -1 for padding. */
int32_t mls_axis_nearest(float position, int64_t n, enum mls_padding padding);

/* How the positions of a resized axis are chosen. Parameter sampling_mode, and the same by other names. */
enum mls_grid {
    MLS_GRID_STRICT,
    MLS_GRID_ALIGN,
    MLS_GRID_DEFAULT,
    MLS_GRID_OFFSET,
    MLS_GRID_UNALIGN,
    MLS_GRIDS
};

/* mls_grid_parse: of parameter `param`; MLS_GRIDS for none of them. */
enum mls_grid mls_grid_parse(const struct mls_op_call *call, unsigned param);
/* mls_grid_position: of element i of n_out, within an axis (or a box in it) that begins at `start` and has
 * n_in elements, which need not be whole. */
double mls_grid_position(enum mls_grid grid, double start, double n_in, int64_t n_out, int64_t i);

/* One pixel: where it lies, along both axes. */
struct mls_pixel {
    struct mls_axis_point x;
    struct mls_axis_point y;
};

/* Pixels [first, first + n) of an image, for bilinear sampling; `image` counts the images of the batch. */
typedef void mls_pixel_fill(const void *context, int64_t image, int64_t first, int64_t n,
                            struct mls_pixel *ret);

/* What mls_sample_images works on. All images have the same number of planes and of pixels. */
struct mls_sampling {
    const struct mls_tensor *x; /* fp16 or fp32 */
    struct mls_tensor *out;
    int64_t n_images;
    int64_t n_planes; /* of an image */
    int64_t height;   /* of x */
    int64_t width;
    int64_t n_pixels;        /* of a plane of the result */
    const int64_t *image_of; /* which image of x each image of the result reads; NULL: its own */
    float padding_value;
    mls_pixel_fill *fill;
    const void *context;
};

/* mls_sampling_scratch: bytes of scratch for it. */
size_t mls_sampling_scratch(const struct mls_op_env *env);

/* mls_sample_images: bilinear sampling on the pool. `scratch` as above. Returns the kernel's name. */
const char *mls_sample_images(const struct mls_sampling *sampling, void *scratch,
                              const struct mls_op_env *env);
