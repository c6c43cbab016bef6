/* op.h: what other rooms may ask about operations: whether one is known, and its flags. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mls_op_row;

/* mls_op_find: the newest definition of `type` not newer than `opset`, or NULL. */
const struct mls_op_row *mls_op_find(const char *type, uint32_t opset);

/* mls_op_row_name, _since: its MIL name and the opset that introduced this definition. */
const char *mls_op_row_name(const struct mls_op_row *row);
uint32_t mls_op_row_since(const struct mls_op_row *row);

/* mls_op_count, mls_op_at: all rows, for documentation and tests. */
uint32_t mls_op_count(void);
const struct mls_op_row *mls_op_at(uint32_t index);
