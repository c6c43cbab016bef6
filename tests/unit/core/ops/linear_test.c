#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    assert_true(op_vectors_check(MLS_TEST_DATA "/vectors/linear.vec") > 20);
}

/* Inference refuses the case, and says so. */
static void refused(struct op_case *c, enum mls_status status, const char *said)
{
    assert_int_equal(op_case_infer(c, true), status);
    if (!strstr(c->error.text, said))
        fail_msg("it says: %s", c->error.text);
    op_case_end(c);
}

static void test_matmul_refuses_shapes_that_do_not_fit(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){3, 4}, NULL);
    op_case_tensor(&c, "y", MLS_FP32, 2, (int64_t[]){3, 4}, NULL);
    refused(&c, MLS_ERR_OP_SHAPE, "fp32[3,4] and fp32[3,4] cannot be multiplied");
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 3, (int64_t[]){2, 3, 4}, NULL);
    op_case_tensor(&c, "y", MLS_FP32, 3, (int64_t[]){3, 4, 4}, NULL);
    refused(&c, MLS_ERR_OP_SHAPE, "cannot be multiplied");
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 1, (int64_t[]){3}, NULL);
    op_case_tensor(&c, "y", MLS_FP32, 2, (int64_t[]){3, 4}, NULL);
    op_case_bool(&c, "transpose_x", true);
    refused(&c, MLS_ERR_OP_ARGUMENT, "one dimension only");
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 0, NULL, NULL);
    op_case_tensor(&c, "y", MLS_FP32, 2, (int64_t[]){3, 4}, NULL);
    refused(&c, MLS_ERR_OP_SHAPE, "x is a scalar");
    op_case_begin(&c, "matmul", 7);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){4, 3}, NULL);
    op_case_tensor(&c, "y", MLS_INT32, 2, (int64_t[]){3, 4}, NULL);
    refused(&c, MLS_ERR_OP_UNSUPPORTED, "a product of fp32 and int32");
}

static void test_linear_refuses_shapes_that_do_not_fit(void **state)
{
    (void)state;
    struct op_case c;
    const float zeros[12] = {0};
    op_case_begin(&c, "linear", 5);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){3, 5}, NULL);
    op_case_floats(&c, "weight", MLS_FP32, 2, (int64_t[]){3, 4}, zeros);
    refused(&c, MLS_ERR_OP_SHAPE, "the last dimension of x is 5, but the weight takes 4");
    op_case_begin(&c, "linear", 5);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){3, 4}, NULL);
    op_case_floats(&c, "weight", MLS_FP32, 2, (int64_t[]){3, 4}, zeros);
    op_case_floats(&c, "bias", MLS_FP32, 1, (int64_t[]){4}, zeros);
    refused(&c, MLS_ERR_OP_SHAPE, "bias must hold 3 elements");
}

static void test_einsum_refuses_other_equations(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "einsum", 5);
    op_case_tensor(&c, "values", MLS_FP32, 2, (int64_t[]){3, 4}, NULL);
    op_case_tensor(&c, "values", MLS_FP32, 2, (int64_t[]){4, 3}, NULL);
    op_case_text(&c, "equation", "ij,jk->ik");
    refused(&c, MLS_ERR_OP_UNSUPPORTED, "nchw,nwhu->nchu");
}

static void test_unknown_batch_stays_unknown(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 3, (int64_t[]){MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN, 4}, NULL);
    op_case_tensor(&c, "y", MLS_FP32, 2, (int64_t[]){4, 5}, NULL);
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    struct mls_type want = mls_type_tensor(MLS_FP32, 3, (int64_t[]){MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN, 5});
    assert_true(mls_type_equal(&op_case_output(&c, 0)->type, &want));
    op_case_end(&c);
}

static void test_a_constant_of_the_other_kind_is_converted(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "linear", 7);
    op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){1, 2}, (float[]){0.5f, 3});
    op_case_floats(&c, "weight", MLS_INT32, 2, (int64_t[]){2, 2}, (float[]){1, 2, 3, -4});
    op_case_floats(&c, "bias", MLS_INT32, 1, (int64_t[]){2}, (float[]){1, 0});
    assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 1), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dtype, MLS_FP16);
    assert_true(op_case_get(&c, 0, 0) == 7.5 && op_case_get(&c, 0, 1) == -10.5);
    op_case_end(&c);
    op_case_begin(&c, "linear", 7);
    op_case_floats(&c, "x", MLS_INT32, 2, (int64_t[]){1, 2}, (float[]){5, 3});
    op_case_floats(&c, "weight", MLS_FP32, 2, (int64_t[]){2, 2}, (float[]){1, 2, 3, -4});
    op_case_floats(&c, "bias", MLS_FP32, 1, (int64_t[]){2}, (float[]){1, 0});
    assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 1), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dtype, MLS_INT32);
    assert_true(op_case_get(&c, 0, 0) == 12 && op_case_get(&c, 0, 1) == 3);
    op_case_end(&c);
}

static void test_int32_sums_wrap(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_INT32, 2, (int64_t[]){1, 2}, (int32_t[]){INT32_MAX, 1});
    op_case_tensor(&c, "y", MLS_INT32, 2, (int64_t[]){2, 1}, (int32_t[]){1, 1});
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_true(op_case_get(&c, 0, 0) == INT32_MIN);
    op_case_end(&c);
}

static void test_empty_products_give_nothing_or_zeros(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){2, 0}, "");
    op_case_tensor(&c, "y", MLS_FP32, 2, (int64_t[]){0, 3}, "");
    assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 2), MLS_OK);
    for (int64_t i = 0; i < 6; i++)
        assert_true(op_case_get(&c, 0, i) == 0);
    op_case_end(&c);
    op_case_begin(&c, "matmul", 5);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){0, 4}, "");
    op_case_floats(&c, "y", MLS_FP32, 2, (int64_t[]){4, 1}, (float[]){1, 2, 3, 4});
    assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 2), MLS_OK);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_matmul_refuses_shapes_that_do_not_fit),
        cmocka_unit_test(test_linear_refuses_shapes_that_do_not_fit),
        cmocka_unit_test(test_einsum_refuses_other_equations),
        cmocka_unit_test(test_unknown_batch_stays_unknown),
        cmocka_unit_test(test_a_constant_of_the_other_kind_is_converted),
        cmocka_unit_test(test_int32_sums_wrap),
        cmocka_unit_test(test_empty_products_give_nothing_or_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
