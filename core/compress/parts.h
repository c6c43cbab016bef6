/* parts.h: the constants that a compressed weight is made of. */
#pragma once

#include "core/model.h"

struct weight_parts {
    uint64_t bytes;       /* of all of them, as stored */
    const void *identity; /* the largest: weights of several functions that share it are the same */
    size_t identity_bytes;
};

/* parts_of: of a const its content, of a constexpr operation everything that it and its producers take. */
struct weight_parts parts_of(const struct mls_program *program, mls_op_id op);

/*
 * parts_mark_unused: marks the operations that only served operations which are marked already, and end at
 * this one: what is left over when a weight is replaced.
 */
void parts_mark_unused(const struct mls_program *program, const struct mls_users *users, mls_op_id op,
                       bool *marked);
