/*
 * The sealed form, and the only file that knows a cipher. A box has no magic, so whatever no other form takes
 * is taken as one. Nothing is looked at before the tag is checked; what was decrypted is wiped on every way
 * out.
 */
#include "form.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <sodium/core.h>
#include <sodium/crypto_aead_aes256gcm.h>
#include <sodium/randombytes.h>

#include "base/limits.h"
#include "gcm.h"
#include "key.h"
#include "secret.h"

enum {
    READ_BYTES = 256 * 1024, /* stays in the second-level cache between read and decryption */
    REPORT_BYTES = 4 * 1024 * 1024,
    ONE_SHOT_BYTES_MAX = 8 * 1024 * 1024
};

/* ---- libcrypto: every key size, any processor, in pieces ---------------------------------------------- */

struct gcm_stream {
    EVP_CIPHER_CTX *context;
};

static const EVP_CIPHER *cipher_for(const struct mls_key *key)
{
    size_t size_bytes = mls_key_size(key);
    return size_bytes == 32 ? EVP_aes_256_gcm() : size_bytes == 24 ? EVP_aes_192_gcm() : EVP_aes_128_gcm();
}

static struct gcm_stream *stream_begin(const struct mls_key *key, const uint8_t *nonce, int encrypt)
{
    struct gcm_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->context = EVP_CIPHER_CTX_new();
    if (stream->context &&
        EVP_CipherInit_ex(stream->context, cipher_for(key), NULL, key_bytes(key), nonce, encrypt))
        return stream;
    gcm_stream_free(stream);
    return NULL;
}

struct gcm_stream *gcm_seal_begin(const struct mls_key *key, uint8_t ret_nonce[GCM_NONCE_BYTES])
{
    if (sodium_init() < 0)
        return NULL;
    randombytes_buf(ret_nonce, GCM_NONCE_BYTES);
    return stream_begin(key, ret_nonce, 1);
}

bool gcm_stream_update(struct gcm_stream *stream, const uint8_t *in, size_t size_bytes, uint8_t *out)
{
    int written;
    return EVP_CipherUpdate(stream->context, out, &written, in, (int)size_bytes) &&
           (size_t)written == size_bytes;
}

bool gcm_seal_end(struct gcm_stream *stream, uint8_t ret_tag[GCM_TAG_BYTES])
{
    uint8_t none[GCM_TAG_BYTES];
    int written;
    return EVP_CipherFinal_ex(stream->context, none, &written) &&
           EVP_CIPHER_CTX_ctrl(stream->context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, ret_tag);
}

/* Whether the tag belongs to what went through. */
static bool open_end(struct gcm_stream *stream, uint8_t tag[GCM_TAG_BYTES])
{
    uint8_t none[GCM_TAG_BYTES];
    int written;
    return EVP_CIPHER_CTX_ctrl(stream->context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, tag) &&
           EVP_CipherFinal_ex(stream->context, none, &written) > 0;
}

void gcm_stream_free(struct gcm_stream *stream)
{
    if (!stream)
        return;
    EVP_CIPHER_CTX_free(stream->context);
    free(stream);
}

/* ---- Reading a box ------------------------------------------------------------------------------------ */

/* A box being opened. */
struct box {
    const struct package_source *source;
    struct mls_package *package;
    uint8_t *plaintext;
    size_t content_bytes;
};

/*
 * Copies a piece of the box into private memory, so that what is authenticated is what is decrypted even
 * while somebody writes to the file. read() is cheaper here than faults on a mapping.
 */
static enum mls_status read_box(const struct box *box, size_t offset, uint8_t *out, size_t size_bytes,
                                struct mls_error *reterr)
{
    const struct package_source *source = box->source;
    if (source->fd < 0) {
        memcpy(out, source->bytes.data + offset, size_bytes);
        return MLS_OK;
    }
    for (size_t done = 0; done < size_bytes;) {
        ssize_t got = pread(source->fd, out + done, size_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return mls_fail(reterr, MLS_ERR_IO, "cannot read %s: %s", source->path,
                            got ? strerror(errno) : "it became shorter while it was read");
        done += (size_t)got;
    }
    return MLS_OK;
}

static enum mls_status rejected(const struct box *box, struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_SEAL_REJECTED,
                 "cannot open %s: the authentication tag does not match: wrong key, or the file was "
                 "altered or cut",
                 box->source->path);
    mls_error_hint(reterr, "check the key, and compare the file's size and SHA-256 with the sender's; "
                           "if no key belongs to it, it is no model");
    return status;
}

