/* Lists: made, grown, written, read; taken over when they end, and copied when they live on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/op_case.h"

/* A list value; its elements come from `heap`. */
static struct mls_tensor make_list(struct mls_heap *heap, enum mls_dtype dtype, unsigned rank,
                                   const int64_t *dims, int64_t length, int64_t fixed_length)
{
    struct mls_tensor tensor = {.type = mls_type_tensor(dtype, rank, dims)};
    tensor.type.kind = MLS_KIND_LIST;
    tensor.type.list_length = fixed_length;
    tensor.list = mls_list_create(heap, length);
    assert_non_null(tensor.list);
    return tensor;
}

static void set_pair(struct mls_heap *heap, struct mls_tensor *list, int64_t index, float a, float b)
{
    float values[] = {a, b};
    struct mls_tensor element = {.type = mls_type_tensor(MLS_FP32, 1, (int64_t[]){2}), .data = values};
    assert_true(mls_list_set(heap, list->list, index, &element));
}

static const float *pair_of(const struct mls_tensor *list, int64_t index)
{
    return list->list->elements[index].data;
}

static void test_make_list(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "make_list", 5);
    op_case_int(&c, "init_length", 3);
    op_case_bool(&c, "dynamic_length", false);
    op_case_int(&c, "elem_shape", 2);
    op_case_text(&c, "elem_shape", "is0");
    op_case_text(&c, "dtype", "fp16");
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    const struct mls_type *type = &c.outputs[0].type;
    assert_int_equal(type->kind, MLS_KIND_LIST);
    assert_int_equal(type->dtype, MLS_FP16);
    assert_int_equal(type->rank, 2);
    assert_int_equal(type->dims[0], 2);
    assert_int_equal(type->dims[1], MLS_DIM_UNKNOWN);
    assert_int_equal(type->list_length, 3);
    assert_int_equal(c.outputs[0].list->length, 3);
    op_case_end(&c);
}

static void test_make_list_of_a_shape_vector(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "make_list", 5);
    op_case_ints(&c, "elem_shape", 2, (int32_t[]){4, 5});
    c.outputs[0].type.dtype = MLS_FP32;
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(c.outputs[0].type.rank, 2);
    assert_int_equal(c.outputs[0].type.dims[1], 5);
    assert_int_equal(c.outputs[0].type.list_length, MLS_DIM_UNKNOWN);
    assert_int_equal(c.outputs[0].list->length, 1);
    op_case_end(&c);
}

static void test_make_list_refuses_lengths_out_of_bounds(void **state)
{
    (void)state;
    static const int32_t lengths[] = {-1, INT32_MAX};
    for (unsigned i = 0; i < 2; i++) {
        struct op_case c;
        op_case_begin(&c, "make_list", 5);
        op_case_int(&c, "init_length", lengths[i]);
        assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_ERR_LIMIT);
        op_case_end(&c);
    }
}

static enum mls_status write_at(int32_t index, int64_t fixed_length, int64_t *ret_length)
{
    struct mls_heap heap = {0};
    struct mls_tensor list = make_list(&heap, MLS_FP32, 1, (int64_t[]){2}, 2, fixed_length);
    set_pair(&heap, &list, 0, 1, 2);
    struct op_case c;
    op_case_begin(&c, "list_write", 5);
    op_case_value(&c, "ls", &list);
    op_case_int(&c, "index", index);
    op_case_floats(&c, "value", MLS_FP32, 1, (int64_t[]){2}, (float[]){7, 8});
    enum mls_status status = op_case_run(&c, MLS_ISA_GENERIC, 1);
    if (status == MLS_OK) {
        assert_true(pair_of(&c.outputs[0], index)[1] == 8);
        assert_true(pair_of(&list, 0)[1] == 2); /* the input lives on */
        *ret_length = c.outputs[0].list->length;
    }
    op_case_end(&c);
    mls_list_free(&heap, list.list);
    assert_int_equal(heap.live_bytes, 0);
    return status;
}

static void test_write(void **state)
{
    (void)state;
    int64_t length = 0;
    assert_int_equal(write_at(0, MLS_DIM_UNKNOWN, &length), MLS_OK);
    assert_int_equal(length, 2);
    assert_int_equal(write_at(5, MLS_DIM_UNKNOWN, &length), MLS_OK);
    assert_int_equal(length, 6);
    assert_int_equal(write_at(1, 2, &length), MLS_OK);
    assert_int_equal(write_at(2, 2, &length), MLS_ERR_RUN_INDEX);
    assert_int_equal(write_at(-1, MLS_DIM_UNKNOWN, &length), MLS_ERR_RUN_INDEX);
    assert_int_equal(write_at(INT32_MAX, MLS_DIM_UNKNOWN, &length), MLS_ERR_RUN_INDEX);
}

static void test_a_list_that_ends_is_taken_over(void **state)
{
    (void)state;
    struct op_case c;
    struct op_case_call w;
    op_case_begin(&c, "list_write", 5);
    struct mls_tensor list = make_list(&c.heap, MLS_FP32, 1, (int64_t[]){2}, 2, MLS_DIM_UNKNOWN);
    struct mls_list *original = list.list;
    op_case_value(&c, "ls", &list);
    op_case_int(&c, "index", 1);
    op_case_floats(&c, "value", MLS_FP32, 1, (int64_t[]){2}, (float[]){7, 8});
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    op_case_wire(&c, &w);
    w.args[0].dies = true;
    struct mls_op_env env = {.heap = &c.heap, .error = &c.error};
    assert_int_equal(c.row->run(&w.call, &env), MLS_OK);
    assert_ptr_equal(c.outputs[0].list, original);
    assert_null(c.tensors[0].list);
    op_case_end(&c);
}

