/* Which operation is which, what counts as a difference, and where values part. */
#include "support/test.h"

#include <math.h>
#include <string.h>

#include "compare/rounds.h"
#include "core/model.h"
#include "profiler/compare.h"
#include "profiler/match.h"
#include "profiler/walk.h"

static const char demo[] = MLS_TEST_DATA "/../demo/digits.mlpackage";

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void operations_are_matched_by_name_and_type_first(void **state)
{
    (void)state;
    const struct mls_match_item a[] = {{"x", "add"}, {"y", "mul"}, {"z", "relu"}};
    const struct mls_match_item b[] = {{"z", "relu"}, {"x", "add"}, {"y", "mul"}};
    uint32_t b_of_a[COUNT(a)];
    assert_true(mls_match(a, COUNT(a), b, COUNT(b), b_of_a));
    assert_int_equal(b_of_a[0], 1);
    assert_int_equal(b_of_a[1], 2);
    assert_int_equal(b_of_a[2], 0);
}

static void what_converters_append_to_names_does_not_matter(void **state)
{
    (void)state;
    const struct mls_match_item a[] = {{"x", "linear"}, {"y", "add"}};
    const struct mls_match_item b[] = {
        {"x_to_fp16", "cast"}, {"x_cast_fp16_palettized", "linear"}, {"y_cast_fp16", "add"}};
    uint32_t b_of_a[COUNT(a)];
    assert_true(mls_match(a, COUNT(a), b, COUNT(b), b_of_a));
    assert_int_equal(b_of_a[0], 1);
    assert_int_equal(b_of_a[1], 2);
}

static void renamed_operations_between_matched_ones_are_aligned_by_type(void **state)
{
    (void)state;
    const struct mls_match_item a[] = {{"in", "conv"}, {"p", "relu"}, {"q", "pool"}, {"out", "linear"}};
    const struct mls_match_item b[] = {{"in", "conv"}, {"r", "cast"}, {"s", "relu"},
                                       {"t", "cast"},  {"u", "pool"}, {"out", "linear"}};
    uint32_t b_of_a[COUNT(a)];
    assert_true(mls_match(a, COUNT(a), b, COUNT(b), b_of_a));
    assert_int_equal(b_of_a[1], 2);
    assert_int_equal(b_of_a[2], 4);
    assert_int_equal(b_of_a[3], 5);
}

static void strangers_are_not_matched(void **state)
{
    (void)state;
    const struct mls_match_item a[] = {{"x", "add"}}, b[] = {{"y", "mul"}};
    uint32_t b_of_a[COUNT(a)];
    assert_true(mls_match(a, COUNT(a), b, COUNT(b), b_of_a));
    assert_int_equal(b_of_a[0], MLS_NO_INDEX);
}

static struct mls_comparison *compare(const struct mls_side *a, const struct mls_side *b)
{
    struct mls_comparison *comparison;
    assert_int_equal(mls_compare(a, b, &comparison, NULL), MLS_OK);
    return comparison;
}

static void a_difference_must_be_larger_than_the_noise(void **state)
{
    (void)state;
    /* medians of 100 predictions with a deviation of 10 us are known within 4 us */
    const struct mls_side_op slow[] = {
        {.type = "conv", .name = "c", .runs = 100, .p50_ns = 130000, .p90_ns = 142816}};
    const struct mls_side_op fast[] = {
        {.type = "conv", .name = "c", .runs = 100, .p50_ns = 100000, .p90_ns = 112816}};
    const struct mls_side_op near[] = {
        {.type = "conv", .name = "c", .runs = 100, .p50_ns = 103000, .p90_ns = 115816}};
    const struct mls_side a = {.label = "a", .ops = fast, .n_ops = 1};
    const struct mls_side b = {.label = "b", .ops = slow, .n_ops = 1};
    const struct mls_side c = {.label = "c", .ops = near, .n_ops = 1};
    struct mls_comparison *far = compare(&a, &b), *close = compare(&a, &c);
    assert_true(far->ops[0].time.significant);
    assert_true(fabs(far->ops[0].time.ratio - 1.3) < 1e-9);
    assert_false(close->ops[0].time.significant);
    mls_comparison_free(far);
    mls_comparison_free(close);
}

static void operations_of_one_side_only_are_told(void **state)
{
    (void)state;
    const struct mls_side_op ops[] = {
        {.type = "conv", .name = "c", .runs = 9, .p50_ns = 9000, .p90_ns = 9000},
        {.type = "cast", .name = "d", .runs = 9, .p50_ns = 7000, .p90_ns = 7000}};
    const struct mls_side a = {.label = "a", .ops = ops, .n_ops = 1};
    const struct mls_side b = {.label = "b", .ops = ops, .n_ops = 2};
    struct mls_comparison *comparison = compare(&a, &b);
    assert_int_equal(comparison->n_matched, 1);
    assert_int_equal(comparison->n_only_b, 1);
    assert_int_equal(comparison->ops[0].a, MLS_NO_INDEX); /* 7 us more than nothing come first */
    assert_int_equal(comparison->ops[0].b, 1);
    mls_comparison_free(comparison);
}

