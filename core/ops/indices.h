/* indices.h: element indices that are computed by the program. None is used before it was checked here. */
#pragma once

#include "ops/op.h"

/*
 * What an index outside [0, n) means. Definitions before opset 7 count negative indices from the end, and
 * anything else is an error. From opset 7 on it is an error when `validate_indices` is true; otherwise the
 * definition leaves it open but memory-safe: we count negative ones from the end and call the rest out of
 * range.
 */
struct mls_index_rule {
    bool from_end; /* negative indices count from the end */
    bool strict;   /* an index out of range is an error */
};

/* mls_index_rule: by the definition, and its parameter `validate` where it has one. */
static inline struct mls_index_rule mls_index_rule(const struct mls_op_call *call, unsigned validate)
{
    bool checked = call->row->since >= 7 && mls_op_bool(call, validate, false);
    return (struct mls_index_rule){.from_end = !checked, .strict = checked || call->row->since < 7};
}

/* mls_index_get: element i as an index into n elements, or -1 when it is out of range. */
static inline int64_t mls_index_get(const struct mls_tensor *indices, int64_t i, int64_t n,
                                    struct mls_index_rule rule)
{
    int64_t index =
        indices->type.dtype == MLS_INT32 ? ((const int32_t *)indices->data)[i] : mls_tensor_int(indices, i);
    if (index < 0 && rule.from_end)
        index += n;
    return index >= 0 && index < n ? index : -1;
}

/* mls_index_fail: the error for element i of `indices`. */
static inline enum mls_status mls_index_fail(const struct mls_op_call *call, const struct mls_tensor *indices,
                                             int64_t i, int64_t n, struct mls_error *reterr)
{
    return mls_op_fail(call, reterr, MLS_ERR_RUN_INDEX,
                       "index %lld lies outside the %lld elements of its dimension",
                       (long long)mls_tensor_int(indices, i), (long long)n);
}
