/*
 * blob.h: weight files. A header of 64 bytes, then records of 64 bytes, each followed by its data; all
 * little-endian. A program names a weight by the offset of its record. Data is used where it lies.
 */
#pragma once

#include "base/arena.h"
#include "core/model.h"

/*
 * blob_read: the constant of a static type whose record stands at `offset` of a weight file. Content that is
 * not aligned for its elements is copied into the arena. `path` is borrowed for as long as the constant
 * lives. Fails with BLOB_VERSION, BLOB_TRUNCATED, BLOB_SENTINEL, BLOB_TYPE or BLOB_SIZE, file and byte offset
 * set.
 */
enum mls_status blob_read(struct mls_bytes file, const char *path, uint64_t offset,
                          const struct mls_type *type, struct mls_arena *arena,
                          struct mls_constant *ret_constant, struct mls_error *reterr);
