/* The table of operations, the checks of parameters, and the helpers that rows share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "support/op_case.h"

static void the_newest_definition_not_newer_than_the_opset_is_found(void **state)
{
    (void)state;
    assert_int_equal(mls_op_row_since(mls_op_find("cast", 5)), 5);
    assert_int_equal(mls_op_row_since(mls_op_find("cast", 6)), 5);
    assert_int_equal(mls_op_row_since(mls_op_find("cast", 7)), 7);
    assert_int_equal(mls_op_row_since(mls_op_find("cast", 9)), 7);
    assert_int_equal(mls_op_row_since(mls_op_find("add", 9)), 5);
    assert_null(mls_op_find("cast", 4));
    assert_null(mls_op_find("no_such_operation", 9));
    assert_null(mls_op_find("", 9));
}

static void rows_are_sorted_and_complete(void **state)
{
    (void)state;
    assert_true(mls_op_count() > 0 && mls_op_count() < 512);
    assert_null(mls_op_at(mls_op_count()));
    for (uint32_t i = 0; i < mls_op_count(); i++) {
        const struct mls_op_row *row = mls_op_at(i);
        assert_true(row->since >= 5 && row->since <= 9);
        assert_ptr_equal(mls_op_find(row->name, row->since), row);
        bool runs = row->flags & (MLS_OP_CONTROL | MLS_OP_CONST);
        if (!runs && (!row->infer || !row->run))
            fail_msg("%s lacks infer or run", row->name);
        for (unsigned p = 0; p + 1 < mls_op_param_count(row); p++)
            assert_int_equal(mls_op_param_index(row, row->params[p].name), (int)p);
    }
}

/* Runs the case, expects this status, and this text in the message. */
static void expect_refused(struct op_case *c, enum mls_status status, const char *text)
{
    enum mls_status got = op_case_run(c, MLS_ISA_GENERIC, 1);
    if (got != status || !strstr(c->error.text, text))
        fail_msg("%s: %s", mls_status_name(got), c->error.text);
    assert_string_equal(c->error.operation, "case");
    op_case_end(c);
}

static const float six[] = {1, 2, 3, 4, 5, 6};

static void a_missing_parameter_is_named(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "add", 5);
    op_case_floats(&c, "x", MLS_FP16, 1, (int64_t[]){6}, six);
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "parameter \"y\" is missing");
}

static void types_outside_the_definition_are_refused(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "cast", 5);
    op_case_floats(&c, "x", MLS_INT8, 1, (int64_t[]){6}, six);
    op_case_text(&c, "dtype", "fp16");
    expect_refused(&c, MLS_ERR_OP_TYPE, "parameter \"x\" is int8");
    op_case_begin(&c, "cast", 5);
    op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){6}, six);
    op_case_text(&c, "dtype", "uint8");
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "names no type");
}

static void types_of_a_domain_must_agree(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "add", 5);
    op_case_floats(&c, "x", MLS_FP16, 1, (int64_t[]){6}, six);
    op_case_floats(&c, "y", MLS_FP32, 1, (int64_t[]){6}, six);
    expect_refused(&c, MLS_ERR_OP_TYPE, "must have the same type");
    op_case_begin(&c, "elu", 5);
    op_case_floats(&c, "x", MLS_FP16, 1, (int64_t[]){6}, six);
    op_case_float(&c, "alpha", MLS_FP32, 1);
    expect_refused(&c, MLS_ERR_OP_TYPE, "must have the same type");
    op_case_begin(&c, "elu", 7); /* which has two domains */
    op_case_floats(&c, "x", MLS_FP16, 1, (int64_t[]){6}, six);
    op_case_float(&c, "alpha", MLS_FP32, 1);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    op_case_end(&c);
}

static void a_computed_constant_is_refused(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "softmax", 5);
    op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){6}, six);
    op_case_tensor(&c, "axis", MLS_INT32, 0, NULL, NULL);
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "must be a constant");
}

static void shapes_that_do_not_broadcast_are_refused(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "mul", 5);
    op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, 3}, six);
    op_case_floats(&c, "y", MLS_FP16, 1, (int64_t[]){2}, six);
    expect_refused(&c, MLS_ERR_OP_SHAPE, "fp16[2,3] and fp16[2] cannot be broadcast");
    op_case_begin(&c, "select", 5);
    op_case_floats(&c, "cond", MLS_BOOL, 1, (int64_t[]){4}, six);
    op_case_floats(&c, "a", MLS_FP16, 1, (int64_t[]){3}, six);
    op_case_floats(&c, "b", MLS_FP16, 1, (int64_t[]){1}, six);
    expect_refused(&c, MLS_ERR_OP_SHAPE, "cannot be broadcast");
}

