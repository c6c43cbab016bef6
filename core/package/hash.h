/* hash.h: SHA-256 of what lies on disk. */
#pragma once

#include "core/package.h"

enum { HASH_HEX_BYTES = 65 };

/* Both let go of what they have read of the package's mappings, so that reading all of it does not keep all of it. */

/* hash_file: of its one file, as 64 lower-case hex digits and a NUL. */
void hash_file(const struct mls_package *package, struct mls_bytes file, char ret_hex[HASH_HEX_BYTES]);

/* hash_entries: of a folder: for each entry in order of path: path, NUL, size as 8 little-endian bytes,
 * content. */
void hash_entries(const struct mls_package *package, const struct mls_package_entry *entries, size_t n_entries,
                  char ret_hex[HASH_HEX_BYTES]);
