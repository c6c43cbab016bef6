/* quant.h: numbers with a scale and an offset. Bound by memory or run at load: one C version of each. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "kernels/convert/convert.h"

enum { MLS_QUANT_BATCH = 1024 };

/* mls_load_floats: elements [first, first + n) of an array of fp16, fp32, int8, uint8, int4 or uint4 as
 * floats; n <= MLS_QUANT_BATCH. */
void mls_load_floats(const struct mls_convert_kernels *convert, enum mls_dtype dtype, const void *data,
                     size_t first, size_t n, float *ret);

/* mls_store_floats: n floats as elements [first, first + n) of an array of fp16 or fp32. */
void mls_store_floats(const struct mls_convert_kernels *convert, const float *values, size_t n,
                      enum mls_dtype dtype, void *ret, size_t first);

/* mls_dequantize_floats: x = scale * (x - offset), with the scales and offsets of element i at i * step. */
void mls_dequantize_floats(float *x, size_t n, const float *scales, const float *offsets, size_t step);

/*
 * mls_quantize_floats: round(x / scale) + offset, ties to even, saturated to [low, high], which lie in
 * [-128, 255]. NaN becomes the offset.
 */
void mls_quantize_floats(float *x, size_t n, const float *scales, const float *offsets, size_t step,
                         float low, float high);
