/*
 * attention.h: softmax(scale Q K^T + mask) V, a block of rows of Q at a time, so that no more scores exist
 * than those of the blocks in work. Sums and scores are fp32; the result is rounded once. With fp16, and
 * where block fixed point pays (fixed.h), both products are made so, and probabilities are integers of 12
 * bits beside the largest of 128 keys; an operand that is not finite sends a matrix the other way.
 */
#pragma once

#include <stddef.h>

#include "base/pool.h"
#include "core/dtype.h"
#include "kernels/kernels.h"

enum { MLS_ATTENTION_BATCH_DIMS = 6 };

/* Matrices: neighbouring columns, rows and matrices at any distance, in elements. */
struct mls_attention_operand {
    const void *data;
    size_t row_stride;
    size_t batch_strides[MLS_ATTENTION_BATCH_DIMS];
};

struct mls_attention {
    unsigned n_batch_dims;
    size_t batch_dims[MLS_ATTENTION_BATCH_DIMS]; /* of Q, K, V and the result alike */
    size_t n_queries;                            /* rows of Q */
    size_t n_keys;                               /* rows of K and V; positive */
    size_t key_elems;                            /* columns of Q and K */
    size_t value_elems;                          /* columns of V and the result */
    enum mls_dtype dtype;                        /* of Q, K, V and the result: FP16 or FP32 */
    float scale;                                 /* positive */
    struct mls_attention_operand query, key, value;
    void *result; /* laid out as `result_layout` says; its data is not used */
    struct mls_attention_operand result_layout;
    /* Added to the scores (FP16, FP32), or BOOL: false takes a key away. NULL: none. Strides in elements, 0
     * where the mask is the same for all; keys lie side by side. */
    enum mls_dtype mask_dtype;
    const void *mask;
    size_t mask_strides[MLS_ATTENTION_BATCH_DIMS];
    size_t mask_query_stride;
};

/* mls_attention_scratch_bytes: what mls_attention_run needs, a multiple of 64. Only shapes and types are
 * read. */
size_t mls_attention_scratch_bytes(const struct mls_kernels *kernels, const struct mls_attention *attention,
                                   uint32_t threads);

void mls_attention_run(const struct mls_kernels *kernels, struct mls_pool *pool,
                       const struct mls_attention *attention, void *scratch);

/* mls_attention_name: the name of the kernel, for reports; static. */
const char *mls_attention_name(const struct mls_kernels *kernels, const struct mls_attention *attention);
