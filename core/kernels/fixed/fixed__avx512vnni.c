#include "kernels/kernels.h"

#define V_ISA avx512vnni
#include "kernels/simd/simd__avx512.h"
#include "kernels/simd/simd.h"

static inline vi v_dot_int16(vi sum, vi a, vi b)
{
    return (vi)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

#define FIXED_PAYS true
#include "kernels/fixed/fixed.inc"
