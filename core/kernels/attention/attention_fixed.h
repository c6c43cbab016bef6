/* attention_fixed.h: attention in block fixed point, a block of queries at a time; attention.c calls it. */
#pragma once

#include "kernels/attention/attention.h"

/* The matrices of one batch, and where its mask begins. */
struct mls_attention_matrices {
    const void *query, *key, *value;
    void *result;
    size_t mask_at;
};

/* mls_attention_mask: n numbers of the mask from element `at` on, where they are or converted into ret. */
const float *mls_attention_mask(const struct mls_kernels *kernels, const struct mls_attention *attention,
                                size_t at, size_t n, float *ret);

bool mls_attention_fixed_pays(const struct mls_kernels *kernels, const struct mls_attention *attention);

/* mls_attention_fixed_bytes: scratch of the functions below, a multiple of 64; rows come in blocks of at most
 * MLS_ATTENTION_ROWS. */
enum { MLS_ATTENTION_ROWS = 64 };
size_t mls_attention_fixed_bytes(const struct mls_kernels *kernels, const struct mls_attention *attention);

/* mls_attention_fixed_pack: K and V into scratch; false when a value is not finite. */
bool mls_attention_fixed_pack(const struct mls_kernels *kernels, const struct mls_attention *attention,
                              const struct mls_attention_matrices *matrices, void *scratch);

/* mls_attention_fixed_rows: results of queries row ... row + n_rows - 1, with what packing left in scratch;
 * false when a query is not finite: no result is written then. */
bool mls_attention_fixed_rows(const struct mls_kernels *kernels, const struct mls_attention *attention,
                              const struct mls_attention_matrices *matrices, size_t row, size_t n_rows,
                              void *scratch);
