#include "kernels/kernels.h"

#define V_ISA avx512vnni
#include "kernels/simd/simd__avx512.h"
#include "kernels/simd/simd.h"

#include "kernels/matvec/matvec__avx512.h"

/* With intrinsics, gcc 12 copies every sum at every step. */
#define FIXED_STEP(sum, bytes, x) add_products(&(sum), bytes, x)
static inline __attribute__((always_inline)) void add_products(vi *sum, vi bytes, const int8_t *x)
{
    const int32_t *four = (const int32_t *)(const void *)x;
    __asm__("vpdpbusd %1%{1to16%}, %2, %0" : "+v"(*sum) : "m"(*four), "v"(bytes));
}

#define FIXED_PAYS true
#define COSTS \
    { \
        [MLS_PANEL_FP16] = 159, [MLS_PANEL_INT8] = 85, [MLS_PANEL_INT4] = 49, [MLS_PANEL_TABLE1] = 62, \
        [MLS_PANEL_TABLE2] = 61, [MLS_PANEL_TABLE3] = 44, [MLS_PANEL_TABLE4] = 47, [MLS_PANEL_TABLE6] = 85, \
        [MLS_PANEL_TABLE8] = 224, [MLS_PANEL_SPARSE16] = 118 \
    }
#include "kernels/matvec/matvec.inc"
