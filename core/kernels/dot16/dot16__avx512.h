/* dot16__avx512.h: how convolutions by small integers (dot16, dot8) read planes and write results, with AVX-512. */
#pragma once

#include <immintrin.h>

#include "kernels/dot16/dot16.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

enum { LANES = MLS_DOT16_LANES };

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

/* Lanes i … i + 15 of a line of one plane, `apart` elements from one to the next; step: the same, but 0 where it is neither 1
 * nor 2. Zeros for padding. */
static inline __attribute__((always_inline)) __m512 load_lanes(const uint16_t *plane,
                                                               const struct mls_dot16_line *line, size_t i,
                                                               const size_t apart, const size_t step)
{
    /* lane i itself may lie outside the plane, so that there may be no pointer to it */
    uintptr_t from = (uintptr_t)plane + 2 * (uintptr_t)(line->at + (ptrdiff_t)(i * apart));
    const uint16_t *x = (const uint16_t *)from;
    if (step == 1 && i >= line->first && i + LANES <= line->end)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)x));
    __mmask16 mask = lanes_of(line, i);
    if (!mask)
        return _mm512_setzero_ps();
    if (step == 1)
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x));
    return _mm512_cvtph_ps(step == 2 ? load_even(x, mask) : load_apart(x, mask, apart));
}

/* To fp16 and back. */
static inline __m512 rounded(__m512 value)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
}

/* A vector of sums of one row into y; with_added is a constant where this is inlined. */
static inline __attribute__((always_inline)) void store_lanes(const struct mls_dot16_results *to, size_t row, size_t vector,
                                                              __m512 sums, const bool with_added)
{
    const __mmask16 lanes = to->places[vector].lanes;
    const __mmask16 mask = first_lanes((size_t)_mm_popcnt_u32(lanes));
    const size_t at = to->places[vector].at + row * to->y_stride;
    __m512 value = _mm512_fmadd_ps(sums, _mm512_set1_ps(to->row_scales[row]), _mm512_set1_ps(to->bias[row]));
    if (lanes != 0xffff) /* those that are results move together */
        value = _mm512_maskz_compress_ps(lanes, value);
    if (with_added)
        value = _mm512_add_ps(rounded(value), _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, to->added + at)));
    value = _mm512_min_ps(_mm512_max_ps(value, _mm512_set1_ps(to->low)), _mm512_set1_ps(to->high));
    _mm256_mask_storeu_epi16(to->y + at, mask, _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
}

/* Results are far apart, a row of each plane: the caches are asked for their lines before the products. */
static inline void fetch_results(const struct mls_dot16_results *to)
{
    size_t first = to->places[0].at, last = to->places[to->vectors - 1].at;
    for (size_t r = 0; r < to->n_rows; r++) {
        size_t at = r * to->y_stride + first, end = r * to->y_stride + last;
        __builtin_prefetch(to->y + at, 1);
        __builtin_prefetch(to->y + end, 1);
        if (to->added) {
            __builtin_prefetch(to->added + at);
            __builtin_prefetch(to->added + end);
        }
    }
}
