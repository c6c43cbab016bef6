/* manifest.h: Manifest.json of a package: which file is the model. */
#pragma once

#include <jansson.h>

#include "core/package.h"

struct manifest_item {
    const char *identifier;
    const char *path; /* relative to Data/, as the manifest has it */
};

/* A checked manifest. Texts are borrowed from `document`. */
struct manifest {
    json_t *document;
    struct manifest_item *items;
    size_t n_items;
    size_t root; /* index of the root model's item */
};

/* manifest_parse: reads and checks the text; fails with the exact key that is wrong. The caller calls
 * manifest_done. */
enum mls_status manifest_parse(struct mls_bytes text, struct manifest *ret_manifest,
                               struct mls_error *reterr);
void manifest_done(struct manifest *manifest);
