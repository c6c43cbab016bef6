#include "multiply_add.h"

#include <immintrin.h>

#define VECTOR __m512
#define FILL(x) _mm512_set1_ps(x)
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define NAME multiply_add_f32__avx512
#include "multiply_add.inc"
