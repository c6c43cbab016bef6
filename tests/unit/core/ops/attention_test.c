#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    assert_true(op_vectors_check(MLS_TEST_DATA "/vectors/attention.vec") > 10);
}

/* Inference refuses the case, and says so. */
static void refused(struct op_case *c, enum mls_status status, const char *said)
{
    assert_int_equal(op_case_infer(c, true), status);
    if (!strstr(c->error.text, said))
        fail_msg("it says: %s", c->error.text);
    op_case_end(c);
}

static void begin(struct op_case *c, const int64_t query[3], const int64_t key[3], const int64_t value[3])
{
    op_case_begin(c, "scaled_dot_product_attention", 8);
    op_case_tensor(c, "query", MLS_FP32, 3, query, NULL);
    op_case_tensor(c, "key", MLS_FP32, 3, key, NULL);
    op_case_tensor(c, "value", MLS_FP32, 3, value, NULL);
}

static void test_refuses_shapes_that_do_not_fit(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, (int64_t[]){2, 3, 4}, (int64_t[]){1, 5, 4}, (int64_t[]){2, 5, 6});
    refused(&c, MLS_ERR_OP_SHAPE, "differ in batch dimension 0");
    begin(&c, (int64_t[]){2, 3, 4}, (int64_t[]){2, 5, 3}, (int64_t[]){2, 5, 6});
    refused(&c, MLS_ERR_OP_SHAPE, "query has 4 columns, but key has 3");
    begin(&c, (int64_t[]){2, 3, 4}, (int64_t[]){2, 5, 4}, (int64_t[]){2, 6, 6});
    refused(&c, MLS_ERR_OP_SHAPE, "key has 5 rows, but value has 6");
    begin(&c, (int64_t[]){2, 3, 4}, (int64_t[]){2, 5, 4}, (int64_t[]){2, 5, 6});
    op_case_tensor(&c, "attn_mask", MLS_FP32, 2, (int64_t[]){2, 5}, NULL);
    refused(&c, MLS_ERR_OP_SHAPE, "attn_mask, fp32[2,5], cannot be broadcast");
}

static void test_a_query_without_keys_left_is_nan(void **state)
{
    (void)state;
    struct op_case c;
    op_case_begin(&c, "scaled_dot_product_attention", 8);
    op_case_floats(&c, "query", MLS_FP32, 3, (int64_t[]){1, 2, 1}, (float[]){1, 1});
    op_case_floats(&c, "key", MLS_FP32, 3, (int64_t[]){1, 2, 1}, (float[]){1, 1});
    op_case_floats(&c, "value", MLS_FP32, 3, (int64_t[]){1, 2, 1}, (float[]){3, 5});
    op_case_tensor(&c, "attn_mask", MLS_BOOL, 2, (int64_t[]){2, 2}, (uint8_t[]){0, 0, 0, 1});
    assert_int_equal(op_case_run(&c, MLS_ISA_AVX512, 1), MLS_OK);
    assert_true(isnan(op_case_get(&c, 0, 0)));
    assert_true(op_case_get(&c, 0, 1) == 5);
    op_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refuses_shapes_that_do_not_fit),
        cmocka_unit_test(test_a_query_without_keys_left_is_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
