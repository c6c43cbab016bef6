/*
 * simd__generic.h: vectors of the baseline: 128 bits by the compiler's vector extensions, no fused
 * multiply-add. Each simd__<isa>.h gives the same names, so that the .inc files are written once; simd.h adds
 * what all of them share.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fp16.h"

#define V_BYTES 16
#define V_ISA generic
enum { V_LANES = 4 };

typedef float vf __attribute__((vector_size(16)));   /* V_LANES floats */
typedef int32_t vi __attribute__((vector_size(16))); /* V_LANES int32_t; comparisons of vf give 0 or -1 */
typedef uint32_t vu __attribute__((vector_size(16)));
typedef double vd __attribute__((vector_size(16)));  /* half as many doubles */
typedef int64_t vl __attribute__((vector_size(16))); /* comparisons of vd */
typedef uint64_t vul __attribute__((vector_size(16)));

/* a * b + c, fused where the instruction set fuses. */
static inline vf v_madd(vf a, vf b, vf c)
{
    return a * b + c;
}
static inline vd vd_madd(vd a, vd b, vd c)
{
    return a * b + c;
}

/* a * b - product, rounded once where product is within some units of the last place of a * b: by T. J.
 * Dekker's halves, whose products are exact. */
static inline vf v_product_error(vf a, vf b, vf product)
{
    vf a_high = (vf)((vi)a & (int32_t)0xfffff000), a_low = a - a_high;
    vf b_high = (vf)((vi)b & (int32_t)0xfffff000), b_low = b - b_high;
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
}

static inline vf v_sqrt(vf a)
{
    for (int i = 0; i < V_LANES; i++)
        a[i] = sqrtf(a[i]);
    return a;
}
static inline vd vd_sqrt(vd a)
{
    for (int i = 0; i < V_LANES / 2; i++)
        a[i] = sqrt(a[i]);
    return a;
}

/* To the nearest integer, halves to even. Adding 1.5 * 2^23 leaves no bits below 1; larger numbers are
 * integers already. */
static inline vf v_round(vf a)
{
    vi sign = (vi)a & INT32_MIN;
    vf magnitude = (vf)((vi)a & INT32_MAX);
    vf rounded = (magnitude + 0x1p23f) - 0x1p23f;
    vi small = magnitude < 0x1p23f;
    return (vf)((((vi)rounded & small) | ((vi)magnitude & ~small)) | sign);
}
static inline vd vd_round(vd a)
{
    vl sign = (vl)a & INT64_MIN;
    vd magnitude = (vd)((vl)a & INT64_MAX);
    vd rounded = (magnitude + 0x1p52) - 0x1p52;
    vl small = magnitude < 0x1p52;
    return (vd)((((vl)rounded & small) | ((vl)magnitude & ~small)) | sign);
}

/* Integers in the range of int32_t to and from floats. */
static inline vi v_to_int(vf a)
{
    return __builtin_convertvector(a, vi);
}
static inline vf v_from_int(vi a)
{
    return __builtin_convertvector(a, vf);
}

/* The lower and the upper half of the lanes as doubles, and back, rounded to nearest even. */
static inline vd v_low(vf a)
{
    return (vd){(double)a[0], (double)a[1]};
}
static inline vd v_high(vf a)
{
    return (vd){(double)a[2], (double)a[3]};
}
static inline vf v_join(vd low, vd high)
{
    return (vf){(float)low[0], (float)low[1], (float)high[0], (float)high[1]};
}

static inline vf v_load_fp16(const uint16_t *from)
{
    vf a;
    for (int i = 0; i < V_LANES; i++)
        a[i] = mls_fp16_to_fp32(from[i]);
    return a;
}
static inline void v_store_fp16(uint16_t *to, vf a)
{
    for (int i = 0; i < V_LANES; i++)
        to[i] = mls_fp32_to_fp16(a[i]);
}

/* The larger of each lane, and of all lanes. */
static inline vi vi_max(vi a, vi b)
{
    vi larger = a > b;
    return (a & larger) | (b & ~larger);
}
static inline int32_t vi_fold_max(vi a)
{
    int32_t result = a[0];
    for (int i = 1; i < V_LANES; i++)
        result = result > a[i] ? result : a[i];
    return result;
}

/* To the nearest integer, halves to even, in the range of int32_t. */
static inline vi v_to_int_near(vf a)
{
    return v_to_int(v_round(a));
}

/* The lower 16 bits of each lane; values are in the range of int16_t. */
static inline void v_store_int16(int16_t *to, vi a)
{
    for (int i = 0; i < V_LANES; i++)
        to[i] = (int16_t)a[i];
}
