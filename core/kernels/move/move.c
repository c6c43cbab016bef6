#include "kernels/move/move.h"

#include <string.h>

struct bytes_16 {
    uint64_t low;
    uint64_t high;
};

/* Elements are read and written by memcpy of a constant size: one instruction each, aligned or not. */
#define STRIDED(name, type)                                                                               \
    static void name(const char *source, char *target, const struct mls_move_block *b)                    \
    {                                                                                                     \
        for (size_t o = 0; o < b->n_outer; o++) {                                                         \
            const char *from = source;                                                                    \
            char *to = target;                                                                            \
            if (b->source_inner == 0 && b->n_inner) {                                                     \
                type value;                                                                               \
                memcpy(&value, from, sizeof value);                                                       \
                for (size_t i = 0; i < b->n_inner; i++, to += b->target_inner)                            \
                    memcpy(to, &value, sizeof value);                                                     \
            } else {                                                                                      \
                for (size_t i = 0; i < b->n_inner; i++, from += b->source_inner, to += b->target_inner) { \
                    type value;                                                                           \
                    memcpy(&value, from, sizeof value);                                                   \
                    memcpy(to, &value, sizeof value);                                                     \
                }                                                                                         \
            }                                                                                             \
            source += b->source_outer;                                                                    \
            target += b->target_outer;                                                                    \
        }                                                                                                 \
    }

STRIDED(strided_8, uint8_t)
STRIDED(strided_16, uint16_t)
STRIDED(strided_32, uint32_t)
STRIDED(strided_64, uint64_t)
STRIDED(strided_128, struct bytes_16)

void mls_move_strided(const void *source, void *target, const struct mls_move_block *block, size_t elem_bytes)
{
    switch (elem_bytes) {
    case 1:
        strided_8(source, target, block);
        break;
    case 2:
        strided_16(source, target, block);
        break;
    case 4:
        strided_32(source, target, block);
        break;
    case 8:
        strided_64(source, target, block);
        break;
    case 16:
        strided_128(source, target, block);
        break;
    default:
        break;
    }
}

void mls_move_rows(const void *source, ptrdiff_t source_stride, void *target, ptrdiff_t target_stride,
                   size_t n_rows, size_t row_bytes)
{
    const char *from = source;
    char *to = target;
    for (size_t i = 0; i < n_rows; i++, from += source_stride, to += target_stride)
        memcpy(to, from, row_bytes);
}
