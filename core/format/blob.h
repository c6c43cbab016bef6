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

/* A record as it lies in a weight file. */
struct blob_record {
    uint32_t dtype_number;
    uint64_t padding_bits;
    struct mls_bytes data;
};

/* blob_find: the record that stands at `offset`, whatever its type. Fails as blob_read does. */
enum mls_status blob_find(struct mls_bytes file, const char *path, uint64_t offset, struct blob_record *ret_record,
                          struct mls_error *reterr);

/* Where records and their data begin. */
enum { BLOB_ALIGN_BYTES = 64 };

/* ---- Writing: records in the order given --------------------------------------------------------- */

/* blob_dtype_number: how records number an element type; 0 for those that cannot lie in a weight file. */
uint32_t blob_dtype_number(enum mls_dtype dtype);

/* blob_padding_bits: what a record of this static type states: unused bits of its last byte. */
uint64_t blob_padding_bits(const struct mls_type *type);

/* blob_place: where the next record goes in a file of *size_bytes (0: a new one), which grows by it; false on
 * overflow. */
bool blob_place(size_t *size_bytes, size_t data_bytes, uint64_t *ret_offset);

/* blob_put_header, blob_put_record: into a zeroed file that blob_place laid out. */
void blob_put_header(uint8_t *file, uint32_t n_records);
void blob_put_record(uint8_t *file, uint64_t offset, const struct blob_record *record);
