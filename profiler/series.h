/* series.h: statistics of a series of durations: samples while there is room for them, then a histogram. */
#pragma once

#include "profiler/profile.h"

struct histogram;

struct series {
    uint64_t runs;
    uint64_t sum_ns;
    uint64_t min_ns;
    uint64_t max_ns;
    uint64_t first_ns;
    uint64_t last_ns;
    bool has_first;
    double mean; /* Welford's running mean and sum of squared differences */
    double m2;
    uint64_t *samples;
    size_t n_samples;
    size_t capacity;
    struct histogram *histogram; /* NULL while `samples` holds all */
};

/* series_first: notes the first execution after load. */
void series_first(struct series *series, uint64_t ns);

/* series_add: adds a duration; past max_samples a histogram carries on. False when out of memory: then it is
 * not in. */
bool series_add(struct series *series, uint64_t ns, size_t max_samples);

/* series_clear: back to empty; what was first stays. */
void series_clear(struct series *series);

/* series_free: gives the memory back. */
void series_free(struct series *series);

/* series_stats: the figures. `scratch` has room for n_samples. */
struct mls_series_stats series_stats(const struct series *series, uint64_t *scratch);

/* series_percentile: between sorted samples, as numpy.percentile interpolates (linear); n > 0. */
uint64_t series_percentile(const uint64_t *sorted, size_t n, double percent);
