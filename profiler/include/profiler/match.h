/* match.h: which operation of one program is which of another, when both come from the same model. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An operation, as far as matching looks at it. */
struct mls_match_item {
    const char *name;
    const char *type;
};

/*
 * mls_match: for each item of `a` the index of its counterpart in `b`, or MLS_NO_INDEX. In this order: the same name and
 * type; the same but for what converters and compressors append to names ("_cast_fp16", "_palettized"); that name,
 * whatever the type; then, between two neighbours that are matched, the longest common sequence of types. No item of
 * `b` is used twice. False when out of memory.
 */
bool mls_match(const struct mls_match_item *a, size_t n_a, const struct mls_match_item *b, size_t n_b,
               uint32_t *ret_b_of_a);
