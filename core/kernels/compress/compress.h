/* compress.h: the inner loops of making weights smaller. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Entries past the last that best_split and best_splits may read of each array, whatever they are; and the most ends of
 * best_splits. */
enum { MLS_CLUSTER_PADDING = 8, MLS_CLUSTER_ENDS = 8 };

/* Running sums over values in ascending order, entry i for the first i of them: weights, weighted values, and weighted
 * squares. `cost` is that of the best clustering of the first i values so far. */
struct mls_cluster_sums {
    const double *cost;
    const double *weight;
    const double *value;
    const double *square;
};

/* How a run of elements is quantized: ret = clamp(round(round16(x / scale)) + zero, low, high). */
struct mls_quantizing {
    float scale;
    float zero;
    float low;
    float high;
};

struct mls_compress_kernels {
    /*
     * best_split: the first j in [first, last] for which cost[j] plus the cost of one cluster of values [j, end) is the
     * least; last < end. *ret_cost is that sum.
     */
    size_t (*best_split)(const struct mls_cluster_sums *sums, size_t first, size_t last, size_t end,
                         double *ret_cost);
    /*
     * best_splits: the same for n <= MLS_CLUSTER_ENDS ends from `end` on, all with the same range of splits; a split stands
     * before its end.
     */
    void (*best_splits)(const struct mls_cluster_sums *sums, size_t first, size_t last, size_t end, size_t n,
                        uint16_t *ret_splits, double *ret_costs);
    /*
     * quantize_fp16: n elements as integers, each step rounded to fp16 as NumPy rounds arrays of float16; a scale of 0
     * gives 0. Returns the sum of squares of x - round16(scale * (q - zero)). Signed integers by their bits.
     */
    double (*quantize_fp16)(const uint16_t *x, size_t n, const struct mls_quantizing *quantizing, uint8_t *ret_q);
    double (*quantize_fp32)(const float *x, size_t n, const struct mls_quantizing *quantizing, uint8_t *ret_q);
    /* energy_fp16, _fp32: the sum of squares. */
    double (*energy_fp16)(const uint16_t *x, size_t n);
    double (*energy_fp32)(const float *x, size_t n);
    /* subtract_fp32, _fp64: y -= a * x. */
    void (*subtract_fp32)(float *y, const float *x, float a, size_t n);
    void (*subtract_fp64)(double *y, const double *x, double a, size_t n);
    /* range_fp16: the least and the greatest of n >= 1 finite elements. */
    void (*range_fp16)(const uint16_t *x, size_t n, float *ret_min, float *ret_max);
    void (*range_fp32)(const float *x, size_t n, float *ret_min, float *ret_max);
    const char *name; /* static */
};
