/* keys.h: texts and integers as keys: compared, and found among constant ones. */
#pragma once

#include "ops/op.h"

/* key_compare: element i of a with element k of b, both of TEXT or both of INT64: negative, 0 or positive. */
int key_compare(const struct mls_tensor *a, int64_t i, const struct mls_tensor *b, int64_t k);

/* Constant keys in order, as `pack` makes them: places[] are indices into the constant. */
struct key_index {
    const struct mls_tensor *keys;
    const int32_t *places;
    int64_t n;
};

/* key_index_pack: `pack` of rows: the index of constant keys in parameter `param`. */
enum mls_status key_index_pack(const struct mls_op_call *call, unsigned param, struct mls_op_env *env,
                               struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes);

/* key_find: place of element i of `key` among the index's keys; -1 when it is not there. */
int64_t key_find(const struct key_index *index, const struct mls_tensor *key, int64_t i);
