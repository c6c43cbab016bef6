/* Seals a package: its flat RTFD goes through the cipher piece by piece, so that only ciphertext is ever
 * buffered. */
#include "form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/partial.h"
#include "gcm.h"
#include "rtfd.h"

enum { WRITE_BYTES = 1 << 18 };

struct sealer {
    int fd;
    struct gcm_stream *stream;
    uint8_t *ciphertext; /* WRITE_BYTES of it */
    size_t used_bytes;
    int reason; /* errno of a failed write; 0 when the cipher failed */
};

static bool flush(struct sealer *sealer)
{
    for (size_t done = 0; done < sealer->used_bytes;) {
        ssize_t put = write(sealer->fd, sealer->ciphertext + done, sealer->used_bytes - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            sealer->reason = errno;
            return false;
        }
        done += (size_t)put;
    }
    sealer->used_bytes = 0;
    return true;
}

static bool seal_bytes(void *user, const void *bytes, size_t size_bytes)
{
    struct sealer *sealer = user;
    for (const uint8_t *at = bytes; size_bytes;) {
        if (sealer->used_bytes == WRITE_BYTES && !flush(sealer))
            return false;
        size_t room = WRITE_BYTES - sealer->used_bytes;
        size_t taken = size_bytes < room ? size_bytes : room;
        if (!gcm_stream_update(sealer->stream, at, taken, sealer->ciphertext + sealer->used_bytes))
            return false;
        sealer->used_bytes += taken;
        at += taken;
        size_bytes -= taken;
    }
    return true;
}

static bool put_plain(struct sealer *sealer, const uint8_t *bytes, size_t size_bytes)
{
    if (WRITE_BYTES - sealer->used_bytes < size_bytes && !flush(sealer))
        return false;
    memcpy(sealer->ciphertext + sealer->used_bytes, bytes, size_bytes);
    sealer->used_bytes += size_bytes;
    return true;
}

static enum mls_status cannot_write(const char *path, const char *reason, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write %s: %s", path, reason);
}

/* A bare .mlmodel is sealed as it is; everything else as a flat RTFD. */
static bool write_content(const struct mls_package *package, const struct rtfd_plan *plan,
                          struct sealer *sealer)
{
    if (!plan) {
        struct mls_bytes spec = mls_package_spec(package, NULL);
        return seal_bytes(sealer, spec.data, spec.size_bytes);
    }
    struct rtfd_sink sink = {.user = sealer, .write = seal_bytes};
    return rtfd_plan_write(plan, &sink);
}

static enum mls_status write_box(const struct mls_package *package, const struct rtfd_plan *plan,
                                 const struct mls_key *key, int fd, const char *out_path,
                                 struct mls_error *reterr)
{
    uint8_t nonce[GCM_NONCE_BYTES], tag[GCM_TAG_BYTES];
    struct sealer sealer = {.fd = fd, .ciphertext = malloc(WRITE_BYTES)};
    sealer.stream = gcm_seal_begin(key, nonce);
    enum mls_status status = MLS_OK;
    if (!sealer.ciphertext)
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot write %s: out of memory", out_path);
    else if (!sealer.stream)
        status = mls_fail(reterr, MLS_ERR_INTERNAL, "cannot write %s: AES-GCM is not available", out_path);
    else if (!put_plain(&sealer, nonce, sizeof nonce) || !write_content(package, plan, &sealer) ||
             !gcm_seal_end(sealer.stream, tag) || !put_plain(&sealer, tag, sizeof tag) || !flush(&sealer))
        status =
            cannot_write(out_path, sealer.reason ? strerror(sealer.reason) : "the cipher failed", reterr);
    gcm_stream_free(sealer.stream);
    free(sealer.ciphertext);
    return status;
}

static enum mls_status write_file(const struct mls_package *package, const struct rtfd_plan *plan,
                                  const struct mls_key *key, const char *out_path, struct mls_error *reterr)
{
    struct mls_partial file;
    enum mls_status status = mls_partial_open(out_path, 0600, &file, reterr);
    if (status)
        return status;
    status = write_box(package, plan, key, file.fd, out_path, reterr);
    enum mls_status closed = mls_partial_close(&file, !status, reterr);
    return status ? status : closed;
}

enum mls_status mls_package_seal(const struct mls_package *package, const struct mls_key *key,
                                 const char *out_path, struct mls_error *reterr)
{
    if (package->info.form == MLS_FORM_ASSET) {
        enum mls_status status =
            mls_fail(reterr, MLS_ERR_USAGE, "cannot seal an in-memory asset: it is no package");
        mls_error_hint(reterr, "seal the .mlpackage folder that its files came from");
        return status;
    }
    struct rtfd_plan *plan = NULL;
    if (package->info.form != MLS_FORM_MLMODEL) {
        enum mls_status status = rtfd_plan_create(package, &plan, reterr);
        if (status)
            return status;
    }
    enum mls_status status = write_file(package, plan, key, out_path, reterr);
    rtfd_plan_free(plan);
    return status;
}
