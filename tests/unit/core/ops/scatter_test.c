/* Scattering: examples of the definitions, and numbers that NumPy's add.at, put_along_axis and the like gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/op_case.h"

static const enum mls_dtype dtypes[] = {MLS_FP32, MLS_FP16, MLS_INT32};

static void check(struct op_case *c, int n, const float *expected)
{
    if (op_case_run(c, MLS_ISA_AVX2, 1) != MLS_OK)
        fail_msg("%s", c->error.text);
    for (int i = 0; i < n; i++)
        assert_true(op_case_get(c, 0, i) == (double)expected[i]);
    op_case_end(c);
}

static void test_example_of_the_definition(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 3; t++) {
        struct op_case c;
        op_case_begin(&c, "scatter", 5);
        op_case_floats(&c, "data", dtypes[t], 2, (int64_t[]){2, 3}, (float[]){1, 2, 3, 4, 5, 6});
        op_case_ints(&c, "indices", 2, (int32_t[]){1, 0});
        op_case_floats(&c, "updates", dtypes[t], 2, (int64_t[]){2, 3}, (float[]){5, 6, 7, 8, 9, 10});
        check(&c, 6, (float[]){9, 11, 13, 9, 11, 13});
    }
}

/* Column 1 twice, so that order shows; -1 is the last column. Updates by row: 2, 5, 4 and 5, 100, -5. */
static void one_mode(enum mls_dtype dtype, const char *mode, const float *expected)
{
    struct op_case c;
    op_case_begin(&c, "scatter", 6);
    op_case_floats(&c, "data", dtype, 2, (int64_t[]){2, 3}, (float[]){10, 20, 30, 40, 50, 60});
    op_case_ints(&c, "indices", 3, (int32_t[]){1, -1, 1});
    op_case_floats(&c, "updates", dtype, 2, (int64_t[]){2, 3}, (float[]){2, 5, 4, 5, 100, -5});
    op_case_int(&c, "axis", -1);
    op_case_text(&c, "mode", mode);
    check(&c, 6, expected);
}

static void test_modes_in_order(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 3; t++) {
        one_mode(dtypes[t], "update", (float[]){10, 4, 5, 40, -5, 100});
        one_mode(dtypes[t], "add", (float[]){10, 26, 35, 40, 50, 160});
        one_mode(dtypes[t], "sub", (float[]){10, 14, 25, 40, 50, -40});
        one_mode(dtypes[t], "mul", (float[]){10, 160, 150, 40, -1250, 6000});
        one_mode(dtypes[t], "max", (float[]){10, 20, 30, 40, 50, 100});
        one_mode(dtypes[t], "min", (float[]){10, 2, 5, 40, -5, 60});
    }
    one_mode(MLS_FP32, "div", (float[]){10, 2.5f, 6, 40, -2, 0.6f});
    one_mode(MLS_INT32, "div", (float[]){10, 2, 6, 40, -2, 0});
}

static void test_fp16_is_accumulated_in_fp32(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "scatter", 7);
    op_case_floats(&c, "data", MLS_FP16, 1, (int64_t[]){1}, (float[]){2048});
    op_case_ints(&c, "indices", 4, (int32_t[]){0, 0, 0, 0});
    op_case_floats(&c, "updates", MLS_FP16, 1, (int64_t[]){4}, (float[]){1, 1, 1, 1});
    check(&c, 1, (float[]){2052});
}

static void test_wide_slices(void **state)
{
    (void)state;
    static float data[3 * 700], updates[700], expected[3 * 700];
    for (int i = 0; i < 700; i++) {
        updates[i] = (float)(i % 17);
        data[1400 + i] = expected[1400 + i] = (float)(i % 5);
        expected[1400 + i] += updates[i];
    }
    struct op_case c;
    op_case_begin(&c, "scatter", 7);
    op_case_floats(&c, "data", MLS_FP16, 2, (int64_t[]){3, 700}, data);
    op_case_ints(&c, "indices", 1, (int32_t[]){2});
    op_case_floats(&c, "updates", MLS_FP16, 2, (int64_t[]){1, 700}, updates);
    check(&c, 3 * 700, expected);
}

static void test_along_axis(void **state)
{
    (void)state;
    static const int32_t indices[] = {2, 0, -1, 1};
    for (uint32_t opset = 5; opset <= 7; opset += 2) {
        struct op_case c;
        op_case_begin(&c, "scatter_along_axis", opset);
        op_case_floats(&c, "data", MLS_FP32, 2, (int64_t[]){2, 3}, (float[]){1, 2, 3, 4, 5, 6});
        op_case_tensor(&c, "indices", MLS_INT32, 2, (int64_t[]){2, 2}, indices);
        op_case_floats(&c, "updates", MLS_FP32, 2, (int64_t[]){2, 2}, (float[]){10, 20, 30, 40});
        op_case_int(&c, "axis", 1);
        check(&c, 6, (float[]){21, 2, 13, 4, 45, 36});
    }
}

static void test_along_first_axis(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "scatter_along_axis", 7);
    op_case_floats(&c, "data", MLS_FP32, 2, (int64_t[]){3, 2}, (float[]){1, 2, 3, 4, 5, 6});
    op_case_tensor(&c, "indices", MLS_INT32, 2, (int64_t[]){1, 2}, (int32_t[]){2, 1});
    op_case_floats(&c, "updates", MLS_FP32, 2, (int64_t[]){1, 2}, (float[]){50, 60});
    op_case_text(&c, "mode", "update");
    check(&c, 6, (float[]){1, 2, 3, 60, 50, 6});
}

