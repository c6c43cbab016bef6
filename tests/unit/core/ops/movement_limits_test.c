/* What data movement refuses, what it says, and what it infers before the run knows everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_case.h"

static const float numbers[64] = {3,  1,  2,  5,  4,  9,  8,  7,  6,  0,  11, 10,
                                  15, 14, 13, 12, 19, 18, 17, 16, 20, 21, 23, 22};

/* An operation whose x is fp32[2, 3, 4]. */
static void begin(struct op_case *c, const char *op, uint32_t opset, const char *x)
{
    op_case_begin(c, op, opset);
    op_case_floats(c, x, MLS_FP32, 3, (int64_t[]){2, 3, 4}, numbers);
}

static void end_refused(struct op_case *c, enum mls_status status, const char *reason)
{
    assert_int_equal(op_case_run(c, MLS_ISA_GENERIC, 1), status);
    if (!strstr(c->error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", c->error.text, reason);
    assert_non_null(strstr(c->error.text, c->row->name));
    assert_string_equal(c->error.operation, "case");
    op_case_end(c);
}

static void test_reshape_refuses_other_sizes(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "reshape", 5, "x");
    op_case_ints(&c, "shape", 2, (int32_t[]){5, 5});
    end_refused(&c, MLS_ERR_OP_SHAPE, "fp32[2,3,4] cannot be reshaped to fp32[5,5]");
    begin(&c, "reshape", 5, "x");
    op_case_ints(&c, "shape", 2, (int32_t[]){-1, 7});
    end_refused(&c, MLS_ERR_OP_SHAPE, "cannot be reshaped");
    begin(&c, "reshape", 5, "x");
    op_case_ints(&c, "shape", 3, (int32_t[]){-1, -1, 2});
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "dimension 1 of shape is -1");
    begin(&c, "reshape", 5, "x");
    op_case_ints(&c, "shape", 4, (int32_t[]){INT32_MAX, INT32_MAX, INT32_MAX, 8});
    end_refused(&c, MLS_ERR_OP_SHAPE, "cannot be reshaped");
}

static void test_axes_outside_the_rank_are_refused(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "transpose", 5, "x");
    op_case_ints(&c, "perm", 3, (int32_t[]){0, 1, 1});
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "perm is no permutation");
    begin(&c, "expand_dims", 5, "x");
    op_case_ints(&c, "axes", 1, (int32_t[]){4});
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "axis 4 is no new dimension");
    begin(&c, "squeeze", 5, "x");
    op_case_ints(&c, "axes", 1, (int32_t[]){-4});
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "axis -4 lies outside a tensor of rank 3");
    begin(&c, "concat", 5, "values");
    op_case_int(&c, "axis", 3);
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "axis 3 lies outside");
    begin(&c, "topk", 5, "x");
    op_case_int(&c, "k", 5);
    c.n_outputs = 2;
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "k is 5 for 4 elements");
}

static void test_parts_must_fit(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "split", 5, "x");
    op_case_ints(&c, "split_sizes", 2, (int32_t[]){1, 1});
    op_case_int(&c, "axis", 1);
    c.n_outputs = 2;
    end_refused(&c, MLS_ERR_OP_SHAPE, "3 elements along the axis do not make its 2 outputs");
    begin(&c, "split", 5, "x");
    op_case_int(&c, "num_splits", 2);
    op_case_int(&c, "axis", 1);
    c.n_outputs = 2;
    end_refused(&c, MLS_ERR_OP_SHAPE, "do not make its 2 outputs");
    begin(&c, "concat", 5, "values");
    op_case_floats(&c, "values", MLS_FP32, 3, (int64_t[]){2, 2, 5}, numbers);
    op_case_int(&c, "axis", 1);
    end_refused(&c, MLS_ERR_OP_SHAPE, "value 1 is fp32[2,2,5], which does not go with fp32[2,3,4]");
    begin(&c, "slice_by_index", 5, "x");
    op_case_ints(&c, "begin", 2, (int32_t[]){0, 0});
    op_case_ints(&c, "end", 3, (int32_t[]){1, 1, 1});
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "begin has not the 3 elements of the rank");
    begin(&c, "slice_by_size", 5, "x");
    op_case_ints(&c, "begin", 3, (int32_t[]){0, 2, 0});
    op_case_ints(&c, "size", 3, (int32_t[]){1, 2, 1});
    end_refused(&c, MLS_ERR_OP_ARGUMENT, "do not lie in dimension 1 of 3 elements");
    begin(&c, "pad", 5, "x");
    op_case_ints(&c, "pad", 2, (int32_t[]){4, 0});
    op_case_text(&c, "mode", "reflect");
    end_refused(&c, MLS_ERR_OP_SHAPE, "cannot be mirrored from the 4 of dimension 2");
}

static void gather_refused(const char *op, uint32_t opset, int32_t index, const char *validate)
{
    struct op_case c;
    begin(&c, op, opset, "x");
    if (!strcmp(op, "gather_along_axis"))
        op_case_floats(&c, "indices", MLS_INT32, 3, (int64_t[]){1, 3, 4},
                       (float[12]){0, 1, 0, 1, (float)index});
    else
        op_case_ints(&c, "indices", 1, &index);
    if (validate)
        op_case_bool(&c, validate, true);
    end_refused(&c, MLS_ERR_RUN_INDEX, "lies outside the 2 elements");
}

static void test_indices_are_checked_before_they_are_used(void **state)
{
    (void)state;
    static const char *const ops[] = {"gather", "gather_nd", "gather_along_axis"};
    for (unsigned i = 0; i < 3; i++) {
        gather_refused(ops[i], 5, 2, NULL);
        gather_refused(ops[i], 6, -3, NULL);
        gather_refused(ops[i], 7, 2, "validate_indices");
        gather_refused(ops[i], 7, -1, "validate_indices");
    }
}

