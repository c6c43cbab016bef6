#include "kernels/kernels.h"

#include "kernels/simd/simd__generic.h"
#include "kernels/simd/simd.h"

static inline vi v_dot_int16(vi sum, vi a, vi b)
{
    vi low_a = (vi)((vu)a << 16) >> 16, low_b = (vi)((vu)b << 16) >> 16;
    return sum + low_a * low_b + (a >> 16) * (b >> 16);
}

#define FIXED_PAYS false
#include "kernels/fixed/fixed.inc"
