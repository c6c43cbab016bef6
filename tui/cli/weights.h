/* weights.h: the weights of a function: constants as the operations see them, compressed ones as one. */
#pragma once

#include "core/model.h"

struct weight {
    const char *name;      /* of the operation that gives it */
    struct mls_type type;  /* as its users see it */
    uint64_t bytes;        /* as stored, tables and scales included */
    const char *stored_as; /* "plain", "palettized", ...; static */
    const char *file;      /* package entry, or NULL for an immediate value */
    uint64_t offset;       /* of its first part in that file */
    const mls_op_id *users;
    uint32_t n_users;
};

struct weights {
    struct weight *list;
    size_t n;
    uint64_t bytes;
    uint64_t parameters;  /* elements as the users see them */
    struct mls_users users; /* memory of all user lists */
};

/* weights_collect: all weights of a function in file order. False when out of memory; free with weights_done
 * always. */
bool weights_collect(const struct mls_program *program, mls_function_id function,
                     struct weights *ret_weights);
void weights_done(struct weights *weights);
