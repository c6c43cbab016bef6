/* fill.h: an array into a tensor of a run, as the feature's description wants it. */
#pragma once

#include "array.h"
#include "core/session.h"

/*
 * fill_tensor: checks the array's shape against the tensor's, and converts its elements, first to the type
 * that the description declares, then to the program's. `name` says in messages where the array came from.
 */
enum mls_status fill_tensor(const struct mls_feature *feature, struct mls_tensor *tensor,
                            const struct array *array, const char *name, struct mls_error *reterr);

/* fill_check_kind: refuses features that are neither tensors nor images nor plain numbers. */
enum mls_status fill_check_kind(const struct mls_feature *feature, struct mls_error *reterr);

/* fill_from_bytes: from a file's content: .npy, PNG, JPEG or JSON. */
enum mls_status fill_from_bytes(const struct mls_feature *feature, struct mls_tensor *tensor,
                                const char *name, struct mls_bytes bytes, struct mls_error *reterr);

/* fill_shape: the shape that a flexible feature takes from a file's content, as it is planned for (images:
 * {1, channels, height, width}); refuses what the description does not allow. */
enum mls_status fill_shape(const struct mls_feature *feature, const char *name, struct mls_bytes bytes,
                           struct mls_shape *ret_shape, struct mls_error *reterr);

/* fill_image_array: HxWxC pixels (or HxW) in R, G, B order to {1, channels, height, width} in the declared
 * order. */
enum mls_status fill_image_array(const struct mls_feature *feature, const char *name, struct array *pixels,
                                 struct array *ret_planes, struct mls_error *reterr);

/* fill_channels: 1 or 3, by the declared colour layout. */
unsigned fill_channels(const struct mls_feature *feature);
