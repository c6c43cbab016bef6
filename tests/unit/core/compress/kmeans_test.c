/* The clustering on a line is at its optimum: no other way to cut the sorted values is better. */
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/kmeans.h"
#include "kernels/kernels.h"

enum { N_MAX = 11, K_MAX = 5, TRIALS = 300 };

static double spread(const double *values, const double *weights, size_t first, size_t end)
{
    double weight = 0, mean = 0, sum = 0;
    for (size_t i = first; i < end; i++) {
        weight += weights[i];
        mean += weights[i] * values[i];
    }
    mean /= weight;
    for (size_t i = first; i < end; i++)
        sum += weights[i] * (values[i] - mean) * (values[i] - mean);
    return sum;
}

/* The least cost of all ways to cut values [first, n) into at most k runs. */
static double least_cost(const double *values, const double *weights, size_t first, size_t n, unsigned k)
{
    double least = spread(values, weights, first, n);
    for (size_t cut = first + 1; k > 1 && cut < n; cut++) {
        double cost = spread(values, weights, first, cut) + least_cost(values, weights, cut, n, k - 1);
        least = cost < least ? cost : least;
    }
    return least;
}

static double cost_of(const struct kmeans_values *values, const uint32_t *first, unsigned k)
{
    double cost = 0;
    for (unsigned c = 0; c < k; c++)
        cost += spread(values->values, values->weights, first[c], c + 1 < k ? first[c + 1] : values->n);
    return cost;
}

static void check_trial(const struct mls_compress_kernels *kernels, struct kmeans_space *space, size_t n,
                        unsigned k)
{
    double values[N_MAX], weights[N_MAX], at = -3;
    for (size_t i = 0; i < n; i++) {
        at += (double)(1 + rand() % 100) / 50;
        values[i] = at;
        weights[i] = 1 + rand() % 4;
    }
    const struct kmeans_values line = {values, weights, n};
    uint32_t first[K_MAX];
    unsigned found;
    assert_true(kmeans_line(&line, k, kernels, space, first, &found));
    assert_int_equal(found, n < k ? n : k);
    assert_int_equal(first[0], 0);
    double least = least_cost(values, weights, 0, n, k);
    assert_true(fabs(cost_of(&line, first, found) - least) <= 1e-9 * (1 + least));
}

static void test_line_is_optimal(void **state)
{
    (void)state;
    for (int isa = 0; isa < MLS_ISA_COUNT; isa++) {
        if (isa != MLS_ISA_GENERIC && !mls_cpu_has((enum mls_isa)isa))
            continue;
        struct mls_kernels kernels = mls_kernels_pick((enum mls_isa)isa);
        struct kmeans_space space = {.arena = mls_arena_create(0)};
        srand(1);
        for (int trial = 0; trial < TRIALS; trial++)
            check_trial(kernels.compress, &space, 1 + (size_t)rand() % N_MAX, 1 + (unsigned)rand() % K_MAX);
        mls_arena_free(space.arena);
    }
}

enum { MANY = 160, MANY_K = 48 };

/* Numbers of clusters that go by prices and by rows: all against the plain recurrence. */
static void check_recurrence(const struct kmeans_values *line)
{
    static double cost[MANY_K + 1][MANY + 1];
    for (size_t i = 1; i <= MANY; i++)
        cost[1][i] = spread(line->values, line->weights, 0, i);
    for (unsigned k = 2; k <= MANY_K; k++)
        for (size_t i = k; i <= MANY; i++) {
            cost[k][i] = (double)INFINITY;
            for (size_t j = k - 1; j < i; j++)
                cost[k][i] = fmin(cost[k][i], cost[k - 1][j] + spread(line->values, line->weights, j, i));
        }
    struct mls_kernels kernels = mls_kernels_pick(mls_cpu_best());
    struct kmeans_space space = {.arena = mls_arena_create(0)};
    for (unsigned k = 2; k <= MANY_K; k++) {
        uint32_t first[MANY_K];
        unsigned found;
        assert_true(kmeans_line(line, k, kernels.compress, &space, first, &found));
        assert_int_equal(found, k);
        assert_int_equal(first[0], 0);
        double rounding = 1e-14 * cost[1][MANY]; /* costs are differences of sums over all values */
        assert_true(fabs(cost_of(line, first, k) - cost[k][MANY]) <= 1e-9 * cost[k][MANY] + rounding);
    }
    mls_arena_free(space.arena);
}

/* What no exhaustive search reaches. */
static void test_many_values_agree_with_the_recurrence(void **state)
{
    (void)state;
    static double values[MANY], weights[MANY];
    srand(2);
    for (size_t i = 0; i < MANY; i++) {
        values[i] = (i ? values[i - 1] : 0) + (double)(1 + rand() % 1000) / 1000 * (rand() % 20 ? 1 : 30);
        weights[i] = 1 + rand() % 9;
    }
    check_recurrence(&(struct kmeans_values){values, weights, MANY});
}

/* Many clusterings are equally good, and no price gives some of the numbers of clusters. */
static void test_values_at_equal_distances_agree_with_the_recurrence(void **state)
{
    (void)state;
    static double values[MANY], weights[MANY];
    for (size_t i = 0; i < MANY; i++) {
        values[i] = (double)i;
        weights[i] = 1;
    }
    check_recurrence(&(struct kmeans_values){values, weights, MANY});
}

static void test_weights_of_all_sizes_agree_with_the_recurrence(void **state)
{
    (void)state;
    static double values[MANY], weights[MANY];
    srand(3);
    for (size_t i = 0; i < MANY; i++) {
        values[i] = i < MANY / 2 ? -ldexp(1, (int)(MANY / 2 - i) / 8) - (double)i / 1000 : ldexp(1, (int)i / 9) + (double)i / 1000;
        weights[i] = ldexp(1, rand() % 12);
    }
    for (size_t i = 1; i < MANY; i++)
        values[i] = values[i] > values[i - 1] ? values[i] : values[i - 1] + 0.001;
    check_recurrence(&(struct kmeans_values){values, weights, MANY});
}

static void test_vectors_find_separate_clouds(void **state)
{
    (void)state;
    enum { N = 120, DIM = 3, K = 4 };
    float vectors[N * DIM], centers[K * DIM];
    uint8_t indices[N];
    for (size_t i = 0; i < N; i++)
        for (size_t d = 0; d < DIM; d++)
            vectors[i * DIM + d] = (float)(10 * (i % K) * (d + 1)) + (float)(i / K) / 100;
    struct mls_arena *arena = mls_arena_create(0);
    assert_true(kmeans_vectors(vectors, NULL, N, DIM, K, arena, centers, indices));
    for (size_t i = K; i < N; i++)
        assert_int_equal(indices[i], indices[i % K]);
    mls_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_is_optimal),
        cmocka_unit_test(test_many_values_agree_with_the_recurrence),
        cmocka_unit_test(test_values_at_equal_distances_agree_with_the_recurrence),
        cmocka_unit_test(test_weights_of_all_sizes_agree_with_the_recurrence),
        cmocka_unit_test(test_vectors_find_separate_clouds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
