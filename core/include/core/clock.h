/* clock.h: one clock for all: CLOCK_MONOTONIC in nanoseconds, and cheap ticks that are calibrated against it. */
#pragma once

#include <stdint.h>

/* mls_clock_ns: CLOCK_MONOTONIC now. */
uint64_t mls_clock_ns(void);

/*
 * mls_clock_ticks: a cheap counter: the time-stamp counter where it is invariant, else CLOCK_MONOTONIC. Comparable between
 * threads of one process. Before the first mls_clock_get it is CLOCK_MONOTONIC.
 */
uint64_t mls_clock_ticks(void);

/* How ticks become nanoseconds: ns = base_ns + (ticks - base_ticks) * multiplier / 2^32. */
struct mls_clock {
    const char *name;       /* "tsc" or "CLOCK_MONOTONIC"; static */
    uint64_t base_ticks;
    uint64_t base_ns;
    uint64_t multiplier;    /* ns per tick, times 2^32; at most 2^32 */
};

/* mls_clock_get: the process's calibration; takes about 2 ms the first time. Thread-safe. */
const struct mls_clock *mls_clock_get(void);

/* mls_clock_to_ns: CLOCK_MONOTONIC nanoseconds of a tick value. */
uint64_t mls_clock_to_ns(const struct mls_clock *clock, uint64_t ticks);

/* mls_clock_span_ns: nanoseconds of a difference of ticks. */
uint64_t mls_clock_span_ns(const struct mls_clock *clock, uint64_t ticks);
