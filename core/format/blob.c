#include "format/blob.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/cursor.h"

#define SENTINEL 0xdeadbeefu

enum { VERSION = 2, RECORD_BYTES = 64 };

/* Numbers of element types in records. */
static const enum mls_dtype record_dtypes[] = {
    [1] = MLS_FP16,   [2] = MLS_FP32,   [3] = MLS_UINT8,  [4] = MLS_INT8,   [5] = MLS_BF16,
    [6] = MLS_INT16,  [7] = MLS_UINT16, [8] = MLS_INT4,   [9] = MLS_UINT1,  [10] = MLS_UINT2,
    [11] = MLS_UINT4, [12] = MLS_UINT3, [13] = MLS_UINT6, [14] = MLS_INT32, [15] = MLS_UINT32,
};

static enum mls_dtype record_dtype(uint32_t number)
{
    return number < sizeof record_dtypes / sizeof *record_dtypes ? record_dtypes[number] : MLS_NONE;
}

/* What a record says. Its reserved fields held garbage in files of older writers and are not looked at. */
struct record {
    uint32_t sentinel;
    uint32_t dtype;
    uint64_t size_bytes;
    uint64_t offset;
    uint64_t padding_bits;
};

static enum mls_status check_header(struct mls_bytes file, const char *path, struct mls_error *reterr)
{
    struct mls_cursor cursor = mls_cursor_over(file.data, file.size_bytes);
    mls_cursor_u32(&cursor); /* number of records: writers that append leave it wrong */
    uint32_t version = mls_cursor_u32(&cursor);
    enum mls_status status = MLS_OK;
    if (cursor.bad)
        status = mls_fail(reterr, MLS_ERR_BLOB_TRUNCATED, "cannot read weight file %s: it has only %zu bytes",
                          path, file.size_bytes);
    else if (version != VERSION)
        status = mls_fail(reterr, MLS_ERR_BLOB_VERSION,
                          "cannot read weight file %s: its version is %" PRIu32 ", only version %d is known",
                          path, version, VERSION);
    if (status) {
        mls_error_at(reterr, path, 0);
        mls_error_hint(reterr,
                       "restore the weight file that belongs to this model, or export the model again");
    }
    return status;
}

static enum mls_status read_record(struct mls_bytes file, const char *path, uint64_t offset,
                                   struct record *ret_record, struct mls_error *reterr)
{
    if (offset > file.size_bytes || file.size_bytes - offset < RECORD_BYTES)
        return mls_fail(reterr, MLS_ERR_BLOB_TRUNCATED,
                        "cannot read a weight: its record at byte %" PRIu64
                        " lies past the end of %s (%zu bytes)",
                        offset, path, file.size_bytes);
    struct mls_cursor cursor = mls_cursor_over(file.data + offset, RECORD_BYTES);
    struct record record;
    record.sentinel = mls_cursor_u32(&cursor);
    record.dtype = mls_cursor_u32(&cursor);
    record.size_bytes = mls_cursor_u64(&cursor);
    record.offset = mls_cursor_u64(&cursor);
    record.padding_bits = mls_cursor_u64(&cursor);
    if (record.sentinel != SENTINEL)
        return mls_fail(reterr, MLS_ERR_BLOB_SENTINEL,
                        "cannot read a weight: no record stands at byte %" PRIu64
                        " of %s (%zu bytes): found 0x%08" PRIx32 ", expected 0x%08x",
                        offset, path, file.size_bytes, record.sentinel, SENTINEL);
    *ret_record = record;
    return MLS_OK;
}

static enum mls_status check_record(const struct record *record, struct mls_bytes file, const char *path,
                                    const struct mls_type *type, struct mls_error *reterr)
{
    char text[96];
    mls_type_format(type, text, sizeof text);
    if (record_dtype(record->dtype) != type->dtype) {
        enum mls_dtype found = record_dtype(record->dtype);
        return mls_fail(reterr, MLS_ERR_BLOB_TYPE,
                        "cannot read a weight: %s holds %s (type %" PRIu32 "), the program declares %s", path,
                        found == MLS_NONE ? "an unknown type" : mls_dtype_name(found), record->dtype, text);
    }
    size_t expected = mls_type_bytes(type);
    if (record->size_bytes != expected)
        return mls_fail(reterr, MLS_ERR_BLOB_SIZE,
                        "cannot read a weight: %s holds %" PRIu64
                        " bytes of it, the program declares %s, which has %zu",
                        path, record->size_bytes, text, expected);
    uint64_t padding = blob_padding_bits(type);
    if (mls_dtype_bits(type->dtype) < 8 && record->padding_bits != padding)
        return mls_fail_because(reterr, MLS_ERR_BLOB_SIZE, MLS_CAUSE_BLOB_PADDING,
                                "cannot read a weight: %s states %" PRIu64
                                " bits of padding, %s has %" PRIu64,
                                path, record->padding_bits, text, padding);
    if (record->offset > file.size_bytes || record->size_bytes > file.size_bytes - record->offset)
        return mls_fail(reterr, MLS_ERR_BLOB_TRUNCATED,
                        "cannot read a weight: %" PRIu64 " bytes at byte %" PRIu64
                        " lie past the end of %s (%zu bytes)",
                        record->size_bytes, record->offset, path, file.size_bytes);
    return MLS_OK;
}

