/* One setting of a sweep, made once more: for whoever wants to look into it. */
#include <string.h>

#include "profiler/mixed.h"
#include "profiler/sweep.h"

bool mls_sweep_find(const char *label, struct mls_sweep_setting *ret_setting)
{
    struct mls_sweep_setting settings[MLS_SWEEP_DEFAULTS];
    mls_sweep_defaults(settings);
    for (size_t i = 0; i < MLS_SWEEP_DEFAULTS; i++)
        if (!strcmp(settings[i].label, label)) {
            *ret_setting = settings[i];
            return true;
        }
    return false;
}

static struct mls_package *take_package(struct mls_compressed *compressed)
{
    struct mls_package *package = mls_package_retain(compressed->package);
    mls_compressed_free(compressed);
    return package;
}

static enum mls_status compress(const struct mls_loaded *loaded, const struct mls_sweep_setting *setting,
                                const struct mls_compress_rule *rules, size_t n_rules,
                                const struct mls_compress_progress *progress,
                                struct mls_package **ret_package, struct mls_error *reterr)
{
    enum { RULES_MAX = 64 };
    struct mls_compress_rule own[MLS_SWEEP_PASSES_MAX][1 + RULES_MAX];
    struct mls_compress_pass passes[MLS_SWEEP_PASSES_MAX];
    size_t n_passes = setting && setting->n_passes ? setting->n_passes : 1;
    if (n_rules > RULES_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot compress more than %d operations by themselves",
                        RULES_MAX);
    for (size_t i = 0; i < n_passes; i++) {
        size_t n = 0;
        if (setting && setting->n_passes)
            own[i][n++] =
                (struct mls_compress_rule){.scope = MLS_SCOPE_GLOBAL, .setting = setting->passes[i]};
        for (size_t k = 0; k < n_rules; k++) { /* in the first pass; the others leave them alone */
            own[i][n] = rules[k];
            own[i][n++].leave = i > 0 || rules[k].leave;
        }
        passes[i] = (struct mls_compress_pass){own[i], n};
    }
    const struct mls_compress_options options = {
        .passes = passes, .n_passes = n_passes, .progress = progress};
    struct mls_compressed *compressed;
    enum mls_status status = mls_compress(loaded->model, &options, &compressed, reterr);
    if (!status)
        *ret_package = take_package(compressed);
    return status;
}

static enum mls_status mix(const struct mls_loaded *loaded, const struct mls_sweep_setting *setting,
                           uint64_t random_seed, const struct mls_compress_progress *progress,
                           struct mls_package **ret_package, struct mls_error *reterr)
{
    struct mls_sweep_setting model;
    struct mls_package *package = NULL;
    struct mls_trial *trial = NULL;
    struct mls_mixed mixed = {0};
    if (!mls_sweep_find(setting->as_small_as, &model))
        return mls_fail(reterr, MLS_ERR_USAGE, "there is no setting '%s'", setting->as_small_as);
    enum mls_status status = compress(loaded, &model, NULL, 0, NULL, &package, reterr);
    if (status)
        return status;
    const struct mls_mixed_options options = {.target_bytes = mls_package_info(package)->file_bytes,
                                              .progress = progress};
    mls_package_release(package);
    status =
        mls_trial_create(loaded, &(struct mls_trial_options){.random_seed = random_seed}, &trial, reterr);
    if (!status)
        status = mls_mixed_choose(loaded, trial, &options, &mixed, reterr);
    if (!status)
        *ret_package = mls_package_retain(mixed.compressed->package);
    mls_mixed_done(&mixed);
    mls_trial_free(trial);
    return status;
}

enum mls_status mls_sweep_package(const struct mls_loaded *loaded, const struct mls_sweep_setting *setting,
                                  const struct mls_compress_rule *rules, size_t n_rules, uint64_t random_seed,
                                  const struct mls_compress_progress *progress,
                                  struct mls_package **ret_package, struct mls_error *reterr)
{
    if (setting && setting->mixed && n_rules)
        return mls_fail(reterr, MLS_ERR_USAGE,
                        "a setting by measured sensitivity does not go with settings for single operations");
    return setting && setting->mixed
               ? mix(loaded, setting, random_seed, progress, ret_package, reterr)
               : compress(loaded, setting, rules, n_rules, progress, ret_package, reterr);
}