static enum mls_status no_cipher(const struct box *box, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_INTERNAL, "cannot open %s: AES-GCM is not available from libcrypto",
                    box->source->path);
}

/* In one call, so without progress; for boxes that take a few milliseconds. */
static enum mls_status decrypt_one_shot(const struct box *box, struct mls_error *reterr)
{
    size_t box_bytes = box->content_bytes + GCM_OVERHEAD_BYTES;
    uint8_t *copy = malloc(box_bytes);
    if (!copy)
        return package_out_of_memory(box->package, reterr);
    enum mls_status status = read_box(box, 0, copy, box_bytes, reterr);
    if (!status && crypto_aead_aes256gcm_decrypt(box->plaintext, NULL, NULL, copy + GCM_NONCE_BYTES,
                                                 box_bytes - GCM_NONCE_BYTES, NULL, 0, copy,
                                                 key_bytes(box->source->key)))
        status = rejected(box, reterr);
    free(copy);
    return status;
}

static enum mls_status decrypt_pieces(const struct box *box, struct gcm_stream *stream, uint8_t *piece,
                                      struct mls_error *reterr)
{
    size_t reported = 0;
    for (size_t done = 0; done < box->content_bytes;) {
        size_t left = box->content_bytes - done;
        size_t size_bytes = left < READ_BYTES ? left : READ_BYTES;
        enum mls_status status = read_box(box, GCM_NONCE_BYTES + done, piece, size_bytes, reterr);
        if (status)
            return status;
        if (!gcm_stream_update(stream, piece, size_bytes, box->plaintext + done))
            return no_cipher(box, reterr);
        done += size_bytes;
        if (done - reported >= REPORT_BYTES && done < box->content_bytes) {
            reported = done;
            if (!mls_progress_at(box->source->progress, MLS_STAGE_DECRYPT, done, box->content_bytes))
                return package_cancelled(box->source->path, reterr);
        }
    }
    uint8_t tag[GCM_TAG_BYTES];
    enum mls_status status = read_box(box, GCM_NONCE_BYTES + box->content_bytes, tag, sizeof tag, reterr);
    if (!status && !open_end(stream, tag))
        status = rejected(box, reterr);
    return status;
}

static enum mls_status decrypt_in_pieces(const struct box *box, struct mls_error *reterr)
{
    uint8_t nonce[GCM_NONCE_BYTES];
    enum mls_status status = read_box(box, 0, nonce, sizeof nonce, reterr);
    if (status)
        return status;
    uint8_t *piece = malloc(READ_BYTES);
    struct gcm_stream *stream = stream_begin(box->source->key, nonce, 0);
    if (!piece)
        status = package_out_of_memory(box->package, reterr);
    else if (!stream)
        status = no_cipher(box, reterr);
    else
        status = decrypt_pieces(box, stream, piece, reterr);
    gcm_stream_free(stream);
    free(piece);
    return status;
}

/* ---- The form ----------------------------------------------------------------------------------------- */

static bool sealed_probe(const struct package_source *source)
{
    return !source->folder && !source->content;
}

