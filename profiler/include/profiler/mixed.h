/*
 * mixed.h: a setting for each weight, so that the model fits a size, or its outputs keep a quality. What each
 * weight costs is measured: with only that weight compressed, the samples go through the model.
 */
#pragma once

#include "core/compress.h"
#include "profiler/trial.h"

/* What a setting makes of all weights, known from before. */
struct mls_mixed_known {
    const struct mls_compress_setting *setting;
    struct mls_compressed *compressed; /* its package is not needed; borrowed */
    uint64_t package_bytes;
};

struct mls_mixed_options {
    uint64_t target_bytes;     /* of the package at most; 0: none */
    double min_outputs_snr_db; /* at least; used when target_bytes is 0 */
    const struct mls_calibration *calibration; /* or NULL */
    bool palettes_only;        /* no integers, whose errors have to be measured, too: takes half the time */
    uint32_t opset;            /* as in struct mls_compress_options */
    bool opset_fixed;
    uint32_t threads;
    size_t n_probed; /* weights whose sensitivity is measured, the largest; 0: 48 */
    const struct mls_mixed_known *known;
    size_t n_known;
    const struct mls_compress_progress *progress; /* or NULL: steps of the whole */
};

/* What one weight does to the outputs; the most sensitive first. Names are borrowed from the model. */
struct mls_sensitivity {
    const char *name; /* of the operation that uses it */
    const char *type;
    uint64_t from_bytes;
    double outputs_snr_db; /* with this weight alone at 4 bits; INFINITY: the outputs stay as they are */
    bool measured;         /* false: small, taken to be as sensitive as the median */
    unsigned nbits;        /* chosen; 0: as it is */
};

/*
 * mls_mixed_choose: rules by name of weight, one pass, and the model compressed by it. LIMIT when no choice
 * is small (or good) enough. The rules live as long as *ret_mixed.
 */
struct mls_mixed {
    struct mls_compress_rule *rules; /* owned */
    size_t n_rules;
    struct mls_sensitivity *sensitivities; /* owned */
    size_t n_sensitivities;
    struct mls_compressed *compressed;
    struct mls_trial_score score;
};

enum mls_status mls_mixed_choose(const struct mls_loaded *loaded, const struct mls_trial *trial,
                                 const struct mls_mixed_options *options, struct mls_mixed *ret_mixed,
                                 struct mls_error *reterr);
void mls_mixed_done(struct mls_mixed *mixed);
