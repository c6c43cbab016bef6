#include "kernels/kernels.h"

#include "kernels/simd/simd__neon.h"
#include "kernels/simd/simd.h"
#include "kernels/window/window.inc"
