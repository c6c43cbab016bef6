/* series.h: statistics of a series of durations: samples while there is room for them, then a histogram. */
#pragma once

#include "profiler/profile.h"

/*
 * Counts of durations by bucket, for the powers of two between the shortest and the longest: mostly a few
 * hundred bytes, where a whole one has ten thousand. With thousands of steps each line of memory counts:
 * beside the series stands what finds the count.
 */
struct histogram {
    uint32_t *counts; /* owned; NULL: none */
    uint32_t first;   /* bucket of counts[0] */
    uint32_t n;
};

/* What each duration changes comes first: of thousands of series, each line of memory counts. */
struct series {
    struct histogram histogram; /* empty while `samples` holds all; else of all runs */
    uint64_t runs;
    uint64_t sum_ns;
    uint64_t min_ns;
    uint64_t max_ns;
    uint64_t last_ns;
    uint64_t shift_ns; /* the first duration that counts */
    double shifted;    /* sum of the differences from it: deviations do not cancel out, as in sums of squares */
    double shifted_squares;
    uint64_t first_ns;
    uint64_t *samples;
    size_t n_samples;
    size_t capacity;
    bool has_first;
};

/* series_first: notes the first execution after load. */
void series_first(struct series *series, uint64_t ns);

/* series_add: adds a duration; past max_samples a histogram carries on. False when out of memory: then it is
 * not in. */
bool series_add(struct series *series, uint64_t ns, size_t max_samples);

/* series_expect: a duration near this will be added soon. */
void series_expect(const struct series *series, uint64_t ns);

/* series_clear: back to empty; what was first stays. */
void series_clear(struct series *series);

/* series_free: gives the memory back. */
void series_free(struct series *series);

/* series_stats: the figures. `scratch` has room for n_samples. */
struct mls_series_stats series_stats(const struct series *series, uint64_t *scratch);

/* series_percentile: between sorted samples, as numpy.percentile interpolates (linear); n > 0. */
uint64_t series_percentile(const uint64_t *sorted, size_t n, double percent);
