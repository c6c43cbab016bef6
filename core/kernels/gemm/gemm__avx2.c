#include "kernels/kernels.h"

#include "kernels/simd/simd__avx2.h"
#include "kernels/simd/simd.h"

#define GEMM_ROWS 4
#define GEMM_VECTORS 3
#define GEMM_K_BLOCK 256
#include "kernels/gemm/gemm.inc"
