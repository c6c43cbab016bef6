#include "multiply_add.h"

typedef float vector __attribute__((vector_size(16)));

#define VECTOR vector
#define FILL(x) ((vector){(x), (x), (x), (x)})
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define NAME multiply_add_f32__generic
#include "multiply_add.inc"
