/* hash.h: SHA-256 of what lies on disk. */
#pragma once

#include "core/package.h"

enum { HASH_HEX_BYTES = 65 };

/* hash_bytes: of one file, as 64 lower-case hex digits and a NUL. */
void hash_bytes(struct mls_bytes bytes, char ret_hex[HASH_HEX_BYTES]);

/* hash_entries: of a folder: for each entry in order of path: path, NUL, size as 8 little-endian bytes,
 * content. */
void hash_entries(const struct mls_package_entry *entries, size_t n_entries, char ret_hex[HASH_HEX_BYTES]);
