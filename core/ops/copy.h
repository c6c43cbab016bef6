/*
 * copy.h: the one way in which operations move data: a copy between two strided views of the same dimensions.
 * Transposes, slices, concatenations, padding and the like are all of this form.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ops/op.h"

enum { MLS_COPY_RANK_MAX = 2 * MLS_RANK_MAX };

/* Element types of data movement by opset. */
#define MLS_T_MOVE_5 (MLS_T_FLOAT | MLS_T_I32 | MLS_T_BOOL)
#define MLS_T_MOVE_7                                                                                \
    (MLS_T_MOVE_5 | MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8) | MLS_DTYPE_BIT(MLS_INT16) | \
     MLS_DTYPE_BIT(MLS_UINT16))
/* Element types of indices and shapes by opset. */
#define MLS_T_INDEX_7 (MLS_T_I32 | MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_INT16))

/*
 * Two views. Strides are in elements, may be negative or (of the source) 0; `source` and `target` point to
 * the first element that each visits. The views do not overlap.
 */
struct mls_copy {
    size_t elem_bytes; /* 1, 2, 4, 8 or 16 */
    unsigned rank;
    int64_t dims[MLS_COPY_RANK_MAX];
    int64_t source_strides[MLS_COPY_RANK_MAX];
    int64_t target_strides[MLS_COPY_RANK_MAX];
    const char *source;
    char *target;
};

/* mls_copy_run: copies on the pool; returns the name of the kernel that did it, static. */
const char *mls_copy_run(const struct mls_copy *copy, const struct mls_op_env *env);

/* mls_copy_bytes: size_bytes contiguous bytes on the pool; nothing when the two are the same. */
void mls_copy_bytes(void *target, const void *source, size_t size_bytes, const struct mls_op_env *env);

/* mls_strides: row-major strides in elements of the first `rank` dims. */
void mls_strides(unsigned rank, const int64_t *dims, int64_t *ret_strides);

/* mls_elem_bytes: bytes of an element of a whole-byte type. */
static inline size_t mls_elem_bytes(const struct mls_tensor *tensor)
{
    return mls_dtype_bits(tensor->type.dtype) / 8;
}

/*
 * mls_infer_later: unless `input` is static, leaves `type` open (of rank 1 at least), so that inference is
 * repeated when the run knows the input. For rows whose output would be static before their inputs are.
 */
static inline void mls_infer_later(const struct mls_type *input, struct mls_type *type)
{
    if (!mls_type_is_static(input) && type->rank != MLS_RANK_UNKNOWN && type->rank > 0)
        type->dims[0] = MLS_DIM_UNKNOWN;
}

/* mls_dims_product: of dims [first, end); they are static and their product is known to fit. */
static inline int64_t mls_dims_product(const struct mls_type *type, unsigned first, unsigned end)
{
    int64_t product = 1;
    for (unsigned i = first; i < end; i++)
        product *= type->dims[i];
    return product;
}
