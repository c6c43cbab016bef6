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

enum { PIECE_BYTES = 4 << 20 };

static void add(const struct mls_package *package, struct mls_bytes bytes, crypto_hash_sha256_state *state)
{
    for (size_t at = 0, n; at < bytes.size_bytes; at += n) {
        n = bytes.size_bytes - at < PIECE_BYTES ? bytes.size_bytes - at : PIECE_BYTES;
        crypto_hash_sha256_update(state, bytes.data + at, n);
        mls_package_done_with(package, bytes.data + at, n);
    }
}

void hash_file(const struct mls_package *package, struct mls_bytes file, char ret_hex[HASH_HEX_BYTES])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add(package, file, &state);
    finish(&state, ret_hex);
}

void hash_entries(const struct mls_package *package, const struct mls_package_entry *entries, size_t n_entries,
                  char ret_hex[HASH_HEX_BYTES])
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
        add(package, entries[i].bytes, &state);
    }
    finish(&state, ret_hex);
}
