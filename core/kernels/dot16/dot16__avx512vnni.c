#include "kernels/dot16/dot16.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = MLS_DOT16_LANES, ROWS = MLS_DOT16_ROWS };

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/*
 * sums[v] += pair * columns[v]. With intrinsics, gcc 12 copies every sum at every step, which halves the
 * rate.
 */
static inline __attribute__((always_inline)) void add_products(__m512i *sums, const int16_t *pair,
                                                               const __m512i *columns, const size_t vectors)
{
    const int32_t *both = (const int32_t *)(const void *)pair;
    __m512i a;
    if (vectors == 1)
        __asm__("vpdpwssd %1%{1to16%}, %2, %0" : "+v"(sums[0]) : "m"(*both), "v"(columns[0]));
    else if (vectors == 2)
        __asm__("vpbroadcastd %3, %2\n\tvpdpwssd %4, %2, %0\n\tvpdpwssd %5, %2, %1"
                : "+v"(sums[0]), "+v"(sums[1]), "=&v"(a)
                : "m"(*both), "v"(columns[0]), "v"(columns[1]));
    else if (vectors == 3)
        __asm__("vpbroadcastd %4, %3\n\tvpdpwssd %5, %3, %0\n\tvpdpwssd %6, %3, %1\n\tvpdpwssd %7, %3, %2"
                : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "=&v"(a)
                : "m"(*both), "v"(columns[0]), "v"(columns[1]), "v"(columns[2]));
    else
        __asm__("vpbroadcastd %5, %4\n\tvpdpwssd %6, %4, %0\n\tvpdpwssd %7, %4, %1\n\t"
                "vpdpwssd %8, %4, %2\n\tvpdpwssd %9, %4, %3"
                : "+v"(sums[0]), "+v"(sums[1]), "+v"(sums[2]), "+v"(sums[3]), "=&v"(a)
                : "m"(*both), "v"(columns[0]), "v"(columns[1]), "v"(columns[2]), "v"(columns[3]));
}

/* The first n of the lanes. */
static inline __mmask16 first_lanes(size_t n)
{
    return n < LANES ? (__mmask16)((1u << n) - 1) : (__mmask16)0xffff;
}

/* Those of the lanes i … i + 15 of a line that exist. */
static inline __mmask16 lanes_of(const struct mls_dot16_line *line, size_t i)
{
    __mmask16 end = first_lanes(line->end > i ? line->end - i : 0);
    return (__mmask16)(end & ~first_lanes(line->first > i ? line->first - i : 0));
}

/* Every second element from `from` on. Nothing is read where the mask is not set. */
static inline __m256i load_even(const uint16_t *from, __mmask16 mask)
{
    __mmask32 even = _pdep_u32(mask, 0x55555555);
    return _mm512_cvtepi32_epi16(_mm512_maskz_loadu_epi16(even, from));
}

static inline __m256i load_apart(const uint16_t *from, __mmask16 mask, size_t step)
{
    uint16_t lanes[LANES] = {0};
    for (size_t i = 0; i < LANES; i++)
        if (mask >> i & 1)
            lanes[i] = from[i * step];
    return _mm256_loadu_si256((const __m256i *)(const void *)lanes);
}

/* Lanes i … i + 15 of a line of one plane; step is 0 where it is neither 1 nor 2. */
static inline __attribute__((always_inline)) __m512 load(const struct mls_dot16_block *block,
                                                         const uint16_t *plane,
                                                         const struct mls_dot16_line *line, size_t i,
                                                         const size_t step)
{
    /* lane i itself may lie outside the plane, so that there may be no pointer to it */
    uintptr_t from = (uintptr_t)plane + 2 * (uintptr_t)(line->at + (ptrdiff_t)(i * block->step));
    const uint16_t *x = (const uint16_t *)from;
    if (step == 1 && i >= line->first && i + LANES <= line->end)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)x));
    __mmask16 mask = lanes_of(line, i);
    if (!mask)
        return _mm512_setzero_ps();
    if (step == 1)
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x));
    return _mm512_cvtph_ps(step == 2 ? load_even(x, mask) : load_apart(x, mask, block->step));
}

/* Adds the squares of n planes from `first` on to the sums; n and step are constants where this is inlined.
 */
