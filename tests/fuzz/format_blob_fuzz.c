/*
 * A weight file, and what a program asks of it: byte 0 the element type, byte 1 the rank, then the dimensions
 * and the offset as little-endian 16-bit numbers; the file follows. The files of the corpus were written by
 * coremltools 9.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "format/blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct mls_cursor cursor = mls_cursor_over(data, size_bytes);
    unsigned dtype = (unsigned)mls_cursor_le(&cursor, 1) % MLS_DTYPE_COUNT;
    unsigned rank = (unsigned)mls_cursor_le(&cursor, 1) % (MLS_RANK_MAX + 1);
    int64_t dims[MLS_RANK_MAX] = {0};
    for (unsigned i = 0; i < rank; i++)
        dims[i] = mls_cursor_u16(&cursor);
    uint64_t offset = mls_cursor_u16(&cursor);
    struct mls_type type = mls_type_tensor((enum mls_dtype)dtype, rank, dims);
    /* what the reader refuses before it looks for a weight file */
    if (cursor.bad || mls_type_bytes(&type) == SIZE_MAX || dtype == MLS_TEXT || dtype == MLS_NONE)
        return 0;
    struct mls_arena *arena = mls_arena_create(0);
    struct mls_bytes file = {data + cursor.at, size_bytes - cursor.at};
    struct mls_constant constant;
    if (arena && blob_read(file, "weight.bin", offset, &type, arena, &constant, NULL) == MLS_OK) {
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < constant.size_bytes; i++)
            sum = (uint8_t)(sum + ((const uint8_t *)constant.data)[i]);
        if (constant.size_bytes != mls_type_bytes(&type))
            abort();
    }
    mls_arena_free(arena);
    return 0;
}
