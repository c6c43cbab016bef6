/* Random numbers: reproducible, of the right type, and distributed as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "support/op_case.h"

enum { N = 40000 };

static void begin(struct op_case *c, const char *operation)
{
    op_case_begin(c, operation, 5);
    op_case_ints(c, "shape", 2, (int32_t[]){4, N / 4});
}

static void run(struct op_case *c, uint32_t threads)
{
    if (op_case_run(c, MLS_ISA_AVX2, threads) != MLS_OK)
        fail_msg("%s", c->error.text);
}

static double mean_of(struct op_case *c, double center, int power)
{
    double sum = 0;
    for (int64_t i = 0; i < N; i++)
        sum += pow(op_case_get(c, 0, i) - center, power);
    return sum / N;
}

static void test_normal(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "random_normal");
    op_case_float(&c, "mean", MLS_FP16, 3);
    op_case_float(&c, "stddev", MLS_FP16, 2);
    run(&c, 2);
    assert_int_equal(c.outputs[0].type.dtype, MLS_FP16);
    assert_true(fabs(mean_of(&c, 0, 1) - 3) < 0.05);
    assert_true(fabs(mean_of(&c, 3, 2) - 4) < 0.15);
    assert_true(fabs(mean_of(&c, 3, 3)) < 0.8);
    assert_true(fabs(mean_of(&c, 3, 4) - 48) < 4);
    op_case_end(&c);
}

static void test_uniform_stays_below_its_end(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "random_uniform");
    op_case_float(&c, "low", MLS_FP16, -1);
    op_case_float(&c, "high", MLS_FP16, 3);
    run(&c, 2);
    for (int64_t i = 0; i < N; i++)
        assert_true(op_case_get(&c, 0, i) >= -1 && op_case_get(&c, 0, i) < 3);
    assert_true(fabs(mean_of(&c, 0, 1) - 1) < 0.03);
    assert_true(fabs(mean_of(&c, 1, 2) - 16. / 12) < 0.03);
    op_case_end(&c);
}

static void test_uniform_of_one_number(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "random_uniform");
    op_case_float(&c, "low", MLS_FP32, 2);
    op_case_float(&c, "high", MLS_FP32, 2);
    run(&c, 1);
    assert_true(mean_of(&c, 0, 1) == 2);
    op_case_end(&c);
}

static void test_bernoulli(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "random_bernoulli");
    op_case_float(&c, "prob", MLS_FP32, 0.25f);
    run(&c, 2);
    for (int64_t i = 0; i < N; i++)
        assert_true(op_case_get(&c, 0, i) == 0 || op_case_get(&c, 0, i) == 1);
    assert_true(fabs(mean_of(&c, 0, 1) - 0.25) < 0.01);
    op_case_end(&c);
}

static void categorical(const char *mode, const float *x)
{
    struct op_case c;
    op_case_begin(&c, "random_categorical", 5);
    op_case_floats(&c, "x", MLS_FP32, 2, (int64_t[]){2, 4}, x);
    op_case_int(&c, "size", N / 2);
    op_case_text(&c, "mode", mode);
    run(&c, 1);
    assert_int_equal(c.outputs[0].type.dims[0], 2);
    assert_int_equal(c.outputs[0].type.dims[1], N / 2);
    int counts[2][4] = {{0}};
    for (int64_t i = 0; i < N; i++)
        counts[i / (N / 2)][(int)op_case_get(&c, 0, i)]++;
    assert_int_equal(counts[0][1], 0);
    assert_true(fabs(counts[0][0] / (N / 2.) - 0.1) < 0.01);
    assert_true(fabs(counts[0][2] / (N / 2.) - 0.7) < 0.01);
    assert_int_equal(counts[1][3], N / 2);
    op_case_end(&c);
}

static void test_categorical(void **state)
{
    (void)state;
    categorical("probs", (float[]){0.1f, 0, 0.7f, 0.2f, 0, 0, 0, 1});
    categorical("logits",
                (float[]){logf(0.1f), -INFINITY, logf(0.7f), logf(0.2f), -1000, -1000, -1000, 1000});
}

/* The first numbers of a run with this state of the run's generator and this seed (-1: none). */
static void draw(uint64_t run_state, int32_t seed, uint32_t threads, double *ret)
{
    struct op_case c;
    begin(&c, "random_normal");
    if (seed >= 0)
        op_case_int(&c, "seed", seed);
    c.random_state = run_state;
    run(&c, threads);
    for (int i = 0; i < 8; i++)
        ret[i] = op_case_get(&c, 0, i * (N / 8));
    op_case_end(&c);
}

static void test_reproducible(void **state)
{
    (void)state;
    double a[8], b[8];
    draw(1, -1, 1, a);
    draw(1, -1, 3, b);
    assert_memory_equal(a, b, sizeof a);
    draw(2, -1, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    draw(1, 7, 1, a);
    draw(2, 7, 1, b);
    assert_memory_equal(a, b, sizeof a);
    draw(2, 8, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void test_next_execution_gives_other_numbers(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "random_uniform");
    run(&c, 1);
    uint64_t after = c.random_state;
    op_case_end(&c);
    assert_true(after != 1);
}

static void test_shape_by_value(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "random_uniform");
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    assert_int_equal(c.outputs[0].type.rank, 2);
    assert_int_equal(c.outputs[0].type.dims[0], MLS_DIM_UNKNOWN);
    op_case_end(&c);
    op_case_begin(&c, "random_uniform", 5);
    op_case_ints(&c, "shape", 1, (int32_t[]){-3});
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_ARGUMENT);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_uniform_stays_below_its_end),
        cmocka_unit_test(test_uniform_of_one_number),
        cmocka_unit_test(test_bernoulli),
        cmocka_unit_test(test_categorical),
        cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_next_execution_gives_other_numbers),
        cmocka_unit_test(test_shape_by_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
