/* A zip: opened as a package; every byte of its entries is read. The corpus are small archives of packages. */
#include <stddef.h>
#include <stdint.h>

#include "package/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct mls_package *package;
    struct mls_error error;
    if (size_bytes < 4 || package_open_bytes("model.zip", (struct mls_bytes){data, size_bytes}, NULL, &package, &error))
        return 0;
    uint8_t sum = 0;
    for (size_t i = 0; i < mls_package_entry_count(package); i++) {
        struct mls_bytes bytes = mls_package_entry_at(package, i).bytes;
        for (size_t k = 0; k < bytes.size_bytes; k++)
            sum ^= bytes.data[k];
    }
    volatile uint8_t sink = sum;
    (void)sink;
    mls_package_release(package);
    return 0;
}