static void wrong_axes_are_refused(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "reduce_sum", 5);
    op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, 3}, six);
    op_case_ints(&c, "axes", 1, (int32_t[]){2});
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "axis 2 lies outside the 2 dimensions");
    op_case_begin(&c, "layer_norm", 5);
    op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, 3}, six);
    op_case_ints(&c, "axes", 2, (int32_t[]){1, -1});
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "named twice");
    op_case_begin(&c, "reduce_argmax", 5);
    op_case_floats(&c, "x", MLS_FP16, 0, NULL, six);
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "axis -1 lies outside");
    op_case_begin(&c, "reduce_max", 5);
    op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, 0}, six);
    expect_refused(&c, MLS_ERR_OP_SHAPE, "is empty");
}

static void parameters_of_wrong_shape_are_refused(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "layer_norm", 5);
    op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, 3}, six);
    op_case_ints(&c, "axes", 1, (int32_t[]){1});
    op_case_floats(&c, "gamma", MLS_FP16, 1, (int64_t[]){2}, six);
    expect_refused(&c, MLS_ERR_OP_SHAPE, "parameter \"gamma\" must have shape 3, not 2");
    op_case_begin(&c, "batch_norm", 5);
    op_case_floats(&c, "x", MLS_FP16, 3, (int64_t[]){1, 2, 3}, six);
    op_case_floats(&c, "mean", MLS_FP16, 1, (int64_t[]){2}, six);
    op_case_floats(&c, "variance", MLS_FP16, 1, (int64_t[]){3}, six);
    expect_refused(&c, MLS_ERR_OP_SHAPE, "parameter \"variance\"");
    op_case_begin(&c, "prelu", 5);
    op_case_floats(&c, "x", MLS_FP16, 3, (int64_t[]){1, 2, 3}, six);
    op_case_floats(&c, "alpha", MLS_FP16, 1, (int64_t[]){3}, six);
    expect_refused(&c, MLS_ERR_OP_SHAPE, "one number per channel");
    op_case_begin(&c, "clip", 7);
    op_case_floats(&c, "x", MLS_FP16, 1, (int64_t[]){6}, six);
    op_case_float(&c, "alpha", MLS_FP16, 2);
    op_case_float(&c, "beta", MLS_FP16, 2);
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "must be smaller");
    op_case_begin(&c, "gelu", 5);
    op_case_floats(&c, "x", MLS_FP16, 1, (int64_t[]){6}, six);
    op_case_text(&c, "mode", "FAST");
    expect_refused(&c, MLS_ERR_OP_ARGUMENT, "\"mode\"");
}

/* A second output would be memory that nobody writes. */
static void another_number_of_outputs_is_refused(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3; n++) {
        struct op_case c;
        op_case_begin(&c, "relu", 5);
        op_case_floats(&c, "x", MLS_FP32, 1, (int64_t[]){2}, (float[]){1, -1});
        c.n_outputs = n;
        assert_int_equal(op_case_infer(&c, true), n == 1 ? MLS_OK : MLS_ERR_PROGRAM_INVALID);
        op_case_end(&c);
    }
}

static void unknown_dimensions_stay_unknown(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "add", 5);
    op_case_tensor(&c, "x", MLS_FP16, 3, (int64_t[]){MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN, 4}, NULL);
    op_case_tensor(&c, "y", MLS_FP16, 2, (int64_t[]){3, 1}, NULL);
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    const struct mls_type wanted = mls_type_tensor(MLS_FP16, 3, (int64_t[]){MLS_DIM_UNKNOWN, 3, 4});
    assert_true(mls_type_equal(&op_case_output(&c, 0)->type, &wanted));
    op_case_end(&c);
    op_case_begin(&c, "reduce_mean", 5);
    op_case_tensor(&c, "x", MLS_FP16, 3, (int64_t[]){2, MLS_DIM_UNKNOWN, 4}, NULL);
    op_case_ints(&c, "axes", 1, (int32_t[]){-1});
    assert_int_equal(op_case_infer(&c, false), MLS_OK);
    const struct mls_type mean = mls_type_tensor(MLS_FP16, 2, (int64_t[]){2, MLS_DIM_UNKNOWN});
    assert_true(mls_type_equal(&op_case_output(&c, 0)->type, &mean));
    op_case_end(&c);
}

