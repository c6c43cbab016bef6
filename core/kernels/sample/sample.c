#include "kernels/sample/sample.h"

#define NEAREST(name, type)                                                                        \
    static void name(const type *plane, const int32_t *indices, size_t n, type outside, type *ret) \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            ret[i] = indices[i] < 0 ? outside : plane[indices[i]];                                 \
    }

NEAREST(nearest_8, uint8_t)
NEAREST(nearest_16, uint16_t)
NEAREST(nearest_32, uint32_t)

void mls_sample_nearest(const void *plane, const int32_t *indices, size_t n, size_t elem_bytes,
                        const void *outside, void *ret)
{
    if (elem_bytes == 1)
        nearest_8(plane, indices, n, *(const uint8_t *)outside, ret);
    else if (elem_bytes == 2)
        nearest_16(plane, indices, n, *(const uint16_t *)outside, ret);
    else
        nearest_32(plane, indices, n, *(const uint32_t *)outside, ret);
}
