/* npy.h: NumPy's .npy format, versions 1 to 3. */
#pragma once

#include "array.h"

/* npy_is: whether the bytes begin with the format's magic. */
bool npy_is(struct mls_bytes bytes);

/* npy_read_type: type and shape from the header. `name` is for messages. */
enum mls_status npy_read_type(const char *name, struct mls_bytes bytes, struct mls_type *ret_type,
                              struct mls_error *reterr);

/* npy_read: the array, in C order whatever the file's order is. The caller calls array_done. */
enum mls_status npy_read(const char *name, struct mls_bytes bytes, struct array *ret_array,
                         struct mls_error *reterr);

enum { NPY_HEAD_BYTES_MAX = 512 };

/* npy_write_head: a version 1 header for the type, padded so that the elements start at a multiple of 64; its
 * length. */
size_t npy_write_head(const struct mls_type *type, char ret_head[NPY_HEAD_BYTES_MAX]);
