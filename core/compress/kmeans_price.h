/* kmeans_price.h: many clusters on a line, by a price for each cluster in place of their number. */
#pragma once

#include "compress/kmeans.h"

/* Numbers that kmeans_by_price needs for n values. */
static inline size_t kmeans_price_words(size_t n)
{
    return 4 * (n + 2);
}

/*
 * kmeans_by_price: the clustering into exactly k clusters, 1 < k < n, with the least cost; `sums` of n values, `cost` for
 * n + 1 numbers. With a price for each cluster the best number of them is free, and takes one walk over the values (Aggarwal,
 * Schieber and Tokuyama 1994): the right price is looked for. False when no price was found that gives k clusters: then
 * another way has to be taken.
 */
bool kmeans_by_price(const struct kmeans_values *values, const struct mls_cluster_sums *sums, unsigned k, double *cost,
                     uint32_t *words, uint32_t *ret_first);
