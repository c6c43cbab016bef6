/* broadcast.h: NumPy broadcasting of contiguous tensors as rows: dimensions that walk together are one. */
#pragma once

#include "ops/op.h"

enum { MLS_BROADCAST_OPERANDS = 3 };

/* Strides are in elements; 0 repeats. The innermost ones are 0 or 1, and the result is contiguous. */
struct mls_broadcast {
    unsigned n_operands;
    unsigned rank; /* at least 1 */
    int64_t dims[MLS_RANK_MAX];
    int64_t strides[MLS_BROADCAST_OPERANDS][MLS_RANK_MAX];
};

/* mls_broadcast_plan: of static types that fit (mls_op_broadcast said so). */
struct mls_broadcast mls_broadcast_plan(const struct mls_type *const *operands, unsigned n_operands,
                                        const struct mls_type *result);

/* mls_broadcast_step: 0 or 1: whether operand `k` walks along a row. */
static inline unsigned mls_broadcast_step(const struct mls_broadcast *plan, unsigned k)
{
    return plan->strides[k][plan->rank - 1] != 0;
}

/* A row, or a piece of one: n elements from the given offset of each operand to those of the result. */
typedef void mls_broadcast_row(void *context, const int64_t *offsets, int64_t result_offset, int64_t n);

/* mls_broadcast_for: all rows, on the pool. */
void mls_broadcast_for(const struct mls_broadcast *plan, struct mls_pool *pool, mls_broadcast_row *row,
                       void *context);

/*
 * mls_broadcast_gather: the elements of operand `k` that meet elements [first, first + n) of the result,
 * written side by side: for results whose rows are too short to be worth a call each.
 */
void mls_broadcast_gather(const struct mls_broadcast *plan, unsigned k, const void *operand,
                          size_t elem_bytes, int64_t first, int64_t n, void *ret);
