#include "kernels/gemm/gemm.h"

void mls_gemm_int32(const struct mls_gemm *gemm, size_t a_offset, size_t b_offset, int32_t *c,
                    const int32_t *col_bias)
{
    const uint32_t *a = (const uint32_t *)gemm->a.data + a_offset;
    const uint32_t *b = (const uint32_t *)gemm->b.data + b_offset;
    for (size_t i = 0; i < gemm->m; i++) {
        for (size_t j = 0; j < gemm->n; j++) {
            uint32_t sum = col_bias ? (uint32_t)col_bias[j] : 0;
            for (size_t k = 0; k < gemm->k; k++)
                sum += a[i * gemm->a.row_stride + k * gemm->a.col_stride] *
                       b[k * gemm->b.row_stride + j * gemm->b.col_stride];
            c[i * gemm->n + j] = (int32_t)sum;
        }
    }
}
