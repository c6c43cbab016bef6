/* op_family.h: how a file of rows offers its family to the table. */
#pragma once

#include "ops/op.h"

#define X(family) extern const struct mls_op_family mls_ops_##family;
#include "ops/families.def"
#undef X

/* MLS_OP_FAMILY_DEFINE: the family of a file, from its array of rows. */
#define MLS_OP_FAMILY_DEFINE(family, family_rows)                         \
    const struct mls_op_family mls_ops_##family = {.rows = (family_rows), \
                                                   .n_rows = sizeof(family_rows) / sizeof((family_rows)[0])}
