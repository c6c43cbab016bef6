#include "kernels/kernels.h"

#include "kernels/simd/simd__avx2.h"
#include "kernels/simd/simd.h"

/* Two tables of eight; bit 3 of the code, moved to the sign, chooses between them. */
#define V_LOOK_UP(table, codes) look_up(v_load(table), v_load((table) + 8), codes)
static inline vf look_up(vf low, vf high, vi codes)
{
    __m256 a = _mm256_permutevar8x32_ps((__m256)low, (__m256i)codes);
    __m256 b = _mm256_permutevar8x32_ps((__m256)high, (__m256i)codes);
    return (vf)_mm256_blendv_ps(a, b, (__m256)((vu)codes << 28));
}

#define UNROLL_TERMS
#define COSTS \
    { \
        [MLS_PANEL_FP16] = 174, [MLS_PANEL_INT8] = 100, [MLS_PANEL_INT4] = 133, [MLS_PANEL_TABLE1] = 392, \
        [MLS_PANEL_TABLE2] = 403, [MLS_PANEL_TABLE3] = 115, [MLS_PANEL_TABLE4] = 114, [MLS_PANEL_TABLE6] = 1756, \
        [MLS_PANEL_TABLE8] = 808, [MLS_PANEL_SPARSE16] = 5355 \
    }
#include "kernels/matvec/matvec.inc"
