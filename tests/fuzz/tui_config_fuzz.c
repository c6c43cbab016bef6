/*
 * The screen's configuration: settings, columns and keys from any bytes; then what would be saved is read again, by a
 * fresh screen, and must then be saved the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "app/snapshot.h"
#include "app/state.h"
#include "fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mls_snapshot nothing_loaded = {.phase = MLS_PHASE_CHOOSING};

/* What a screen that read these bytes would save; the caller frees. NULL when memory is short. */
static char *saved_after(const void *bytes, size_t size, size_t *ret_size)
{
    static struct memory_file file;
    static struct mls_state state;
    char *text = NULL;
    if (!mls_state_init(&state, &nothing_loaded, 80, 24, false))
        return NULL;
    mls_config_load(&state, memory_file_set(&file, bytes, size));
    FILE *out = open_memstream(&text, ret_size);
    bool ok = out && mls_config_write(&state, out);
    if (out)
        fclose(out);
    mls_state_done(&state);
    if (!ok) {
        free(text);
        text = NULL;
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t first_size = 0, second_size = 0;
    char *first = saved_after(data, size, &first_size);
    char *second = first ? saved_after(first, first_size, &second_size) : NULL;
    if (second && (first_size != second_size || memcmp(first, second, first_size))) {
        fprintf(stderr, "saved once:\n%s\nsaved again:\n%s\n", first, second);
        abort();
    }
    free(first);
    free(second);
    return 0;
}
