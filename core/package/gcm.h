/* gcm.h: AES-GCM in the layout of CryptoKit's `combined`: 12 bytes nonce, ciphertext, 16 bytes tag; no
 * additional data. */
#pragma once

#include "core/package.h"

enum { GCM_NONCE_BYTES = 12, GCM_TAG_BYTES = 16, GCM_OVERHEAD_BYTES = GCM_NONCE_BYTES + GCM_TAG_BYTES };
/* What one nonce may cover, less the cipher's own blocks: 2^36 - 32 bytes. */
#define GCM_CONTENT_BYTES_MAX (((uint64_t)1 << 36) - 32)

/* One message on its way through the cipher. Holds the expanded key, which gcm_stream_free wipes. */
struct gcm_stream;

/* gcm_seal_begin: starts a message under a fresh nonce, which is written to ret_nonce; NULL when the
 * libraries refuse. */
struct gcm_stream *gcm_seal_begin(const struct mls_key *key, uint8_t ret_nonce[GCM_NONCE_BYTES]);

/* gcm_stream_update: size_bytes (below 2 GiB) of plaintext to ciphertext or back; `out` may not overlap `in`.
 */
bool gcm_stream_update(struct gcm_stream *stream, const uint8_t *in, size_t size_bytes, uint8_t *out);

/* gcm_seal_end: the tag of what went through. */
bool gcm_seal_end(struct gcm_stream *stream, uint8_t ret_tag[GCM_TAG_BYTES]);

/* gcm_stream_free: NULL is fine. */
void gcm_stream_free(struct gcm_stream *stream);
