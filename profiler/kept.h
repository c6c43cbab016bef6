/* kept.h: the slowest and the latest predictions with all their events. Copies are made in room that is kept. */
#pragma once

#include "core/clock.h"
#include "profiler/profile.h"
#include "ring.h"

struct kept_slot {
    struct mls_kept_event *events;
    size_t capacity;
    struct mls_kept_thread *threads;
    size_t threads_capacity;
    struct mls_kept_prediction prediction; /* `events` and `threads` unused; n_events 0: empty */
};

struct kept {
    struct kept_slot slowest;
    struct kept_slot *latest; /* a ring */
    size_t n_latest;          /* slots; 0: nothing is kept */
    uint64_t n_added;
};

/* kept_create: room for so many of the latest predictions; false when out of memory. */
bool kept_create(struct kept *kept, size_t n_latest);
void kept_free(struct kept *kept);
void kept_clear(struct kept *kept);

/* kept_add: takes over a timed and complete prediction, unless `n_later` others that follow at once push it out
 * again, or are so long that copying them all would take long; false
 * when out of memory. */
bool kept_add(struct kept *kept, const struct mls_clock *clock, const struct mls_recorder *recorder,
              uint32_t index, const struct ring_prediction *prediction, size_t n_later);

size_t kept_list(const struct kept *kept, struct mls_kept_prediction *ret_kept, size_t max);
