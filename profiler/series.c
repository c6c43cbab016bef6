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
    N_BUCKETS = (TOP_BIT - SUB_BITS + 2) * SUB_BUCKETS,
    BLOCK = 16
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

/* Makes room for a bucket; false when out of memory. */
static bool histogram_reach(struct histogram *histogram, size_t bucket)
{
    size_t first = bucket - bucket % SUB_BUCKETS, end = first + SUB_BUCKETS;
    if (histogram->counts) {
        size_t old_end = (size_t)histogram->first + histogram->n;
        first = first < histogram->first ? first : histogram->first;
        end = end > old_end ? end : old_end;
    }
    uint32_t *counts = calloc(end - first, sizeof *counts);
    if (!counts)
        return false;
    if (histogram->counts)
        memcpy(counts + (histogram->first - first), histogram->counts, histogram->n * sizeof *counts);
    free(histogram->counts);
    *histogram = (struct histogram){.counts = counts, .first = (uint32_t)first, .n = (uint32_t)(end - first)};
    return true;
}

static bool histogram_add(struct histogram *histogram, uint64_t ns)
{
    size_t bucket = bucket_of(ns);
    if (bucket - histogram->first >= histogram->n && !histogram_reach(histogram, bucket))
        return false;
    histogram->counts[bucket - histogram->first]++;
    return true;
}

static void histogram_free(struct histogram *histogram)
{
    free(histogram->counts);
    *histogram = (struct histogram){.counts = NULL};
}

/* The value at a rank inside a bucket, spread evenly over it. */
static double inside(size_t bucket, double below, double rank, double count)
{
    double low = bucket_low(bucket);
    return low + (bucket_low(bucket + 1) - low) * (rank - below + 0.5) / (count + 0.5);
}

/* The values at ranks (from 0, fractions allowed, ascending). One walk, over the buckets that may hold
 * anything. */
static void histogram_at(const struct histogram *histogram, size_t first, size_t last, const double *ranks,
                         size_t n, double *ret_values)
{
    uint64_t below = 0;
    size_t found = 0;
    for (size_t i = first; i <= last && found < n; i++) {
        while (i + BLOCK <= last) { /* most of it lies between the ranks: skipped by blocks */
            uint64_t sum = 0;
            for (size_t k = 0; k < BLOCK; k++)
                sum += histogram->counts[i + k - histogram->first];
            if ((double)(below + sum) > ranks[found])
                break;
            below += sum;
            i += BLOCK;
        }
        uint32_t count = histogram->counts[i - histogram->first];
        while (found < n && count && (double)(below + count) > ranks[found]) {
            ret_values[found] = inside(i, (double)below, ranks[found], (double)count);
            found++;
        }
        below += count;
    }
    while (found < n)
        ret_values[found++] = bucket_low(last);
}

void series_expect(const struct series *series, uint64_t ns)
{
    size_t at = bucket_of(ns) - series->histogram.first;
    if (at < series->histogram.n)
        __builtin_prefetch(&series->histogram.counts[at], 1);
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
    for (size_t i = 0; i < series->n_samples; i++)
        if (!histogram_add(&series->histogram, series->samples[i])) {
            histogram_free(&series->histogram);
            return false;
        }
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
    if (max_samples && !series->histogram.counts && series->n_samples < max_samples) {
        if (!keep_sample(series, ns, max_samples))
            return false;
    } else {
        if ((!series->histogram.counts && !start_histogram(series)) || !histogram_add(&series->histogram, ns))
            return false;
    }
    if (!series->runs || ns < series->min_ns)
        series->min_ns = ns;
    if (ns > series->max_ns)
        series->max_ns = ns;
    series->runs++;
    series->sum_ns += ns;
    series->last_ns = ns;
    if (series->runs == 1)
        series->shift_ns = ns;
    double difference = (double)(int64_t)(ns - series->shift_ns);
    series->shifted += difference;
    series->shifted_squares += difference * difference;
    return true;
}

void series_clear(struct series *series)
{
    histogram_free(&series->histogram);
    *series = (struct series){.first_ns = series->first_ns,
                              .has_first = series->has_first,
                              .samples = series->samples,
                              .capacity = series->capacity};
}

void series_free(struct series *series)
{
    free(series->samples);
    histogram_free(&series->histogram);
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

enum { N_PERCENTILES = 4 };

static const double percentiles[N_PERCENTILES] = {50, 90, 95, 99};

static void approximate(const struct series *series, uint64_t *const ret_ns[N_PERCENTILES])
{
    double ranks[N_PERCENTILES], values[N_PERCENTILES];
    for (size_t i = 0; i < N_PERCENTILES; i++)
        ranks[i] = percentiles[i] / 100 * (double)(series->runs - 1);
    histogram_at(&series->histogram, bucket_of(series->min_ns), bucket_of(series->max_ns), ranks,
                 N_PERCENTILES, values);
    for (size_t i = 0; i < N_PERCENTILES; i++) {
        uint64_t ns = (uint64_t)llround(values[i]);
        *ret_ns[i] = ns < series->min_ns ? series->min_ns : ns > series->max_ns ? series->max_ns : ns;
    }
}

static double deviation_ns(const struct series *series)
{
    double n = (double)series->runs, mean = series->shifted / n;
    double variance = series->shifted_squares / n - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

struct mls_series_stats series_stats(const struct series *series, uint64_t *scratch)
{
    struct mls_series_stats stats = {.runs = series->runs,
                                     .has_first = series->has_first,
                                     .approximate = series->histogram.counts != NULL,
                                     .first_ns = series->first_ns};
    if (!series->runs)
        return stats;
    stats.last_ns = series->last_ns;
    stats.min_ns = series->min_ns;
    stats.max_ns = series->max_ns;
    stats.mean_ns = (series->sum_ns + series->runs / 2) / series->runs;
    stats.std_ns = (uint64_t)llround(deviation_ns(series));
    uint64_t *const wanted[N_PERCENTILES] = {&stats.p50_ns, &stats.p90_ns, &stats.p95_ns, &stats.p99_ns};
    if (series->histogram.counts) {
        approximate(series, wanted);
        return stats;
    }
    memcpy(scratch, series->samples, series->n_samples * sizeof *scratch);
    qsort(scratch, series->n_samples, sizeof *scratch, by_value);
    for (size_t i = 0; i < N_PERCENTILES; i++)
        *wanted[i] = series_percentile(scratch, series->n_samples, percentiles[i]);
    return stats;
}
