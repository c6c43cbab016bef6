/* quantize and dequantize against worked numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "support/op_case.h"

static void check(struct op_case *c, int n, const float *expected)
{
    if (op_case_run(c, MLS_ISA_AVX2, 2) != MLS_OK)
        fail_msg("%s", c->error.text);
    for (int i = 0; i < n; i++)
        assert_true(op_case_get(c, 0, i) == (double)expected[i]);
    op_case_end(c);
}

static void test_rounds_to_even_and_saturates(void **state)
{
    (void)state;
    static const float x[] = {0.25f, 0.75f, 1.25f, -0.25f, -0.75f, 63.5f, 1e30f, -1e30f, INFINITY, NAN};
    static const float as_int8[] = {0, 2, 2, 0, -2, 127, 127, -128, 127, 0};
    static const float as_uint8[] = {0, 2, 2, 0, 0, 127, 255, 0, 255, 0};
    struct op_case c;
    op_case_begin(&c, "quantize", 7);
    op_case_floats(&c, "input", MLS_FP32, 1, (int64_t[]){10}, x);
    op_case_float(&c, "scale", MLS_FP32, 0.5f);
    op_case_text(&c, "output_dtype", "int8");
    check(&c, 10, as_int8);
    op_case_begin(&c, "quantize", 7);
    op_case_floats(&c, "input", MLS_FP32, 1, (int64_t[]){10}, x);
    op_case_float(&c, "scale", MLS_FP32, 0.5f);
    op_case_text(&c, "output_dtype", "uint8");
    check(&c, 10, as_uint8);
}

static void test_quantizes_by_channel(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "quantize", 7);
    op_case_floats(&c, "input", MLS_FP16, 3, (int64_t[]){2, 2, 2}, (float[]){1, 2, 3, 4, -1, -2, -3, -400});
    op_case_floats(&c, "scale", MLS_FP16, 1, (int64_t[]){2}, (float[]){0.5f, 2});
    op_case_tensor(&c, "zero_point", MLS_UINT8, 1, (int64_t[]){2}, (uint8_t[]){10, 128});
    op_case_int(&c, "axis", 1);
    op_case_text(&c, "output_dtype", "uint8");
    check(&c, 8, (float[]){12, 14, 130, 130, 8, 6, 126, 0}); /* 1.5 and -1.5 round to 2 and -2 */
}

static void test_dequantizes_by_channel(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "dequantize", 7);
    op_case_tensor(&c, "input", MLS_INT8, 2, (int64_t[]){2, 3}, (int8_t[]){-128, 0, 127, 1, 2, 3});
    op_case_floats(&c, "scale", MLS_FP16, 1, (int64_t[]){3}, (float[]){0.5f, 1, 2});
    op_case_tensor(&c, "zero_point", MLS_INT8, 1, (int64_t[]){3}, (int8_t[]){127, -1, -128});
    op_case_int(&c, "axis", -1);
    check(&c, 6, (float[]){-127.5f, 1, 510, -63, 3, 262});
}

static void test_dequantizes_without_zero_point(void **state)
{
    (void)state;
    static uint8_t x[50000];
    static float expected[50000];
    for (unsigned i = 0; i < 50000; i++) {
        x[i] = (uint8_t)(i * 7);
        expected[i] = (float)x[i] * 0.25f;
    }
    struct op_case c;
    op_case_begin(&c, "dequantize", 7);
    op_case_tensor(&c, "input", MLS_UINT8, 2, (int64_t[]){500, 100}, x);
    op_case_float(&c, "scale", MLS_FP32, 0.25f);
    check(&c, 50000, expected);
}

static void test_a_number_and_an_empty_tensor(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "dequantize", 7);
    op_case_tensor(&c, "input", MLS_UINT8, 0, NULL, (uint8_t[]){9});
    op_case_float(&c, "scale", MLS_FP32, 2);
    check(&c, 1, (float[]){18});
    op_case_begin(&c, "dequantize", 7);
    op_case_tensor(&c, "input", MLS_UINT8, 2, (int64_t[]){0, 4}, (uint8_t[]){0});
    op_case_float(&c, "scale", MLS_FP32, 2);
    check(&c, 0, NULL);
}

static void test_scales_must_fit(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "dequantize", 7);
    op_case_tensor(&c, "input", MLS_INT8, 2, (int64_t[]){2, 3}, NULL);
    op_case_floats(&c, "scale", MLS_FP16, 1, (int64_t[]){2}, (float[]){1, 1});
    op_case_int(&c, "axis", 1);
    assert_int_equal(op_case_infer(&c, false), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
    op_case_begin(&c, "dequantize", 7);
    op_case_tensor(&c, "input", MLS_INT8, 2, (int64_t[]){2, 3}, NULL);
    op_case_floats(&c, "scale", MLS_FP16, 1, (int64_t[]){2}, (float[]){1, 1});
    assert_int_equal(op_case_infer(&c, false), MLS_ERR_OP_ARGUMENT);
    op_case_end(&c);
    op_case_begin(&c, "quantize", 7);
    op_case_tensor(&c, "input", MLS_FP32, 1, (int64_t[]){2}, NULL);
    op_case_float(&c, "scale", MLS_FP32, 0);
    op_case_text(&c, "output_dtype", "int8");
    assert_int_equal(op_case_infer(&c, false), MLS_ERR_OP_ARGUMENT);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds_to_even_and_saturates),
        cmocka_unit_test(test_quantizes_by_channel),
        cmocka_unit_test(test_dequantizes_by_channel),
        cmocka_unit_test(test_dequantizes_without_zero_point),
        cmocka_unit_test(test_a_number_and_an_empty_tensor),
        cmocka_unit_test(test_scales_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
