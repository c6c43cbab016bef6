/* kmeans.h: clustering of numbers on a line, at its optimum, and of vectors, at a local one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "kernels/compress/compress.h"

/* Distinct values in ascending order, each with a positive weight. */
struct kmeans_values {
    const double *values;
    const double *weights;
    size_t n;
};

/* The most values that kmeans_line takes: more are to be merged before. */
enum { KMEANS_VALUES_MAX = 65536 };

/* Memory that many clusterings use one after the other; zeroed but for the arena, which owns it. */
struct kmeans_space {
    struct mls_arena *arena;
    double *sums[5];
    size_t n_sums;
    uint32_t *words; /* as many as n_sums needs */
    uint16_t *splits;
    size_t n_splits;
};

/*
 * kmeans_line: the clustering into at most k <= 256 clusters with the least weighted sum of squares: exact,
 * by a price for each cluster (kmeans_price.h), or by dynamic programming (Bellman 1973; rows of a totally
 * monotone matrix divided as in Gronlund et al. 2017), O(k n log n). ret_first[c] is the first value of cluster c; *ret_k the clusters made: min(k, n).
 * False when out of memory.
 */
bool kmeans_line(const struct kmeans_values *values, unsigned k, const struct mls_compress_kernels *kernels,
                 struct kmeans_space *space, uint32_t *ret_first, unsigned *ret_k);

/*
 * kmeans_vectors: n vectors of `dim` elements with weights (NULL: all 1) into at most k <= 256 clusters:
 * k-means++ with a fixed seed, then Lloyd's iterations until nothing moves. ret_centers[k][dim],
 * ret_indices[n]. False when out of memory.
 */
bool kmeans_vectors(const float *vectors, const double *weights, size_t n, size_t dim, unsigned k,
                    struct mls_arena *arena, float *ret_centers, uint8_t *ret_indices);
