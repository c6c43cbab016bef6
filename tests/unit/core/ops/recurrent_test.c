#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    assert_true(op_vectors_check(MLS_TEST_DATA "/vectors/recurrent.vec") > 10);
}

/* Inference refuses the case, and says so. */
static void refused(struct op_case *c, enum mls_status status, const char *said)
{
    assert_int_equal(op_case_infer(c, true), status);
    if (!strstr(c->error.text, said))
        fail_msg("it says: %s", c->error.text);
    op_case_end(c);
}

static void begin(struct op_case *c, const char *type, const int64_t hidden_weight[2])
{
    static const float zeros[64];
    op_case_begin(c, type, 7);
    c->n_outputs = !strcmp(type, "lstm") ? 3 : 2;
    op_case_tensor(c, "x", MLS_FP32, 3, (int64_t[]){4, 2, 3}, NULL);
    op_case_tensor(c, "initial_h", MLS_FP32, 2, (int64_t[]){2, 2}, NULL);
    op_case_floats(c, "weight_ih", MLS_FP32, 2, (int64_t[]){hidden_weight[0], 3}, zeros);
    op_case_floats(c, "weight_hh", MLS_FP32, 2, hidden_weight, zeros);
}

static void test_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct op_case c;
    begin(&c, "gru", (int64_t[]){8, 2});
    refused(&c, MLS_ERR_OP_SHAPE, "\"weight_ih\" is fp32[8,3]; it must be fp32[6,3]");
    begin(&c, "rnn", (int64_t[]){2, 2});
    op_case_text(&c, "direction", "bidirectional");
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"direction\" must be forward or reverse");
    begin(&c, "rnn", (int64_t[]){2, 2});
    op_case_text(&c, "activation", "gelu");
    refused(&c, MLS_ERR_OP_ARGUMENT, "\"activation\" must be tanh");
    begin(&c, "lstm", (int64_t[]){8, 2});
    op_case_tensor(&c, "initial_c", MLS_FP32, 2, (int64_t[]){2, 2}, NULL);
    op_case_text(&c, "direction", "bidirectional");
    refused(&c, MLS_ERR_OP_ARGUMENT, "needs weights for both ways");
    begin(&c, "lstm", (int64_t[]){8, 2});
    op_case_tensor(&c, "initial_c", MLS_FP32, 2, (int64_t[]){3, 2}, NULL);
    refused(&c, MLS_ERR_OP_SHAPE, "\"initial_c\" is fp32[3,2]; it must be fp32[2,2]");
    begin(&c, "rnn", (int64_t[]){2, 2});
    c.n_outputs = 1;
    refused(&c, MLS_ERR_PROGRAM_INVALID, "1 outputs, not 2");
}

static void test_a_computed_state_may_have_more_rows_than_the_batch(void **state)
{
    (void)state;
    struct op_case c;
    const float zeros[6] = {0};
    begin(&c, "lstm", (int64_t[]){8, 2});
    op_case_floats(&c, "initial_c", MLS_FP32, 2, (int64_t[]){3, 2}, zeros);
    assert_int_equal(op_case_infer(&c, true), MLS_OK);
    assert_int_equal(op_case_output(&c, 2)->type.dims[0], 2);
    op_case_end(&c);
    begin(&c, "lstm", (int64_t[]){8, 2});
    op_case_floats(&c, "initial_c", MLS_FP32, 2, (int64_t[]){1, 2}, zeros);
    refused(&c, MLS_ERR_OP_SHAPE, "\"initial_c\" is fp32[1,2]; it must be fp32[2,2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refuses_what_does_not_fit),
        cmocka_unit_test(test_a_computed_state_may_have_more_rows_than_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
