/* join.h: the profile's side of hot.h: one prediction whose steps claim the samples taken in them. */
#pragma once

#include "profiler/hot.h"

/* One execution of a step. A control step follows the steps that it ran. */
struct hot_span {
    uint32_t step;
    uint64_t begin_ns; /* CLOCK_MONOTONIC */
    uint64_t end_ns;
};

struct hot_prediction {
    uint32_t thread; /* that predicted */
    bool timed;
    bool alone; /* no other prediction ran on the same compute threads */
    uint64_t begin_ns;
    uint64_t end_ns;
    const struct hot_span *spans;
    size_t n_spans;
};

/*
 * hot_add_named: as mls_hot_add, of a stack that comes with names (sample->depth of them, innermost first) in
 * place of addresses. False when out of memory.
 */
bool hot_add_named(struct mls_hot *hot, const struct mls_sample *sample, const char *const *names,
                   uint64_t ns);

/* hot_join: gives the waiting samples of this prediction to its steps. */
void hot_join(struct mls_hot *hot, const struct hot_prediction *prediction);
