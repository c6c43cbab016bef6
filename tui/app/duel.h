/* duel.h: two models, or one under two settings, that run in turns in the background, so that what disturbs the machine
 * disturbs both; and their values, operation by operation. */
#pragma once

#include "app/settings.h"
#include "profiler/compare.h"
#include "profiler/walk.h"

struct mls_duel;

/* One side: `loader` is borrowed until mls_duel_free but for its path; settings and label are copied. */
struct mls_duel_side {
    const struct mls_loader_options *loader;
    const struct mls_settings *settings;
    const char *label;
};

/* What is known so far. Owned by the duel, and the same until the next mls_duel_look. */
struct mls_duel_view {
    const struct mls_comparison *comparison; /* or NULL: not enough rounds yet */
    const double *snr_db;                    /* parallel to its ops: what B computes beside A; NaN: not known; or NULL */
    const struct mls_walk *walk;             /* or NULL: not walked yet */
    uint64_t n_rounds;
    double share;                     /* done, 0 to 1 */
    bool busy;
    char error[MLS_ERROR_TEXT_BYTES];      /* "" unless it failed */
    char walk_error[MLS_ERROR_TEXT_BYTES]; /* why values are not compared, or "" */
};

/* mls_duel_start: loads both and lets them run for some seconds. NULL when out of memory or threads. */
struct mls_duel *mls_duel_start(const struct mls_duel_side *a, const struct mls_duel_side *b);

/* mls_duel_look: what is known now. On one thread. */
void mls_duel_look(struct mls_duel *duel, struct mls_duel_view *ret_view);

/* mls_duel_cancel: what is known by then stays. */
void mls_duel_cancel(struct mls_duel *duel);

/* mls_duel_free: cancels and waits; NULL is fine. */
void mls_duel_free(struct mls_duel *duel);
