#include "kernels/kernels.h"

#include "kernels/simd/simd__neon.h"
#include "kernels/simd/simd.h"
#include "kernels/vmath/vmath_f32.h"
#include "kernels/vmath/vmath_f64.h"
#include "kernels/vmath/vmath_trig.h"
#include "kernels/unary/unary.inc"
