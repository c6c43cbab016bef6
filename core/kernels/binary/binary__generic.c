#include "kernels/kernels.h"

#include "kernels/simd/simd__generic.h"
#include "kernels/simd/simd.h"
#include "kernels/vmath/vmath_f64.h"
#include "kernels/binary/binary.inc"
