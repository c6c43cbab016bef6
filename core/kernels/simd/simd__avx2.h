/* simd__avx2.h: vectors of AVX2 with FMA and F16C; what each name does is said in simd__generic.h. */
#pragma once

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fp16.h"

#define V_FUSED /* v_madd rounds once */
#define V_BYTES 32
#define V_ISA avx2
enum { V_LANES = 8 };

typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));
typedef double vd __attribute__((vector_size(32)));
typedef int64_t vl __attribute__((vector_size(32)));
typedef uint64_t vul __attribute__((vector_size(32)));

static inline vf v_madd(vf a, vf b, vf c)
{
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
static inline vf v_product_error(vf a, vf b, vf product)
{
    return (vf)_mm256_fmsub_ps((__m256)a, (__m256)b, (__m256)product);
}
static inline vd vd_madd(vd a, vd b, vd c)
{
    return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
static inline vf v_sqrt(vf a)
{
    return (vf)_mm256_sqrt_ps((__m256)a);
}
static inline vd vd_sqrt(vd a)
{
    return (vd)_mm256_sqrt_pd((__m256d)a);
}
static inline vf v_round(vf a)
{
    return (vf)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vd vd_round(vd a)
{
    return (vd)_mm256_round_pd((__m256d)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vi v_to_int(vf a)
{
    return (vi)_mm256_cvttps_epi32((__m256)a);
}
static inline vf v_from_int(vi a)
{
    return (vf)_mm256_cvtepi32_ps((__m256i)a);
}
static inline vd v_low(vf a)
{
    return (vd)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)a));
}
static inline vd v_high(vf a)
{
    return (vd)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)a, 1));
}
static inline vf v_join(vd low, vd high)
{
    return (vf)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)high), _mm256_cvtpd_ps((__m256d)low));
}
static inline vf v_load_fp16(const uint16_t *from)
{
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)from));
}
static inline void v_store_fp16(uint16_t *to, vf a)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_cvtps_ph((__m256)a, _MM_FROUND_TO_NEAREST_INT));
}

#define V_OWN_MAX
static inline vf v_max(vf a, vf b)
{
    __m256 larger = _mm256_max_ps((__m256)a, (__m256)b); /* b when they are equal or either is NaN */
    return (vf)_mm256_blendv_ps(larger, (__m256)a, _mm256_cmp_ps((__m256)a, (__m256)a, _CMP_UNORD_Q));
}
static inline vf v_min(vf a, vf b)
{
    __m256 smaller = _mm256_min_ps((__m256)a, (__m256)b);
    return (vf)_mm256_blendv_ps(smaller, (__m256)a, _mm256_cmp_ps((__m256)a, (__m256)a, _CMP_UNORD_Q));
}
