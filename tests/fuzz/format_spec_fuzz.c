/* A whole specification: read, verified and printed. The corpus are small programs written by coremltools 9.
 */
#include <stddef.h>
#include <stdint.h>

#include "format/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static bool count(void *user, const char *text, size_t length_bytes)
{
    (void)text;
    *(size_t *)user += length_bytes;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct mls_model *model = NULL;
    struct mls_error error;
    if (mls_model_load_spec((struct mls_bytes){data, size_bytes}, "model.mlmodel", NULL, NULL, &model,
                            &error))
        return 0;
    size_t n_printed = 0;
    mls_program_print(model, &(struct mls_writer){&n_printed, count});
    mls_model_free(model);
    return 0;
}