static void test_write_refuses_another_type(void **state)
{
    (void)state;
    struct mls_heap heap = {0};
    struct mls_tensor list = make_list(&heap, MLS_FP32, 1, (int64_t[]){2}, 2, MLS_DIM_UNKNOWN);
    struct op_case c;
    op_case_begin(&c, "list_write", 5);
    op_case_value(&c, "ls", &list);
    op_case_int(&c, "index", 0);
    op_case_floats(&c, "value", MLS_FP32, 1, (int64_t[]){3}, (float[]){7, 8, 9});
    assert_int_equal(op_case_infer(&c, false), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
    mls_list_free(&heap, list.list);
}

static enum mls_status read_at(int32_t index, const int64_t *dims, float *ret)
{
    struct mls_heap heap = {0};
    struct mls_tensor list = make_list(&heap, MLS_FP32, 1, dims, 3, MLS_DIM_UNKNOWN);
    set_pair(&heap, &list, 1, 5, 6);
    struct op_case c;
    op_case_begin(&c, "list_read", 5);
    op_case_value(&c, "ls", &list);
    op_case_int(&c, "index", index);
    enum mls_status status = op_case_infer(&c, true);
    if (status == MLS_OK)
        status = op_case_run(&c, MLS_ISA_GENERIC, 1);
    for (int i = 0; status == MLS_OK && i < 2; i++)
        ret[i] = (float)op_case_get(&c, 0, i);
    if (!c.outputs[0].data) /* the case ended before it had outputs */
        c.n_outputs = 0;
    op_case_end(&c);
    mls_list_free(&heap, list.list);
    return status;
}

static void test_read(void **state)
{
    (void)state;
    static const int64_t two = 2, unknown = MLS_DIM_UNKNOWN, three = 3;
    float pair[2];
    assert_int_equal(read_at(1, &two, pair), MLS_OK);
    assert_true(pair[0] == 5 && pair[1] == 6);
    assert_int_equal(read_at(1, &unknown, pair), MLS_OK);
    assert_true(pair[0] == 5 && pair[1] == 6);
    assert_int_equal(read_at(3, &two, pair), MLS_ERR_RUN_INDEX);
    assert_int_equal(read_at(-1, &two, pair), MLS_ERR_RUN_INDEX);
    assert_int_equal(read_at(1, &three, pair), MLS_ERR_RUN_SHAPE);
}

static void test_what_was_never_written_reads_as_zeros(void **state)
{
    (void)state;
    static const int64_t two = 2, unknown = MLS_DIM_UNKNOWN;
    float pair[] = {1, 1};
    assert_int_equal(read_at(0, &two, pair), MLS_OK);
    assert_true(pair[0] == 0 && pair[1] == 0);
    pair[0] = 1;
    assert_int_equal(read_at(2, &unknown, pair), MLS_OK);
    assert_true(pair[0] == 0 && pair[1] == 0);
}

static void test_length(void **state)
{
    (void)state;
    struct mls_heap heap = {0};
    struct mls_tensor list = make_list(&heap, MLS_FP32, 1, (int64_t[]){2}, 3, MLS_DIM_UNKNOWN);
    struct op_case c;
    op_case_begin(&c, "list_length", 5);
    op_case_value(&c, "ls", &list);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_true(op_case_get(&c, 0, 0) == 3);
    op_case_end(&c);
    mls_list_free(&heap, list.list);
}

static void test_scatter_then_gather(void **state)
{
    (void)state;
    struct mls_heap heap = {0};
    struct mls_tensor list = make_list(&heap, MLS_FP32, 1, (int64_t[]){2}, 1, MLS_DIM_UNKNOWN);
    struct op_case scatter, gather;
    op_case_begin(&scatter, "list_scatter", 5);
    op_case_value(&scatter, "ls", &list);
    op_case_ints(&scatter, "indices", 2, (int32_t[]){3, 0});
    op_case_floats(&scatter, "value", MLS_FP32, 2, (int64_t[]){2, 2}, (float[]){1, 2, 3, 4});
    assert_int_equal(op_case_run(&scatter, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(scatter.outputs[0].list->length, 4);
    op_case_begin(&gather, "list_gather", 5);
    op_case_value(&gather, "ls", &scatter.outputs[0]);
    op_case_ints(&gather, "indices", 3, (int32_t[]){0, 3, 2});
    assert_int_equal(op_case_run(&gather, MLS_ISA_GENERIC, 1), MLS_OK);
    static const double expected[] = {3, 4, 1, 2, 0, 0};
    assert_int_equal(gather.outputs[0].type.rank, 2);
    for (int i = 0; i < 6; i++)
        assert_true(op_case_get(&gather, 0, i) == expected[i]);
    op_case_end(&gather);
    op_case_end(&scatter);
    mls_list_free(&heap, list.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_list),
        cmocka_unit_test(test_make_list_of_a_shape_vector),
        cmocka_unit_test(test_make_list_refuses_lengths_out_of_bounds),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_a_list_that_ends_is_taken_over),
        cmocka_unit_test(test_write_refuses_another_type),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_what_was_never_written_reads_as_zeros),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_scatter_then_gather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
