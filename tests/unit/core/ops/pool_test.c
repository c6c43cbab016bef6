#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    assert_true(op_vectors_check(MLS_TEST_DATA "/vectors/pool.vec") > 20);
}

static void begin(struct op_case *c, const char *type, const char *pad_type)
{
    op_case_begin(c, type, 6);
    op_case_tensor(c, "x", MLS_FP32, 4, (int64_t[]){1, 3, 8, 8}, NULL);
    op_case_ints(c, "kernel_sizes", 2, (int32_t[]){3, 3});
    op_case_text(c, "pad_type", pad_type);
}

/* Inference refuses the case, and says so. */
static void refused(struct op_case *c, enum mls_status status, const char *said)
{
    assert_int_equal(op_case_infer(c, true), status);
    if (!strstr(c->error.text, said))
        fail_msg("it says: %s", c->error.text);
    op_case_end(c);
}

static void test_refuses_what_ceil_mode_cannot_do(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "max_pool", "same");
    op_case_bool(&c, "ceil_mode", true);
    refused(&c, MLS_ERR_OP_ARGUMENT, "ceil_mode needs pad_type valid or custom");
    begin(&c, "max_pool", "custom");
    op_case_ints(&c, "pad", 4, (int32_t[]){0, 1, 0, 0});
    op_case_bool(&c, "ceil_mode", true);
    refused(&c, MLS_ERR_OP_ARGUMENT, "the same padding before and after");
}

static void test_refuses_sizes_that_do_not_fit(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "avg_pool", 5);
    op_case_tensor(&c, "x", MLS_FP32, 4, (int64_t[]){1, 3, 8, 8}, NULL);
    op_case_ints(&c, "kernel_sizes", 1, (int32_t[]){3});
    op_case_text(&c, "pad_type", "valid");
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"kernel_sizes\" must hold 2 integers");
    op_case_begin(&c, "l2_pool", 5);
    op_case_tensor(&c, "x", MLS_FP32, 5, (int64_t[]){1, 3, 8, 8, 8}, NULL);
    op_case_ints(&c, "kernel_sizes", 3, (int32_t[]){3, 3, 3});
    op_case_text(&c, "pad_type", "valid");
    refused(&c, MLS_ERR_OP_SHAPE, "l2_pool takes 3 or 4");
    op_case_begin(&c, "avg_pool", 5);
    op_case_tensor(&c, "x", MLS_FP32, 3, (int64_t[]){1, 3, 8}, NULL);
    op_case_ints(&c, "kernel_sizes", 1, (int32_t[]){9});
    op_case_text(&c, "pad_type", "valid");
    refused(&c, MLS_ERR_OP_SHAPE, "smaller than the kernel");
}

static void test_a_window_in_the_padding_is_minus_infinity(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "max_pool", 5);
    op_case_floats(&c, "x", MLS_FP16, 3, (int64_t[]){1, 1, 2}, (float[]){-3, -4});
    op_case_ints(&c, "kernel_sizes", 1, (int32_t[]){2});
    op_case_text(&c, "pad_type", "custom");
    op_case_ints(&c, "pad", 2, (int32_t[]){2, 0});
    assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 1), MLS_OK);
    assert_true(op_case_get(&c, 0, 0) == -HUGE_VAL);
    assert_true(op_case_get(&c, 0, 1) == -3);
    assert_true(op_case_get(&c, 0, 2) == -3);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refuses_what_ceil_mode_cannot_do),
        cmocka_unit_test(test_refuses_sizes_that_do_not_fit),
        cmocka_unit_test(test_a_window_in_the_padding_is_minus_infinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