static void test_lengths_of_sequences_are_checked(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "reverse_sequence", 5, "x");
    op_case_ints(&c, "lengths", 2, (int32_t[]){1, 4});
    op_case_int(&c, "seq_axis", 1);
    end_refused(&c, MLS_ERR_RUN_INDEX, "length 4 of sequence 1 is not in [0, 3]");
}

static void test_box_indices_are_checked(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "crop_resize", 7);
    op_case_floats(&c, "x", MLS_FP32, 4, (int64_t[]){2, 1, 3, 4}, numbers);
    op_case_floats(&c, "boxes", MLS_FP32, 2, (int64_t[]){1, 4}, numbers);
    op_case_ints(&c, "box_indices", 1, (int32_t[]){2});
    end_refused(&c, MLS_ERR_RUN_INDEX, "box 0 is of image 2, but there are 2 images");
}

/* Before the run, a computed shape is unknown but its length is not. */
static void test_computed_shapes_stay_unknown_until_the_run(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "reshape", 5, "x");
    op_case_ints(&c, "shape", 2, (int32_t[]){-1, 4});
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.rank, 2);
    assert_int_equal(op_case_output(&c, 0)->type.dims[1], MLS_DIM_UNKNOWN);
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dims[0], 6);
    op_case_end(&c);

    op_case_begin(&c, "range_1d", 5);
    op_case_int(&c, "start", 0);
    op_case_int(&c, "end", 5);
    op_case_int(&c, "step", 2);
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dims[0], MLS_DIM_UNKNOWN);
    op_case_end(&c);
}

static void test_unknown_dimensions_pass_through(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "slice_by_index", 5);
    op_case_tensor(&c, "x", MLS_FP32, 2, (int64_t[]){MLS_DIM_UNKNOWN, 6}, NULL);
    op_case_ints(&c, "begin", 2, (int32_t[]){0, 1});
    op_case_ints(&c, "end", 2, (int32_t[]){2, -1});
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dims[0], MLS_DIM_UNKNOWN);
    assert_int_equal(op_case_output(&c, 0)->type.dims[1], 4);
    op_case_end(&c);

    op_case_begin(&c, "concat", 5);
    op_case_tensor(&c, "values", MLS_FP32, 2, (int64_t[]){MLS_DIM_UNKNOWN, 6}, NULL);
    op_case_tensor(&c, "values", MLS_FP32, 2, (int64_t[]){3, 6}, NULL);
    op_case_int(&c, "axis", 1);
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dims[0], MLS_DIM_UNKNOWN);
    assert_int_equal(op_case_output(&c, 0)->type.dims[1], 12);
    op_case_end(&c);
}

static void test_a_view_may_lie_on_its_input(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "flatten2d", 5, "x");
    op_case_alias(&c);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_string_equal(c.kernel, "view");
    assert_true(op_case_get(&c, 0, 5) == 9);
    op_case_end(&c);
}

static void test_identity_passes_strings(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "identity", 5);
    op_case_text(&c, "x", "a label");
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    const struct mls_text *text = op_case_output(&c, 0)->data;
    assert_int_equal(text->length_bytes, 7);
    assert_memory_equal(text->bytes, "a label", 7);
    op_case_end(&c);
}

static void test_empty_tensors_move_nothing(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "transpose", 5);
    op_case_floats(&c, "x", MLS_FP16, 3, (int64_t[]){2, 0, 4}, numbers);
    op_case_ints(&c, "perm", 3, (int32_t[]){2, 0, 1});
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(op_case_output(&c, 0)->type.dims[0], 4);
    op_case_end(&c);
    op_case_begin(&c, "gather", 5);
    op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){0}, numbers);
    op_case_ints(&c, "indices", 1, (int32_t[]){0});
    end_refused(&c, MLS_ERR_RUN_INDEX, "index 0 lies outside the 0 elements");
}

/* Sizes of scratch and checks of bounds need the input's type: the result stays open until it is known. */
static void test_results_are_not_static_before_their_inputs(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "topk", 5);
    op_case_tensor(&c, "x", MLS_FP32, 1, (int64_t[]){MLS_DIM_UNKNOWN}, NULL);
    op_case_int(&c, "k", 3);
    c.n_outputs = 2;
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    assert_false(mls_type_is_static(&op_case_output(&c, 0)->type));
    assert_false(mls_type_is_static(&op_case_output(&c, 1)->type));
    op_case_end(&c);

    op_case_begin(&c, "resize_nearest_neighbor", 5);
    op_case_tensor(&c, "x", MLS_FP32, 3, (int64_t[]){1, MLS_DIM_UNKNOWN, 4}, NULL);
    op_case_int(&c, "target_size_height", 3);
    op_case_int(&c, "target_size_width", 3);
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    assert_false(mls_type_is_static(&op_case_output(&c, 0)->type));
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reshape_refuses_other_sizes),
        cmocka_unit_test(test_axes_outside_the_rank_are_refused),
        cmocka_unit_test(test_parts_must_fit),
        cmocka_unit_test(test_indices_are_checked_before_they_are_used),
        cmocka_unit_test(test_lengths_of_sequences_are_checked),
        cmocka_unit_test(test_box_indices_are_checked),
        cmocka_unit_test(test_computed_shapes_stay_unknown_until_the_run),
        cmocka_unit_test(test_unknown_dimensions_pass_through),
        cmocka_unit_test(test_results_are_not_static_before_their_inputs),
        cmocka_unit_test(test_a_view_may_lie_on_its_input),
        cmocka_unit_test(test_identity_passes_strings),
        cmocka_unit_test(test_empty_tensors_move_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
