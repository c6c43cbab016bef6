/* mix.h: the mixing step of splitmix64 (Steele, Lea, Flood 2014): numbers that look random from numbers in
 * order. */
#pragma once

#include <stdint.h>

/* The generator's n-th number is mls_mix64(state + n * MLS_MIX_STEP). */
#define MLS_MIX_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t mls_mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
