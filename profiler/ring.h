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
    struct mls_run_time time;
};

/* ring_next: the oldest prediction that was not taken yet, or NULL. Borrowed until ring_release. */
const struct ring_prediction *ring_next(const struct mls_recorder *recorder);

/* ring_event: an event of the prediction that ring_next returned. */
const struct mls_event *ring_event(const struct mls_recorder *recorder, size_t index);

/* ring_release: gives the room of that prediction back to the recorder. */
void ring_release(struct mls_recorder *recorder);
