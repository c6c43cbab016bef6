/* scaling.h: what the operations share that turn small integers into numbers by scales and offsets, or back.
 */
#pragma once

#include "ops/blocks.h"
#include "ops/op.h"

#define MLS_T_BYTES (MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8))
#define MLS_T_QUANTIZED (MLS_T_FLOAT | MLS_T_BYTES | MLS_DTYPE_BIT(MLS_INT4) | MLS_DTYPE_BIT(MLS_UINT4))

/* Elements of one task; a multiple of 8, so that tasks of packed elements begin at whole bytes. */
enum { MLS_SCALING_TASK_ELEMS = 1 << 14 };

/* Which parameters of a row hold what. */
struct mls_scaling_params {
    unsigned data;
    unsigned scale;
    unsigned offset; /* may be left out: 0 */
    unsigned axis;   /* of scales that are a vector; may be left out */
};

/*
 * mls_scaling_axis: checks scale and offset, each a number or a vector along the axis, against the data, and
 * finds the blocks; *ret_blocks has rank 0 when the data's shape is not known yet, or is empty.
 */
enum mls_status mls_scaling_axis(const struct mls_op_call *call, const struct mls_scaling_params *params,
                                 struct mls_blocks *ret_blocks, struct mls_error *reterr);

/* The work on one tensor. */
struct mls_scaling {
    const struct mls_convert_kernels *convert;
    struct mls_blocks blocks; /* of the tensor, in its dense form */
    const float *scales;      /* blocks.n_entries */
    const float *offsets;     /* as many */
    const uint8_t *mask;      /* the elements that `source` and `target` hold; NULL: all */
    size_t *first_values;     /* with a mask: the value at which each task begins */
    enum mls_dtype from;
    const void *source;
    enum mls_dtype to;
    void *target;
    size_t n; /* elements in dense form, or bits of the mask */
};

/* mls_scaling_scratch_bytes: for mls_scaling_prepare; n_dense is 0 without a mask. */
size_t mls_scaling_scratch_bytes(int64_t n_entries, int64_t n_dense);

/* mls_scaling_prepare: fills everything from `blocks` and the call; scales and offsets lie in its scratch. */
struct mls_scaling mls_scaling_prepare(const struct mls_op_call *call, const struct mls_op_env *env,
                                       const struct mls_scaling_params *params,
                                       const struct mls_blocks *blocks, const struct mls_tensor *mask,
                                       const struct mls_tensor *out);

/* mls_scaling_dequantize: target = scale * (source - offset). */
void mls_scaling_dequantize(struct mls_scaling *scaling, struct mls_pool *pool);
/* mls_scaling_quantize: target = saturated(round(source / scale) + offset); without mask; to int8 or uint8.
 */
void mls_scaling_quantize(struct mls_scaling *scaling, struct mls_pool *pool);
