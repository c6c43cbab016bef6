/* Configurations of compression in YAML: what is accepted has rules whose settings pass the check of settings. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/compress.h"
#include "fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory_file file;
    struct mls_compress_config *config;
    struct mls_error error;
    if (mls_compress_config_read(memory_file_set(&file, data, size), &config, &error))
        return 0;
    struct mls_compress_pass pass = mls_compress_config_pass(config);
    for (size_t i = 0; i < pass.n_rules; i++)
        if (!pass.rules[i].leave && mls_compress_check(&pass.rules[i].setting, &error))
            abort();
    mls_compress_config_free(config);
    return 0;
}
