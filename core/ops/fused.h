/* fused.h: elementwise operations done in place on what another operation has just computed. */
#pragma once

#include "kernels/binary/binary.h"
#include "kernels/epilogue.h"
#include "kernels/gemm/gemm.h"
#include "kernels/unary/unary.h"
#include "ops/op.h"

/* One operation, by the kernel that its own row would run, so that the bits are the same. */
struct mls_fused_op {
    mls_unary_run *unary; /* or NULL: binary */
    struct mls_unary_params params;
    mls_binary_run *binary;
    enum mls_binary_form form;
    bool operand_first;               /* operand - values, not values - operand */
    const struct mls_tensor *operand; /* of binary: one number, or as many as there are values; unary: NULL */
};

enum { MLS_FUSED_MAX = 16 };

/* All that one step does after its first operation. */
struct mls_fused_ops {
    const struct mls_fused_op *ops;
    size_t n;
    size_t elem_bytes; /* of the values and of all operands */
};

/* mls_fused_apply: `apply` of an epilogue whose context is a struct mls_fused_ops. */
void mls_fused_apply(const void *fused, void *values, size_t first_elem, size_t n);

/*
 * mls_fused_clamp: how many of the first operations do no more than clamp (relu, relu6, clip),
 * and the range that remains; -infinity to infinity when there are none. Clamping before the rounding to fp16
 * gives the same bits. `epilogue` may be NULL.
 */
size_t mls_fused_clamp(const struct mls_epilogue *epilogue, const struct mls_kernels *kernels, float *ret_low,
                       float *ret_high);

/* mls_fused_rest: what is left to do without the first n operations: fills *ret_rest and *ret_epilogue and
 * returns the latter, or NULL when nothing is left. */
const struct mls_epilogue *mls_fused_rest(const struct mls_epilogue *epilogue, size_t n,
                                          struct mls_fused_ops *ret_rest, struct mls_epilogue *ret_epilogue);

/* mls_fused_add: the operand when the first operation adds as many values as there are, of the same type;
 * else NULL. */
const struct mls_tensor *mls_fused_add(const struct mls_epilogue *epilogue,
                                       const struct mls_kernels *kernels);

/* What a product does not do itself. */
struct mls_fused_left {
    struct mls_fused_ops ops;
    struct mls_epilogue epilogue;
};

/* mls_fused_into_product: hands the first operations of a product's epilogue to the product where it can do
 * them before it stores; *ret_left holds the others and has to live as long as the product runs. */
void mls_fused_into_product(const struct mls_kernels *kernels, struct mls_gemm *gemm,
                            struct mls_fused_left *ret_left);