static void operations_in_place_give_the_same_result(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        struct op_case c;
        op_case_begin(&c, "sub", 5);
        op_case_floats(&c, "x", MLS_FP16, 2, (int64_t[]){2, which == 0 ? 3 : 1}, six);
        if (which == 0)
            op_case_alias(&c);
        op_case_floats(&c, "y", MLS_FP16, 2, (int64_t[]){which == 0 ? 1 : 2, 3}, six);
        if (which == 1)
            op_case_alias(&c);
        assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 1), MLS_OK);
        static const double wanted[2][6] = {{0, 0, 0, 3, 3, 3}, {0, -1, -2, -2, -3, -4}};
        for (int i = 0; i < 6; i++)
            assert_true(op_case_get(&c, 0, i) == wanted[which][i]);
        op_case_end(&c);
    }
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    enum { ROWS = 40, LENGTH = 3001 };
    static float values[ROWS * LENGTH];
    uint32_t random = 1;
    for (int i = 0; i < ROWS * LENGTH; i++) {
        random = random * 1664525u + 1013904223u;
        values[i] = (float)random * 0x1p-32f - 0.3f;
    }
    static const char *const names[] = {"softmax", "layer_norm", "reduce_sum", "reduce_log_sum_exp", "gelu"};
    for (unsigned n = 0; n < sizeof names / sizeof names[0]; n++) {
        struct op_case c[2];
        for (unsigned threads = 0; threads < 2; threads++) {
            op_case_begin(&c[threads], names[n], 5);
            op_case_floats(&c[threads], "x", MLS_FP32, 2, (int64_t[]){ROWS, LENGTH}, values);
            if (mls_op_param_index(c[threads].row, "axes") >= 0)
                op_case_ints(&c[threads], "axes", 1, (int32_t[]){1});
            assert_int_equal(op_case_run(&c[threads], mls_cpu_best(), threads * 2 + 1), MLS_OK);
        }
        assert_memory_equal(op_case_output(&c[0], 0)->data, op_case_output(&c[1], 0)->data,
                            mls_type_bytes(&op_case_output(&c[0], 0)->type));
        op_case_end(&c[0]);
        op_case_end(&c[1]);
    }
}

static void a_heap_counts_and_keeps_its_limit(void **state)
{
    (void)state;
    struct mls_heap heap = {.limit_bytes = 256};
    void *first = mls_heap_alloc(&heap, 65);
    assert_non_null(first);
    assert_int_equal(heap.live_bytes, 128);
    assert_null(mls_heap_alloc(&heap, 129));
    mls_heap_free(&heap, first, 65);
    assert_int_equal(heap.live_bytes, 0);
    assert_int_equal(heap.peak_bytes, 128);
    mls_heap_free(&heap, NULL, 10);
}

static void a_list_owns_copies_of_its_elements(void **state)
{
    (void)state;
    struct mls_heap heap = {0};
    struct mls_list *list = mls_list_create(&heap, 2);
    float values[] = {1, 2, 3};
    struct mls_tensor value = {.type = mls_type_tensor(MLS_FP32, 1, (int64_t[]){3}), .data = values};
    assert_true(mls_list_set(&heap, list, 1, &value));
    values[0] = 9;
    struct mls_list *clone = mls_list_clone(&heap, list);
    assert_true(mls_list_resize(&heap, list, 20));
    assert_int_equal(list->length, 20);
    assert_null(list->elements[19].data);
    assert_true(mls_list_set(&heap, list, 1, &value));
    assert_true(((float *)list->elements[1].data)[0] == 9);
    assert_true(((float *)clone->elements[1].data)[0] == 1);
    assert_null(clone->elements[0].data);
    mls_list_free(&heap, list);
    mls_list_free(&heap, clone);
    mls_list_free(&heap, NULL);
    assert_int_equal(heap.live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_definition_not_newer_than_the_opset_is_found),
        cmocka_unit_test(rows_are_sorted_and_complete),
        cmocka_unit_test(a_missing_parameter_is_named),
        cmocka_unit_test(types_outside_the_definition_are_refused),
        cmocka_unit_test(types_of_a_domain_must_agree),
        cmocka_unit_test(a_computed_constant_is_refused),
        cmocka_unit_test(shapes_that_do_not_broadcast_are_refused),
        cmocka_unit_test(wrong_axes_are_refused),
        cmocka_unit_test(parameters_of_wrong_shape_are_refused),
        cmocka_unit_test(another_number_of_outputs_is_refused),
        cmocka_unit_test(unknown_dimensions_stay_unknown),
        cmocka_unit_test(operations_in_place_give_the_same_result),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(a_heap_counts_and_keeps_its_limit),
        cmocka_unit_test(a_list_owns_copies_of_its_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
