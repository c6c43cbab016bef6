/* values.h: inputs that are no arrays: a text, a dictionary, a sequence. */
#pragma once

#include "core/session.h"

/* values_has: whether the feature is of such a kind. */
bool values_has(const struct mls_feature *feature);

/*
 * values_read: fills input `index` from JSON: a string; an object of numbers, or a list of [key, number]; a
 * list of strings or integers.
 */
enum mls_status values_read(struct mls_run *run, size_t index, const char *name, struct mls_bytes bytes,
                            struct mls_error *reterr);

/* values_default: what such an input is when nothing is given: the empty text, dictionary or sequence. */
enum mls_status values_default(struct mls_run *run, size_t index, struct mls_error *reterr);