static void test_nd(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "scatter_nd", 5);
    op_case_floats(&c, "data", MLS_INT32, 2, (int64_t[]){2, 3}, (float[]){1, 2, 3, 4, 5, 6});
    op_case_tensor(&c, "indices", MLS_INT32, 2, (int64_t[]){3, 2}, (int32_t[]){0, 1, 1, -1, 0, 1});
    op_case_floats(&c, "updates", MLS_INT32, 1, (int64_t[]){3}, (float[]){10, 20, 30});
    check(&c, 6, (float[]){1, 42, 3, 4, 5, 26});
    op_case_begin(&c, "scatter_nd", 7);
    op_case_floats(&c, "data", MLS_FP16, 2, (int64_t[]){2, 3}, (float[]){1, 2, 3, 4, 5, 6});
    op_case_tensor(&c, "indices", MLS_INT32, 3, (int64_t[]){1, 1, 1}, (int32_t[]){1});
    op_case_floats(&c, "updates", MLS_FP16, 3, (int64_t[]){1, 1, 3}, (float[]){7, 8, 9});
    op_case_text(&c, "mode", "update");
    check(&c, 6, (float[]){1, 2, 3, 7, 8, 9});
}

/* A place outside: an error before opset 7 and when asked for; otherwise nothing is written there. */
static enum mls_status outside(const char *operation, uint32_t opset, bool validate, int32_t index)
{
    struct op_case c;
    op_case_begin(&c, operation, opset);
    op_case_floats(&c, "data", MLS_FP32, 1, (int64_t[]){3}, (float[]){1, 2, 3});
    if (!strcmp(operation, "scatter_nd"))
        op_case_tensor(&c, "indices", MLS_INT32, 2, (int64_t[]){1, 1}, &index);
    else
        op_case_ints(&c, "indices", 1, &index);
    op_case_floats(&c, "updates", MLS_FP32, 1, (int64_t[]){1}, (float[]){9});
    if (validate)
        op_case_bool(&c, "validate_indices", true);
    enum mls_status status = op_case_run(&c, MLS_ISA_GENERIC, 1);
    for (int i = 0; status == MLS_OK && i < 3; i++)
        assert_true(op_case_get(&c, 0, i) == i + 1);
    op_case_end(&c);
    return status;
}

static void test_places_outside(void **state)
{
    (void)state;
    static const char *const operations[] = {"scatter", "scatter_along_axis", "scatter_nd"};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(outside(operations[i], 5, false, 3), MLS_ERR_RUN_INDEX);
        assert_int_equal(outside(operations[i], 5, false, -4), MLS_ERR_RUN_INDEX);
        assert_int_equal(outside(operations[i], 7, true, 3), MLS_ERR_RUN_INDEX);
        assert_int_equal(outside(operations[i], 7, true, -1), MLS_ERR_RUN_INDEX);
        assert_int_equal(outside(operations[i], 7, false, 3), MLS_OK);
        assert_int_equal(outside(operations[i], 7, false, INT32_MIN), MLS_OK);
    }
}

static enum mls_status infer_status(const char *operation, unsigned rank, const int64_t *indices,
                                    unsigned updates_rank, const int64_t *updates, const char *mode)
{
    struct op_case c;
    op_case_begin(&c, operation, 7);
    op_case_tensor(&c, "data", MLS_FP32, 2, (int64_t[]){4, 3}, NULL);
    op_case_tensor(&c, "indices", MLS_INT32, rank, indices, NULL);
    op_case_tensor(&c, "updates", MLS_FP32, updates_rank, updates, NULL);
    op_case_text(&c, "mode", mode);
    enum mls_status status = op_case_infer(&c, false);
    op_case_end(&c);
    return status;
}

static void test_shapes_are_checked(void **state)
{
    (void)state;
    const int64_t two[] = {2}, two_by_three[] = {2, 3}, two_by_four[] = {2, 4}, unknown[] = {-1, 3};
    assert_int_equal(infer_status("scatter", 1, two, 2, two_by_three, "add"), MLS_OK);
    assert_int_equal(infer_status("scatter", 1, two, 2, unknown, "add"), MLS_OK);
    assert_int_equal(infer_status("scatter", 1, two, 2, two_by_four, "add"), MLS_ERR_OP_SHAPE);
    assert_int_equal(infer_status("scatter", 1, two, 1, two, "add"), MLS_ERR_OP_SHAPE);
    assert_int_equal(infer_status("scatter", 1, two, 2, two_by_three, "sum"), MLS_ERR_OP_ARGUMENT);
    assert_int_equal(infer_status("scatter_along_axis", 2, two_by_three, 2, two_by_three, "add"), MLS_OK);
    assert_int_equal(infer_status("scatter_along_axis", 2, two_by_four, 2, two_by_four, "add"),
                     MLS_ERR_OP_SHAPE);
    assert_int_equal(infer_status("scatter_nd", 2, two_by_three, 1, two, "add"), MLS_ERR_OP_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_of_the_definition),
        cmocka_unit_test(test_modes_in_order),
        cmocka_unit_test(test_fp16_is_accumulated_in_fp32),
        cmocka_unit_test(test_wide_slices),
        cmocka_unit_test(test_along_axis),
        cmocka_unit_test(test_along_first_axis),
        cmocka_unit_test(test_nd),
        cmocka_unit_test(test_places_outside),
        cmocka_unit_test(test_shapes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
