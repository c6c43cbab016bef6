/* simd__avx512.h: vectors of AVX-512 (F, BW, DQ, VL); what each name does is said in simd__generic.h. */
#pragma once

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fp16.h"

#define V_FUSED /* v_madd rounds once */
#define V_BYTES 64
#if !defined(V_ISA) /* sets that add instructions to this one name themselves */
#define V_ISA avx512
#endif
enum { V_LANES = 16 };

typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef double vd __attribute__((vector_size(64)));
typedef int64_t vl __attribute__((vector_size(64)));
typedef uint64_t vul __attribute__((vector_size(64)));

static inline vf v_madd(vf a, vf b, vf c)
{
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
static inline vf v_product_error(vf a, vf b, vf product)
{
    return (vf)_mm512_fmsub_ps((__m512)a, (__m512)b, (__m512)product);
}
static inline vd vd_madd(vd a, vd b, vd c)
{
    return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
static inline vf v_sqrt(vf a)
{
    return (vf)_mm512_sqrt_ps((__m512)a);
}
static inline vd vd_sqrt(vd a)
{
    return (vd)_mm512_sqrt_pd((__m512d)a);
}
static inline vf v_round(vf a)
{
    return (vf)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vd vd_round(vd a)
{
    return (vd)_mm512_roundscale_pd((__m512d)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vi v_to_int(vf a)
{
    return (vi)_mm512_cvttps_epi32((__m512)a);
}
static inline vf v_from_int(vi a)
{
    return (vf)_mm512_cvtepi32_ps((__m512i)a);
}
static inline vd v_low(vf a)
{
    return (vd)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)a));
}
static inline vd v_high(vf a)
{
    return (vd)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)a, 1));
}
static inline vf v_join(vd low, vd high)
{
    __m512 lower = _mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)low));
    return (vf)_mm512_insertf32x8(lower, _mm512_cvtpd_ps((__m512d)high), 1);
}
static inline vf v_load_fp16(const uint16_t *from)
{
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)from));
}
static inline void v_store_fp16(uint16_t *to, vf a)
{
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT));
}
static inline vi vi_max(vi a, vi b)
{
    return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
}
static inline int32_t vi_fold_max(vi a)
{
    return _mm512_reduce_max_epi32((__m512i)a);
}
static inline vi v_to_int_near(vf a)
{
    return (vi)_mm512_cvtps_epi32((__m512)a);
}
static inline void v_store_int16(int16_t *to, vi a)
{
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtepi32_epi16((__m512i)a));
}

/* In place of the loops of simd.h, by masks; the same results. */
#define V_OWN_TAILS
static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n < V_LANES ? (1u << n) - 1u : 0xffffu);
}
static inline vf v_load_tail(const float *from, size_t n)
{
    return (vf)_mm512_maskz_loadu_ps(first_lanes(n), from);
}
static inline void v_store_tail(float *to, size_t n, vf a)
{
    _mm512_mask_storeu_ps(to, first_lanes(n), (__m512)a);
}
static inline vf v_load_tail_fp16(const uint16_t *from, size_t n)
{
    return (vf)_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), from));
}
static inline void v_store_tail_fp16(uint16_t *to, size_t n, vf a)
{
    _mm256_mask_storeu_epi16(to, first_lanes(n), _mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT));
}

#define V_OWN_MAX
static inline vf v_max(vf a, vf b)
{
    __mmask16 number = _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_ORD_Q);
    return (vf)_mm512_mask_max_ps((__m512)a, number, (__m512)a,
                                  (__m512)b); /* b when they are equal or b is NaN */
}
static inline vf v_min(vf a, vf b)
{
    __mmask16 number = _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_ORD_Q);
    return (vf)_mm512_mask_min_ps((__m512)a, number, (__m512)a, (__m512)b);
}

#define V_OWN_FOLDS
static inline bool v_any(vi mask)
{
    return _mm512_movepi32_mask((__m512i)mask) != 0;
}
static inline float v_fold_larger(vf a)
{
    return _mm512_reduce_max_ps((__m512)a);
}
static inline float v_sum(vf a)
{
    return _mm512_reduce_add_ps((__m512)a);
}

#define V_OWN_LIMITS
static inline vf v_at_most(vf a, float limit)
{
    return (vf)_mm512_min_ps(_mm512_set1_ps(limit), (__m512)a);
}
static inline vf v_at_least(vf a, float limit)
{
    return (vf)_mm512_max_ps(_mm512_set1_ps(limit), (__m512)a);
}
static inline vf v_larger(vf a, vf b)
{
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}
static inline vf v_scale(vf mantissa, vf n)
{
    return (vf)_mm512_scalef_ps((__m512)mantissa, (__m512)n);
}
