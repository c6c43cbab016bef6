/* Sealed packages under a fixed key: the input as a box, and the input as the content of a box with a good
 * tag. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "package/form.h"
#include "package/gcm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_box(const struct mls_key *key, struct mls_bytes box)
{
    struct mls_package_options options = {.key = key};
    struct mls_package *package;
    struct mls_error error;
    if (!package_open_bytes("input", box, &options, &package, &error)) {
        struct mls_bytes blob;
        mls_package_blob(package, "@model_path/weights/weight.bin", &blob, NULL, &error);
        mls_package_release(package);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char key_text[] = "000102030405060708090a0b0c0d0e0f";
    struct mls_key *key;
    if (mls_key_parse(key_text, sizeof key_text - 1, &key, NULL))
        abort();
    open_box(key, (struct mls_bytes){data, size});

    uint8_t *box = malloc(size + GCM_OVERHEAD_BYTES);
    struct gcm_stream *stream = box ? gcm_seal_begin(key, box) : NULL;
    if (stream && (!size || gcm_stream_update(stream, data, size, box + GCM_NONCE_BYTES)) &&
        gcm_seal_end(stream, box + GCM_NONCE_BYTES + size))
        open_box(key, (struct mls_bytes){box, size + GCM_OVERHEAD_BYTES});
    gcm_stream_free(stream);
    free(box);
    mls_key_free(key);
    return 0;
}
