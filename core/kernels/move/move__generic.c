#include "kernels/move/move.h"

#include <string.h>

enum { TILE = 8, LINE_BYTES = 64 };

/*
 * Tiles of TILE x TILE, walked so that a source line is used up while the target lines of one band stay in
 * the first-level cache.
 */
#define TRANSPOSE(name, type)                                                                            \
    static void name(const void *source, ptrdiff_t source_stride, void *target, ptrdiff_t target_stride, \
                     size_t n_rows, size_t n_cols)                                                       \
    {                                                                                                    \
        const size_t band = LINE_BYTES / sizeof(type) < TILE ? TILE : LINE_BYTES / sizeof(type);         \
        for (size_t c0 = 0; c0 < n_cols; c0 += band) {                                                   \
            size_t c_end = n_cols - c0 < band ? n_cols : c0 + band;                                      \
            for (size_t r0 = 0; r0 < n_rows; r0 += TILE) {                                               \
                size_t r_end = n_rows - r0 < TILE ? n_rows : r0 + TILE;                                  \
                for (size_t c = c0; c < c_end; c++) {                                                    \
                    const char *from =                                                                   \
                        (const char *)source + (ptrdiff_t)r0 * source_stride + c * sizeof(type);         \
                    char *to = (char *)target + (ptrdiff_t)c * target_stride + r0 * sizeof(type);        \
                    for (size_t r = r0; r < r_end; r++, from += source_stride, to += sizeof(type))       \
                        memcpy(to, from, sizeof(type));                                                  \
                }                                                                                        \
            }                                                                                            \
        }                                                                                                \
    }

TRANSPOSE(transpose_8bit__generic, uint8_t)
TRANSPOSE(transpose_16bit__generic, uint16_t)
TRANSPOSE(transpose_32bit__generic, uint32_t)
TRANSPOSE(transpose_64bit__generic, uint64_t)

const struct mls_move_kernels mls_move__generic = {
    .transpose = {[1] = {transpose_8bit__generic, "transpose_8bit__generic"},
                  [2] = {transpose_16bit__generic, "transpose_16bit__generic"},
                  [4] = {transpose_32bit__generic, "transpose_32bit__generic"},
                  [8] = {transpose_64bit__generic, "transpose_64bit__generic"}},
};
