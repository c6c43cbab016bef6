/*
 * sample.h: elements of a plane read at positions between its elements. Where to read is a table that all
 * planes of an image share, so the inner loop is over pixels and every plane is one call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * For each pixel two pairs of neighbours in a row: elements top, top + step and bottom, bottom + step of the
 * plane, with their weights in this order, and what is added (padding). A weight of 0 leaves its element out,
 * whatever it is. `step` is 1, or 0 for planes one element wide, whose right weights are 0.
 */
struct mls_sample_table {
    const int32_t *top;
    const int32_t *bottom;
    const float *weights[4];
    const float *added;
    unsigned step;
};

struct mls_sample_kernels {
    /* n pixels of one plane; sums in fp32, rounded once. */
    void (*bilinear_fp16)(const uint16_t *plane, const struct mls_sample_table *table, size_t n,
                          uint16_t *ret);
    void (*bilinear_fp32)(const float *plane, const struct mls_sample_table *table, size_t n, float *ret);
    const char *bilinear_fp16_name; /* static */
    const char *bilinear_fp32_name;
};

/* mls_sample_nearest: ret[i] = plane[indices[i]], or *outside for indices of -1; elements of 1, 2 or 4 bytes.
 */
void mls_sample_nearest(const void *plane, const int32_t *indices, size_t n, size_t elem_bytes,
                        const void *outside, void *ret);
