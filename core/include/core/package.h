/*
 * package.h: bytes to named files. A package is a folder, a single file, or a sealed box that is decrypted into private
 * memory; its entries are read-only views that live as long as the package.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/progress.h"
#include "core/status.h"

/* Bytes borrowed from their owner. */
struct mls_bytes {
    const uint8_t *data;
    size_t size_bytes;
};

/* How the model came: id, name in JSON. */
#define MLS_FORM_LIST(X)            \
    X(FOLDER, "mlpackage")          \
    X(MLMODEL, "mlmodel")           \
    X(COMPILED, "mlmodelc")         \
    X(MIL_TEXT, "mil")              \
    X(ZIP, "zip")                   \
    X(FLAT_RTFD, "flat-rtfd")       \
    X(ASSET, "asset")

enum mls_form {
#define X(id, name) MLS_FORM_##id,
    MLS_FORM_LIST(X)
#undef X
        MLS_FORM_COUNT
};

const char *mls_form_name(enum mls_form form);

enum { MLS_KEY_BYTES_MAX = 32 };

/*
 * A symmetric key of 32, 24 or 16 bytes. The bytes live in memory that is locked as far as the limit allows, is left
 * out of core dumps, and is wiped by mls_key_free. Opaque, so that no copy is made by accident.
 */
struct mls_key;

/* mls_key_parse: a key from file content: raw bytes, or the same as hex or base64 text with white space around it. */
enum mls_status mls_key_parse(const void *bytes, size_t size_bytes, struct mls_key **ret_key, struct mls_error *reterr);
/* mls_key_from_file, _env, _fd: the key from where `--key-file`, `--key-env` and `--key-fd` say; intermediate copies are wiped. */
enum mls_status mls_key_from_file(const char *path, struct mls_key **ret_key, struct mls_error *reterr);
enum mls_status mls_key_from_env(const char *variable, struct mls_key **ret_key, struct mls_error *reterr);
enum mls_status mls_key_from_fd(int fd, struct mls_key **ret_key, struct mls_error *reterr);
/* mls_key_generate: a fresh key of size_bytes (32, 24 or 16) from the system's generator. */
enum mls_status mls_key_generate(size_t size_bytes, struct mls_key **ret_key, struct mls_error *reterr);
/* mls_key_size, mls_key_write_hex: the length; lower-case hex with a terminating NUL into out[2*size+1] (caller wipes). */
size_t mls_key_size(const struct mls_key *key);
void mls_key_write_hex(const struct mls_key *key, char *ret_hex);
/* mls_key_free: wipes and frees; NULL is fine. */
void mls_key_free(struct mls_key *key);

/* One in-memory blob of the asset form: `key` as the caller gave it, bytes read from `file`. */
struct mls_blob_argument {
    const char *key;
    const char *file;
};

struct mls_package_options {
    const struct mls_key *key;           /* borrowed for the call; NULL when none was given */
    const struct mls_progress *progress; /* NULL for none */
};

/* A package. Reference counted and safe to share between threads; closing the last reference wipes decrypted bytes. */
struct mls_package;

/* mls_package_open: opens any form of MODEL (CONTRACT.md). On success the caller owns one reference. */
enum mls_status mls_package_open(const char *path, const struct mls_package_options *options,
                                 struct mls_package **ret_package, struct mls_error *reterr);

/*
 * mls_package_open_asset: the in-memory asset form (`--spec FILE --blob KEY=FILE`): KEY may be a relative path, a file
 * URL, or the program's own reference `@model_path/weights/weight.bin`. All resolve to the same blob.
 */
enum mls_status mls_package_open_asset(const char *spec_file, const struct mls_blob_argument *blobs, size_t n_blobs,
                                       const struct mls_package_options *options, struct mls_package **ret_package,
                                       struct mls_error *reterr);

struct mls_package *mls_package_retain(struct mls_package *package);
/* mls_package_release: NULL is fine. The bytes of a package cannot go away while a model holds a reference. */
void mls_package_release(struct mls_package *package);

/* One file of the package. `path` is relative, with '/', and never leaves the package. Borrowed from the package. */
struct mls_package_entry {
    const char *path;
    struct mls_bytes bytes;
};

size_t mls_package_entry_count(const struct mls_package *package);
/* mls_package_entry_at: entries in order of path. Index below the count. */
struct mls_package_entry mls_package_entry_at(const struct mls_package *package, size_t index);

/* mls_package_spec: the specification's bytes (the manifest's root model, or the bare file) and its entry path. */
struct mls_bytes mls_package_spec(const struct mls_package *package, const char **ret_path);

/*
 * mls_package_blob: the file that a program's reference means ("@model_path/weights/weight.bin": relative to the
 * folder of the specification). Fails with BLOB_MISSING, or GIT_LFS_POINTER when a pointer lies in its place.
 */
enum mls_status mls_package_blob(const struct mls_package *package, const char *reference, struct mls_bytes *ret_bytes,
                                 const char **ret_path, struct mls_error *reterr);

/*
 * mls_package_done_with: says that bytes of an entry will hardly be read again, so that pages of a mapped file stop counting
 * as this process's memory. They can still be read: they come back from the file. Does nothing to decrypted bytes.
 */
void mls_package_done_with(const struct mls_package *package, const void *data, size_t size_bytes);

/* Facts that reports show. Borrowed from the package. */
struct mls_package_info {
    const char *path;            /* as given by the user */
    enum mls_form form;
    bool sealed;
    const char *cipher;          /* "AES-256-GCM (libsodium)" or "" */
    uint64_t file_bytes;         /* bytes on disk: all entries, or the one file */
    uint64_t decrypted_bytes;    /* 0 unless sealed */
    bool memory_locked;          /* all decrypted bytes are locked in memory */
    const char *lock_message;    /* why they are not, or "" */
    const char *sha256_hex;      /* of the file as it is on disk; for a folder: of its sorted paths, sizes and contents. "" until mls_package_hash */
    size_t n_asset_keys;         /* asset form: the keys as given, each with what Apple's runtime would do with it */
    const struct mls_asset_key {
        const char *key;
        const char *entry_path;  /* what it resolved to */
        bool refused_by_apple;   /* MLModelAsset refuses the program's own reference as a key: mem://... */
    } *asset_keys;
};

const struct mls_package_info *mls_package_info(const struct mls_package *package);

/* mls_package_hash: computes sha256_hex once (it reads every byte); later calls return the same text. */
const char *mls_package_hash(struct mls_package *package);

/*
 * mls_package_seal: writes `package` (folder or plain flat RTFD) as a sealed file: AES-GCM `combined` of its flat RTFD,
 * nonce from the system's generator. Written beside `out_path` and renamed, so that it is whole or absent. No plaintext
 * is written anywhere.
 */
enum mls_status mls_package_seal(const struct mls_package *package, const struct mls_key *key, const char *out_path,
                                 struct mls_error *reterr);

/*
 * mls_package_write: writes the entries as a folder. Written beside `out_path` and renamed, so that it is whole or absent;
 * with `overwrite`, a package that stands there is replaced. USAGE when something else is in the way, and for content of a
 * sealed package, which is never written plain.
 */
enum mls_status mls_package_write(const struct mls_package *package, const char *out_path, bool overwrite,
                                  struct mls_error *reterr);
