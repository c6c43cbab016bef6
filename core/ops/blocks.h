/*
 * blocks.h: parameters that hold for blocks of a tensor: scales, offsets, lookup tables. The parameter has
 * the tensor's rank; every dimension of the tensor divides into as many blocks as the parameter has entries.
 */
#pragma once

#include "core/tensor.h"

/* Which entry each element of a tensor uses; dimensions are merged where that changes nothing. */
struct mls_blocks {
    unsigned rank;                 /* at least 1 */
    int64_t dims[MLS_RANK_MAX];    /* of the tensor */
    int64_t sizes[MLS_RANK_MAX];   /* elements of a block, by dimension */
    int64_t strides[MLS_RANK_MAX]; /* of the parameter, in entries */
    int64_t n_entries;
};

/* Consecutive elements of the tensor that use one entry each (step 1) or all the same (step 0). */
struct mls_blocks_run {
    int64_t n;
    int64_t entry; /* of the first */
    int64_t step;
};

/* mls_blocks_solve: `entries` are the parameter's first `tensor->rank` dims; false when one does not divide
 * its dimension, or the tensor is a scalar or empty. */
bool mls_blocks_solve(const struct mls_type *tensor, const int64_t *entries, struct mls_blocks *ret_blocks);

/* mls_blocks_run: the longest run from element `first` that ends before `end`; first < end. */
struct mls_blocks_run mls_blocks_run(const struct mls_blocks *blocks, int64_t first, int64_t end);