uint32_t blob_dtype_number(enum mls_dtype dtype)
{
    for (uint32_t i = 1; i < sizeof record_dtypes / sizeof *record_dtypes; i++)
        if (record_dtypes[i] == dtype)
            return i;
    return 0;
}

uint64_t blob_padding_bits(const struct mls_type *type)
{
    unsigned bits = mls_dtype_bits(type->dtype);
    return (8 - (uint64_t)mls_type_elems(type) % 8 * bits % 8) % 8;
}

enum mls_status blob_find(struct mls_bytes file, const char *path, uint64_t offset, struct blob_record *ret_record,
                          struct mls_error *reterr)
{
    struct record record = {0};
    enum mls_status status = check_header(file, path, reterr);
    if (!status)
        status = read_record(file, path, offset, &record, reterr);
    if (status)
        return status;
    if (record.offset > file.size_bytes || record.size_bytes > file.size_bytes - record.offset)
        return mls_fail(reterr, MLS_ERR_BLOB_TRUNCATED,
                        "cannot read a weight: %" PRIu64 " bytes at byte %" PRIu64
                        " lie past the end of %s (%zu bytes)",
                        record.size_bytes, record.offset, path, file.size_bytes);
    *ret_record = (struct blob_record){.dtype_number = record.dtype,
                                       .padding_bits = record.padding_bits,
                                       .data = {file.data + record.offset, record.size_bytes}};
    return MLS_OK;
}

bool blob_place(size_t *size_bytes, size_t data_bytes, uint64_t *ret_offset)
{
    size_t offset, end, next;
    offset = *size_bytes ? *size_bytes : RECORD_BYTES;
    if (!mls_add_size(offset, RECORD_BYTES, &end) || !mls_add_size(end, data_bytes, &end) ||
        !mls_align_up(end, RECORD_BYTES, &next))
        return false;
    *ret_offset = offset;
    *size_bytes = next;
    return true;
}

static void put_le(uint8_t *bytes, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

void blob_put_header(uint8_t *file, uint32_t n_records)
{
    put_le(file, n_records, 4);
    put_le(file + 4, VERSION, 4);
}

void blob_put_record(uint8_t *file, uint64_t offset, const struct blob_record *record)
{
    uint8_t *head = file + offset;
    put_le(head, SENTINEL, 4);
    put_le(head + 4, record->dtype_number, 4);
    put_le(head + 8, record->data.size_bytes, 8);
    put_le(head + 16, offset + RECORD_BYTES, 8);
    put_le(head + 24, record->padding_bits, 8);
    if (record->data.size_bytes)
        memcpy(head + RECORD_BYTES, record->data.data, record->data.size_bytes);
}

enum mls_status blob_read(struct mls_bytes file, const char *path, uint64_t offset,
                          const struct mls_type *type, struct mls_arena *arena,
                          struct mls_constant *ret_constant, struct mls_error *reterr)
{
    enum mls_status status = check_header(file, path, reterr);
    if (status)
        return status;
    struct record record = {0};
    status = read_record(file, path, offset, &record, reterr);
    if (!status)
        status = check_record(&record, file, path, type, reterr);
    if (status) {
        mls_error_at(reterr, path, offset <= INT64_MAX ? (int64_t)offset : -1);
        mls_error_hint(reterr,
                       status == MLS_ERR_BLOB_TRUNCATED
                           ? "the file is shorter than the program expects: download or copy it again"
                           : "restore the weight file that belongs to this model, or export the model again");
        return status;
    }
    const void *data = file.data + record.offset;
    size_t align = mls_dtype_bits(type->dtype) / 8;
    if (align > 1 && (uintptr_t)data % align) {
        void *copy = mls_arena_alloc(arena, record.size_bytes, align);
        if (!copy)
            return mls_fail(reterr, MLS_ERR_MEMORY, "cannot copy a weight out of %s: out of memory", path);
        memcpy(copy, data, record.size_bytes);
        data = copy;
    }
    *ret_constant = (struct mls_constant){.data = data,
                                          .size_bytes = record.size_bytes,
                                          .blob_path = path,
                                          .blob_offset = record.offset,
                                          .blob_record = offset};
    return MLS_OK;
}