static enum mls_status check_box(const struct package_source *source, struct mls_error *reterr)
{
    enum mls_status status;
    size_t size_bytes = source->bytes.size_bytes;
    if (size_bytes < GCM_OVERHEAD_BYTES) {
        status = mls_fail(
            reterr, MLS_ERR_SEAL_TRUNCATED,
            "cannot open %s: it is no known form of a model, and its %zu bytes are too few for a sealed "
            "package (%d or more)",
            source->path, size_bytes, GCM_OVERHEAD_BYTES);
        mls_error_hint(reterr, "copy the file again");
        return status;
    }
    if (!source->key) {
        const uint8_t *head = source->bytes.data;
        status = mls_fail(
            reterr, MLS_ERR_KEY_MISSING,
            "cannot open %s: it is no other form of a model, so it is taken as a sealed package, and no key "
            "was given",
            source->path);
        mls_error_hint(
            reterr,
            "give --key-file, --key-env or --key-fd; or it is no model at all: it begins with the bytes "
            "%02x %02x %02x %02x %02x %02x %02x %02x",
            head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]);
        return status;
    }
    if (size_bytes - GCM_OVERHEAD_BYTES > GCM_CONTENT_BYTES_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot open %s: AES-GCM seals at most 2^36 - 32 bytes",
                        source->path);
    return MLS_OK;
}

static enum mls_status decrypt(struct box *box, struct mls_error *reterr)
{
    struct mls_package *package = box->package;
    const struct package_source *source = box->source;
    bool one_shot = mls_key_size(source->key) == 32 && box->content_bytes <= ONE_SHOT_BYTES_MAX &&
                    sodium_init() >= 0 && crypto_aead_aes256gcm_is_available();
    package->info.cipher = mls_arena_printf(package->arena, "AES-%zu-GCM (%s)", mls_key_size(source->key) * 8,
                                            one_shot ? "libsodium" : "libcrypto");
    /* room to move the content by less than one alignment step */
    package->secret = secret_create(box->content_bytes + PACKAGE_ALIGN_BYTES);
    struct mls_arena *entry_arena = mls_arena_create_secret(PACKAGE_ARENA_BYTES_MAX);
    package->entry_arena = entry_arena ? entry_arena : package->arena;
    if (!package->info.cipher || !package->secret || !entry_arena)
        return package_out_of_memory(package, reterr);
    secret_hold_dumps(package->secret);
    package->info.memory_locked = !package->secret->lock_message[0];
    package->info.lock_message = package->secret->lock_message;
    box->plaintext = package->secret->data;
    return one_shot ? decrypt_one_shot(box, reterr) : decrypt_in_pieces(box, reterr);
}

/* Moves the content so that the weights start aligned; a file that mlscope sealed is so already. */
static void align_weights(const struct box *box)
{
    struct mls_package *package = box->package;
    size_t index = package_weights_entry(package);
    if (index == SIZE_MAX)
        return;
    uintptr_t misaligned = (uintptr_t)package->entries[index].bytes.data % PACKAGE_ALIGN_BYTES;
    if (!misaligned)
        return;
    size_t step = PACKAGE_ALIGN_BYTES - misaligned;
    memmove(box->plaintext + step, box->plaintext, box->content_bytes);
    for (size_t i = 0; i < package->n_entries; i++)
        package->entries[i].bytes.data += step;
}

static enum mls_status sealed_open(struct mls_package *package, const struct package_source *source,
                                   struct mls_error *reterr)
{
    enum mls_status status = check_box(source, reterr);
    if (status)
        return status;
    struct box box = {
        .source = source, .package = package, .content_bytes = source->bytes.size_bytes - GCM_OVERHEAD_BYTES};
    if (!mls_progress_at(source->progress, MLS_STAGE_DECRYPT, 0, box.content_bytes))
        return package_cancelled(source->path, reterr);
    status = decrypt(&box, reterr);
    if (status)
        return status;
    package->info.sealed = true;
    package->info.decrypted_bytes = box.content_bytes;
    if (!mls_progress_at(source->progress, MLS_STAGE_DECRYPT, box.content_bytes, box.content_bytes))
        return package_cancelled(source->path, reterr);
    struct package_source content = {.path = source->path,
                                     .fd = -1,
                                     .content = true,
                                     .bytes = {box.plaintext, box.content_bytes},
                                     .progress = source->progress};
    status = package_try_forms(package, &content, reterr);
    if (status)
        return status;
    align_weights(&box);
    secret_seal_writes(package->secret);
    return MLS_OK;
}

const struct package_form package_form_sealed = {.probe = sealed_probe, .open = sealed_open};
