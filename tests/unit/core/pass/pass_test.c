/* pass_test.c: what each pass touches, that it can be left out, and that results stay the same within roundings. The numbers
 * themselves are compared with NumPy's by tests/parity. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/opened.h"

#include "base/fp16.h"
#include "core/pass.h"


struct pass_case {
    const char *pass;
    const char *name; /* of the case */
    uint32_t touched;
    double snr_db;
};

static const struct pass_case cases[] = {
    {"attention", "pass_attention", 14, 110},
    {"attention", "pass_attention_fp16", 14, 50},
    {"attention", "pass_attention_heads", 4, 110},
    {"activations", "pass_activations", 28, 110},
    {"scales", "pass_scales", 6, 110},
    {"scales", "pass_scales_fp16", 6, 50},
    {"casts", "pass_exact", 1, (double)INFINITY},
    {"moves", "pass_exact", 6, (double)INFINITY},
    {"pads", "pass_exact", 1, (double)INFINITY},
    {"bytes", "pass_bytes", 13, 55},
    {"places", "pass_places", 10, (double)INFINITY},
    {"elementwise", "fusion", 6, (double)INFINITY},
    {"elementwise", "fusion_fp16", 6, (double)INFINITY},
};

static struct opened opened_without(const char *name, int pass)
{
    struct mls_session_options options = {.threads = 2, .passes_off = pass < 0 ? 0 : (uint64_t)1 << pass};
    struct opened opened = opened_create(name, &options);
    if (mls_run_predict(opened.run, NULL, NULL, &opened.error))
        fail_msg("%s: %s", name, opened.error.text);
    return opened;
}

static double element(const struct mls_tensor *tensor, size_t i)
{
    if (tensor->type.dtype == MLS_FP16)
        return (double)mls_fp16_to_fp32(((const uint16_t *)tensor->data)[i]);
    return tensor->type.dtype == MLS_FP32 ? (double)((const float *)tensor->data)[i] : (double)((const int32_t *)tensor->data)[i];
}

static double snr_db(const struct mls_tensor *wanted, const struct mls_tensor *got)
{
    double signal = 0, noise = 0;
    assert_true(mls_type_equal(&wanted->type, &got->type));
    for (size_t i = 0; i < (size_t)mls_type_elems(&wanted->type); i++) {
        double difference = element(wanted, i) - element(got, i);
        signal += element(wanted, i) * element(wanted, i);
        noise += difference * difference;
    }
    return noise > 0 ? 10 * log10(signal / noise) : (double)INFINITY;
}

static void each_pass_touches_what_it_is_for_and_keeps_results(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct pass_case *expected = &cases[i];
        int pass = mls_pass_find(expected->pass);
        struct opened with = opened_without(expected->name, -1), without = opened_without(expected->name, pass);
        uint32_t touched = mls_plan_pass_touched(with.plan, (uint32_t)pass);
        if (touched != expected->touched)
            fail_msg("%s touches %u operations of %s, not %u", expected->pass, touched, expected->name, expected->touched);
        assert_int_equal(mls_plan_pass_touched(without.plan, (uint32_t)pass), 0);
        for (size_t j = 0; j < mls_session_interface(with.session)->n_outputs; j++) {
            double snr = snr_db(mls_run_output(without.run, j), mls_run_output(with.run, j));
            if (!(snr >= expected->snr_db))
                fail_msg("%s without %s: output %zu at %.1f dB", expected->name, expected->pass, j, snr);
        }
        opened_close(&with);
        opened_close(&without);
    }
}

/* The step that an operation is part of. */
static const struct mls_step *step_of(const struct opened *opened, const char *operation)
{
    for (size_t i = 0; i < mls_plan_step_count(opened->plan); i++) {
        const struct mls_step *step = mls_plan_step(opened->plan, i);
        for (uint32_t j = 0; j < step->n_fused; j++)
            if (!strcmp(opened->model->program.ops[step->fused[j].i].name, operation))
                return step;
    }
    fail_msg("%s is part of no step", operation);
    return NULL;
}

static void assert_same_step(const struct opened *opened, const char *operation, const char *other)
{
    if (step_of(opened, operation) != step_of(opened, other))
        fail_msg("%s and %s are not done by one step", operation, other);
}

static void steps_stand_for_the_operations_that_they_took_in(void **state)
{
    (void)state;
    struct opened opened = opened_create("pass_scales", &(struct mls_session_options){.threads = 1});
    assert_same_step(&opened, "conv", "conv_norm");
    assert_same_step(&opened, "conv", "conv_mul");
    assert_same_step(&opened, "conv", "conv_sub");
    assert_same_step(&opened, "up", "up_div");
    assert_string_equal(step_of(&opened, "rows_mul")->name, "rows_mul"); /* along another dimension */
    opened_close(&opened);
    opened = opened_create("pass_exact", &(struct mls_session_options){.threads = 1});
    assert_same_step(&opened, "padded_conv", "zeros");
    assert_string_equal(step_of(&opened, "ones")->name, "ones"); /* other numbers than zero stay */
    assert_string_equal(step_of(&opened, "rounds_large")->name, "rounds_large");
    opened_close(&opened);
}

/* Every operation that is not known before the run is part of exactly one step, whatever passes did. */
static void no_operation_is_lost_or_counted_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened with = opened_without(cases[i].name, -1);
        struct opened apart = opened_create(cases[i].name, &(struct mls_session_options){.threads = 1, .no_fusion = true});
        unsigned *seen = calloc(with.model->program.n_ops, sizeof *seen);
        assert_non_null(seen);
        for (size_t j = 0; j < mls_plan_step_count(with.plan); j++)
            for (uint32_t k = 0; k < mls_plan_step(with.plan, j)->n_fused; k++)
                seen[mls_plan_step(with.plan, j)->fused[k].i]++;
        for (size_t j = 0; j < mls_plan_step_count(apart.plan); j++) {
            const struct mls_step *step = mls_plan_step(apart.plan, j);
            assert_int_equal(step->n_fused, 1);
            if (seen[step->op.i] != 1)
                fail_msg("%s: %s is part of %u steps", cases[i].name, step->name, seen[step->op.i]);
        }
        free(seen);
        opened_close(&with);
        opened_close(&apart);
    }
}

static void the_table_is_whole(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < mls_pass_count(); i++) {
        assert_int_equal(mls_pass_find(mls_pass_name(i)), i);
        assert_true(strlen(mls_pass_description(i)) > 20);
    }
    assert_int_equal(mls_pass_find("none of them"), -1);
}

/* Rows that only passes use are run by the cases above. */
static int cover(void **state)
{
    (void)state;
    op_coverage_add(mls_op_find("pass_attention", MLS_OPSET_MAX));
    op_coverage_add(mls_op_find("pass_hard_swish", MLS_OPSET_MAX));
    op_coverage_add(mls_op_find("pass_conv_bytes", MLS_OPSET_MAX));
    op_coverage_add(mls_op_find("pass_linear_bytes", MLS_OPSET_MAX));
    op_coverage_add(mls_op_find("pass_matmul_bytes", MLS_OPSET_MAX));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pass_touches_what_it_is_for_and_keeps_results),
        cmocka_unit_test(steps_stand_for_the_operations_that_they_took_in),
        cmocka_unit_test(no_operation_is_lost_or_counted_twice),
        cmocka_unit_test(the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, cover);
}
