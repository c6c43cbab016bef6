/* derive.h: a package in memory that differs from another in its specification and its weights. */
#pragma once

#include "base/arena.h"
#include "core/package.h"

/*
 * package_derive: like `source`, with another specification and one weight file instead of those that the
 * program referred to (`dropped`: their paths), which lies at weights/weight.bin beside the specification.
 * The manifest is made anew where the old one does not know that file. Takes `arena`, which owns the bytes,
 * on success and on failure, and a reference to the source. As secret as the source.
 */
enum mls_status package_derive(struct mls_package *source, struct mls_bytes spec, struct mls_bytes weights,
                               const char *const *dropped, size_t n_dropped, struct mls_arena *arena,
                               struct mls_package **ret_package, struct mls_error *reterr);
