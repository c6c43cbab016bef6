/* fused.h: elementwise operations done in place on what another operation has just computed. */
#pragma once

#include "kernels/binary/binary.h"
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
