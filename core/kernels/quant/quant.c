#include "kernels/quant/quant.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/lut/lut.h"

static void load_nibbles(const uint8_t *packed, bool is_signed, size_t first, size_t n, float *ret)
{
    uint8_t nibbles[MLS_QUANT_BATCH];
    int flip = is_signed ? 8 : 0;
    mls_unpack_bits(packed, 4, first, n, nibbles);
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)((nibbles[i] ^ flip) - flip);
}

static void load_int8(const int8_t *data, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)data[i];
}

static void load_uint8(const uint8_t *data, size_t n, float *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)data[i];
}

void mls_load_floats(const struct mls_convert_kernels *convert, enum mls_dtype dtype, const void *data,
                     size_t first, size_t n, float *ret)
{
    if (dtype == MLS_FP16)
        convert->fp16_to_fp32((const uint16_t *)data + first, ret, n);
    else if (dtype == MLS_FP32)
        memcpy(ret, (const float *)data + first, n * sizeof *ret);
    else if (dtype == MLS_INT8)
        load_int8((const int8_t *)data + first, n, ret);
    else if (dtype == MLS_UINT8)
        load_uint8((const uint8_t *)data + first, n, ret);
    else
        load_nibbles(data, dtype == MLS_INT4, first, n, ret);
}

void mls_store_floats(const struct mls_convert_kernels *convert, const float *values, size_t n,
                      enum mls_dtype dtype, void *ret, size_t first)
{
    if (dtype == MLS_FP16)
        convert->fp32_to_fp16(values, (uint16_t *)ret + first, n);
    else
        memcpy((float *)ret + first, values, n * sizeof *values);
}

void mls_dequantize_floats(float *x, size_t n, const float *scales, const float *offsets, size_t step)
{
    if (step) {
        for (size_t i = 0; i < n; i++)
            x[i] = scales[i] * (x[i] - offsets[i]);
        return;
    }
    float scale = scales[0], offset = offsets[0];
    for (size_t i = 0; i < n; i++)
        x[i] = scale * (x[i] - offset);
}

/* Adding and taking away 1.5 * 2^23 rounds a small number to an integer, ties to even. */
static inline float quantized(float x, float scale, float offset, float low, float high)
{
    const float round = 12582912, bound = 1024; /* beyond it the result saturates whatever the offset is */
    float q = x / scale;
    q = q == q ? q : 0;
    q = q < -bound ? -bound : q;
    q = q > bound ? bound : q;
    q = (q + round) - round + offset;
    q = q < low ? low : q;
    return q > high ? high : q;
}

void mls_quantize_floats(float *x, size_t n, const float *scales, const float *offsets, size_t step,
                         float low, float high)
{
    if (step) {
        for (size_t i = 0; i < n; i++)
            x[i] = quantized(x[i], scales[i], offsets[i], low, high);
        return;
    }
    float scale = scales[0], offset = offsets[0];
    for (size_t i = 0; i < n; i++)
        x[i] = quantized(x[i], scale, offset, low, high);
}
