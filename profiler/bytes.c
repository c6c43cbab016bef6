#include "profiler/bytes.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 4096 };

void mls_put_bytes(struct mls_bytes_out *out, const void *bytes, size_t size_bytes)
{
    if (out->failed || size_bytes == 0)
        return;
    if (size_bytes > SIZE_MAX / 4 - out->size_bytes) {
        out->failed = true;
        return;
    }
    size_t needed = out->size_bytes + size_bytes;
    if (needed > out->capacity) {
        size_t capacity = needed < FIRST_CAPACITY ? FIRST_CAPACITY : needed * 2;
        uint8_t *grown = realloc(out->data, capacity);
        if (!grown) {
            out->failed = true;
            return;
        }
        out->data = grown;
        out->capacity = capacity;
    }
    memcpy(out->data + out->size_bytes, bytes, size_bytes);
    out->size_bytes = needed;
}

static void put_le(struct mls_bytes_out *out, uint64_t value, unsigned n_bytes)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    mls_put_bytes(out, bytes, n_bytes);
}

void mls_put_u8(struct mls_bytes_out *out, unsigned value)
{
    put_le(out, value, 1);
}

void mls_put_u32(struct mls_bytes_out *out, uint32_t value)
{
    put_le(out, value, 4);
}

void mls_put_u64(struct mls_bytes_out *out, uint64_t value)
{
    put_le(out, value, 8);
}

void mls_put_f64(struct mls_bytes_out *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_le(out, bits, 8);
}

void mls_put_text(struct mls_bytes_out *out, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length >= UINT32_MAX) {
        out->failed = true;
        return;
    }
    mls_put_u32(out, text ? (uint32_t)length : UINT32_MAX);
    mls_put_bytes(out, text, length);
}

uint8_t mls_take_u8(struct mls_cursor *cursor)
{
    const uint8_t *byte = mls_cursor_take(cursor, 1);
    return byte ? *byte : 0;
}

double mls_take_f64(struct mls_cursor *cursor)
{
    uint64_t bits = mls_cursor_u64(cursor);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const char *mls_take_text(struct mls_cursor *cursor, struct mls_arena *arena)
{
    uint32_t length = mls_cursor_u32(cursor);
    if (cursor->bad || length == UINT32_MAX)
        return NULL;
    const uint8_t *bytes = mls_cursor_take(cursor, length);
    char *text = bytes ? mls_arena_text(arena, (const char *)bytes, length) : NULL;
    cursor->bad = cursor->bad || !text;
    return text;
}

uint32_t mls_take_count(struct mls_cursor *cursor, size_t least_bytes)
{
    uint32_t n = mls_cursor_u32(cursor);
    if (n > mls_cursor_left(cursor) / least_bytes)
        cursor->bad = true;
    return cursor->bad ? 0 : n;
}

void *mls_take_array(struct mls_cursor *cursor, struct mls_arena *arena, size_t n, size_t size_bytes)
{
    void *array = cursor->bad ? NULL : mls_arena_array(arena, n, size_bytes, alignof(max_align_t));
    cursor->bad = cursor->bad || !array;
    return array;
}
