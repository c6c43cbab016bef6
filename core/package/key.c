#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>

#include "secret.h"

/* More than any form of a key with white space around it. */
enum { KEY_FILE_BYTES_MAX = 1024 };

struct mls_key {
    struct secret *memory;
};

static bool is_key_size(size_t size_bytes)
{
    return size_bytes == 32 || size_bytes == 24 || size_bytes == 16;
}

static struct mls_key *create(const void *bytes, size_t size_bytes)
{
    struct mls_key *key = calloc(1, sizeof *key);
    if (!key)
        return NULL;
    key->memory = secret_create(size_bytes);
    if (!key->memory) {
        free(key);
        return NULL;
    }
    if (bytes)
        memcpy(key->memory->data, bytes, size_bytes);
    return key;
}

static enum mls_status out_of_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the key: out of memory");
}

static enum mls_status invalid(struct mls_error *reterr, size_t size_bytes, const char *tried)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_KEY_INVALID,
                 "cannot read the key: %zu bytes of %s are no key of 32, 24 or 16 bytes", size_bytes, tried);
    mls_error_hint(reterr,
                   "a key is 32, 24 or 16 raw bytes, or the same as 64, 48 or 32 hex digits or as base64");
    return status;
}

/* Bytes of the key that the text means, into out[MLS_KEY_BYTES_MAX]; 0 when it means none. Constant in time
 * by libsodium. */
static size_t decode(const char *text, size_t length, uint8_t *out)
{
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                                   sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    size_t size_bytes;
    const char *end;
    if (!sodium_hex2bin(out, MLS_KEY_BYTES_MAX, text, length, NULL, &size_bytes, &end) &&
        end == text + length && is_key_size(size_bytes))
        return size_bytes;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (!sodium_base642bin(out, MLS_KEY_BYTES_MAX, text, length, NULL, &size_bytes, &end, variants[i]) &&
            end == text + length && is_key_size(size_bytes))
            return size_bytes;
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool all_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f') ||
              (text[i] >= 'A' && text[i] <= 'F')))
            return false;
    return true;
}

/*
 * Content of exactly a key's length is the key itself, with two exceptions that no random key meets in
 * practice: 32 hex digits, and 24 characters that end in "==", are text of a 16-byte key.
 */
static bool is_raw(const char *text, size_t size_bytes)
{
    if (!is_key_size(size_bytes))
        return false;
    if (size_bytes == 32 && all_hex(text, size_bytes))
        return false;
    return !(size_bytes == 24 && text[22] == '=' && text[23] == '=');
}

enum mls_status mls_key_parse(const void *bytes, size_t size_bytes, struct mls_key **ret_key,
                              struct mls_error *reterr)
{
    const char *text = bytes;
    struct mls_key *key;
    if (is_raw(text, size_bytes)) {
        key = create(bytes, size_bytes);
    } else {
        size_t start = 0, end = size_bytes;
        while (start < end && is_space(text[start]))
            start++;
        while (end > start && is_space(text[end - 1]))
            end--;
        uint8_t decoded[MLS_KEY_BYTES_MAX];
        size_t decoded_bytes = decode(text + start, end - start, decoded);
        if (!decoded_bytes) {
            secret_wipe(decoded, sizeof decoded);
            bool hex = end > start && all_hex(text + start, end - start);
            return invalid(reterr, end - start, hex ? "hex text" : "raw or base64 content");
        }
        key = create(decoded, decoded_bytes);
        secret_wipe(decoded, sizeof decoded);
    }
    if (!key)
        return out_of_memory(reterr);
    *ret_key = key;
    return MLS_OK;
}

enum mls_status mls_key_from_fd(int fd, struct mls_key **ret_key, struct mls_error *reterr)
{
    struct secret *content = secret_create(KEY_FILE_BYTES_MAX);
    if (!content)
        return out_of_memory(reterr);
    size_t used = 0;
    ssize_t got = 1;
    while (got && used < KEY_FILE_BYTES_MAX) {
        got = read(fd, content->data + used, KEY_FILE_BYTES_MAX - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        used += (size_t)got;
    }
    enum mls_status status;
    if (got < 0)
        status = mls_fail(reterr, MLS_ERR_IO, "cannot read the key: %s", strerror(errno));
    else if (used == KEY_FILE_BYTES_MAX)
        status = invalid(reterr, used, "content, or more,");
    else
        status = mls_key_parse(content->data, used, ret_key, reterr);
    secret_free(content);
    return status;
}

enum mls_status mls_key_from_file(const char *path, struct mls_key **ret_key, struct mls_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return mls_fail(reterr, errno == ENOENT || errno == ENOTDIR ? MLS_ERR_NOT_FOUND : MLS_ERR_IO,
                        "cannot read the key file %s: %s", path, strerror(errno));
    enum mls_status status = mls_key_from_fd(fd, ret_key, reterr);
    close(fd);
    if (status)
        mls_error_at(reterr, path, -1);
    return status;
}

enum mls_status mls_key_from_env(const char *variable, struct mls_key **ret_key, struct mls_error *reterr)
{
    const char *text = getenv(variable);
    if (!text) {
        enum mls_status status = mls_fail(
            reterr, MLS_ERR_KEY_MISSING, "cannot read the key: the environment has no variable %s", variable);
        mls_error_hint(reterr, "export %s with the key as hex or base64 text", variable);
        return status;
    }
    return mls_key_parse(text, strlen(text), ret_key, reterr);
}

enum mls_status mls_key_generate(size_t size_bytes, struct mls_key **ret_key, struct mls_error *reterr)
{
    if (!is_key_size(size_bytes))
        return mls_fail(reterr, MLS_ERR_KEY_INVALID, "cannot make a key of %zu bytes: a key has 32, 24 or 16",
                        size_bytes);
    if (sodium_init() < 0)
        return mls_fail(reterr, MLS_ERR_INTERNAL, "cannot make a key: the random generator does not start");
    struct mls_key *key = create(NULL, size_bytes);
    if (!key)
        return out_of_memory(reterr);
    randombytes_buf(key->memory->data, size_bytes);
    *ret_key = key;
    return MLS_OK;
}

size_t mls_key_size(const struct mls_key *key)
{
    return key->memory->size_bytes;
}

const uint8_t *key_bytes(const struct mls_key *key)
{
    return key->memory->data;
}

void mls_key_write_hex(const struct mls_key *key, char *ret_hex)
{
    sodium_bin2hex(ret_hex, 2 * mls_key_size(key) + 1, key_bytes(key), mls_key_size(key));
}

void mls_key_free(struct mls_key *key)
{
    if (!key)
        return;
    secret_free(key->memory);
    free(key);
}
