/*
 * live.h: the model behind the screen. One worker thread loads it and then predicts without end; the screen's
 * thread takes snapshots. Between the two there are atomics and the recorder's ring: the worker never waits
 * for the screen.
 */
#pragma once

#include "app/snapshot.h"

struct mls_live;

struct mls_live_options {
    const struct mls_loader_options *loader; /* borrowed until mls_live_free */
    uint32_t delay_ms;                       /* pause between predictions */
    enum mls_compute_units compute_units;    /* whose units are shown */
    bool synthetic;                          /* mls_snapshot_synthesize */
};

/* mls_live_start: starts the worker. NULL when out of memory or threads. */
struct mls_live *mls_live_start(const struct mls_live_options *options);

/* mls_live_update: brings the snapshot up to date, on the screen's thread. `collect_only`: recording goes on,
 * the snapshot stays. */
void mls_live_update(struct mls_live *live, bool collect_only);

/* mls_live_snapshot: borrowed; changes with mls_live_update. */
const struct mls_snapshot *mls_live_snapshot(const struct mls_live *live);

/* mls_live_expect: in synthetic snapshots, so many more predictions are counted. */
void mls_live_expect(struct mls_live *live, uint64_t n_predictions);

/* mls_live_done: predictions that the worker has finished. */
uint64_t mls_live_done(const struct mls_live *live);

/* mls_live_free: cancels what is going on, waits for the worker, and frees the model; NULL is fine. */
void mls_live_free(struct mls_live *live);
