#include "kernels/kernels.h"

#include "kernels/simd/simd__generic.h"
#include "kernels/simd/simd.h"

static inline vf v_load_int8(const int8_t *from)
{
    return (vf){(float)from[0], (float)from[1], (float)from[2], (float)from[3]};
}
static inline vf v_load_uint8(const uint8_t *from)
{
    return (vf){(float)from[0], (float)from[1], (float)from[2], (float)from[3]};
}

#define V_LOOK_UP(table, codes) look_up(table, codes)
static inline vf look_up(const float *table, vi codes)
{
    return (vf){table[codes[0] & 15], table[codes[1] & 15], table[codes[2] & 15], table[codes[3] & 15]};
}
#include "kernels/matvec/matvec.inc"
