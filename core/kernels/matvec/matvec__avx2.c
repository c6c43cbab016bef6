#include "kernels/kernels.h"

#include "kernels/simd/simd__avx2.h"
#include "kernels/simd/simd.h"

static inline vf v_load_int8(const int8_t *from)
{
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}
static inline vf v_load_uint8(const uint8_t *from)
{
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}

/* Two tables of eight; bit 3 of the code, moved to the sign, chooses between them. */
#define V_LOOK_UP(table, codes) look_up(v_load(table), v_load((table) + 8), codes)
static inline vf look_up(vf low, vf high, vi codes)
{
    __m256 a = _mm256_permutevar8x32_ps((__m256)low, (__m256i)codes);
    __m256 b = _mm256_permutevar8x32_ps((__m256)high, (__m256i)codes);
    return (vf)_mm256_blendv_ps(a, b, (__m256)((vu)codes << 28));
}
#include "kernels/matvec/matvec.inc"
