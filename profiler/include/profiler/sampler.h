/*
 * sampler.h: where the process's threads are while they work: stacks at a steady rate of each thread's CPU
 * time. Samples hold addresses only, never memory contents. One sampler at a time in a process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { MLS_SAMPLE_DEPTH_MAX = 64, MLS_SAMPLER_RATE_HZ = 997, MLS_SAMPLER_RATE_MAX_HZ = 20000 };

/* One stack. */
struct mls_sample {
    uint64_t ticks;  /* core/clock.h: when it was taken */
    uint64_t cpu_ns; /* CPU time of the thread that it stands for */
    uint32_t thread; /* the kernel's id */
    bool compute;    /* a thread of a session's pool: it works for whichever prediction runs */
    uint32_t depth;
    const uintptr_t *addresses; /* innermost first; all but the first are return addresses; borrowed */
};

struct mls_sampler;

/*
 * mls_sampler_start: samples every thread of the process `rate_hz` times a second of its CPU time, from now
 * on. OP_UNSUPPORTED, with the reason, where neither source works here. The caller frees, and keeps the
 * sampler until the threads that it sampled have ended, or for good: a signal may be on its way to one of
 * them.
 */
enum mls_status mls_sampler_start(double rate_hz, struct mls_sampler **ret_sampler, struct mls_error *reterr);

/* mls_sampler_stop: no sample is taken any more; those that were can still be drained. */
void mls_sampler_stop(struct mls_sampler *sampler);
void mls_sampler_free(struct mls_sampler *sampler);

/*
 * mls_sampler_drain: hands over all samples taken since the last call, each thread's in order, and looks for
 * threads that are new. On one thread at a time.
 */
void mls_sampler_drain(struct mls_sampler *sampler, void (*take)(void *user, const struct mls_sample *sample),
                       void *user);

/* mls_sampler_source: what wakes the sampler: "cpu-clock" (exact) or "thread timer" (as often as the kernel's
 * tick, each sample standing for more time); static. */
const char *mls_sampler_source(const struct mls_sampler *sampler);

/* mls_sampler_lost: samples that found no room so far. */
uint64_t mls_sampler_lost(const struct mls_sampler *sampler);

/* mls_sampler_own_ns: time that taking samples took so far, on all threads together. */
uint64_t mls_sampler_own_ns(const struct mls_sampler *sampler);
