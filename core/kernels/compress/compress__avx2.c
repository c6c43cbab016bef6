#include "kernels/kernels.h"

#include "kernels/simd/simd__avx2.h"
#include "kernels/simd/simd.h"
#include "kernels/compress/compress.inc"
