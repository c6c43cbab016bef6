#include "kernels/kernels.h"

#include "kernels/simd/simd__generic.h"
#include "kernels/simd/simd.h"

#define GEMM_ROWS 4
#define GEMM_VECTORS 2
#define GEMM_K_BLOCK 256
#include "kernels/gemm/gemm.inc"
