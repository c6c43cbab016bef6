/*
 * A compiled model's folder: the bytes are the lengths of coremldata.bin and model.mil as little-endian 32-bit numbers,
 * these two files, and the weights. The corpus was written by `mlscope compile`.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "core/model.h"
#include "package/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t at_most(uint32_t wanted, const struct mls_cursor *cursor)
{
    return wanted < mls_cursor_left(cursor) ? wanted : mls_cursor_left(cursor);
}

static bool count(void *user, const char *text, size_t length_bytes)
{
    (void)text;
    *(size_t *)user += length_bytes;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mls_cursor cursor = mls_cursor_over(data, size);
    uint32_t wanted[2] = {mls_cursor_u32(&cursor), mls_cursor_u32(&cursor)};
    if (cursor.bad)
        return 0;
    struct mls_bytes files[3];
    for (unsigned i = 0; i < 3; i++) {
        files[i].size_bytes = i < 2 ? at_most(wanted[i], &cursor) : mls_cursor_left(&cursor);
        files[i].data = mls_cursor_take(&cursor, files[i].size_bytes);
    }
    struct mls_package *package = package_create("input.mlmodelc");
    struct mls_model *model = NULL;
    struct mls_error error;
    size_t n_printed = 0;
    if (package && !package_add_entry(package, "coremldata.bin", files[0], &error) &&
        !package_add_entry(package, "model.mil", files[1], &error) &&
        !package_add_entry(package, "weights/weight.bin", files[2], &error) &&
        !package_set_spec_from_folder(package, &error) && !mls_model_load(package, NULL, &model, &error))
        mls_program_print(model, &(struct mls_writer){&n_printed, count});
    mls_model_free(model);
    mls_package_release(package);
    return 0;
}
