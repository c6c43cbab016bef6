/* recipe.h: from the command line to passes of compression. */
#pragma once

#include "cli/arguments.h"
#include "core/compress.h"

enum { RECIPE_PASSES_MAX = 4 };

/* The passes that options ask for, in their order. */
struct recipe {
    struct mls_compress_pass passes[RECIPE_PASSES_MAX];
    size_t n_passes;
    struct mls_compress_rule *rules[RECIPE_PASSES_MAX]; /* owned; NULL for passes of a file */
    struct mls_compress_config *configs[RECIPE_PASSES_MAX];
};

/* recipe_read: USAGE when options do not fit together. The caller frees with recipe_free, after failures too.
 */
enum mls_status recipe_read(const struct arguments *arguments, struct recipe *ret_recipe,
                            struct mls_error *reterr);
void recipe_free(struct recipe *recipe);

/* recipe_target: the opset of `--target`; *ret_opset stays as it is when the option was not given. */
enum mls_status recipe_target(const struct arguments *arguments, uint32_t *ret_opset,
                              struct mls_error *reterr);
