#include "kernels/kernels.h"

#include "kernels/simd/simd__avx512.h"
#include "kernels/simd/simd.h"

static inline vf v_load_int8(const int8_t *from)
{
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from)));
}
static inline vf v_load_uint8(const uint8_t *from)
{
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from)));
}

#define V_LOOK_UP(table, codes) ((vf)_mm512_permutexvar_ps((__m512i)(codes), (__m512)v_load(table)))

#define V_SPREAD(scales, bits) spread(scales, bits)
static inline vf spread(vf scales, int bits)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return (vf)_mm512_permutexvar_ps(_mm512_srl_epi32(lanes, _mm_cvtsi32_si128(bits)), (__m512)scales);
}
#include "kernels/matvec/matvec.inc"
