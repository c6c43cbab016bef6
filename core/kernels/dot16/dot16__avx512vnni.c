#include "kernels/dot16/dot16.h"

#include <immintrin.h>

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

static inline __mmask16 first_lanes(size_t n)
{
    return n < LANES ? (__mmask16)((1u << n) - 1) : (__mmask16)0xffff;
}

static inline __m512 load(const struct mls_dot16_source *source, size_t term, size_t col)
{
    size_t at = term * source->stride + col;
    __mmask16 mask = first_lanes(source->n_cols - col);
    __m512 value = source->fp16
                       ? _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, (const uint16_t *)source->data + at))
                       : _mm512_maskz_loadu_ps(mask, (const float *)source->data + at);
    return _mm512_mul_ps(value, _mm512_set1_ps(source->term_scales[term]));
}

static void measure__avx512vnni(const struct mls_dot16_source *source, struct mls_dot16_measure *ret)
{
    __m512 greatest = _mm512_setzero_ps(), longest = _mm512_setzero_ps();
    for (size_t c = 0; c < source->n_cols; c += LANES) {
        __m512 sum = _mm512_setzero_ps();
        for (size_t t = 0; t < source->n_terms; t++) {
            __m512 value = load(source, t, c), square = _mm512_mul_ps(value, value);
            greatest = _mm512_max_ps(greatest, square);
            sum = _mm512_add_ps(sum, square);
        }
        /* the second operand is the result where one is a NaN */
        __mmask16 nan = _mm512_cmp_ps_mask(longest, longest, _CMP_UNORD_Q);
        longest = _mm512_mask_mov_ps(_mm512_max_ps(longest, sum), nan, longest);
    }
    __mmask16 nan = _mm512_cmp_ps_mask(longest, longest, _CMP_UNORD_Q);
    ret->square = _mm512_reduce_max_ps(greatest);
    ret->column_square = nan ? __builtin_nanf("") : _mm512_reduce_max_ps(longest);
}

static void quantize__avx512vnni(const struct mls_dot16_source *source, float scale, size_t vectors,
                                 int16_t *ret)
{
    const __m512 factor = _mm512_set1_ps(scale);
    for (size_t t = 0; t < source->n_terms; t += 2) {
        for (size_t v = 0; v < vectors; v++, ret += 2 * LANES) {
            size_t c = v * LANES;
            __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(load(source, t, c), factor));
            __m512i high = _mm512_setzero_si512();
            if (t + 1 < source->n_terms)
                high = _mm512_cvtps_epi32(_mm512_mul_ps(load(source, t + 1, c), factor));
            __m512i both = _mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_slli_epi32(high, 16));
            _mm512_storeu_si512(ret, both);
        }
    }
}

/* To fp16 and back. */
static inline __m512 rounded(__m512 value)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
}

/* What the sums of a tile become. */
struct output {
    __m512 scale;
    __m512 low, high;
    __mmask16 last_mask; /* lanes of the last vector that exist */
};

static inline __attribute__((always_inline)) void store(const struct mls_dot16_tile *tile, size_t at,
                                                        __mmask16 mask, __m512 value)
{
    if (tile->fp16)
        _mm256_mask_storeu_epi16((uint16_t *)tile->y + at, mask,
                                 _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
    else
        _mm512_mask_storeu_ps((float *)tile->y + at, mask, value);
}

/* n_rows, vectors, first and last are constants where this is inlined. */
static inline __attribute__((always_inline)) void finish(const struct mls_dot16_tile *tile,
                                                         const __m512i *sums, const size_t row,
                                                         const size_t n_rows, const size_t vectors,
                                                         const bool first, const bool last)
{
    const struct output out = {.scale = _mm512_set1_ps(tile->scale),
                               .low = _mm512_set1_ps(tile->low),
                               .high = _mm512_set1_ps(tile->high),
                               .last_mask = first_lanes(tile->n_cols - (vectors - 1) * LANES)};
    const size_t rows = tile->n_rows, y_stride = tile->y_stride;
    const uint16_t *added = tile->added;
    float *before = tile->sums;
    UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        if (last && row + r >= rows)
            return;
        const __m512 row_scale = _mm512_set1_ps(last ? tile->row_scales[row + r] : 0);
        const __m512 bias = _mm512_set1_ps(last ? tile->bias[row + r] : 0);
        UNROLL
        for (size_t v = 0; v < vectors; v++) {
            float *at = before + ((row + r) * vectors + v) * LANES;
            __m512 value = _mm512_cvtepi32_ps(sums[r * vectors + v]);
            value = first ? _mm512_mul_ps(value, out.scale)
                          : _mm512_fmadd_ps(value, out.scale, _mm512_loadu_ps(at));
            if (!last) {
                _mm512_storeu_ps(at, value);
                continue;
            }
            const size_t to = (row + r) * y_stride + v * LANES;
            const __mmask16 mask = v + 1 < vectors ? 0xffff : out.last_mask;
            value = _mm512_fmadd_ps(value, row_scale, bias);
            if (added)
                value = _mm512_add_ps(rounded(value),
                                      _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, added + to)));
            value = _mm512_min_ps(_mm512_max_ps(value, out.low), out.high);
            store(tile, to, mask, value);
        }
    }
}

/* n_rows rows from `row` on, by `vectors` vectors: both are constants where this is inlined. */
static inline __attribute__((always_inline)) void multiply(const struct mls_dot16_tile *tile,
                                                           const size_t row, const size_t n_rows,
                                                           const size_t vectors)
{
    __m512i sums[ROWS * 3];
    UNROLL
    for (size_t i = 0; i < n_rows * vectors; i++)
        sums[i] = _mm512_setzero_si512();
    const int16_t *a = tile->a + 2 * row, *b = tile->b;
    for (size_t p = tile->n_pairs; p; p--) {
        __m512i columns[MLS_DOT16_VECTORS];
        UNROLL
        for (size_t v = 0; v < vectors; v++)
            columns[v] = _mm512_loadu_si512(b + v * 2 * LANES);
        UNROLL
        for (size_t r = 0; r < n_rows; r++)
            add_products(sums + r * vectors, a + 2 * r, columns, vectors);
        a += 2 * ROWS;
        b += vectors * 2 * LANES;
    }
    if (tile->last && tile->first)
        finish(tile, sums, row, n_rows, vectors, true, true);
    else if (tile->last)
        finish(tile, sums, row, n_rows, vectors, false, true);
    else if (tile->first)
        finish(tile, sums, row, n_rows, vectors, true, false);
    else
        finish(tile, sums, row, n_rows, vectors, false, false);
}

static void tile__avx512vnni(const struct mls_dot16_tile *tile)
{
    switch (tile->vectors) {
    case 1:
        multiply(tile, 0, ROWS, 1);
        break;
    case 2:
        multiply(tile, 0, ROWS, 2);
        break;
    case 3:
        multiply(tile, 0, ROWS, 3);
        break;
    default: /* eight rows would need more registers than there are */
        multiply(tile, 0, ROWS / 2, 4);
        multiply(tile, ROWS / 2, ROWS / 2, 4);
    }
}

const struct mls_dot16_kernels mls_dot16__avx512vnni = {
    .name_conv = "conv_fp16_dot16__avx512vnni",
    .name_pointwise = "conv_fp16_dot16_pointwise__avx512vnni",
    .name_winograd = "conv_fp16_dot16_winograd_2x2__avx512vnni",
    .measure = measure__avx512vnni,
    .quantize = quantize__avx512vnni,
    .tile = tile__avx512vnni};
