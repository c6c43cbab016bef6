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
#define COSTS \
    { \
        [MLS_PANEL_FP16] = 2180, [MLS_PANEL_INT8] = 240, [MLS_PANEL_INT4] = 730, [MLS_PANEL_TABLE1] = 637, \
        [MLS_PANEL_TABLE2] = 1093, [MLS_PANEL_TABLE3] = 1093, [MLS_PANEL_TABLE4] = 634, [MLS_PANEL_TABLE6] = \
        1403, [MLS_PANEL_TABLE8] = 850, [MLS_PANEL_SPARSE16] = 6160 \
    }
#include "kernels/matvec/matvec.inc"
