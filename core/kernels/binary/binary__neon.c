#include "kernels/kernels.h"

#include "kernels/simd/simd__neon.h"
#include "kernels/simd/simd.h"
#include "kernels/vmath/vmath_f64.h"
#include "kernels/binary/binary.inc"
