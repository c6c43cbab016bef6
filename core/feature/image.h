/* image.h: PNG and JPEG to 8-bit pixels, and those to PNG. Colour profiles, gamma and orientation marks are not applied; alpha
 * is dropped. */
#pragma once

#include "array.h"

/* image_is: whether the bytes begin like a PNG or JPEG. */
bool image_is(struct mls_bytes bytes);

/* image_read_size: width and height from the header. `name` is for messages. */
enum mls_status image_read_size(const char *name, struct mls_bytes bytes, uint32_t *ret_width,
                                uint32_t *ret_height, struct mls_error *reterr);

/*
 * image_read: uint8 height x width x channels, with 3 channels (R, G, B) or 1. Gray comes from colour as
 * (19595 R + 38470 G + 7471 B + 32768) >> 16, which is ITU-R 601 as Pillow rounds it; JPEGs give their own
 * luma.
 */
enum mls_status image_read(const char *name, struct mls_bytes bytes, unsigned channels,
                           struct array *ret_array, struct mls_error *reterr);

/* image_encode_png: uint8 height x width x channels, 3 or 1, as a PNG in *ret_png, which the caller frees. NULL or the
 * reason why not; static. */
const char *image_encode_png(const struct array *pixels, void **ret_png, size_t *ret_size_bytes);
