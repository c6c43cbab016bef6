#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    assert_true(op_vectors_check(MLS_TEST_DATA "/vectors/conv.vec") > 20);
}

static void begin(struct op_case *c, const int64_t x[4], const int64_t weight[4])
{
    op_case_begin(c, "conv", 7);
    op_case_tensor(c, "x", MLS_FP32, 4, x, NULL);
    op_case_tensor(c, "weight", MLS_FP32, 4, weight, NULL);
}

/* Inference refuses the case, and says so. */
static void refused(struct op_case *c, enum mls_status status, const char *said)
{
    assert_int_equal(op_case_infer(c, true), status);
    if (!strstr(c->error.text, said))
        fail_msg("it says: %s", c->error.text);
    op_case_end(c);
}

static void test_refuses_channels_that_do_not_fit(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 2, 3, 3});
    refused(&c, MLS_ERR_OP_SHAPE, "x has 3 channels in 1 groups, but the weight is for 2");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 1, 3, 3});
    op_case_int(&c, "groups", 2);
    refused(&c, MLS_ERR_OP_SHAPE, "3 input channels cannot be divided into 2 groups");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 1, 3, 3});
    op_case_int(&c, "groups", 3);
    refused(&c, MLS_ERR_OP_SHAPE, "4 output channels cannot be divided into 3 groups");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_int(&c, "groups", 0);
    refused(&c, MLS_ERR_OP_ARGUMENT, "groups is 0");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_tensor(&c, "bias", MLS_FP32, 1, (int64_t[]){5}, (float[5]){0});
    refused(&c, MLS_ERR_OP_SHAPE, "bias has 5 elements for 4 output channels");
}

static void test_refuses_windows_that_cannot_be(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, (int64_t[]){1, 3, 8, 2}, (int64_t[]){4, 3, 3, 3});
    refused(&c, MLS_ERR_OP_SHAPE, "spatial dimension 1 of size 2, padded by 0, is smaller than the kernel");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_ints(&c, "strides", 2, (int32_t[]){1, 0});
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"strides\" holds 0");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_ints(&c, "dilations", 2, (int32_t[]){-1, 1});
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"dilations\" holds -1");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_text(&c, "pad_type", "custom");
    op_case_ints(&c, "pad", 4, (int32_t[]){0, 0, -1, 0});
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"pad\" holds -1");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_ints(&c, "strides", 3, (int32_t[]){1, 1, 1});
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"strides\" must hold 2 integers");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 3, 3});
    op_case_text(&c, "pad_type", "reflect");
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"pad_type\" must be");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 2, 2});
    op_case_text(&c, "pad_type", "custom");
    op_case_ints(&c, "pad", 4, (int32_t[]){INT32_MAX, INT32_MAX, 0, 0});
    refused(&c, MLS_ERR_LIMIT, "\"pad\" holds");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 2, 2});
    op_case_ints(&c, "dilations", 2, (int32_t[]){1 << 20, 1 << 20});
    refused(&c, MLS_ERR_LIMIT, "spans more than");
    begin(&c, (int64_t[]){1, 3, 8, 8}, (int64_t[]){4, 3, 0, 2});
    refused(&c, MLS_ERR_OP_SHAPE, "not positive");
}

static void test_refuses_same_lower_before_opset_6(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "conv", 5);
    op_case_tensor(&c, "x", MLS_FP32, 3, (int64_t[]){1, 1, 8}, NULL);
    op_case_tensor(&c, "weight", MLS_FP32, 3, (int64_t[]){1, 1, 2}, NULL);
    op_case_text(&c, "pad_type", "same_lower");
    refused(&c, MLS_ERR_OP_ARGUMENT, "came with opset 6");
}

static void test_unknown_sizes_stay_unknown(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, (int64_t[]){MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN, 8, MLS_DIM_UNKNOWN}, (int64_t[]){4, 3, 3, 3});
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    struct mls_type want = mls_type_tensor(MLS_FP32, 4, (int64_t[]){MLS_DIM_UNKNOWN, 4, 6, MLS_DIM_UNKNOWN});
    assert_true(mls_type_equal(&op_case_output(&c, 0)->type, &want));
    op_case_end(&c);
}

static void test_flops_count_products_and_biases(void **state)
{
    (void)state;
    struct op_case c;
    const float zeros[108] = {0};
    op_case_begin(&c, "conv", 7);
    op_case_floats(&c, "x", MLS_FP16, 4, (int64_t[]){1, 3, 5, 5}, zeros);
    op_case_floats(&c, "weight", MLS_FP16, 4, (int64_t[]){4, 3, 3, 3}, zeros);
    op_case_floats(&c, "bias", MLS_FP16, 1, (int64_t[]){4}, zeros);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(c.flops, 4 * 9 * (2 * 27 + 1));
    assert_string_equal(c.kernel, "conv_fp16_implicit_gemm__generic");
    op_case_end(&c);
}

static void test_fp16_overflow_is_infinite(void **state)
{
    (void)state;
    for (int depthwise = 0; depthwise < 2; depthwise++) {
        struct op_case c;
        float x[32], weight[32 * 8];
        int64_t groups = depthwise ? 32 : 1, outputs = depthwise ? 32 : 8;
        for (int i = 0; i < 32; i++)
            x[i] = 60000;
        for (int i = 0; i < 32 * 8; i++)
            weight[i] = 2;
        op_case_begin(&c, "conv", 7);
        op_case_floats(&c, "x", MLS_FP16, 3, (int64_t[]){1, 32, 1}, x);
        op_case_floats(&c, "weight", MLS_FP16, 3, (int64_t[]){outputs, 32 / groups, 1}, weight);
        op_case_int(&c, "groups", (int32_t)groups);
        assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 1), MLS_OK);
        for (int64_t i = 0; i < outputs; i++)
            assert_true(isinf(op_case_get(&c, 0, i)));
        op_case_end(&c);
    }
}

static void test_quantized_weights_are_scaled(void **state)
{
    (void)state;
    struct op_case c;
    const uint8_t weight[] = {0, 1, 2, 10, 20, 30};
    op_case_begin(&c, "conv_quantized", 5);
    op_case_floats(&c, "x", MLS_FP32, 3, (int64_t[]){1, 3, 1}, (float[]){1, 2, 3});
    op_case_tensor(&c, "weight", MLS_UINT8, 3, (int64_t[]){2, 3, 1}, weight);
    op_case_text(&c, "quantization_type", "linear");
    op_case_floats(&c, "quant_scale", MLS_FP32, 1, (int64_t[]){2}, (float[]){0.5f, 2});
    op_case_floats(&c, "quant_bias", MLS_FP32, 0, NULL, (float[]){-1});
    if (op_case_run(&c, MLS_ISA_AVX512, 1) != MLS_OK)
        fail_msg("%s", c.error.text);
    assert_true(op_case_get(&c, 0, 0) == (0 * 0.5 - 1) * 1 + (1 * 0.5 - 1) * 2 + (2 * 0.5 - 1) * 3);
    assert_true(op_case_get(&c, 0, 1) == (10 * 2 - 1) * 1 + (20 * 2 - 1) * 2 + (30 * 2 - 1) * 3);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refuses_channels_that_do_not_fit),
        cmocka_unit_test(test_refuses_windows_that_cannot_be),
        cmocka_unit_test(test_refuses_same_lower_before_opset_6),
        cmocka_unit_test(test_unknown_sizes_stay_unknown),
        cmocka_unit_test(test_flops_count_products_and_biases),
        cmocka_unit_test(test_fp16_overflow_is_infinite),
        cmocka_unit_test(test_quantized_weights_are_scaled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
