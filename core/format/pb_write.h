/* pb_write.h: types, values and operations as messages. Only pb_*.c and edit*.c files include it. All memory
 * is the arena's; NULL when it does not give. */
#pragma once

#include "format/edit.h"
#include "mil.pb-c.h"

/* A weight that is to lie in the weight file. */
struct pb_pending {
    uint32_t dtype_number; /* as records number element types */
    const void *data;
    size_t size_bytes;
    uint64_t padding_bits;
};

/* Where new weights wait until the weight file is laid out: their values name the file `pb_pending_file`, by
 * pointer, and give their index as offset. */
struct pb_pending_list {
    struct pb_pending *list;
    size_t n;
    size_t capacity;
};

extern char pb_pending_file[];

Pb__ValueType *pb_write_type(struct mls_arena *arena, const struct mls_type *type);

/* pb_write_op: an operation of a function of this opset. Constants of 10 elements and more go to the weight
 * file. */
Pb__Operation *pb_write_op(struct mls_arena *arena, const struct edit_op *op, uint32_t opset,
                           struct pb_pending_list *pending);
