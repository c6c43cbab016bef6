/* sample_pixel.h: one pixel at a time: the generic kernels, and the ends of the vector ones. */
#pragma once

#include "base/fp16.h"
#include "kernels/sample/sample.h"

static inline float sample_term(float weight, float value)
{
    return weight != 0 ? weight * value : 0;
}

static inline float sample_sum(const struct mls_sample_table *table, size_t i, float top_left,
                               float top_right, float bottom_left, float bottom_right)
{
    float top = sample_term(table->weights[0][i], top_left) + sample_term(table->weights[1][i], top_right);
    float bottom =
        sample_term(table->weights[2][i], bottom_left) + sample_term(table->weights[3][i], bottom_right);
    return top + bottom + table->added[i];
}

static inline void sample_pixels_fp16(const uint16_t *plane, const struct mls_sample_table *table,
                                      size_t first, size_t n, uint16_t *ret)
{
    for (size_t i = first; i < n; i++) {
        const uint16_t *top = plane + table->top[i], *bottom = plane + table->bottom[i];
        ret[i] = mls_fp32_to_fp16(sample_sum(table, i, mls_fp16_to_fp32(top[0]),
                                             mls_fp16_to_fp32(top[table->step]), mls_fp16_to_fp32(bottom[0]),
                                             mls_fp16_to_fp32(bottom[table->step])));
    }
}

static inline void sample_pixels_fp32(const float *plane, const struct mls_sample_table *table, size_t first,
                                      size_t n, float *ret)
{
    for (size_t i = first; i < n; i++) {
        const float *top = plane + table->top[i], *bottom = plane + table->bottom[i];
        ret[i] = sample_sum(table, i, top[0], top[table->step], bottom[0], bottom[table->step]);
    }
}