static inline __attribute__((always_inline)) void add_squares(const struct mls_dot16_block *block,
                                                              size_t first, float *sums, const size_t n,
                                                              const size_t step)
{
    for (size_t l = 0; l < block->n_lines; l++) {
        const struct mls_dot16_line *line = &block->lines[l];
        for (size_t i = line->first / LANES * LANES; i < line->end; i += LANES) {
            float *to = sums + line->to + i;
            __m512 sum = _mm512_loadu_ps(to);
            UNROLL
            for (size_t p = first; p < first + n; p++) {
                if (!block->planes[p])
                    continue;
                __m512 value = _mm512_mul_ps(load(block, block->planes[p], line, i, step),
                                             _mm512_set1_ps(block->scales[p]));
                sum = _mm512_fmadd_ps(value, value, sum);
            }
            _mm512_storeu_ps(to, sum);
        }
    }
}

enum { PLANES_TOGETHER = 4 };

static inline __attribute__((always_inline)) float measure(const struct mls_dot16_block *block, float *sums,
                                                           const size_t step)
{
    size_t n = block->lines[block->n_lines - 1].to + block->width, p = 0;
    memset(sums, 0, n * sizeof *sums);
    for (; p + PLANES_TOGETHER <= block->n_planes; p += PLANES_TOGETHER)
        add_squares(block, p, sums, PLANES_TOGETHER, step);
    for (; p < block->n_planes; p++)
        add_squares(block, p, sums, 1, step);
    __m512 greatest = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        __m512 sum = _mm512_maskz_loadu_ps(first_lanes(n - i), sums + i);
        /* the second operand is the result where one is a NaN */
        __mmask16 nan = _mm512_cmp_ps_mask(greatest, greatest, _CMP_UNORD_Q);
        greatest = _mm512_mask_mov_ps(_mm512_max_ps(greatest, sum), nan, greatest);
    }
    __mmask16 nan = _mm512_cmp_ps_mask(greatest, greatest, _CMP_UNORD_Q);
    return nan ? __builtin_nanf("") : _mm512_reduce_max_ps(greatest);
}

static float measure__avx512vnni(const struct mls_dot16_block *block, float *sums)
{
    if (block->step == 1)
        return measure(block, sums, 1);
    return block->step == 2 ? measure(block, sums, 2) : measure(block, sums, 0);
}

static inline __attribute__((always_inline)) void quantize(const struct mls_dot16_block *block, float scale,
                                                           size_t stride, int16_t *ret, const size_t step)
{
    for (size_t p = 0; p < block->n_planes; p += 2, ret += 2 * stride) {
        bool both = p + 1 < block->n_planes;
        const uint16_t *low_plane = block->planes[p], *high_plane = both ? block->planes[p + 1] : NULL;
        const __m512 low_factor = _mm512_set1_ps(block->scales[p] * scale);
        const __m512 high_factor = _mm512_set1_ps(both ? block->scales[p + 1] * scale : 0);
        for (size_t l = 0; l < block->n_lines; l++) {
            const struct mls_dot16_line *line = &block->lines[l];
            for (size_t i = 0; i < block->width; i += LANES) {
                __m512 low = low_plane ? load(block, low_plane, line, i, step) : _mm512_setzero_ps();
                __m512 high = high_plane ? load(block, high_plane, line, i, step) : _mm512_setzero_ps();
                __m512i low_bits = _mm512_cvtps_epi32(_mm512_mul_ps(low, low_factor));
                __m512i high_bits = _mm512_cvtps_epi32(_mm512_mul_ps(high, high_factor));
                _mm512_storeu_si512(
                    ret + 2 * (line->to + i),
                    _mm512_mask_blend_epi16(0xaaaaaaaa, low_bits, _mm512_slli_epi32(high_bits, 16)));
            }
        }
    }
}

static void quantize__avx512vnni(const struct mls_dot16_block *block, float scale, size_t stride,
                                 int16_t *ret)
{
    if (block->step == 1)
        quantize(block, scale, stride, ret, 1);
    else if (block->step == 2)
        quantize(block, scale, stride, ret, 2);
    else
        quantize(block, scale, stride, ret, 0);
}

/* To fp16 and back. */
static inline __m512 rounded(__m512 value)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
}

