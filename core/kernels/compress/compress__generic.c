#include "kernels/kernels.h"

#include "kernels/simd/simd__generic.h"
#include "kernels/simd/simd.h"
#include "kernels/compress/compress.inc"
