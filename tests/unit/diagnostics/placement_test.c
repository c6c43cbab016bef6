/* Estimates against the numbers that were recorded on an M4 with macOS 27, and the rules of support. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "diagnostics/placement.h"
#include "toy_model.h"

#define IMAGE TOY_TYPE(MLS_FP16, 1, 64, 32, 32)

static struct mls_placement *place(struct toy *toy, enum mls_compute_units setting)
{
    struct mls_placement *placement = NULL;
    struct mls_error error;
    assert_int_equal(mls_placement_create(&toy->model, (mls_function_id){0}, NULL,
                                          mls_placement_profile_at(0), setting, &placement, &error),
                     MLS_OK);
    return placement;
}

static void assert_us(double got, double recorded)
{
    if (!(fabs(got - recorded) <= 0.003 * recorded))
        fail_msg("estimated %.6g us, recorded %.6g us", got, recorded);
}

/* Places the model and compares the estimates of its only operation; a negative number: refused. */
static void assert_estimates(struct toy *toy, double ane_us, double bnns_us, double classic_us)
{
    struct mls_placement *placement = place(toy, MLS_COMPUTE_UNITS_CPU_AND_ANE);
    assert_int_equal(placement->n_ops, 1);
    const double *us = placement->ops[0].estimate_us;
    if (ane_us < 0)
        assert_true(us[MLS_BACKEND_ANE] < 0);
    else
        assert_us(us[MLS_BACKEND_ANE], ane_us);
    assert_us(us[MLS_BACKEND_BNNS], bnns_us);
    assert_us(us[MLS_BACKEND_CLASSIC], classic_us);
    mls_placement_free(placement);
}

static void toy_conv(struct toy *toy, int height, int width)
{
    toy_begin(toy, 8);
    mls_value_id x = toy_input(toy, IMAGE);
    mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, 64, 64, height, width));
    toy_output(toy, toy_op(toy, "conv", IMAGE, {"weight", weight}, {"x", x}));
}

static void relu_takes_its_bytes_at_100_gb_per_s(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, IMAGE);
    toy_output(&toy, toy_op(&toy, "relu", IMAGE, {"x", x}));
    assert_estimates(&toy, 2.62144, 2.62144, 2.62144);
}

static void conv_3x3_matches_its_record(void **state)
{
    (void)state;
    static struct toy toy;
    toy_conv(&toy, 3, 3);
    assert_estimates(&toy, 4.674, 100.06, 115.10);
}

static void conv_1x1_matches_its_record(void **state)
{
    (void)state;
    static struct toy toy;
    toy_conv(&toy, 1, 1);
    assert_estimates(&toy, 1.1715, 21.617, 24.864);
}

static void depthwise_conv_matches_its_record(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, IMAGE);
    mls_value_id weight = toy_constant(&toy, TOY_TYPE(MLS_FP16, 64, 1, 3, 3));
    toy_output(&toy, toy_op(&toy, "conv", IMAGE, {"weight", weight}, {"x", x}));
    assert_estimates(&toy, 2.5036, 43.553, 50.096);
}

static void matmul_matches_its_record(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, TOY_TYPE(MLS_FP16, 1, 128, 256));
    mls_value_id y = toy_input(&toy, TOY_TYPE(MLS_FP16, 1, 256, 128));
    toy_output(&toy, toy_op(&toy, "matmul", TOY_TYPE(MLS_FP16, 1, 128, 128), {"x", x}, {"y", y}));
    assert_estimates(&toy, 2.24394, 11.1177, 12.7875);
}

static void bilinear_upsampling_matches_its_record(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, IMAGE);
    toy_output(&toy, toy_op(&toy, "upsample_bilinear", TOY_TYPE(MLS_FP16, 1, 64, 64, 64), {"x", x}));
    assert_estimates(&toy, 3.3051, 499.635, 574.689);
}

static void softmax_follows_the_memory_formula(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, IMAGE);
    toy_output(&toy, toy_op(&toy, "softmax", IMAGE, {"axis", toy_ints(&toy, 1, 1)}, {"x", x}));
    assert_estimates(&toy, 3.5903, 4.3084, 4.3084);
}

static void int32_is_refused_by_the_neural_engine(void **state)
{
    (void)state;
    static struct toy toy;
    struct mls_type type = TOY_TYPE(MLS_INT32, 1, 64, 32, 32);
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, type);
    mls_value_id y = toy_input(&toy, type);
    toy_output(&toy, toy_op(&toy, "add", type, {"x", x}, {"y", y}));
    assert_estimates(&toy, -1, 12.4108, 14.2752);
}

static void kernel_limits_differ_by_direction(void **state)
{
    (void)state;
    static const struct {
        int height, width;
        bool supported;
    } cases[] = {{16, 16, true}, {17, 17, false}, {1, 15, true},
                 {1, 16, false}, {31, 1, true},   {32, 1, false}};
    static struct toy toy;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        toy_conv(&toy, cases[i].height, cases[i].width);
        struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_ALL);
        bool supported = (placement->ops[0].supported & 1u << MLS_UNIT_ANE) != 0;
        assert_int_equal(supported, cases[i].supported);
        assert_int_equal(placement->ops[0].refusals != 0, !cases[i].supported);
        mls_placement_free(placement);
    }
}