/* All sums into y; with_added is a constant where this is inlined. */
static inline __attribute__((always_inline)) void store_results(const struct mls_dot16_panel *panel,
                                                                const bool with_added)
{
    const __m512 low = _mm512_set1_ps(panel->low), high = _mm512_set1_ps(panel->high);
    const size_t n_rows = panel->n_rows, vectors = panel->vectors, stride = panel->y_stride;
    const struct mls_dot16_place *places = panel->places;
    const uint16_t *added = panel->added;
    uint16_t *y = panel->y;
    for (size_t v = 0; v < vectors; v++) {
        const float *sums = panel->sums + v * LANES;
        const __mmask16 lanes = places[v].lanes;
        const __mmask16 mask = first_lanes((size_t)_mm_popcnt_u32(lanes));
        size_t at = places[v].at;
        for (size_t r = 0; r < n_rows; r++, at += stride, sums += vectors * LANES) {
            __m512 value = _mm512_fmadd_ps(_mm512_loadu_ps(sums), _mm512_set1_ps(panel->row_scales[r]),
                                           _mm512_set1_ps(panel->bias[r]));
            if (lanes != 0xffff) /* those that are results move together */
                value = _mm512_maskz_compress_ps(lanes, value);
            if (with_added)
                value = _mm512_add_ps(rounded(value),
                                      _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, added + at)));
            value = _mm512_min_ps(_mm512_max_ps(value, low), high);
            _mm256_mask_storeu_epi16(y + at, mask, _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
        }
    }
}

/* Results are far apart, a row of each plane: the caches are asked for their lines before the products. */
static void fetch_results(const struct mls_dot16_panel *panel)
{
    size_t first = panel->places[0].at, last = panel->places[panel->vectors - 1].at;
    for (size_t r = 0; r < panel->n_rows; r++) {
        size_t at = r * panel->y_stride + first, end = r * panel->y_stride + last;
        __builtin_prefetch(panel->y + at, 1);
        __builtin_prefetch(panel->y + end, 1);
        if (panel->added) {
            __builtin_prefetch(panel->added + at);
            __builtin_prefetch(panel->added + end);
        }
    }
}

/* n_rows rows by `vectors` vectors: both are constants where this is inlined. */
static inline __attribute__((always_inline)) void multiply(const struct mls_dot16_panel *panel,
                                                           const int16_t *a, float *to, const size_t n_rows,
                                                           const size_t vectors)
{
    __m512i sums[ROWS * 3];
    UNROLL
    for (size_t i = 0; i < n_rows * vectors; i++)
        sums[i] = _mm512_setzero_si512();
    const size_t stride = 2 * panel->b_stride;
    for (size_t e = 0; e < panel->n_elements; e++) {
        const int16_t *b = panel->b + 2 * panel->offsets[e];
        for (size_t p = panel->n_pairs; p; p--) {
            __m512i columns[MLS_DOT16_VECTORS];
            UNROLL
            for (size_t v = 0; v < vectors; v++)
                columns[v] = _mm512_loadu_si512(b + v * 2 * LANES);
            UNROLL
            for (size_t r = 0; r < n_rows; r++)
                add_products(sums + r * vectors, a + 2 * r, columns, vectors);
            a += 2 * ROWS;
            b += stride;
        }
    }
    const __m512 scale = _mm512_set1_ps(panel->scale);
    if (panel->first) {
        UNROLL
        for (size_t i = 0; i < n_rows * vectors; i++)
            _mm512_storeu_ps(to + i * LANES, _mm512_mul_ps(_mm512_cvtepi32_ps(sums[i]), scale));
    } else {
        UNROLL
        for (size_t i = 0; i < n_rows * vectors; i++)
            _mm512_storeu_ps(to + i * LANES, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i]), scale,
                                                             _mm512_loadu_ps(to + i * LANES)));
    }
}

static void multiply__avx512vnni(const struct mls_dot16_panel *panel)
{
    const int16_t *a = panel->a;
    float *to = panel->sums;
    if (panel->last)
        fetch_results(panel);
    for (size_t r = 0; r < panel->n_rows; r += ROWS) {
        if (panel->vectors == 1)
            multiply(panel, a, to, ROWS, 1);
        else if (panel->vectors == 2)
            multiply(panel, a, to, ROWS, 2);
        else if (panel->vectors == 3)
            multiply(panel, a, to, ROWS, 3);
        else { /* eight rows would need more registers than there are */
            multiply(panel, a, to, ROWS / 2, 4);
            multiply(panel, a + ROWS, to + ROWS / 2 * 4 * LANES, ROWS / 2, 4);
        }
        a += panel->a_stride;
        to += ROWS * panel->vectors * LANES;
    }
    if (panel->last && panel->added)
        store_results(panel, true);
    else if (panel->last)
        store_results(panel, false);
}

const struct mls_dot16_kernels mls_dot16__avx512vnni = {.name_conv = "conv_fp16_dot16__avx512vnni",
                                                        .name_pointwise =
                                                            "conv_fp16_dot16_pointwise__avx512vnni",
                                                        .measure = measure__avx512vnni,
                                                        .quantize = quantize__avx512vnni,
                                                        .multiply = multiply__avx512vnni};
