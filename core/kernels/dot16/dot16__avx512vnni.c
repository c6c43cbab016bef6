#include "kernels/dot16/dot16.h"

#include <string.h>

#include "kernels/dot16/dot16__avx512.h"

enum { ROWS = MLS_DOT16_ROWS };

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
                __m512 value = _mm512_mul_ps(load_lanes(block->planes[p], line, i, block->step, step),
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
                __m512 low = low_plane ? load_lanes(low_plane, line, i, block->step, step) : _mm512_setzero_ps();
                __m512 high = high_plane ? load_lanes(high_plane, line, i, block->step, step) : _mm512_setzero_ps();
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

/* All sums into y; with_added is a constant where this is inlined. */
static inline __attribute__((always_inline)) void store_results(const struct mls_dot16_panel *panel, const bool with_added)
{
    const struct mls_dot16_results *to = &panel->results;
    for (size_t v = 0; v < to->vectors; v++) {
        const float *sums = panel->sums + v * LANES;
        for (size_t r = 0; r < to->n_rows; r++, sums += to->vectors * LANES)
            store_lanes(to, r, v, _mm512_loadu_ps(sums), with_added);
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
        fetch_results(&panel->results);
    for (size_t r = 0; r < panel->results.n_rows; r += ROWS) {
        if (panel->results.vectors == 1)
            multiply(panel, a, to, ROWS, 1);
        else if (panel->results.vectors == 2)
            multiply(panel, a, to, ROWS, 2);
        else if (panel->results.vectors == 3)
            multiply(panel, a, to, ROWS, 3);
        else { /* eight rows would need more registers than there are */
            multiply(panel, a, to, ROWS / 2, 4);
            multiply(panel, a + ROWS, to + ROWS / 2 * 4 * LANES, ROWS / 2, 4);
        }
        a += panel->a_stride;
        to += ROWS * panel->results.vectors * LANES;
    }
    if (panel->last && panel->results.added)
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