static void dimensions_above_65536_are_refused(void **state)
{
    (void)state;
    static struct toy toy;
    for (int width = 65536; width <= 65537; width++) {
        toy_begin(&toy, 8);
        mls_value_id x = toy_input(&toy, TOY_TYPE(MLS_FP16, 1, 1, 1, width));
        toy_output(&toy, toy_op(&toy, "relu", TOY_TYPE(MLS_FP16, 1, 1, 1, width), {"x", x}));
        struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_CPU_AND_ANE);
        assert_int_equal(placement->ops[0].supported >> MLS_UNIT_ANE & 1, width == 65536);
        mls_placement_free(placement);
    }
}

static void a_setting_hides_the_other_units(void **state)
{
    (void)state;
    static struct toy toy;
    static const mls_unit_set expected[] = {[MLS_COMPUTE_UNITS_ALL] = 7,
                                            [MLS_COMPUTE_UNITS_CPU_ONLY] = 1,
                                            [MLS_COMPUTE_UNITS_CPU_AND_GPU] = 3,
                                            [MLS_COMPUTE_UNITS_CPU_AND_ANE] = 5};
    toy_conv(&toy, 3, 3);
    for (unsigned setting = 0; setting < MLS_COMPUTE_UNITS_COUNT; setting++) {
        struct mls_placement *placement = place(&toy, setting);
        assert_int_equal(placement->ops[0].supported, expected[setting]);
        mls_placement_free(placement);
    }
}

static void one_small_conv_stays_on_the_cpu_and_says_why(void **state)
{
    (void)state;
    static struct toy toy;
    toy_conv(&toy, 3, 3);
    struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_ALL);
    assert_int_equal(placement->ops[0].preferred, MLS_UNIT_CPU);
    assert_int_equal(placement->ops[0].n_reasons, 1);
    assert_non_null(strstr(placement->ops[0].reasons[0], "switching would cost 250 us"));
    mls_placement_free(placement);
}

static void three_convs_go_to_the_neural_engine_together(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, IMAGE);
    for (int i = 0; i < 3; i++) {
        mls_value_id weight = toy_constant(&toy, TOY_TYPE(MLS_FP16, 64, 64, 3, 3));
        x = toy_op(&toy, "conv", IMAGE, {"weight", weight}, {"x", x});
    }
    toy_output(&toy, x);
    struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_ALL);
    assert_int_equal(placement->totals[MLS_UNIT_ANE].n_ops, 3);
    assert_int_equal(placement->n_switches, 0);
    assert_true(fabs(placement->switching_us - 250) < 1e-9);
    assert_true(fabs(placement->totals[MLS_UNIT_ANE].cost_share - 1) < 1e-9);
    mls_placement_free(placement);
}

static void constants_are_not_counted(void **state)
{
    (void)state;
    static struct toy toy;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, IMAGE);
    mls_value_id axis = toy_ints(&toy, 1, 1);
    toy_op(&toy, "const", TOY_TYPE(MLS_INT32, 1), {"val", axis});
    toy_output(&toy, toy_op(&toy, "softmax", IMAGE, {"axis", axis}, {"x", x}));
    struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_ALL);
    assert_int_equal(placement->n_ops, 1);
    assert_int_equal(placement->ops[0].index, 0);
    assert_null(mls_placement_find(placement, (mls_op_id){0}));
    assert_non_null(mls_placement_find(placement, (mls_op_id){1}));
    mls_placement_free(placement);
}

static void huge_dimensions_stay_finite(void **state)
{
    (void)state;
    static struct toy toy;
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 1, 1, 1, 1);
    for (unsigned i = 0; i < 5; i++)
        type.dims[i] = INT64_MAX;
    toy_begin(&toy, 8);
    mls_value_id x = toy_input(&toy, type);
    mls_value_id weight = toy_constant(&toy, type);
    toy_output(&toy, toy_op(&toy, "conv", type, {"weight", weight}, {"x", x}));
    struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_ALL);
    assert_true(isfinite(placement->total_us));
    assert_true(isfinite(placement->ops[0].cost_share));
    mls_placement_free(placement);
}

static void the_older_profile_is_never_sure(void **state)
{
    (void)state;
    static struct toy toy;
    struct mls_placement *placement = NULL;
    toy_conv(&toy, 3, 3);
    assert_int_equal(mls_placement_create(&toy.model, (mls_function_id){0}, NULL, mls_placement_profile_at(1),
                                          MLS_COMPUTE_UNITS_ALL, &placement, NULL),
                     MLS_OK);
    assert_int_equal(placement->ops[0].confidence, MLS_CONFIDENCE_LOW);
    mls_placement_free(placement);
}

