/*
 * hot.h: below the operation: which functions the processor is in while a step runs. Stacks (sampler.h, or
 * those of the external perf) are joined to the steps of a profile by time and thread. Times are CPU time,
 * summed over threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "profiler/sampler.h"

struct mls_hot;

/* mls_hot_create: an empty store for the steps of a plan. `sampler` is borrowed and may be NULL: then samples
 * come from mls_hot_add. The caller frees. NULL when out of memory. */
struct mls_hot *mls_hot_create(struct mls_sampler *sampler);
void mls_hot_free(struct mls_hot *hot);

/* mls_hot_add: a sample that waits for the prediction in which it was taken; `ns` is CLOCK_MONOTONIC,
 * sample->ticks is not read. */
void mls_hot_add(struct mls_hot *hot, const struct mls_sample *sample, uint64_t ns);

/* mls_hot_clear: forgets all samples, for statistics that begin anew. */
void mls_hot_clear(struct mls_hot *hot);

/* Where the samples went. cpu_ns of all predictions = in_steps + between; the others lie outside. */
struct mls_hot_totals {
    uint64_t samples;
    uint64_t in_steps_ns;
    uint64_t between_ns;   /* on the predicting thread, between steps */
    uint64_t elsewhere_ns; /* outside of timed predictions: warm-up, loading, other threads */
    uint64_t ambiguous_ns; /* on shared compute threads while several predictions ran at once */
    uint64_t lost;         /* samples that found no room */
    uint64_t own_ns;       /* time that sampling itself took; 0: not known */
    const char *source;    /* static */
};
struct mls_hot_totals mls_hot_totals(const struct mls_hot *hot);

#define MLS_HOT_ALL_STEPS UINT32_MAX

/* One function, with what it did itself and with all that it called. Names live as long as the store. */
struct mls_hot_function {
    const char *name;
    uint64_t samples; /* own */
    uint64_t self_ns;
    uint64_t total_ns;
};

/* mls_hot_functions: the functions of a step, or of all steps together, most own time first; at most `max`.
 * Returns how many there are in all; 0 also when out of memory. */
size_t mls_hot_functions(struct mls_hot *hot, uint32_t step, struct mls_hot_function *ret, size_t max);

/* One distinct stack below a step. `names` are outermost first, without the frames of the executor. */
struct mls_hot_stack {
    uint32_t step;
    uint64_t samples;
    uint64_t cpu_ns;
    uint32_t depth;
    const char *names[MLS_SAMPLE_DEPTH_MAX];
};

/* mls_hot_stack_count, mls_hot_stack_at: the distinct stacks, in order of first occurrence. False: out of
 * memory. */
size_t mls_hot_stack_count(const struct mls_hot *hot);
bool mls_hot_stack_at(struct mls_hot *hot, size_t index, struct mls_hot_stack *ret_stack);
