/* emit.h: from a compressed form to the operations that decompress it. */
#pragma once

#include "compress/form.h"
#include "format/edit.h"

enum { EMIT_OPS_MAX = 4 };

/* The constants of a form as they are stored; they lie in its `stored`. */
struct emitted {
    const struct weight_form *form;
    uint32_t opset;
    const void *mask;
    const void *indices; /* packed; only those kept when there is a mask */
    size_t n_indices;
    const void *table;
    const void *data;    /* integers, or plain elements that are kept */
    const void *offsets; /* of the scales, or NULL */
    const int32_t *axis; /* of constexpr_affine_dequantize; or of vectors */
    const uint32_t *shape;
    uint64_t size_bytes; /* of all of them */
};

/* emit_prepare: packs the constants for operations of this opset. False when out of memory. */
bool emit_prepare(const struct weight_form *form, uint32_t opset, struct emitted *ret_emitted);

/* emit_ops: the operations that give a value called `name`. Names of values between are made from it, with
 * memory of `arena`. Returns their number; 0 when out of memory. */
size_t emit_ops(const struct emitted *emitted, const char *name, struct mls_arena *arena,
                struct edit_op ret_ops[EMIT_OPS_MAX]);
