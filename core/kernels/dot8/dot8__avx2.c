/*
 * dot8__avx2.c: bytes become 16-bit integers on the way, since the instruction for bytes saturates: about the rate of fp32, from
 * a quarter of its memory. A vector of sixteen lanes is two registers.
 */
#include <immintrin.h>
#include <string.h>

#include "kernels/dot8/dot8.h"

enum { LANES = MLS_DOT16_LANES, HALF = LANES / 2, ROWS = MLS_DOT16_ROWS, TOGETHER = 4, FOUR = MLS_DOT8_FOUR };

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* ---- Numbers to bytes ---- */

struct rounder {
    __m256 scale, inverse, low, high;
    __m256i zero;
};

static inline struct rounder rounder_of(const struct mls_dot8_rounding *rounding)
{
    const float bound = 1024; /* beyond it the result saturates whatever zero is */
    return (struct rounder){.scale = _mm256_set1_ps(rounding->scale),
                            .inverse = _mm256_set1_ps(rounding->inverse),
                            .low = _mm256_set1_ps(-bound * rounding->scale),
                            .high = _mm256_set1_ps(bound * rounding->scale),
                            .zero = _mm256_set1_epi32(rounding->zero)};
}

/* Not yet saturated; the quotient is corrected as in the file for AVX-512. */
static inline __m256i integers(const struct rounder *r, __m256 x)
{
    __m256 number = _mm256_cmp_ps(x, x, _CMP_ORD_Q);
    x = _mm256_min_ps(_mm256_max_ps(x, r->low), r->high);
    __m256 quotient = _mm256_mul_ps(x, r->inverse);
    quotient = _mm256_fmadd_ps(_mm256_fnmadd_ps(quotient, r->scale, x), r->inverse, quotient);
    return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_and_ps(quotient, number)), r->zero);
}

static inline __m256 load_lanes(const uint16_t *plane, const struct mls_dot16_line *line, size_t i, size_t step)
{
    /* lane i itself may lie outside the plane, so that there may be no pointer to it */
    uintptr_t from = (uintptr_t)plane + 2 * (uintptr_t)(line->at + (ptrdiff_t)(i * step));
    const uint16_t *x = (const uint16_t *)from;
    uint16_t lanes[HALF] = {0};
    if (step == 1 && i >= line->first && i + HALF <= line->end)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)x));
    for (size_t l = 0; l < HALF; l++)
        if (i + l >= line->first && i + l < line->end)
            lanes[l] = x[l * step];
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)lanes));
}

static inline __m256i bytes_of_four(__m256i a, __m256i b, __m256i c, __m256i d)
{
    const __m256i order = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6,
                                           10, 14, 3, 7, 11, 15);
    __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_shuffle_epi8(bytes, order);
}

static void quantize__avx2(const struct mls_dot8_block *block, const struct mls_dot8_rounding *rounding, size_t stride,
                           uint8_t *ret)
{
    struct rounder r = rounder_of(rounding);
    for (size_t p = 0; p < block->n_planes; p += FOUR, ret += FOUR * stride)
        for (size_t l = 0; l < block->n_lines; l++) {
            const struct mls_dot16_line *line = &block->lines[l];
            for (size_t i = 0; i < block->width; i += HALF) {
                __m256i lanes[FOUR];
                for (size_t f = 0; f < FOUR; f++) {
                    const uint16_t *plane = block->planes[p + f];
                    lanes[f] = plane ? integers(&r, load_lanes(plane, line, i, block->step)) : r.zero;
                }
                _mm256_storeu_si256((__m256i *)(void *)(ret + FOUR * (line->to + i)),
                                    bytes_of_four(lanes[0], lanes[1], lanes[2], lanes[3]));
            }
        }
}

