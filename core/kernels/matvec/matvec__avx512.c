#include "kernels/kernels.h"

#include "kernels/simd/simd__avx512.h"
#include "kernels/simd/simd.h"

#include "kernels/matvec/matvec__avx512.h"

#include "kernels/matvec/matvec.inc"
