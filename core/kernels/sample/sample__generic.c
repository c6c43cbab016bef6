#include "kernels/sample/sample_pixel.h"

static void bilinear_fp16__generic(const uint16_t *plane, const struct mls_sample_table *table, size_t n,
                                   uint16_t *ret)
{
    sample_pixels_fp16(plane, table, 0, n, ret);
}

static void bilinear_fp32__generic(const float *plane, const struct mls_sample_table *table, size_t n,
                                   float *ret)
{
    sample_pixels_fp32(plane, table, 0, n, ret);
}

const struct mls_sample_kernels mls_sample__generic = {
    .bilinear_fp16 = bilinear_fp16__generic,
    .bilinear_fp32 = bilinear_fp32__generic,
    .bilinear_fp16_name = "bilinear_fp16__generic",
    .bilinear_fp32_name = "bilinear_fp32__generic",
};
