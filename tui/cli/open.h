/* open.h: from the command line to a loaded model, the same way for all commands. */
#pragma once

#include "cli/arguments.h"
#include "cli/console.h"
#include "profiler/loader.h"

struct opened {
    struct mls_loader_options options;
    struct mls_key *key;
    bool keeps_key; /* open_model leaves the key: something is to be sealed with it */
    struct mls_blob_argument *blobs;
    struct mls_input_argument *inputs;
    struct mls_shape_argument *shapes;
    char *texts; /* names that were cut out of NAME=VALUE */
    struct mls_loader *loader;
    const struct mls_loaded *loaded; /* after open_model */
};

/* open_options: what to open, from the arguments; reads the key. The caller frees with open_close, after
 * failures too. */
enum mls_status open_options(const struct arguments *arguments, struct opened *ret_opened,
                             struct mls_error *reterr);

/*
 * open_model: loads as far as `goal`. On failure ret_opened->loaded still shows what was opened, and an error
 * without a hint gets the fix that the diagnosis knows. The key is wiped when it returns, unless keeps_key.
 */
enum mls_status open_model(struct opened *opened, enum mls_loader_goal goal, struct mls_error *reterr);

/* open_close: frees everything; fine on zeroed structs. */
void open_close(struct opened *opened);
