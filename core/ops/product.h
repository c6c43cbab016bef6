/* product.h: what the operations that are products of matrices share. */
#pragma once

#include "kernels/gemm/gemm.h"
#include "ops/op_family.h"

#define MLS_T_PRODUCT (MLS_T_FLOAT | MLS_T_I32)

/*
 * What packing makes: panels of all matrices of one operand, or, for a product of integers, the matrices
 * themselves converted to int32. Arena of the session.
 */
struct mls_product_packed {
    enum mls_gemm_side side;
    enum mls_gemm_form form; /* STRIDED: int32 */
    enum mls_dtype dtype;
    const void *elems;
    size_t matrix_elems;
    /* Weights that stay compressed (product_coded.h); then the rest says nothing. */
    const struct mls_panels *panels;
    const struct mls_coded *strips;
    bool transposed; /* of strips */
    bool exact;      /* no fixed point */
};

bool mls_product_is_float(const struct mls_type *type);

/* mls_product_differ: whether two dimensions are known and not the same. */
bool mls_product_differ(int64_t a, int64_t b);

struct mls_gemm_operand mls_product_operand(const struct mls_tensor *tensor, size_t row_stride,
                                            size_t col_stride);

/*
 * mls_product_pack: packs a constant operand of n_matrices matrices. Where the result is of floats and the
 * constant is not, or the other way round, it is converted. rows_of_terms: the other operand is one matrix
 * with neighbouring terms.
 */
enum mls_status mls_product_pack(const struct mls_op_call *call, struct mls_op_env *env,
                                 struct mls_arena *arena, enum mls_gemm_side side,
                                 const struct mls_tensor *tensor, struct mls_gemm_operand source,
                                 size_t n_matrices, size_t extent, size_t k, bool rows_of_terms,
                                 const void **ret_packed, size_t *ret_packed_bytes);

/* mls_product_use: lets what packing made stand for the operand that it was made from. */
void mls_product_use(const struct mls_product_packed *packed, struct mls_gemm_operand *operand);

/* mls_product_run: the product, and the kernel's name for reports. */
enum mls_status mls_product_run(struct mls_op_call *call, struct mls_op_env *env, const struct mls_gemm *gemm,
                                void *scratch);
