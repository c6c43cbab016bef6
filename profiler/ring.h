/* ring.h: the consumer's side of a recorder: whole predictions with their events, in order. One thread at a
 * time. */
#pragma once

#include "profiler/recorder.h"

/* One prediction that ended well. */
struct ring_prediction {
    uint32_t number; /* on this recorder, from 0 */
    bool timed;
    bool complete;      /* false: its events found no room and are not there */
    size_t first_event; /* for ring_event */
    size_t end_event;
    size_t first_thread_event; /* for ring_thread_event; there are none when nobody watches, or they found no room */
    size_t end_thread_event;
    struct mls_run_time time;
};

/* ring_waiting: predictions that were not taken yet, at most `max`. */
size_t ring_waiting(const struct mls_recorder *recorder, size_t max);

/* ring_next: of those, the one with this number (0 is the oldest), or NULL. Borrowed until ring_release. */
const struct ring_prediction *ring_next(const struct mls_recorder *recorder, size_t number);

/* ring_event: an event of a prediction that ring_next returned. */
const struct mls_event *ring_event(const struct mls_recorder *recorder, size_t index);

/* ring_thread_event: the same of threads. */
const struct mls_thread_event *ring_thread_event(const struct mls_recorder *recorder, size_t index);

/* ring_release: gives the room of the oldest prediction back to the recorder. */
void ring_release(struct mls_recorder *recorder);
