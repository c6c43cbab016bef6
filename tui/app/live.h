/*
 * live.h: what stands behind the screen: an engine that loads and runs a model, or a recording. The screen's
 * thread takes snapshots; between it and the engine there are atomics and rings, so nobody waits for the
 * other.
 */
#pragma once

#include "app/settings.h"
#include "app/snapshot.h"

struct mls_live;

struct mls_live_options {
    const struct mls_loader_options *loader; /* borrowed until mls_live_free */
    struct mls_settings settings;
    enum mls_compute_units compute_units; /* whose units are shown */
    struct mls_environment environment;   /* for recordings */
    bool synthetic;                       /* mls_snapshot_synthesize */
    const char *recording_path;           /* opened instead of a model; borrowed until mls_live_free */
    struct mls_recording *recording;      /* what was read from there; owned by the live from its start on */
    const char *folder;                   /* no model yet: what lies below it is shown; or NULL */
};

/* mls_live_start: starts the engine, or takes over the recording. NULL when out of memory or threads. */
struct mls_live *mls_live_start(const struct mls_live_options *options);

/* mls_live_restart: loads anew with other settings, or another model when path is not NULL (copied);
 * statistics begin again, and `why` is noted in the log. The old engine ends in the background. False when
 * out of memory: then nothing has changed. */
bool mls_live_restart(struct mls_live *live, const struct mls_settings *settings, const char *path,
                      const char *why);

/* mls_live_set_units: whose predicted units are shown. */
void mls_live_set_units(struct mls_live *live, enum mls_compute_units setting);

/* mls_live_reset: statistics begin again; the model runs on. */
void mls_live_reset(struct mls_live *live, const char *why);

/* mls_live_set_baseline: a recording or stored profile, or with NULL the statistics so far; compared with
 * from now on. */
enum mls_status mls_live_set_baseline(struct mls_live *live, const char *path, struct mls_error *reterr);

/*
 * mls_live_duel: from now on the running model is compared with another one (`path`), or with itself under other settings
 * (path NULL), in turns and on loads of their own; the model pauses meanwhile. The other model comes before, other
 * settings after the model as it is. `label` is copied. False when no model runs, or out of memory.
 */
bool mls_live_duel(struct mls_live *live, const char *path, const struct mls_settings *settings, const char *label);

/* mls_live_probe: statistics of what flows through a step come into the snapshot soon, once. */
void mls_live_probe(struct mls_live *live, uint32_t step);

/* mls_live_sample: from now on stacks are sampled; once is enough. False, each time, where that does not
 * work. */
bool mls_live_sample(struct mls_live *live, struct mls_error *reterr);

/* mls_live_watch_threads: whether predictions also record which thread did what, while somebody looks. */
void mls_live_watch_threads(struct mls_live *live, bool on);

/* mls_live_find: looks for models below a folder; NULL is the one that the model lies in. */
void mls_live_find(struct mls_live *live, const char *folder);

/* mls_live_sweep: tries compression settings in the background; false when there is no model, or a sweep goes
 * on. */
bool mls_live_sweep(struct mls_live *live);

/* mls_live_cancel: gives up a load that is going on, a sweep, or a duel. */
void mls_live_cancel(struct mls_live *live);

/* mls_live_note: a line of the log. */
void mls_live_note(struct mls_live *live, enum mls_log_kind kind, const char *text);

/* mls_live_update: brings the snapshot up to date, on the screen's thread. `collect_only`: recording goes on,
 * the snapshot stays. */
void mls_live_update(struct mls_live *live, bool collect_only);

/* mls_live_snapshot: borrowed; changes with mls_live_update. */
const struct mls_snapshot *mls_live_snapshot(const struct mls_live *live);

/* mls_live_expect: in synthetic snapshots, so many more predictions are counted. */
void mls_live_expect(struct mls_live *live, uint64_t n_predictions);

/* mls_live_done: predictions that were finished. */
uint64_t mls_live_done(const struct mls_live *live);

/* mls_live_save: the snapshot as a recording; names are replaced with `redact`. */
enum mls_status mls_live_save(struct mls_live *live, const char *path, bool redact, struct mls_error *reterr);

/* mls_live_free: cancels what is going on, waits for it, and frees the model; NULL is fine. */
void mls_live_free(struct mls_live *live);
