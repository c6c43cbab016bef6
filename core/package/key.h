/* key.h: the bytes of a key, for the cipher alone. */
#pragma once

#include "core/package.h"

/* key_bytes: mls_key_size bytes, borrowed from the key. */
const uint8_t *key_bytes(const struct mls_key *key);
