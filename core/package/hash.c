#include "hash.h"

#include <string.h>

#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

static void finish(crypto_hash_sha256_state *state, char ret_hex[HASH_HEX_BYTES])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state, digest);
    sodium_bin2hex(ret_hex, HASH_HEX_BYTES, digest, sizeof digest);
}

void hash_bytes(struct mls_bytes bytes, char ret_hex[HASH_HEX_BYTES])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, bytes.data, bytes.size_bytes);
    finish(&state, ret_hex);
}

void hash_entries(const struct mls_package_entry *entries, size_t n_entries, char ret_hex[HASH_HEX_BYTES])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < n_entries; i++) {
        unsigned char size[8];
        for (unsigned byte = 0; byte < sizeof size; byte++)
            size[byte] = (unsigned char)(entries[i].bytes.size_bytes >> (8 * byte));
        crypto_hash_sha256_update(&state, (const unsigned char *)entries[i].path,
                                  strlen(entries[i].path) + 1);
        crypto_hash_sha256_update(&state, size, sizeof size);
        crypto_hash_sha256_update(&state, entries[i].bytes.data, entries[i].bytes.size_bytes);
    }
    finish(&state, ret_hex);
}