static void line__avx2(const uint16_t *x, size_t n, const struct mls_dot8_rounding *rounding, uint8_t *ret)
{
    struct rounder r = rounder_of(rounding);
    size_t filled = (n + FOUR - 1) / FOUR * FOUR;
    for (size_t i = 0; i < filled; i += HALF) {
        uint16_t halves[HALF] = {0};
        size_t n_lanes = filled - i < HALF ? filled - i : HALF, n_values = n - i < HALF ? n - i : HALF;
        memcpy(halves, x + i, n_values * sizeof halves[0]);
        __m256i lanes = integers(&r, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)halves)));
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
        uint8_t bytes[16];
        _mm_storeu_si128((__m128i *)(void *)bytes, _mm_packus_epi16(words, words));
        memcpy(ret + i, bytes, n_lanes);
    }
}

/* ---- Products ---- */

/* Words of four bytes, even and odd ones apart as 16-bit integers. */
struct parts {
    __m256i even, odd;
};

static inline struct parts unsigned_parts(__m256i bytes)
{
    return (struct parts){_mm256_and_si256(bytes, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(bytes, 8)};
}

static inline struct parts signed_parts(__m256i bytes)
{
    return (struct parts){_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
}

static inline __m256i add_products(__m256i sum, struct parts u, struct parts w)
{
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(u.even, w.even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(u.odd, w.odd));
}

static inline __m256i load(const void *bytes)
{
    return _mm256_loadu_si256((const __m256i *)bytes);
}

static inline __m256i broadcast(const void *word)
{
    int32_t bits;
    memcpy(&bits, word, sizeof bits);
    return _mm256_set1_epi32(bits);
}

static inline void store(int32_t *to, __m256i sums)
{
    _mm256_storeu_si256((__m256i *)(void *)to, sums);
}

/* Rows by one vector, sums of row r at to[r * to_stride]; n_rows is a constant where this is inlined. */
static inline __attribute__((always_inline)) void multiply(const struct mls_dot8_panel *panel, const int8_t *a, size_t a_step,
                                                           size_t vector, int32_t *to, size_t to_stride, const size_t n_rows)
{
    __m256i sums[TOGETHER][2];
    UNROLL
    for (size_t r = 0; r < n_rows; r++)
        for (size_t h = 0; h < 2; h++)
            sums[r][h] = panel->first ? _mm256_setzero_si256() : load(to + r * to_stride + h * HALF);
    for (size_t e = 0; e < panel->n_elements; e++) {
        const uint8_t *b = panel->b + FOUR * (panel->offsets[e] + vector * LANES);
        for (size_t w = 0; w < panel->n_words; w++, a += a_step, b += FOUR * panel->b_stride) {
            struct parts low = unsigned_parts(load(b)), high = unsigned_parts(load(b + FOUR * HALF));
            UNROLL
            for (size_t r = 0; r < n_rows; r++) {
                struct parts weights = signed_parts(broadcast(a + r * FOUR));
                sums[r][0] = add_products(sums[r][0], low, weights);
                sums[r][1] = add_products(sums[r][1], high, weights);
            }
        }
    }
    UNROLL
    for (size_t r = 0; r < n_rows; r++)
        for (size_t h = 0; h < 2; h++)
            store(to + r * to_stride + h * HALF, sums[r][h]);
}

/* Eight whole lanes of one row. */
static void store_half(const struct mls_dot16_results *to, size_t row, size_t at, __m256i sums)
{
    __m256 value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(to->row_scales[row]), _mm256_set1_ps(to->bias[row]));
    at += row * to->y_stride;
    if (to->added) {
        value = _mm256_cvtph_ps(_mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
        value = _mm256_add_ps(value, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(to->added + at))));
    }
    value = _mm256_min_ps(_mm256_max_ps(value, _mm256_set1_ps(to->low)), _mm256_set1_ps(to->high));
    _mm_storeu_si128((__m128i *)(void *)(to->y + at), _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
}

static void store_results(const struct mls_dot8_panel *panel, size_t row, size_t vector)
{
    const struct mls_dot16_results *to = &panel->results;
    const struct mls_dot16_place *place = &to->places[vector];
    size_t col = vector * LANES, at = place->at;
    const int32_t *sums = panel->sums + row * to->vectors * LANES + col;
    int32_t finished[LANES];
    for (size_t h = 0; h < LANES; h += HALF) {
        __m256i sum = _mm256_add_epi32(load(sums + h), _mm256_set1_epi32(panel->starts[row]));
        if (panel->zeros)
            sum = _mm256_sub_epi32(sum, _mm256_mullo_epi32(load(panel->inputs + col + h), _mm256_set1_epi32(panel->zeros[row])));
        if (place->lanes == 0xffff)
            store_half(to, row, at + h, sum);
        store(finished + h, sum);
    }
    for (size_t i = 0; place->lanes != 0xffff && i < LANES; i++)
        if (place->lanes >> i & 1)
            mls_dot16_store(to, row, at++, (float)finished[i]);
}

static void multiply__avx2(const struct mls_dot8_panel *panel)
{
    const struct mls_dot16_results *results = &panel->results;
    size_t width = results->vectors * LANES, rows = mls_dot16_rows(results->n_rows);
    for (size_t v = 0; v < results->vectors; v++) {
        if (panel->zeros)
            multiply(panel, panel->ones, FOUR, v, panel->inputs + v * LANES, 0, 1);
        for (size_t r = 0; r < rows; r += TOGETHER) {
            const int8_t *a = panel->a + r / ROWS * panel->a_stride + r % ROWS * FOUR;
            multiply(panel, a, FOUR * ROWS, v, panel->sums + r * width + v * LANES, width, TOGETHER);
        }
        for (size_t r = 0; panel->last && r < results->n_rows; r++)
            store_results(panel, r, v);
    }
}

/* Some rows by one vector of columns. */
static inline __attribute__((always_inline)) void tile_of(const struct mls_dot8_tile *t, size_t row, size_t vector,
                                                          const size_t n_rows)
{
    __m256i sums[TOGETHER][2];
    const size_t col = vector * LANES, n_cols = t->n_cols - col < LANES ? t->n_cols - col : LANES;
    UNROLL
    for (size_t r = 0; r < n_rows; r++)
        sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    const uint8_t *a = t->a + row * t->a_stride;
    const int8_t *b = t->b + FOUR * col;
    for (size_t w = 0; w < t->n_words; w++, a += FOUR, b += FOUR * t->vectors * LANES) {
        struct parts low = signed_parts(load(b)), high = signed_parts(load(b + FOUR * HALF));
        UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            struct parts inputs = unsigned_parts(broadcast(a + r * t->a_stride));
            sums[r][0] = add_products(sums[r][0], inputs, low);
            sums[r][1] = add_products(sums[r][1], inputs, high);
        }
    }
    UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        uint16_t halves[LANES];
        for (size_t h = 0; h < 2; h++) {
            size_t at = col + h * HALF;
            __m256i sum = _mm256_add_epi32(sums[r][h], load(t->starts + at));
            if (t->zeros)
                sum = _mm256_sub_epi32(sum, _mm256_mullo_epi32(load(t->zeros + at), _mm256_set1_epi32(t->inputs[row + r])));
            __m256 value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(t->scales + at), _mm256_loadu_ps(t->bias + at));
            _mm_storeu_si128((__m128i *)(void *)(halves + h * HALF), _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
        }
        memcpy(t->y + (row + r) * t->y_stride + col, halves, n_cols * sizeof halves[0]);
    }
}

static void tile__avx2(const struct mls_dot8_tile *tile)
{
    for (size_t v = 0; v < tile->vectors; v++) {
        size_t row = 0;
        for (; row + TOGETHER <= tile->n_rows; row += TOGETHER)
            tile_of(tile, row, v, TOGETHER);
        for (; row < tile->n_rows; row++)
            tile_of(tile, row, v, 1);
    }
}

const struct mls_dot8_kernels mls_dot8__avx2 = {.name_conv = "conv_int8_dot8__avx2",
                                                .name_pointwise = "conv_int8_dot8_pointwise__avx2",
                                                .name_product = "linear_int8_dot8__avx2",
                                                .quantize = quantize__avx2,
                                                .multiply = multiply__avx2,
                                                .line = line__avx2,
                                                .tile = tile__avx2};
