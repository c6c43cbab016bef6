/*
 * trial.h: how near another package of a model comes to the model itself: the same samples go through both,
 * and outputs are compared. Used by one thread at a time.
 */
#pragma once

#include <stdatomic.h>

#include "core/samples.h"
#include "profiler/loader.h"

struct mls_trial;

struct mls_trial_options {
    const struct mls_samples *samples; /* borrowed; NULL: inputs are drawn */
    size_t n_samples;                  /* at most so many; 0: all, or 4 that are drawn */
    uint64_t random_seed;
    const atomic_bool *stop; /* ends with CANCELLED; or NULL */
};

/* mls_trial_create: runs the samples through what was loaded, and keeps its outputs. Borrows the loaded
 * model. */
enum mls_status mls_trial_create(const struct mls_loaded *loaded, const struct mls_trial_options *options,
                                 struct mls_trial **ret_trial, struct mls_error *reterr);
void mls_trial_free(struct mls_trial *trial);

/* A package that is being tried: opened as the model was. Members as in struct mls_loaded. */
struct mls_tried {
    struct mls_model *model;
    mls_function_id function;
    const struct mls_interface *interface;
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run;
};

/* mls_trial_open: as the model was: function, shapes, threads, instruction set. The caller frees with
 * mls_tried_close. */
enum mls_status mls_trial_open(const struct mls_trial *trial, struct mls_package *package,
                               struct mls_tried *ret_tried, struct mls_error *reterr);
void mls_tried_close(struct mls_tried *tried);

/* How near. */
struct mls_trial_score {
    double outputs_snr_db; /* mean over outputs of their noise to signal; INFINITY when all are equal */
    double noise;          /* that mean itself */
    double accuracy;       /* share of samples whose largest class is the expected one, or mean cosine to the
                              expected       vectors; NAN when nothing is expected */
};

/* mls_trial_score: runs the samples. With `first_only` only the first few: for quick looks. */
enum mls_status mls_trial_score(const struct mls_trial *trial, struct mls_run *run, size_t n_samples,
                                struct mls_trial_score *ret_score, struct mls_error *reterr);

/* mls_trial_reference: the accuracy of the model itself. */
double mls_trial_reference(const struct mls_trial *trial);

/* mls_trial_fill: the inputs of a sample, into a run of the model or of what is tried. */
enum mls_status mls_trial_fill(const struct mls_trial *trial, size_t sample, struct mls_run *run,
                               struct mls_error *reterr);
size_t mls_trial_count(const struct mls_trial *trial);
