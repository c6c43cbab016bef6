#include "kernels/move/move.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

enum { LINE_BYTES = 64, PAGE_BYTES = 4096 };

/* A tile of `TILE` x `TILE` elements, whole. */
typedef void tile_run(const char *source, ptrdiff_t source_stride, char *target, ptrdiff_t target_stride);

static inline __m128i load_64(const char *from)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)from);
}
static inline __m128i load_128(const char *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}
static inline void store_128(char *to, __m128i a)
{
    _mm_storeu_si128((__m128i *)(void *)to, a);
}
static inline __m256i load_256(const char *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}
static inline void store_256(char *to, __m256i a)
{
    _mm256_storeu_si256((__m256i *)(void *)to, a);
}

static inline void tile_8bit(const char *s, ptrdiff_t ss, char *t, ptrdiff_t ts)
{
    __m128i a = _mm_unpacklo_epi8(load_64(s), load_64(s + ss));
    __m128i b = _mm_unpacklo_epi8(load_64(s + 2 * ss), load_64(s + 3 * ss));
    __m128i c = _mm_unpacklo_epi8(load_64(s + 4 * ss), load_64(s + 5 * ss));
    __m128i d = _mm_unpacklo_epi8(load_64(s + 6 * ss), load_64(s + 7 * ss));
    __m128i ab0 = _mm_unpacklo_epi16(a, b), ab1 = _mm_unpackhi_epi16(a, b);
    __m128i cd0 = _mm_unpacklo_epi16(c, d), cd1 = _mm_unpackhi_epi16(c, d);
    __m128i rows[4] = {_mm_unpacklo_epi32(ab0, cd0), _mm_unpackhi_epi32(ab0, cd0),
                       _mm_unpacklo_epi32(ab1, cd1), _mm_unpackhi_epi32(ab1, cd1)};
    for (int i = 0; i < 4; i++) {
        _mm_storel_epi64((__m128i *)(void *)(t + (2 * i) * ts), rows[i]);
        _mm_storel_epi64((__m128i *)(void *)(t + (2 * i + 1) * ts), _mm_unpackhi_epi64(rows[i], rows[i]));
    }
}

static inline void tile_16bit(const char *s, ptrdiff_t ss, char *t, ptrdiff_t ts)
{
    __m128i a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = load_128(s + i * ss);
    for (int i = 0; i < 4; i++) {
        b[2 * i] = _mm_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
        b[2 * i + 1] = _mm_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) { /* b: pairs of rows; a: groups of four rows, two columns a vector */
        a[4 * i] = _mm_unpacklo_epi32(b[4 * i], b[4 * i + 2]);
        a[4 * i + 1] = _mm_unpackhi_epi32(b[4 * i], b[4 * i + 2]);
        a[4 * i + 2] = _mm_unpacklo_epi32(b[4 * i + 1], b[4 * i + 3]);
        a[4 * i + 3] = _mm_unpackhi_epi32(b[4 * i + 1], b[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        store_128(t + (2 * i) * ts, _mm_unpacklo_epi64(a[i], a[i + 4]));
        store_128(t + (2 * i + 1) * ts, _mm_unpackhi_epi64(a[i], a[i + 4]));
    }
}

static inline void tile_32bit(const char *s, ptrdiff_t ss, char *t, ptrdiff_t ts)
{
    __m256i a[8], b[8];
    for (int i = 0; i < 4; i++) { /* rows i and i + 4 side by side: every later step stays within its half */
        __m256i low = load_256(s + i * ss), high = load_256(s + (i + 4) * ss);
        a[i] = _mm256_permute2x128_si256(low, high, 0x20);
        a[i + 4] = _mm256_permute2x128_si256(low, high, 0x31);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 1]);
        b[i + 2] = _mm256_unpacklo_epi32(a[i + 2], a[i + 3]);
        b[i + 3] = _mm256_unpackhi_epi32(a[i + 2], a[i + 3]);
    }
    for (int i = 0; i < 8; i += 4) {
        store_256(t + i * ts, _mm256_unpacklo_epi64(b[i], b[i + 2]));
        store_256(t + (i + 1) * ts, _mm256_unpackhi_epi64(b[i], b[i + 2]));
        store_256(t + (i + 2) * ts, _mm256_unpacklo_epi64(b[i + 1], b[i + 3]));
        store_256(t + (i + 3) * ts, _mm256_unpackhi_epi64(b[i + 1], b[i + 3]));
    }
}

