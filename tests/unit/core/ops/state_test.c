#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/op_case.h"

static struct mls_tensor make_state(enum mls_dtype dtype, int64_t n, void *memory)
{
    struct mls_tensor state = {.type = mls_type_tensor(dtype, 1, &n), .data = memory};
    state.type.kind = MLS_KIND_STATE;
    return state;
}

static void test_read_copies(void **state)
{
    (void)state;
    float memory[] = {1, 2, 3};
    struct mls_tensor value = make_state(MLS_FP32, 3, memory);
    struct op_case c;
    op_case_begin(&c, "read_state", 8);
    op_case_value(&c, "input", &value);
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(c.outputs[0].type.kind, MLS_KIND_TENSOR);
    memory[1] = 9; /* what was read does not follow */
    assert_true(op_case_get(&c, 0, 1) == 2);
    op_case_end(&c);
}

static void test_write_changes_the_state(void **state)
{
    (void)state;
    float memory[] = {1, 2, 3};
    struct mls_tensor value = make_state(MLS_FP32, 3, memory);
    struct op_case c;
    op_case_begin(&c, "write_state", 8);
    c.n_outputs = 0;
    op_case_value(&c, "input", &value);
    op_case_floats(&c, "data", MLS_FP32, 1, (int64_t[]){3}, (float[]){4, 5, 6});
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_true(memory[0] == 4 && memory[2] == 6);
    op_case_end(&c);
}

static void test_write_refuses_another_type(void **state)
{
    (void)state;
    float memory[] = {1, 2, 3};
    struct mls_tensor value = make_state(MLS_FP32, 3, memory);
    static const enum mls_dtype dtypes[] = {MLS_FP32, MLS_FP16};
    static const int64_t lengths[] = {2, 3};
    for (unsigned i = 0; i < 2; i++) {
        struct op_case c;
        op_case_begin(&c, "write_state", 8);
        c.n_outputs = 0;
        op_case_value(&c, "input", &value);
        op_case_floats(&c, "data", dtypes[i], 1, &lengths[i], (float[]){4, 5, 6});
        assert_int_equal(op_case_infer(&c, false), MLS_ERR_OP_SHAPE);
        op_case_end(&c);
    }
}

static void test_a_tensor_is_no_state(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "read_state", 8);
    op_case_floats(&c, "input", MLS_FP32, 0, NULL, (float[]){1});
    assert_int_equal(op_case_infer(&c, false), MLS_ERR_OP_TYPE);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_copies),
        cmocka_unit_test(test_write_changes_the_state),
        cmocka_unit_test(test_write_refuses_another_type),
        cmocka_unit_test(test_a_tensor_is_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
