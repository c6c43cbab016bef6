/* matvec__avx512.h: what the sets that begin with AVX-512 (F, BW, DQ, VL) give matvec.inc. */
#pragma once

#include "kernels/matvec/matvec.h"

#define V_LOOK_UP(table, codes) ((vf)_mm512_permutexvar_ps((__m512i)(codes), (__m512)v_load(table)))

#define V_OWN_LOOK_UPS

/* Both parities of a term's place are looked up at once: 32 words. */
static inline vf parity(__m512i halves, int term)
{
    return (vf)_mm512_cvtph_ps(term & 1 ? _mm512_extracti64x4_epi64(halves, 1) : _mm512_castsi512_si256(halves));
}

static inline __attribute__((always_inline)) vf look_up_6(const struct mls_matvec_part *part,
                                                          const uint8_t *step, const int term, const int lanes)
{
    const int bit = term / 2 * 6, shift = bit % 16;
    const __m512i *planes = (const __m512i *)(const void *)step;
    __m512i codes = _mm512_srli_epi16(_mm512_loadu_si512(planes + bit / 16), (unsigned)shift);
    if (shift > 10)
        codes = _mm512_or_si512(
            codes, _mm512_slli_epi16(_mm512_loadu_si512(planes + bit / 16 + 1), (unsigned)(16 - shift)));
    __m512i low = _mm512_loadu_si512(part->half_table), high = _mm512_loadu_si512(part->half_table + 32);
    (void)lanes;
    return parity(_mm512_permutex2var_epi16(low, codes, high), term);
}

static inline __attribute__((always_inline)) vf look_up_8(const struct mls_matvec_part *part,
                                                          const uint8_t *step, const int term, const int lanes)
{
    __m512i codes = _mm512_loadu_si512(step);
    if (term / 2)
        codes = _mm512_srli_epi16(codes, 8);
    const uint16_t *table = part->half_table;
    __m512i quarters[4];
    for (int i = 0; i < 4; i++)
        quarters[i] = _mm512_permutex2var_epi16(_mm512_loadu_si512(table + 64 * i), codes,
                                                _mm512_loadu_si512(table + 64 * i + 32));
    __mmask32 odd = _mm512_movepi16_mask(_mm512_slli_epi16(codes, 9));
    __mmask32 upper = _mm512_movepi16_mask(_mm512_slli_epi16(codes, 8));
    (void)lanes;
    return parity(_mm512_mask_blend_epi16(upper, _mm512_mask_blend_epi16(odd, quarters[0], quarters[1]),
                                          _mm512_mask_blend_epi16(odd, quarters[2], quarters[3])),
                  term);
}

/* Of a mask: counting 16 bits only would make each count wait for the one before it, whose register it writes in part. */
static inline size_t count_rows(uint16_t mask)
{
    uint32_t bits = mask;
    __asm__("" : "+r"(bits));
    return (size_t)__builtin_popcount(bits);
}

static inline const uint8_t *expand_fp16(uint16_t mask, const uint8_t *values, vf *ret)
{
    __m512 packed = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)values));
    *ret = (vf)_mm512_maskz_expand_ps(mask, packed);
    return values + 2 * count_rows(mask);
}

#define UNROLL_TERMS UNROLL