static inline void tile_64bit(const char *s, ptrdiff_t ss, char *t, ptrdiff_t ts)
{
    __m256i a = load_256(s), b = load_256(s + ss), c = load_256(s + 2 * ss), d = load_256(s + 3 * ss);
    __m256i ab0 = _mm256_unpacklo_epi64(a, b), ab1 = _mm256_unpackhi_epi64(a, b);
    __m256i cd0 = _mm256_unpacklo_epi64(c, d), cd1 = _mm256_unpackhi_epi64(c, d);
    store_256(t, _mm256_permute2x128_si256(ab0, cd0, 0x20));
    store_256(t + ts, _mm256_permute2x128_si256(ab1, cd1, 0x20));
    store_256(t + 2 * ts, _mm256_permute2x128_si256(ab0, cd0, 0x31));
    store_256(t + 3 * ts, _mm256_permute2x128_si256(ab1, cd1, 0x31));
}

static inline void edge(const char *source, ptrdiff_t source_stride, char *target, ptrdiff_t target_stride,
                        size_t n_rows, size_t n_cols, size_t elem_bytes)
{
    for (size_t c = 0; c < n_cols; c++)
        for (size_t r = 0; r < n_rows; r++)
            memcpy(target + (ptrdiff_t)c * target_stride + r * elem_bytes,
                   source + (ptrdiff_t)r * source_stride + c * elem_bytes, elem_bytes);
}

/*
 * A square of one line's elements by as many rows, through a buffer, so that every line of source and target
 * is touched once: where strides are multiples of a page their lines would evict each other from the
 * first-level cache.
 */
static inline __attribute__((always_inline)) void square(const char *source, ptrdiff_t source_stride,
                                                         char *target, ptrdiff_t target_stride,
                                                         size_t elem_bytes, size_t tile, tile_run *run)
{
    char buffer[LINE_BYTES * LINE_BYTES];
    const size_t side = LINE_BYTES / elem_bytes;
    for (size_t r = 0; r < side; r += tile)
        for (size_t c = 0; c < side; c += tile)
            run(source + (ptrdiff_t)r * source_stride + c * elem_bytes, source_stride,
                buffer + c * LINE_BYTES + r * elem_bytes, LINE_BYTES);
    for (size_t c = 0; c < side; c++)
        memcpy(target + (ptrdiff_t)c * target_stride, buffer + c * LINE_BYTES, LINE_BYTES);
}

/*
 * Bands of one source line's columns: a line is used up while the target lines of the band stay in the
 * first-level cache.
 */
static inline __attribute__((always_inline)) void transpose(const char *source, ptrdiff_t source_stride,
                                                            char *target, ptrdiff_t target_stride,
                                                            size_t n_rows, size_t n_cols, size_t elem_bytes,
                                                            size_t tile, tile_run *run)
{
    const size_t band = LINE_BYTES / elem_bytes;
    const bool collides = source_stride % PAGE_BYTES == 0 || target_stride % PAGE_BYTES == 0;
    for (size_t c0 = 0; c0 < n_cols; c0 += band) {
        size_t width = n_cols - c0 < band ? n_cols - c0 : band;
        size_t whole = width / tile * tile, r = 0;
        for (; collides && width == band && r + band <= n_rows; r += band)
            square(source + (ptrdiff_t)r * source_stride + c0 * elem_bytes, source_stride,
                   target + (ptrdiff_t)c0 * target_stride + r * elem_bytes, target_stride, elem_bytes, tile,
                   run);
        for (; r < n_rows; r += tile) {
            size_t height = n_rows - r < tile ? n_rows - r : tile;
            const char *from = source + (ptrdiff_t)r * source_stride + c0 * elem_bytes;
            char *to = target + (ptrdiff_t)c0 * target_stride + r * elem_bytes;
            size_t done = height == tile ? whole : 0;
            for (size_t c = 0; c < done; c += tile)
                run(from + c * elem_bytes, source_stride, to + (ptrdiff_t)c * target_stride, target_stride);
            edge(from + done * elem_bytes, source_stride, to + (ptrdiff_t)done * target_stride, target_stride,
                 height, width - done, elem_bytes);
        }
    }
}

#define TRANSPOSE(bits, tile)                                                                          \
    static void transpose_##bits##bit__avx2(const void *source, ptrdiff_t source_stride, void *target, \
                                            ptrdiff_t target_stride, size_t n_rows, size_t n_cols)     \
    {                                                                                                  \
        transpose(source, source_stride, target, target_stride, n_rows, n_cols, bits / 8, tile,        \
                  tile_##bits##bit);                                                                   \
    }

TRANSPOSE(8, 8)
TRANSPOSE(16, 8)
TRANSPOSE(32, 8)
TRANSPOSE(64, 4)

const struct mls_move_kernels mls_move__avx2 = {
    .transpose = {[1] = {transpose_8bit__avx2, "transpose_8bit__avx2"},
                  [2] = {transpose_16bit__avx2, "transpose_16bit__avx2"},
                  [4] = {transpose_32bit__avx2, "transpose_32bit__avx2"},
                  [8] = {transpose_64bit__avx2, "transpose_64bit__avx2"}},
};
