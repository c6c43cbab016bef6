/*
 * sweep.h: many settings of compression side by side: size, memory, quality and time of each, on the same
 * samples. Runs on the calling thread; another may watch through the listener, and cancel: what is done by
 * then is kept.
 */
#pragma once

#include "core/compress.h"
#include "profiler/trial.h"

enum { MLS_SWEEP_PASSES_MAX = 2, MLS_SWEEP_DEFAULTS = 10 };

/* A setting to try. */
struct mls_sweep_setting {
    char label[48];
    struct mls_compress_setting passes[MLS_SWEEP_PASSES_MAX];
    size_t n_passes; /* 0: the model as it is, unless mixed */
    bool mixed;      /* settings by weight (mixed.h), as small as the setting called `as_small_as` */
    char as_small_as[48];
};

/* mls_sweep_defaults: plain, 8, 6 and 4 bits, 4 by groups of channels, int8 by channel, int4 by block,
 * pruned, pruned and palettized, mixed. */
void mls_sweep_defaults(struct mls_sweep_setting ret_settings[MLS_SWEEP_DEFAULTS]);

/* What was found for a setting. Times were measured in turns with the plain model. */
struct mls_sweep_result {
    const struct mls_sweep_setting *setting;
    bool done;
    enum mls_status status; /* why there are no figures */
    char reason[MLS_ERROR_TEXT_BYTES];
    uint64_t package_bytes;
    uint64_t weights_bytes; /* as stored */
    double bits_per_weight;
    uint64_t memory_bytes;   /* weights, packed copies and arena while it runs */
    uint64_t peak_rss_bytes; /* what the process needed beyond what it had before the model was opened; 0:
                                unknown */
    double weights_snr_db;   /* INFINITY: no element changed */
    double outputs_snr_db;
    double accuracy; /* NAN: nothing was expected */
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t plain_p50_ns; /* of the plain model in the same turns */
    uint64_t runs;
    uint64_t compress_ns;
    double predicted_us;        /* on Apple hardware, by `examine`; below 0: not known */
    double predicted_ane_share; /* share of the estimated time on the Neural Engine */
    const char *suits;          /* units of Apple hardware that use the weights as stored, by `examine`; static, or NULL */
    bool pareto;                /* no other is both smaller and nearer to the model */
};

struct mls_sensitivity; /* profiler/mixed.h */

enum { MLS_SWEEP_WORST = 3 };

/* An operation whose weight alone, as the mixed setting measures it, costs the outputs most. */
struct mls_sweep_worst {
    const char *name, *type; /* borrowed from the model */
    double outputs_snr_db;
};

/* A listener. All members may be absent. */
struct mls_sweep_listener {
    void *user;
    /* at: setting `index` of n begins, or ends (`share` 1); left_ns is an estimate, 0 while there is none.
     * False cancels. */
    bool (*at)(void *user, size_t index, size_t n, double share, uint64_t left_ns);
    /* examine: while a setting's model is open: for what the profiler cannot say. */
    void (*examine)(void *user, const struct mls_tried *tried, struct mls_sweep_result *result);
    /* sensitive: what each weight does to the outputs, once the mixed setting has measured it. */
    void (*sensitive)(void *user, const struct mls_sensitivity *sensitivities, size_t n);
};

struct mls_sweep_options {
    const struct mls_sweep_setting *settings;
    size_t n_settings;
    struct mls_trial_options trial;
    uint32_t opset; /* as in struct mls_compress_options */
    bool opset_fixed;
    uint64_t runs;                             /* turns; 0: as many as fit into max_seconds, 10 at least */
    double max_seconds;                        /* of turns for each setting; 0: 1.25 */
    const struct mls_sweep_listener *listener; /* or NULL */
};

struct mls_sweep {
    struct mls_sweep_result *results; /* one for each setting */
    size_t n;
    size_t n_done;
    bool cancelled;
    size_t n_samples;
    double accuracy; /* of the plain model; NAN: nothing was expected */
    struct mls_sweep_worst worst[MLS_SWEEP_WORST]; /* the most sensitive first */
    size_t n_worst;
    uint64_t elapsed_ns;
};

/* mls_sweep_run: fails only when the model itself cannot be tried: settings that fail say so in their result.
 */
enum mls_status mls_sweep_run(const struct mls_loaded *loaded, const struct mls_sweep_options *options,
                              struct mls_sweep **ret_sweep, struct mls_error *reterr);
void mls_sweep_free(struct mls_sweep *sweep);

/* mls_sweep_find: of the defaults, the setting with this label; false when there is none. */
bool mls_sweep_find(const char *label, struct mls_sweep_setting *ret_setting);

/*
 * mls_sweep_package: the model by one setting (NULL: none) and by rules for single operations, which win.
 * Mixed settings need the model loaded completely. The caller releases the package.
 */
enum mls_status mls_sweep_package(const struct mls_loaded *loaded, const struct mls_sweep_setting *setting,
                                  const struct mls_compress_rule *rules, size_t n_rules, uint64_t random_seed,
                                  const struct mls_compress_progress *progress,
                                  struct mls_package **ret_package, struct mls_error *reterr);

/* mls_sweep_method: "4-bit kmeans grouped by 16", joined by " + ", into text[size]; returns text. */
char *mls_sweep_method(const struct mls_sweep_setting *setting, char *text, size_t size);
