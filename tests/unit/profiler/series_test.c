/* Statistics of one series of durations. Expected percentiles are those of numpy.percentile on the same
 * numbers. */
#include "support/test.h"

#include <stdlib.h>

#include "series.h"

static struct mls_series_stats stats_of(const uint64_t *samples, size_t n, size_t max_samples)
{
    struct series series = {0};
    uint64_t *scratch = calloc(n, sizeof *scratch);
    assert_non_null(scratch);
    for (size_t i = 0; i < n; i++)
        assert_true(series_add(&series, samples[i], max_samples));
    struct mls_series_stats stats = series_stats(&series, scratch);
    series_free(&series);
    free(scratch);
    return stats;
}

static void percentiles_interpolate_as_numpy_does(void **state)
{
    (void)state;
    static const uint64_t samples[] = {50, 15, 40, 20, 35};
    struct mls_series_stats stats = stats_of(samples, 5, 100);
    assert_int_equal(stats.runs, 5);
    assert_int_equal(stats.min_ns, 15);
    assert_int_equal(stats.max_ns, 50);
    assert_int_equal(stats.p50_ns, 35);
    assert_int_equal(stats.p90_ns, 46);
    assert_int_equal(stats.p95_ns, 48);
    assert_int_equal(stats.p99_ns, 50); /* 49.6 */
    assert_int_equal(stats.last_ns, 35);
    assert_false(stats.approximate);
}

static void deviation_is_that_of_the_population(void **state)
{
    (void)state;
    static const uint64_t samples[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct mls_series_stats stats = stats_of(samples, 8, 100);
    assert_int_equal(stats.mean_ns, 5);
    assert_int_equal(stats.std_ns, 2);
}

static void one_sample_is_every_percentile(void **state)
{
    (void)state;
    static const uint64_t samples[] = {7};
    struct mls_series_stats stats = stats_of(samples, 1, 100);
    assert_int_equal(stats.p50_ns, 7);
    assert_int_equal(stats.p99_ns, 7);
    assert_int_equal(stats.std_ns, 0);
}

static void an_empty_series_has_no_figures(void **state)
{
    (void)state;
    struct series series = {0};
    struct mls_series_stats stats = series_stats(&series, NULL);
    assert_int_equal(stats.runs, 0);
    assert_false(stats.has_first);
}

static void the_first_execution_is_in_no_other_figure(void **state)
{
    (void)state;
    struct series series = {0};
    uint64_t scratch[4];
    series_first(&series, 900);
    series_first(&series, 800);
    assert_true(series_add(&series, 10, 4));
    struct mls_series_stats stats = series_stats(&series, scratch);
    assert_int_equal(stats.first_ns, 900);
    assert_int_equal(stats.max_ns, 10);
    series_clear(&series);
    stats = series_stats(&series, scratch);
    assert_int_equal(stats.runs, 0);
    assert_int_equal(stats.first_ns, 900);
    series_free(&series);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_histogram(size_t max_samples)
{
    enum { N = 20000 };
    static uint64_t samples[N], sorted[N];
    uint64_t random = 1;
    for (size_t i = 0; i < N; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        samples[i] = sorted[i] = 100 + (random >> 33) % 5000000 * ((random >> 60) + 1);
    }
    qsort(sorted, N, sizeof *sorted, by_value);
    struct mls_series_stats stats = stats_of(samples, N, max_samples);
    assert_true(stats.approximate);
    const struct {
        double percent;
        uint64_t ns;
    } cases[] = {{50, stats.p50_ns}, {90, stats.p90_ns}, {95, stats.p95_ns}, {99, stats.p99_ns}};
    for (size_t i = 0; i < 4; i++) {
        double exact = (double)series_percentile(sorted, N, cases[i].percent);
        double ratio = (double)cases[i].ns / exact;
        assert_true(ratio > 0.98 && ratio < 1.02);
    }
}

static void past_the_limit_percentiles_stay_within_two_percent(void **state)
{
    (void)state;
    check_histogram(1000);
}

static void live_series_stay_within_two_percent(void **state)
{
    (void)state;
    check_histogram(0);
}

static void the_longest_durations_do_not_leave_the_histogram(void **state)
{
    (void)state;
    static const uint64_t samples[] = {UINT64_MAX / 4, UINT64_MAX / 4};
    struct mls_series_stats stats = stats_of(samples, 2, 0);
    assert_int_equal(stats.p99_ns, UINT64_MAX / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_interpolate_as_numpy_does),
        cmocka_unit_test(deviation_is_that_of_the_population),
        cmocka_unit_test(one_sample_is_every_percentile),
        cmocka_unit_test(an_empty_series_has_no_figures),
        cmocka_unit_test(the_first_execution_is_in_no_other_figure),
        cmocka_unit_test(past_the_limit_percentiles_stay_within_two_percent),
        cmocka_unit_test(live_series_stay_within_two_percent),
        cmocka_unit_test(the_longest_durations_do_not_leave_the_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
