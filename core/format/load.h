/* load.h: loading a model from a specification alone. */
#pragma once

#include "core/model.h"

/*
 * mls_model_load_spec: as mls_model_load, for a specification in memory, which is borrowed for the call.
 * `path` names it in errors. Without a package (NULL), any reference to a weight file fails with
 * BLOB_MISSING.
 */
enum mls_status mls_model_load_spec(struct mls_bytes spec, const char *path, struct mls_package *package,
                                    const struct mls_progress *progress, struct mls_model **ret_model,
                                    struct mls_error *reterr);
