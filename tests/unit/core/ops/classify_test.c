#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "support/op_case.h"

/* A constant list, as the format reader makes it: elements one after the other. */
static struct mls_tensor constant_list(enum mls_dtype dtype, int64_t n, void *elements)
{
    struct mls_tensor list = {.type = mls_type_tensor(dtype, 0, NULL), .data = elements};
    list.type.kind = MLS_KIND_LIST;
    list.type.list_length = n;
    return list;
}

static void begin(struct op_case *c, const struct mls_tensor *classes, int64_t n, const float *probabilities)
{
    op_case_begin(c, "classify", 5);
    c->n_outputs = 2;
    op_case_floats(c, "probabilities", MLS_FP32, 2, (int64_t[]){1, n}, probabilities);
    op_case_value(c, "classes", classes);
}

static void test_labels_of_text(void **state)
{
    (void)state;
    struct mls_text names[] = {{"cat", 3}, {"dog", 3}, {"horse", 5}};
    struct mls_tensor classes = constant_list(MLS_TEXT, 3, names);
    struct op_case c;
    begin(&c, &classes, 3, (float[]){0.2f, 0.3f, 0.5f});
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    const struct mls_text *label = c.outputs[0].data;
    assert_int_equal(label->length_bytes, 5);
    assert_memory_equal(label->bytes, "horse", 5);
    assert_int_equal(c.outputs[1].type.kind, MLS_KIND_DICTIONARY);
    assert_int_equal(c.outputs[1].type.key_dtype, MLS_TEXT);
    assert_int_equal(c.outputs[1].type.dims[0], 3);
    assert_int_equal(c.outputs[1].keys->type.rank, 1);
    assert_int_equal(c.outputs[1].keys->type.dims[0], 3);
    assert_ptr_equal(c.outputs[1].keys->data, names);
    assert_true(op_case_get(&c, 1, 1) == (double)0.3f);
    op_case_end(&c);
}

static void test_labels_of_integers(void **state)
{
    (void)state;
    int64_t numbers[] = {10, 20, 30};
    struct mls_tensor classes = constant_list(MLS_INT64, 3, numbers);
    struct op_case c;
    begin(&c, &classes, 3, (float[]){NAN, 0.5f, 0.5f}); /* the first of equals; NaN is never the greatest */
    assert_int_equal(op_case_run(&c, MLS_ISA_GENERIC, 1), MLS_OK);
    assert_int_equal(c.outputs[0].type.dtype, MLS_INT64);
    assert_int_equal(*(int64_t *)c.outputs[0].data, 20);
    op_case_end(&c);
}

static void test_numbers_must_agree(void **state)
{
    (void)state;
    int64_t numbers[] = {10, 20, 30};
    struct mls_tensor classes = constant_list(MLS_INT64, 2, numbers);
    struct op_case c;
    begin(&c, &classes, 3, (float[]){0, 1, 2});
    /* a list constant's data is known from the beginning */
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_SHAPE);
    op_case_end(&c);
    classes = constant_list(MLS_INT64, 0, NULL);
    begin(&c, &classes, 0, NULL);
    assert_int_equal(op_case_infer(&c, true), MLS_ERR_OP_ARGUMENT);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_of_text),
        cmocka_unit_test(test_labels_of_integers),
        cmocka_unit_test(test_numbers_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
