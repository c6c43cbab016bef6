#include "kernels/kernels.h"

#include "kernels/simd/simd__avx512.h"
#include "kernels/simd/simd.h"

#include "kernels/matvec/matvec__avx512.h"

#define COSTS \
    { \
        [MLS_PANEL_FP16] = 159, [MLS_PANEL_INT8] = 86, [MLS_PANEL_INT4] = 56, [MLS_PANEL_TABLE1] = 60, \
        [MLS_PANEL_TABLE2] = 60, [MLS_PANEL_TABLE3] = 43, [MLS_PANEL_TABLE4] = 46, [MLS_PANEL_TABLE6] = 104, \
        [MLS_PANEL_TABLE8] = 225, [MLS_PANEL_SPARSE16] = 118 \
    }
#include "kernels/matvec/matvec.inc"
