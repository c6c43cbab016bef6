/* Operations that only layers of networks use. The numbers are those of NumPy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_case.h"

static const float numbers[48] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
                                  32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47};

static void begin(struct op_case *c, const char *op, unsigned rank, const int64_t *dims)
{
    op_case_begin(c, op, 6);
    op_case_floats(c, "x", MLS_FP32, rank, dims, numbers);
}

static void end_shape(struct op_case *c, unsigned rank, const int64_t *dims)
{
    assert_int_equal(op_case_run(c, MLS_ISA_GENERIC, 1), MLS_OK);
    struct mls_type wanted = mls_type_tensor(MLS_FP32, rank, dims);
    char text[96], other[96];
    if (!mls_type_equal(&op_case_output(c, 0)->type, &wanted))
        fail_msg("%s, not %s", mls_type_format(&op_case_output(c, 0)->type, text, sizeof text),
                 mls_type_format(&wanted, other, sizeof other));
    op_case_end(c);
}

static void end_values(struct op_case *c, size_t n, const float *wanted)
{
    assert_int_equal(op_case_run(c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(mls_type_elems(&op_case_output(c, 0)->type), n);
    for (size_t i = 0; i < n; i++)
        assert_float_equal((float)op_case_get(c, 0, (int64_t)i), wanted[i], 1e-6f);
    op_case_end(c);
}

static void end_refused(struct op_case *c, enum mls_status status)
{
    assert_int_equal(op_case_run(c, MLS_ISA_GENERIC, 1), status);
    op_case_end(c);
}

static void collapsing_keeps_what_is_in_front(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "nn_collapse", 4, (int64_t[]){2, 2, 3, 4});
    op_case_int(&c, "axis", 1);
    op_case_int(&c, "n_ones", 2);
    end_shape(&c, 4, (int64_t[]){2, 24, 1, 1});
    begin(&c, "nn_collapse", 1, (int64_t[]){4});
    op_case_int(&c, "axis", 2);
    op_case_int(&c, "n_ones", 0);
    end_refused(&c, MLS_ERR_OP_SHAPE);
}

static void batches_are_joined_and_divided_again(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "nn_batch", 5, (int64_t[]){2, 2, 3, 2, 2});
    end_shape(&c, 4, (int64_t[]){4, 3, 2, 2});
    begin(&c, "nn_batch", 3, (int64_t[]){3, 4, 4});
    end_shape(&c, 4, (int64_t[]){1, 3, 4, 4});
    begin(&c, "nn_unbatch", 4, (int64_t[]){4, 3, 2, 2});
    op_case_floats(&c, "like", MLS_FP32, 5, (int64_t[]){2, 2, 1, 1, 1}, numbers);
    end_shape(&c, 5, (int64_t[]){2, 2, 3, 2, 2});
    begin(&c, "nn_unbatch", 4, (int64_t[]){4, 3, 2, 2});
    op_case_floats(&c, "like", MLS_FP32, 5, (int64_t[]){2, 3, 1, 1, 1}, numbers);
    end_refused(&c, MLS_ERR_OP_SHAPE);
}

static void unmap(struct op_case *c, unsigned rank, const int64_t *dims, int64_t n, const int32_t *stated,
                  bool mapped)
{
    begin(c, "nn_unmap", rank, dims);
    op_case_ints(c, "shape", n, stated);
    op_case_bool(c, "mapped", mapped);
}

static void outputs_have_the_shape_that_is_stated(void **state)
{
    (void)state;
    struct op_case c;
    unmap(&c, 4, (int64_t[]){1, 3, 4, 4}, 3, (int32_t[]){3, 4, 4}, false);
    end_shape(&c, 3, (int64_t[]){3, 4, 4});
    unmap(&c, 4, (int64_t[]){1, 3, 4, 4}, 3, (int32_t[]){3, 4, 5}, false);
    end_shape(&c, 4, (int64_t[]){1, 3, 4, 4});
    unmap(&c, 4, (int64_t[]){1, 8, 1, 1}, 1, (int32_t[]){8}, true);
    end_shape(&c, 1, (int64_t[]){8});
    unmap(&c, 4, (int64_t[]){1, 3, 4, 4}, 0, NULL, true);
    end_shape(&c, 3, (int64_t[]){3, 4, 4});
    unmap(&c, 4, (int64_t[]){2, 8, 1, 1}, 0, NULL, true);
    end_shape(&c, 5, (int64_t[]){2, 1, 8, 1, 1});
}

static void one_dimension_is_never_squeezed(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "nn_squeeze_all", 4, (int64_t[]){1, 3, 1, 4});
    end_shape(&c, 2, (int64_t[]){3, 4});
    begin(&c, "nn_squeeze_all", 3, (int64_t[]){1, 1, 1});
    end_shape(&c, 1, (int64_t[]){1});
}

static void reshaping_takes_the_shape_of_another(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "nn_reshape_like", 2, (int64_t[]){4, 6});
    op_case_floats(&c, "like", MLS_FP32, 3, (int64_t[]){2, 3, 4}, numbers);
    end_shape(&c, 3, (int64_t[]){2, 3, 4});
    begin(&c, "nn_reshape_like", 2, (int64_t[]){4, 6});
    op_case_floats(&c, "like", MLS_FP32, 2, (int64_t[]){5, 5}, numbers);
    end_refused(&c, MLS_ERR_OP_SHAPE);
}

static void crop(struct op_case *c, int32_t top, int32_t left)
{
    begin(c, "nn_crop_like", 3, (int64_t[]){1, 4, 5});
    op_case_floats(c, "like", MLS_FP32, 3, (int64_t[]){2, 2, 3}, numbers);
    op_case_ints(c, "offset", 2, (int32_t[]){top, left});
}

static void cropping_goes_by_another_blob(void **state)
{
    (void)state;
    struct op_case c;
    crop(&c, 1, 2);
    end_values(&c, 6, (float[]){7, 8, 9, 12, 13, 14});
    crop(&c, 3, 0);
    end_refused(&c, MLS_ERR_OP_SHAPE);
    crop(&c, INT32_MAX, 0);
    end_refused(&c, MLS_ERR_OP_SHAPE);
}

static void pad_to(struct op_case *c, const int32_t *sizes, int64_t n)
{
    begin(c, "nn_pad_to", 2, (int64_t[]){2, 3});
    op_case_ints(c, "pad", n, sizes);
    op_case_float(c, "constant_val", MLS_FP32, 9);
}

static void padding_reaches_a_size(void **state)
{
    (void)state;
    struct op_case c;
    pad_to(&c, (int32_t[]){3, 0, 0, 4}, 4);
    end_values(&c, 12, (float[]){9, 9, 9, 9, 0, 1, 2, 9, 3, 4, 5, 9});
    pad_to(&c, (int32_t[]){0, 0, 0, 2}, 4);
    end_refused(&c, MLS_ERR_OP_SHAPE);
    pad_to(&c, (int32_t[]){3, 0}, 2);
    end_refused(&c, MLS_ERR_OP_ARGUMENT);
}

static void reflection_goes_to_and_fro(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "pad", 2, (int64_t[]){1, 3});
    op_case_ints(&c, "pad", 2, (int32_t[]){5, 4});
    op_case_text(&c, "mode", "nn_reflect");
    end_values(&c, 12, (float[]){1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2});
}

static void arcs_are_those_of_the_library(void **state)
{
    (void)state;
    struct op_case c;
    const float x[3] = {-1, 0.5f, 2}, y[3] = {1, 2, 3};
    op_case_begin(&c, "nn_asinh", 6);
    op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){3}, x);
    end_values(&c, 3, (float[]){-0.88137358f, 0.48121183f, 1.4436355f});
    op_case_begin(&c, "nn_acosh", 6);
    op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){3}, y);
    end_values(&c, 3, (float[]){0, 1.3169579f, 1.7627472f});
}

static void truth_is_more_than_a_millionth(void **state)
{
    (void)state;
    static const struct {
        float value;
        bool truth;
    } cases[] = {{0, false}, {1e-7f, false}, {2e-6f, true}, {-1, true}, {1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct op_case c;
        op_case_begin(&c, "nn_truth", 6);
        op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){1}, &cases[i].value);
        assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
        assert_int_equal((int)op_case_get(&c, 0, 0), cases[i].truth);
        op_case_end(&c);
    }
    struct op_case c;
    op_case_begin(&c, "nn_truth", 6);
    op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){0}, numbers);
    end_refused(&c, MLS_ERR_OP_SHAPE);
}

static void codes(struct op_case *c, enum mls_dtype dtype, int32_t axis, int64_t n_scales)
{
    const float values[6] = {0, 1, 2, 127, 4, 5}, scale[2] = {0.5f, 2}, bias[1] = {-1};
    op_case_begin(c, "constexpr_nn_linear", 6);
    op_case_floats(c, "codes", dtype, 2, (int64_t[]){2, 3}, values);
    op_case_floats(c, "scale", MLS_FP32, 1, &n_scales, scale);
    op_case_floats(c, "bias", MLS_FP32, 1, (int64_t[]){1}, bias);
    op_case_int(c, "axis", axis);
}

static void codes_have_a_scale_a_channel(void **state)
{
    (void)state;
    struct op_case c;
    codes(&c, MLS_UINT8, 0, 2);
    end_values(&c, 6, (float[]){-1, -0.5f, 0, 253, 7, 9});
    codes(&c, MLS_INT8, 1, 1);
    end_values(&c, 6, (float[]){-1, -0.5f, 0, 62.5f, 1, 1.5f});
    codes(&c, MLS_UINT8, 1, 2);
    end_refused(&c, MLS_ERR_OP_SHAPE);
    codes(&c, MLS_UINT8, 2, 1);
    end_refused(&c, MLS_ERR_OP_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collapsing_keeps_what_is_in_front),
        cmocka_unit_test(batches_are_joined_and_divided_again),
        cmocka_unit_test(outputs_have_the_shape_that_is_stated),
        cmocka_unit_test(one_dimension_is_never_squeezed),
        cmocka_unit_test(reshaping_takes_the_shape_of_another),
        cmocka_unit_test(cropping_goes_by_another_blob),
        cmocka_unit_test(padding_reaches_a_size),
        cmocka_unit_test(reflection_goes_to_and_fro),
        cmocka_unit_test(arcs_are_those_of_the_library),
        cmocka_unit_test(truth_is_more_than_a_millionth),
        cmocka_unit_test(codes_have_a_scale_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
