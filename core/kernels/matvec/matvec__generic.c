#include "kernels/kernels.h"

#include "kernels/simd/simd__generic.h"
#include "kernels/simd/simd.h"

#define V_LOOK_UP(table, codes) look_up(table, codes)
static inline vf look_up(const float *table, vi codes)
{
    return (vf){table[codes[0] & 15], table[codes[1] & 15], table[codes[2] & 15], table[codes[3] & 15]};
}

/* sum += the products of the four bytes of each lane, unsigned, and four of x. */
#define FIXED_STEP(sum, bytes, x) ((sum) = add_products(sum, bytes, x))
static inline vi add_products(vi sum, vi bytes, const int8_t *x)
{
    for (int i = 0; i < 4; i++)
        sum += (vi)((vu)bytes >> (8 * i) & 255) * (int32_t)x[i];
    return sum;
}

#define FIXED_PAYS false
#define UNROLL_TERMS
#include "kernels/matvec/matvec.inc"
