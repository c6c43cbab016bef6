/* cursor.h: reading foreign bytes. A cursor cannot run past its end; the first failure sticks, so one check
 * at the end is enough. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mls_cursor {
    const uint8_t *base;
    size_t size_bytes;
    size_t at;
    bool bad;
};

static inline struct mls_cursor mls_cursor_over(const void *data, size_t size_bytes)
{
    return (struct mls_cursor){.base = (const uint8_t *)data, .size_bytes = size_bytes};
}

static inline size_t mls_cursor_left(const struct mls_cursor *cursor)
{
    return cursor->bad ? 0 : cursor->size_bytes - cursor->at;
}

/* mls_cursor_take: the next n bytes, or NULL when there are not so many; then the cursor is bad for good. */
static inline const uint8_t *mls_cursor_take(struct mls_cursor *cursor, size_t n)
{
    if (cursor->bad || n > cursor->size_bytes - cursor->at) {
        cursor->bad = true;
        return NULL;
    }
    const uint8_t *taken = cursor->base + cursor->at;
    cursor->at += n;
    return taken;
}

/* mls_cursor_u16, _u32, _u64: little-endian; 0 when bad. */
static inline uint64_t mls_cursor_le(struct mls_cursor *cursor, unsigned n_bytes)
{
    const uint8_t *bytes = mls_cursor_take(cursor, n_bytes);
    uint64_t value = 0;
    for (unsigned i = 0; bytes && i < n_bytes; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}
static inline uint16_t mls_cursor_u16(struct mls_cursor *cursor)
{
    return (uint16_t)mls_cursor_le(cursor, 2);
}
static inline uint32_t mls_cursor_u32(struct mls_cursor *cursor)
{
    return (uint32_t)mls_cursor_le(cursor, 4);
}
static inline uint64_t mls_cursor_u64(struct mls_cursor *cursor)
{
    return mls_cursor_le(cursor, 8);
}
