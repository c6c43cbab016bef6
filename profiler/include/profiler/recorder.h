/*
 * recorder.h: what happens on the predicting thread. Each step appends one event to a ring of fixed size: no
 * lock, no allocation, a few nanoseconds. One other thread (or the same one, between predictions) takes the
 * events out of the ring with mls_profile_collect (profile.h); only whole predictions are ever visible to it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "profiler/counters.h"

/* One execution of a step. */
struct mls_event {
    uint32_t prediction; /* number of the prediction on this recorder, from 0 */
    uint32_t step;
    uint64_t begin_ticks; /* core/clock.h */
    uint64_t end_ticks;
};

/* What one thread did of an execution that several shared. */
struct mls_thread_event {
    uint32_t thread; /* 0: the one that predicts */
    struct mls_thread_part part;
};

struct mls_recorder;

/*
 * mls_recorder_create: a recorder for one run. n_events is the size of the ring, rounded up to a power of
 * two; 0: 65,536. NULL when out of memory.
 */
struct mls_recorder *mls_recorder_create(size_t n_events);
void mls_recorder_free(struct mls_recorder *recorder);

/*
 * mls_recorder_predict: one prediction, recorded. `timed` is false for warm-up: such predictions appear in
 * `first` only. Always on the same thread. ret_time may be NULL. A prediction whose events find no room
 * counts in mls_recorder_lost and keeps its own time only. A prediction that fails is not recorded.
 */
enum mls_status mls_recorder_predict(struct mls_recorder *recorder, struct mls_run *run, bool timed,
                                     struct mls_run_time *ret_time, struct mls_error *reterr);

/* mls_recorder_set_counters: reads `counters` after each step of a timed prediction; borrowed, NULL ends it.
 * Between predictions. */
void mls_recorder_set_counters(struct mls_recorder *recorder, struct mls_counters *counters);

/*
 * mls_recorder_watch_threads: whether the predictions that begin from now on also record which thread did what of each
 * step, which costs some ten nanoseconds a step. From one other thread at any time. False when out of memory.
 */
bool mls_recorder_watch_threads(struct mls_recorder *recorder, bool on);

/* mls_recorder_thread: the kernel's id of the thread that predicts; 0 before its first prediction. */
uint32_t mls_recorder_thread(const struct mls_recorder *recorder);

/* mls_recorder_lost: events that found no room so far; from any thread. */
uint64_t mls_recorder_lost(const struct mls_recorder *recorder);
