/* MIL text: read, verified, printed, and written and read again: what was accepted once is accepted again.
 * The corpus are programs that mlscope wrote, and the constructs that compilers of Core ML write. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/compiled.h"
#include "format/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

struct text {
    char *bytes;
    size_t used;
};

static bool collect(void *user, const char *bytes, size_t length_bytes)
{
    struct text *text = user;
    char *grown = realloc(text->bytes, text->used + length_bytes + 1);
    if (!grown)
        return false;
    memcpy(grown + text->used, bytes, length_bytes);
    text->bytes = grown;
    text->used += length_bytes;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct mls_model *model = NULL, *again = NULL;
    struct mls_error error;
    struct text text = {0}, shown = {0};
    if (!compiled_is_text((struct mls_bytes){data, size_bytes}) ||
        mls_model_load_spec((struct mls_bytes){data, size_bytes}, "model.mil", NULL, NULL, &model, &error))
        return 0;
    mls_program_print(model, &(struct mls_writer){&shown, collect});
    bool written = mls_program_write(model, &(struct mls_writer){&text, collect});
    mls_model_free(model);
    /* the flexible shapes are the description's, and are not written: without them an interface may be
     * refused */
    struct mls_bytes bytes = {(const uint8_t *)text.bytes, text.used};
    if (written) {
        enum mls_status status = mls_model_load_spec(bytes, "again.mil", NULL, NULL, &again, &error);
        if (status && status != MLS_ERR_SPEC_INTERFACE)
            abort();
        mls_model_free(again);
    }
    free(text.bytes);
    free(shown.bytes);
    return 0;
}
