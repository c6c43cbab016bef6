/* target.h: the weights of a model that compression is about, and what the operations that use them ask. */
#pragma once

#include "compress/setting.h"
#include "core/compress.h"

/* A constant of the program, as one of its functions has it. */
struct target {
    mls_op_id op; /* that gives it */
    mls_value_id value;
    mls_op_id user; /* the first one */
    struct compress_work work;
    bool compressed;             /* it is what a constexpr operation gives */
    bool axes_known;             /* its users agree on the axes */
    const char *skipped_because; /* whatever the settings say; or NULL */
    size_t job; /* what is computed for it, with targets that are the same constant; SIZE_MAX: none */
};

struct targets {
    struct target *list;
    size_t n;
};

/* targets_find: the constants that may be weights, in order of the program. Memory of `arena`; false when out
 * of it. */
bool targets_find(const struct mls_program *program, const struct mls_users *users, struct mls_arena *arena,
                  struct targets *ret_targets);

/*
 * target_setting: what a pass has for a target: *ret_rule is NULL when it leaves it. USAGE when operations
 * that share the constant have different settings.
 */
enum mls_status target_setting(const struct mls_program *program, const struct mls_users *users,
                               const struct target *target, const struct mls_compress_pass *pass,
                               const struct mls_compress_rule **ret_rule, struct mls_error *reterr);
