/* sweeper.h: a sweep of compression settings in the background, on a load of its own, with the table as it
 * fills. */
#pragma once

#include "app/settings.h"
#include "diagnostics/placement.h"
#include "profiler/sweep.h"

struct mls_sweeper;

/* One setting as far as it is known. */
struct mls_swept {
    char label[48];
    bool running;
    struct mls_sweep_result result; /* `setting` is not to be read */
};

enum { MLS_SWEPT_WEIGHTS = 48, MLS_SWEPT_NAME_BYTES = 64 };

/* What one weight does to the outputs; see struct mls_sensitivity. */
struct mls_swept_weight {
    char name[MLS_SWEPT_NAME_BYTES];
    char type[24];
    uint64_t bytes;
    double outputs_snr_db;
    bool measured;
    unsigned nbits;
};

/* Where a sweep is. */
struct mls_sweep_view {
    struct mls_swept settings[MLS_SWEEP_DEFAULTS];
    size_t n; /* 0: nobody asked for one */
    size_t at;
    struct mls_swept_weight weights[MLS_SWEPT_WEIGHTS]; /* the most sensitive ones, the worst first */
    size_t n_weights;                                   /* 0: not measured yet */
    double share;                                       /* of the setting at hand, 0 to 1 */
    uint64_t left_ns;                                   /* estimated; 0: not known yet */
    bool busy;
    char error[MLS_ERROR_TEXT_BYTES]; /* "" unless it failed */
};

/* mls_sweeper_start: the settings of mls_sweep_defaults. Options are borrowed until mls_sweeper_free; NULL
 * when out of memory or threads. */
struct mls_sweeper *mls_sweeper_start(const struct mls_loader_options *loader,
                                      const struct mls_settings *settings,
                                      enum mls_compute_units compute_units);

/* mls_sweeper_copy: what is known now. */
void mls_sweeper_copy(struct mls_sweeper *sweeper, struct mls_sweep_view *ret_view);

/* mls_sweeper_cancel: what is done by then stays. */
void mls_sweeper_cancel(struct mls_sweeper *sweeper);

/* mls_sweeper_free: cancels and waits; NULL is fine. */
void mls_sweeper_free(struct mls_sweeper *sweeper);
