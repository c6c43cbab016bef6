#include "multiply_add.h"

#include <immintrin.h>

#define VECTOR __m256
#define FILL(x) _mm256_set1_ps(x)
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define NAME multiply_add_f32__avx2
#include "multiply_add.inc"
