/* simd__neon.h: vectors of AArch64's Advanced SIMD; what each name does is said in simd__generic.h. */
#pragma once

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fp16.h"

#define V_FUSED /* v_madd rounds once */
#define V_BYTES 16
#define V_ISA neon
enum { V_LANES = 4 };

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
typedef double vd __attribute__((vector_size(16)));
typedef int64_t vl __attribute__((vector_size(16)));
typedef uint64_t vul __attribute__((vector_size(16)));

static inline vf v_madd(vf a, vf b, vf c)
{
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
static inline vf v_product_error(vf a, vf b, vf product)
{
    return (vf)vfmaq_f32((float32x4_t)-product, (float32x4_t)a, (float32x4_t)b);
}
static inline vd vd_madd(vd a, vd b, vd c)
{
    return (vd)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
static inline vf v_sqrt(vf a)
{
    return (vf)vsqrtq_f32((float32x4_t)a);
}
static inline vd vd_sqrt(vd a)
{
    return (vd)vsqrtq_f64((float64x2_t)a);
}
static inline vf v_round(vf a)
{
    return (vf)vrndnq_f32((float32x4_t)a);
}
static inline vd vd_round(vd a)
{
    return (vd)vrndnq_f64((float64x2_t)a);
}
static inline vi v_to_int(vf a)
{
    return (vi)vcvtq_s32_f32((float32x4_t)a);
}
static inline vf v_from_int(vi a)
{
    return (vf)vcvtq_f32_s32((int32x4_t)a);
}
static inline vd v_low(vf a)
{
    return (vd)vcvt_f64_f32(vget_low_f32((float32x4_t)a));
}
static inline vd v_high(vf a)
{
    return (vd)vcvt_high_f64_f32((float32x4_t)a);
}
static inline vf v_join(vd low, vd high)
{
    return (vf)vcvt_high_f32_f64(vcvt_f32_f64((float64x2_t)low), (float64x2_t)high);
}
static inline vf v_load_fp16(const uint16_t *from)
{
    return (vf)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}
static inline void v_store_fp16(uint16_t *to, vf a)
{
    vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)a)));
}
