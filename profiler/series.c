#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Buckets are linear inside each power of two: at most 1/64 wide, relative to their value. The last one ends
 * at 2^44 ns, 5 hours. */
enum {
    SUB_BITS = 6,
    SUB_BUCKETS = 1 << SUB_BITS,
    TOP_BIT = 43,
    N_BUCKETS = (TOP_BIT - SUB_BITS + 2) * SUB_BUCKETS
};

struct histogram {
    uint64_t total;
    uint32_t counts[N_BUCKETS];
};

static size_t bucket_of(uint64_t ns)
{
    if (ns >= (uint64_t)2 << TOP_BIT)
        return N_BUCKETS - 1;
    if (ns < SUB_BUCKETS)
        return ns;
    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    return (size_t)(top - SUB_BITS + 1) * SUB_BUCKETS + ((ns >> (top - SUB_BITS)) & (SUB_BUCKETS - 1));
}

static double bucket_low(size_t bucket)
{
    if (bucket < SUB_BUCKETS)
        return (double)bucket;
    unsigned shift = (unsigned)(bucket / SUB_BUCKETS) - 1;
    return ldexp((double)(SUB_BUCKETS + bucket % SUB_BUCKETS), (int)shift);
}

static void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->total++;
    histogram->counts[bucket_of(ns)]++;
}

/* The value at a rank (from 0, fractions allowed), spread evenly over its bucket. */
static double histogram_at(const struct histogram *histogram, double rank)
{
    double below = 0;
    for (size_t i = 0; i < N_BUCKETS; i++) {
        double count = histogram->counts[i];
        if (count > 0 && below + count > rank)
            return bucket_low(i) + (bucket_low(i + 1) - bucket_low(i)) * (rank - below + 0.5) / (count + 0.5);
        below += count;
    }
    return bucket_low(N_BUCKETS - 1);
}

void series_first(struct series *series, uint64_t ns)
{
    if (series->has_first)
        return;
    series->has_first = true;
    series->first_ns = ns;
}

/* From here on a histogram; the samples kept so far go in as well. */
static bool start_histogram(struct series *series)
{
    series->histogram = calloc(1, sizeof *series->histogram);
    if (!series->histogram)
        return false;
    for (size_t i = 0; i < series->n_samples; i++)
        histogram_add(series->histogram, series->samples[i]);
    return true;
}

static bool keep_sample(struct series *series, uint64_t ns, size_t max_samples)
{
    if (series->n_samples == series->capacity) {
        size_t capacity = series->capacity ? series->capacity * 2 : 64;
        if (capacity > max_samples)
            capacity = max_samples;
        uint64_t *samples = realloc(series->samples, capacity * sizeof *samples);
        if (!samples)
            return false;
        series->samples = samples;
        series->capacity = capacity;
    }
    series->samples[series->n_samples++] = ns;
    return true;
}

bool series_add(struct series *series, uint64_t ns, size_t max_samples)
{
    if (!series->histogram && series->n_samples < max_samples) {
        if (!keep_sample(series, ns, max_samples))
            return false;
    } else {
        if (!series->histogram && !start_histogram(series))
            return false;
        histogram_add(series->histogram, ns);
    }
    if (!series->runs || ns < series->min_ns)
        series->min_ns = ns;
    if (ns > series->max_ns)
        series->max_ns = ns;
    series->runs++;
    series->sum_ns += ns;
    series->last_ns = ns;
    double delta = (double)ns - series->mean;
    series->mean += delta / (double)series->runs;
    series->m2 += delta * ((double)ns - series->mean);
    return true;
}

void series_clear(struct series *series)
{
    free(series->histogram);
    *series = (struct series){.first_ns = series->first_ns,
                              .has_first = series->has_first,
                              .samples = series->samples,
                              .capacity = series->capacity};
}

void series_free(struct series *series)
{
    free(series->samples);
    free(series->histogram);
}

uint64_t series_percentile(const uint64_t *sorted, size_t n, double percent)
{
    double rank = percent / 100 * (double)(n - 1);
    size_t below = (size_t)rank;
    size_t above = below + 1 < n ? below + 1 : below;
    double value =
        (double)sorted[below] + (rank - (double)below) * ((double)sorted[above] - (double)sorted[below]);
    return (uint64_t)llround(value);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t approximate(const struct series *series, double percent)
{
    double value = histogram_at(series->histogram, percent / 100 * (double)(series->histogram->total - 1));
    uint64_t ns = (uint64_t)llround(value);
    return ns < series->min_ns ? series->min_ns : ns > series->max_ns ? series->max_ns : ns;
}

struct mls_series_stats series_stats(const struct series *series, uint64_t *scratch)
{
    struct mls_series_stats stats = {.runs = series->runs,
                                     .has_first = series->has_first,
                                     .approximate = series->histogram != NULL,
                                     .first_ns = series->first_ns};
    if (!series->runs)
        return stats;
    stats.last_ns = series->last_ns;
    stats.min_ns = series->min_ns;
    stats.max_ns = series->max_ns;
    stats.mean_ns = (series->sum_ns + series->runs / 2) / series->runs;
    stats.std_ns = (uint64_t)llround(sqrt(series->m2 / (double)series->runs));
    if (!series->histogram) {
        memcpy(scratch, series->samples, series->n_samples * sizeof *scratch);
        qsort(scratch, series->n_samples, sizeof *scratch, by_value);
    }
    const struct {
        double percent;
        uint64_t *ret_ns;
    } wanted[] = {{50, &stats.p50_ns}, {90, &stats.p90_ns}, {95, &stats.p95_ns}, {99, &stats.p99_ns}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        *wanted[i].ret_ns = series->histogram
                                ? approximate(series, wanted[i].percent)
                                : series_percentile(scratch, series->n_samples, wanted[i].percent);
    return stats;
}
