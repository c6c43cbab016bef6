/* Flat RTFD from memory: what is read is written again, and must then read the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "package/form.h"
#include "package/rtfd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct buffer {
    uint8_t *bytes;
    size_t used;
};

static bool append(void *user, const void *bytes, size_t size_bytes)
{
    struct buffer *buffer = user;
    memcpy(buffer->bytes + buffer->used, bytes, size_bytes);
    buffer->used += size_bytes;
    return true;
}

static struct mls_package *parse(struct mls_bytes bytes)
{
    struct mls_package *package = package_create("input.rtfd");
    struct mls_error error;
    if (package && rtfd_parse(package, bytes, &error)) {
        mls_package_release(package);
        return NULL;
    }
    if (package)
        package_sort_entries(package);
    return package;
}

static void check_same(const struct mls_package *a, const struct mls_package *b)
{
    if (!b || mls_package_entry_count(a) != mls_package_entry_count(b))
        abort();
    for (size_t i = 0; i < mls_package_entry_count(a); i++) {
        struct mls_package_entry left = mls_package_entry_at(a, i), right = mls_package_entry_at(b, i);
        if (strcmp(left.path, right.path) || left.bytes.size_bytes != right.bytes.size_bytes ||
            memcmp(left.bytes.data, right.bytes.data, left.bytes.size_bytes))
            abort();
    }
}

static void write_and_compare(const struct mls_package *package)
{
    struct rtfd_plan *plan;
    if (rtfd_plan_create(package, &plan, NULL))
        return;
    struct buffer buffer = {.bytes = malloc(rtfd_plan_bytes(plan))};
    struct rtfd_sink sink = {.user = &buffer, .write = append};
    if (buffer.bytes && rtfd_plan_write(plan, &sink)) {
        if (buffer.used != rtfd_plan_bytes(plan))
            abort();
        struct mls_package *again = parse((struct mls_bytes){buffer.bytes, buffer.used});
        check_same(package, again);
        mls_package_release(again);
    }
    free(buffer.bytes);
    rtfd_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mls_bytes bytes = {data, size};
    struct mls_package *package = parse(bytes);
    if (package)
        write_and_compare(package);
    mls_package_release(package);

    struct mls_error error;
    struct mls_package *opened;
    if (!package_open_bytes("input", bytes, NULL, &opened, &error)) {
        struct mls_bytes blob;
        mls_package_blob(opened, "@model_path/weights/weight.bin", &blob, NULL, &error);
        mls_package_hash(opened);
        mls_package_release(opened);
    }
    return 0;
}