static struct mls_loader *load(enum mls_precision precision)
{
    struct mls_loader *loader = mls_loader_create(
        &(struct mls_loader_options){.path = demo, .threads = 1, .precision = precision, .no_fusion = true});
    struct mls_error error;
    if (mls_loader_run(loader, &error))
        fail_msg("%s", error.text);
    return loader;
}

static struct mls_walk *walk(struct mls_loader *a, struct mls_loader *b, size_t memory_bytes)
{
    const struct mls_walk_options options = {.memory_bytes = memory_bytes};
    struct mls_walk *walk;
    struct mls_error error;
    if (mls_walk(mls_loader_result(a), mls_loader_result(b), &options, &walk, &error))
        fail_msg("%s", error.text);
    return walk;
}

static void a_model_is_equal_to_itself(void **state)
{
    (void)state;
    struct mls_loader *a = load(MLS_PRECISION_DECLARED), *b = load(MLS_PRECISION_DECLARED);
    struct mls_walk *same = walk(a, b, 0);
    assert_true(same->n_compared > 50);
    assert_int_equal(same->n_only_a + same->n_only_b, 0);
    assert_int_equal(same->first, MLS_NO_INDEX);
    assert_int_equal(same->n_worst, 0);
    for (size_t i = 0; i < same->n_outputs; i++)
        assert_true(!same->outputs[i].compared || isinf(same->outputs[i].snr_db));
    mls_walk_free(same);
    mls_loader_free(a);
    mls_loader_free(b);
}

static void passes_with_little_memory_see_the_same_values(void **state)
{
    (void)state;
    struct mls_loader *a = load(MLS_PRECISION_HIGH), *b = load(MLS_PRECISION_DECLARED);
    struct mls_walk *at_once = walk(a, b, 0), *bit_by_bit = walk(a, b, 1);
    assert_true(at_once->n_compared > 50);
    assert_int_equal(at_once->n_compared, bit_by_bit->n_compared);
    for (size_t i = 0; i < at_once->n_ops; i++) {
        assert_int_equal(at_once->ops[i].n_elems, bit_by_bit->ops[i].n_elems);
        assert_true(at_once->ops[i].snr_db == bit_by_bit->ops[i].snr_db);
        assert_true(at_once->ops[i].snr_db > 40);
    }
    assert_int_equal(at_once->first, MLS_NO_INDEX);
    assert_int_equal(at_once->n_keep, 0);
    assert_true(at_once->n_worst > 0);
    mls_walk_free(at_once);
    mls_walk_free(bit_by_bit);
    mls_loader_free(a);
    mls_loader_free(b);
}

enum { ROUNDS = 200 };

/* A machine that becomes slower while it is measured, and does so for both. */
static uint64_t drifting_ns(size_t round)
{
    return 100000 + 500 * round;
}

static void drift_that_both_sides_share_is_no_noise(void **state)
{
    (void)state;
    uint64_t a_ns[ROUNDS], b_ns[ROUNDS];
    double difference_ns, error_ns;
    for (size_t i = 0; i < ROUNDS; i++) {
        a_ns[i] = drifting_ns(i);
        b_ns[i] = drifting_ns(i) + 300 + i % 7;
    }
    assert_true(rounds_difference(a_ns, b_ns, ROUNDS, &difference_ns, &error_ns));
    assert_true(difference_ns > 299 && difference_ns < 308);
    assert_true(error_ns < 5);
}

/* Half of the time one side alone is slower by ten times the difference: so many rounds, and still one disturbance. */
static void a_long_disturbance_of_one_side_widens_the_error(void **state)
{
    (void)state;
    uint64_t a_ns[ROUNDS], b_ns[ROUNDS];
    double difference_ns, error_ns;
    for (size_t i = 0; i < ROUNDS; i++) {
        a_ns[i] = 100000;
        b_ns[i] = 100000 + (i < ROUNDS / 2 ? 0 : 3000) + i % 5;
    }
    assert_true(rounds_difference(a_ns, b_ns, ROUNDS, &difference_ns, &error_ns));
    assert_true(3 * error_ns > difference_ns);
}

static void a_few_rounds_say_nothing(void **state)
{
    (void)state;
    const uint64_t ns[15] = {0};
    double difference_ns, error_ns;
    assert_false(rounds_difference(ns, ns, 15, &difference_ns, &error_ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_matched_by_name_and_type_first),
        cmocka_unit_test(what_converters_append_to_names_does_not_matter),
        cmocka_unit_test(renamed_operations_between_matched_ones_are_aligned_by_type),
        cmocka_unit_test(strangers_are_not_matched),
        cmocka_unit_test(a_difference_must_be_larger_than_the_noise),
        cmocka_unit_test(operations_of_one_side_only_are_told),
        cmocka_unit_test(drift_that_both_sides_share_is_no_noise),
        cmocka_unit_test(a_long_disturbance_of_one_side_widens_the_error),
        cmocka_unit_test(a_few_rounds_say_nothing),
        cmocka_unit_test(a_model_is_equal_to_itself),
        cmocka_unit_test(passes_with_little_memory_see_the_same_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
