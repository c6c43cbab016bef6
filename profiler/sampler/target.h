/* target.h: one sampled thread: its ring of samples, and what wakes the sampler on it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "profiler/sampler.h"

/* Words of a ring: at 997 Hz and twenty frames, more than five seconds. A power of two. */
enum { TARGET_WORDS = 1 << 17, TARGET_HEADER_WORDS = 3 };

/*
 * Written by the signal handler on the sampled thread, read by the draining one. A sample is
 * TARGET_HEADER_WORDS words (ticks, periods, depth) and its addresses. Positions only grow.
 */
struct target {
    uint32_t thread;
    bool compute;
    bool ended;
    uint64_t period_ns;
    uintptr_t text_begin, text_end; /* our own code */
    int event;                      /* file descriptor of the "cpu-clock" source, or -1 */
    bool timed;                     /* `timer` exists */
    timer_t timer;
    uint64_t *words;
    _Alignas(64) atomic_size_t written;
    _Atomic(uint64_t) lost;
    _Atomic(uint64_t) own_ticks;
    _Alignas(64) atomic_size_t taken;
};

/* A way to be woken on a thread: a row of the table in source.c, best first. */
struct sampler_source {
    const char *name;
    int signal;
    bool (*arm)(struct target *target); /* false: not possible, errno says why */
};

extern const struct sampler_source sampler_sources[];
extern const unsigned n_sampler_sources;

/* sampler_disarm: no more signals are made for this target. */
void sampler_disarm(struct target *target);

/* sampler_install: the source's signal goes to the handler, which finds its target in the signal itself. */
bool sampler_install(const struct sampler_source *source);

/* sampler_is_compute: whether a thread of this process belongs to a session's pool, by its name. */
bool sampler_is_compute(uint32_t thread);

/* target_record: in the signal handler: the stack of `context` (a ucontext_t) into the ring.
 * Async-signal-safe. */
void target_record(struct target *target, const void *context, uint64_t periods);
