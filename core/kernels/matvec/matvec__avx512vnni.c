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
#include "kernels/matvec/matvec.inc"
