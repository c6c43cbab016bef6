/* Manifest.json, alone and as the manifest of a package that has one model file. */
#include <stdint.h>
#include <stdlib.h>

#include "package/form.h"
#include "package/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mls_bytes text = {data, size};
    struct mls_error error;
    struct manifest manifest;
    if (!manifest_parse(text, &manifest, &error)) {
        if (manifest.root >= manifest.n_items)
            abort();
        manifest_done(&manifest);
    }
    struct mls_package *package = package_create("input.mlpackage");
    if (!package)
        return 0;
    static const uint8_t spec[] = {0x08, 0x07};
    if (!package_add_entry(package, "Manifest.json", text, &error) &&
        !package_add_entry(package, "Data/com.apple.CoreML/model.mlmodel",
                           (struct mls_bytes){spec, sizeof spec}, &error))
        package_set_spec_from_folder(package, &error);
    mls_package_release(package);
    return 0;
}
