/* multiply_add.h: as many independent multiply-adds as the processor can take, one file an instruction set.
 */
#pragma once

#include <stdint.h>

/* Chains of dependent operations: more than latency times throughput of any processor that we know (4 to 5
 * cycles, 2 a cycle). */
enum { MULTIPLY_ADD_CHAINS = 12 };

/* multiply_add_f32: MULTIPLY_ADD_CHAINS vectors, `rounds` times each; returns a number that depends on all of
 * them. */
float multiply_add_f32__generic(uint64_t rounds);
float multiply_add_f32__avx2(uint64_t rounds);
float multiply_add_f32__avx512(uint64_t rounds);

/* Elements of a vector. */
enum { MULTIPLY_ADD_LANES_GENERIC = 4, MULTIPLY_ADD_LANES_AVX2 = 8, MULTIPLY_ADD_LANES_AVX512 = 16 };