static void an_unknown_function_is_refused(void **state)
{
    (void)state;
    static struct toy toy;
    struct mls_placement *placement = NULL;
    struct mls_error error;
    toy_conv(&toy, 3, 3);
    assert_int_equal(mls_placement_create(&toy.model, (mls_function_id){1}, NULL, mls_placement_profile_at(0),
                                          MLS_COMPUTE_UNITS_ALL, &placement, &error),
                     MLS_ERR_FUNCTION_NOT_FOUND);
    assert_null(placement);
}

/* Convolutions, one operation of the given type, convolutions. */
static void toy_between_convs(struct toy *toy, const char *type)
{
    enum { CONVS = 8 };
    toy_begin(toy, 8);
    mls_value_id x = toy_input(toy, IMAGE);
    for (int i = 0; i < 2 * CONVS; i++) {
        mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, 64, 64, 3, 3));
        x = toy_op(toy, "conv", IMAGE, {"weight", weight}, {"x", x});
        if (i == CONVS - 1)
            x = toy_op(toy, type, IMAGE, {"x", x});
    }
    toy_output(toy, x);
}

static struct mls_placement_remedies *remedies_of(const struct mls_placement *placement)
{
    struct mls_placement_remedies *remedies = NULL;
    assert_int_equal(mls_placement_remedies_create(placement, &remedies, NULL), MLS_OK);
    return remedies;
}

static void a_refused_operation_has_a_remedy_and_its_gain(void **state)
{
    (void)state;
    static struct toy toy;
    toy_between_convs(&toy, "acos");
    struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_CPU_AND_ANE);
    struct mls_placement_remedies *remedies = remedies_of(placement);
    assert_int_equal(remedies->n_remedies, 1);
    assert_int_equal(remedies->remedies[0].n_ops, 1);
    assert_int_equal(remedies->remedies[0].ops[0], 8);
    assert_string_equal(remedies->remedies[0].change, "compute it from sqrt, real_div and atan");
    /* there and back cost 0.125 ms each, and starting again 0.125 ms */
    if (!(remedies->remedies[0].gain_us > 375 && remedies->remedies[0].gain_us < 380))
        fail_msg("the gain is %g us", remedies->remedies[0].gain_us);
    const uint32_t op = 8;
    assert_true(fabs(mls_placement_total_if(placement, &op, 1) - remedies->total_us) < 1e-9);
    mls_placement_remedies_free(remedies);
    mls_placement_free(placement);
}

static void nothing_refused_needs_no_remedy(void **state)
{
    (void)state;
    static struct toy toy;
    toy_between_convs(&toy, "exp");
    struct mls_placement *placement = place(&toy, MLS_COMPUTE_UNITS_CPU_AND_ANE);
    struct mls_placement_remedies *remedies = remedies_of(placement);
    assert_int_equal(remedies->n_remedies, 0);
    assert_true(fabs(remedies->total_us - placement->total_us) < 1e-9);
    mls_placement_remedies_free(remedies);
    mls_placement_free(placement);
}

static void settings_differ_where_units_do(void **state)
{
    (void)state;
    static struct toy toy;
    struct mls_placement_difference runs[32];
    toy_between_convs(&toy, "acos");
    struct mls_placement *ane = place(&toy, MLS_COMPUTE_UNITS_CPU_AND_ANE);
    struct mls_placement *cpu = place(&toy, MLS_COMPUTE_UNITS_CPU_ONLY);
    assert_int_equal(mls_placement_differences(ane, cpu, runs), 2);
    assert_int_equal(runs[0].first, 0);
    assert_int_equal(runs[0].last, 7);
    assert_int_equal(runs[0].a, MLS_UNIT_ANE);
    assert_int_equal(runs[1].first, 9);
    assert_int_equal(runs[1].last, 16);
    assert_int_equal(mls_placement_differences(ane, ane, runs), 0);
    mls_placement_free(ane);
    mls_placement_free(cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu_takes_its_bytes_at_100_gb_per_s),
        cmocka_unit_test(conv_3x3_matches_its_record),
        cmocka_unit_test(conv_1x1_matches_its_record),
        cmocka_unit_test(depthwise_conv_matches_its_record),
        cmocka_unit_test(matmul_matches_its_record),
        cmocka_unit_test(bilinear_upsampling_matches_its_record),
        cmocka_unit_test(softmax_follows_the_memory_formula),
        cmocka_unit_test(int32_is_refused_by_the_neural_engine),
        cmocka_unit_test(kernel_limits_differ_by_direction),
        cmocka_unit_test(dimensions_above_65536_are_refused),
        cmocka_unit_test(a_setting_hides_the_other_units),
        cmocka_unit_test(one_small_conv_stays_on_the_cpu_and_says_why),
        cmocka_unit_test(three_convs_go_to_the_neural_engine_together),
        cmocka_unit_test(constants_are_not_counted),
        cmocka_unit_test(huge_dimensions_stay_finite),
        cmocka_unit_test(the_older_profile_is_never_sure),
        cmocka_unit_test(an_unknown_function_is_refused),
        cmocka_unit_test(a_refused_operation_has_a_remedy_and_its_gain),
        cmocka_unit_test(nothing_refused_needs_no_remedy),
        cmocka_unit_test(settings_differ_where_units_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
