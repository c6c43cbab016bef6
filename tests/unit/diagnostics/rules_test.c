/* Every rule has facts that fire it and facts that do not; a row without such a pair fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "diagnostics/engine.h"
#include "pairs_run.h"

static const struct {
    const char *id;
    void (*build)(struct bench *bench, bool fires);
} PAIRS[] = {
    {"LOAD016", large_blob},
    {"LOAD017", asset_key},
    {"LOAD044", two_enumerated},
    {"LOAD045", many_enumerated},
    {"LOAD054", functions_in_memory},
    {"LOAD057", rank_six},
    {"PLACE001", range_input},
    {"PLACE002", state_width},
    {"PLACE004", norm_with_enumerated},
    {"PLACE005", wide_tensor},
    {"PLACE007", small_model},
    {"PLACE009", fp32_model},
    {"PLACE010", topk_on_ane},
    {"PLACE012", channels},
    {"PLACE013", batch},
    {"PLACE015", refused_ops},
    {"PLACE016", many_switches},
    {"PLACE017", large_kernel},
    {"PERF004", flexible},
    {"PERF006", first_prediction},
    {"PERF010", wide_range},
    {"PERF014", slow_load},
    {"PERF015", kv_cache},
    {"PERF016", attention},
    {"PERF019", slow_compile},
    {"MEM003", activations},
    {"MEM005", long_lived},
    {"MEM007", large_model},
    {"ACC003", mish},
    {"COMP003", quantized_activations},
    {"COMP004", lookup_tables},
    {"COMP012", small_weights},
    {"CONV005", image_array},
    {"LOAD018", system_too_old},
    {"LOAD019", compiled_too_new},
    {"LOAD020", system_too_old},
    {"LOAD032", huge_tensor},
    {"LOAD035", unit_without_ops},
    {"LOAD043", declared_shape},
    {"SEAL008", sealed_package},
    {"MEM008", asset_package},
    {"PLACE003", state_and_reshape},
    {"PLACE014", neural_network},
    {"PLACE006", int32_between},
    {"PLACE008", cut_graph},
    {"PLACE011", wide_image},
    {"PERF001", large_on_ane},
    {"PERF005", jumping_series},
    {"PERF008", slow_setting},
    {"PERF009", blocks_on_ane},
    {"PERF011", sealed_is_slower},
    {"PERF012", time_around},
    {"PERF017", sustained_series},
    {"PERF020", hot_operation},
    {"PERF021", cast_and_back},
    {"PERF022", transpose_and_back},
    {"PERF023", short_operations},
    {"PERF024", idle_threads},
    {"PERF025", odd_channels_measured},
    {"MEM001", growing_memory},
    {"MEM002", largest_enumerated},
    {"MEM004", peak_of_load},
    {"MEM006", memory_of_each},
    {"MEM009", equal_weights},
    {"MEM010", memory_anew},
    {"MEM011", heavy_weights},
    {"MEM012", memory_owners},
    {"ACC001", overflowing_values},
    {"ACC002", not_finite_output},
    {"ACC004", branch_on_gpu},
    {"COMP001", load_that_expands},
    {"COMP002", expanded_weights},
    {"COMP005", quantized_twice},
    {"COMP007", palettized_pair},
    {"COMP008", quantized_pair},
    {"COMP009", pruned_pair},
    {"COMP010", two_bit_weights},
    {"COMP011", one_table_each},
    {"CONV002", array_channels_last},
    {"CONV003", oldest_target},
};

static const struct mls_finding *find(const struct mls_report *report, const char *id)
{
    for (size_t i = 0; i < report->n_findings; i++) {
        if (strcmp(report->findings[i].id, id) == 0)
            return &report->findings[i];
    }
    return NULL;
}

static struct mls_report *diagnose(const struct mls_facts *facts)
{
    struct mls_report *report = NULL;
    assert_int_equal(mls_diagnose(facts, &report, NULL), MLS_OK);
    return report;
}

/* Whether the facts, built for firing or not, give the finding; checks that it comes with evidence. */
static bool fires(size_t pair, bool wanted)
{
    static struct bench bench;
    struct mls_placement *placement = NULL;
    memset(&bench, 0, sizeof(bench));
    toy_begin(&bench.toy, 8);
    PAIRS[pair].build(&bench, wanted);
    if (bench.placed)
        assert_int_equal(mls_placement_create(&bench.toy.model, (mls_function_id){0}, NULL,
                                              mls_placement_profile_at(0), bench.setting, &placement, NULL),
                         MLS_OK);
    bench.facts.placement = placement;
    struct mls_placement *settings[MLS_COMPUTE_UNITS_COUNT] = {0};
    for (unsigned i = 0; bench.all_settings && i < MLS_COMPUTE_UNITS_COUNT; i++)
        assert_int_equal(mls_placement_create(&bench.toy.model, (mls_function_id){0}, NULL,
                                              mls_placement_profile_at(0), i, &settings[i], NULL),
                         MLS_OK);
    if (bench.all_settings)
        bench.facts.settings = (const struct mls_placement *const *)settings;
    struct mls_report *report = diagnose(&bench.facts);
    const struct mls_finding *finding = find(report, PAIRS[pair].id);
    bool found = finding != NULL;
    if (found && finding->n_evidence == 0)
        fail_msg("%s has no evidence", PAIRS[pair].id);
    mls_report_free(report);
    mls_placement_free(placement);
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_free(settings[i]);
    return found;
}

static void rules_over_facts_fire_on_one_model_and_not_on_the_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        if (!fires(i, true))
            fail_msg("%s does not fire", PAIRS[i].id);
        if (fires(i, false))
            fail_msg("%s fires on facts that do not hold", PAIRS[i].id);
    }
}

static void every_rule_over_facts_has_a_pair(void **state)
{
    (void)state;
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        bool paired = rule->assess == NULL;
        for (size_t k = 0; k < sizeof(PAIRS) / sizeof(PAIRS[0]); k++)
            paired = paired || strcmp(PAIRS[k].id, rule->id) == 0;
        if (!paired)
            fail_msg("%s has no pair of facts", rule->id);
    }
}

static void every_row_is_complete_and_can_fire(void **state)
{
    (void)state;
    const struct mls_rule *rule;
    const struct mls_rule *other;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        if (rule->title == NULL || rule->why == NULL || rule->fix == NULL || rule->source == NULL)
            fail_msg("%s lacks a text", rule->id);
        if (rule->assess == NULL && rule->patterns == NULL && rule->statuses[0] == MLS_OK &&
            rule->cause == MLS_CAUSE_NONE && rule->beside == NULL)
            fail_msg("%s can never fire", rule->id);
        if ((rule->assess == NULL) != (rule->needs == 0))
            fail_msg("%s must name the facts that it needs", rule->id);
        for (size_t k = i + 1; (other = mls_rule_row(k)) != NULL; k++) {
            if (strcmp(rule->id, other->id) == 0)
                fail_msg("%s stands twice", rule->id);
        }
    }
    assert_string_equal(mls_rule_at(mls_rule_count()).id, "");
}

/* A failure with this status and cause gives the rule's finding and no other. */
static void explained_by(const struct mls_rule *rule, enum mls_status status, enum mls_cause cause)
{
    struct mls_error error;
    mls_fail_because(&error, status, cause, "cannot read x: y");
    mls_error_at(&error, "weight.bin", 64);
    struct mls_report *report = diagnose(&(struct mls_facts){.error = &error});
    const struct mls_finding *finding = find(report, rule->id);
    if (finding == NULL)
        fail_msg("%s does not explain %s, %s", rule->id, mls_status_name(status), mls_cause_name(cause));
    assert_int_equal(finding->severity, MLS_SEVERITY_ERROR);
    assert_string_equal(finding->file, "weight.bin");
    assert_int_equal(finding->byte_offset, 64);
    assert_ptr_equal(finding, &report->findings[0]);
    for (size_t i = 1; i < report->n_findings; i++) /* advice beside it, and nothing else */
        assert_int_equal(report->findings[i].severity, MLS_SEVERITY_INFO);
    mls_report_free(report);
}

static void every_status_of_a_rule_leads_to_it(void **state)
{
    (void)state;
    const struct mls_rule *rule;
    for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
        for (size_t k = 0; k < RULE_STATUSES_MAX && rule->statuses[k] != MLS_OK; k++)
            explained_by(rule, rule->statuses[k], MLS_CAUSE_NONE);
    }
}

static void every_cause_leads_to_its_rule(void **state)
{
    (void)state;
    for (unsigned cause = MLS_CAUSE_NONE + 1; cause < MLS_CAUSE_COUNT; cause++) {
        const struct mls_rule *rule;
        size_t n = 0;
        for (size_t i = 0; (rule = mls_rule_row(i)) != NULL; i++) {
            if (rule->cause != cause)
                continue;
            explained_by(rule, MLS_ERR_SPEC_INTERFACE, cause);
            n++;
        }
        if (n != 1)
            fail_msg("%zu rules explain %s", n, mls_cause_name(cause));
    }
}

static void every_failure_of_a_model_is_explained(void **state)
{
    (void)state;
    for (unsigned status = 0; status < MLS_STATUS_COUNT; status++) {
        if (mls_status_exit_code(status) != 3)
            continue;
        struct mls_error error;
        mls_fail(&error, status, "cannot find function 'f' in the model");
        struct mls_report *report = diagnose(&(struct mls_facts){.error = &error});
        if (report->n_findings != 1)
            fail_msg("%s is explained by no rule", mls_status_name(status));
        mls_report_free(report);
    }
}

static void nothing_found_is_said(void **state)
{
    (void)state;
    struct mls_report *report = diagnose(&(struct mls_facts){0});
    assert_int_equal(report->n_findings, 0);
    assert_non_null(strstr(report->summary, "nothing found"));
    mls_report_free(report);
}

static void an_unexplained_failure_is_repeated(void **state)
{
    (void)state;
    struct mls_error error;
    mls_fail(&error, MLS_ERR_CANCELLED, "cannot go on: cancelled");
    struct mls_report *report = diagnose(&(struct mls_facts){.error = &error});
    assert_int_equal(report->n_findings, 0);
    assert_non_null(strstr(report->summary, "cannot go on: cancelled"));
    mls_report_free(report);
}

static void findings_are_ranked_by_severity(void **state)
{
    (void)state;
    static struct bench bench;
    struct mls_error error;
    memset(&bench, 0, sizeof(bench));
    toy_begin(&bench.toy, 8);
    kv_cache(&bench, true);
    image_array(&bench, true);
    mls_fail(&error, MLS_ERR_OP_UNSUPPORTED, "cannot load operation 'x'");
    bench.facts.error = &error;
    struct mls_report *report = diagnose(&bench.facts);
    assert_int_equal(report->n_findings, 3);
    assert_string_equal(report->findings[0].id, "LOAD061");
    assert_string_equal(report->findings[1].id, "PERF015");
    assert_string_equal(report->findings[2].id, "CONV005");
    mls_report_free(report);
}

static void long_evidence_is_cut_and_counted(void **state)
{
    (void)state;
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    toy_begin(&bench.toy, 8);
    refused_ops(&bench, true);
    struct mls_placement *placement = NULL;
    assert_int_equal(mls_placement_create(&bench.toy.model, (mls_function_id){0}, NULL,
                                          mls_placement_profile_at(0), MLS_COMPUTE_UNITS_ALL, &placement,
                                          NULL),
                     MLS_OK);
    bench.facts.placement = placement;
    struct mls_report *report = diagnose(&bench.facts);
    const struct mls_finding *finding = find(report, "PLACE015");
    assert_non_null(finding);
    assert_int_equal(finding->n_ops, 60);
    assert_string_equal(finding->evidence[finding->n_evidence - 2], "and 49 more"); /* before what sums up */
    mls_report_free(report);
    mls_placement_free(placement);
}

static void measured_times_of_affected_operations_are_told(void **state)
{
    (void)state;
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    toy_begin(&bench.toy, 8);
    attention(&bench, true); /* its last matmul, operation 3, is the affected one */
    const mls_op_id ops[] = {{0}, {3}};
    const uint64_t means_ns[] = {3000, 1000};
    use_plan(&bench, 1, 1);
    bench.plan.n_steps = 2;
    for (int i = 0; i < 2; i++) {
        bench.steps[i].fused = &ops[i];
        bench.steps[i].n_fused = 1;
    }
    bench.measurement = (struct mls_measurement){.step_ns = means_ns, .n_steps = 2};
    bench.facts.measurement = &bench.measurement;
    struct mls_report *report = diagnose(&bench.facts);
    const struct mls_finding *finding = find(report, "PERF016");
    assert_non_null(finding);
    assert_non_null(strstr(finding->evidence[finding->n_evidence - 1], "take 1.0 us of 4.0 us, 25 %"));
    mls_report_free(report);
}

/* A measurement that each of the rules about the series, waits and the first prediction fires on. */
static struct mls_measurement *noisy_measurement(struct bench *bench)
{
    jumping_series(bench, true);
    struct mls_measurement *measured = &bench->measurement;
    measured->first_ns = 9000000;
    measured->p50_ns = 500000;
    measured->n_runs = 60;
    measured->threads = 4;
    measured->wall = (struct mls_wall){.ops_ns = 500000, .other_ns = 400000};
    measured->growth =
        (struct mls_growth){.n_predictions = 60, .wall_ns = 600000000, .cpu_ns = 620000000, .waits_known = true};
    return measured;
}

static bool fires_on(struct bench *bench, const char *id)
{
    struct mls_report *report = diagnose(&bench->facts);
    bool found = find(report, id) != NULL;
    mls_report_free(report);
    return found;
}

static void times_say_nothing_while_others_have_the_processors(void **state)
{
    (void)state;
    static const char *const ids[] = {"PERF005", "PERF012", "PERF024"};
    static struct bench bench;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        memset(&bench, 0, sizeof(bench));
        struct mls_measurement *measured = noisy_measurement(&bench);
        assert_true(fires_on(&bench, ids[i]));
        measured->growth.wait_ns = 100000000;
        assert_false(fires_on(&bench, ids[i]));
    }
}

static void a_first_prediction_that_waited_is_not_slow(void **state)
{
    (void)state;
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    struct mls_measurement *measured = noisy_measurement(&bench);
    assert_true(fires_on(&bench, "PERF006"));
    measured->growth.first_wait_ns = 8000000;
    assert_false(fires_on(&bench, "PERF006"));
}

/* A third of the last third is slow, the rest is as fast as ever: no jump. */
static void a_burst_is_no_jump(void **state)
{
    (void)state;
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    noisy_measurement(&bench);
    for (size_t i = 40; i < 60; i++)
        bench.samples_ns[i] = i < 54 ? 1200000 : 500000;
    assert_false(fires_on(&bench, "PERF005"));
}

static void inputs_that_are_drawn_are_no_part_of_the_load(void **state)
{
    (void)state;
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    slow_load(&bench, true);
    assert_true(fires_on(&bench, "PERF014"));
    bench.measurement.stage_ns[MLS_STAGE_PREPARE] = 895000000;
    assert_false(fires_on(&bench, "PERF014"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_over_facts_fire_on_one_model_and_not_on_the_other),
        cmocka_unit_test(times_say_nothing_while_others_have_the_processors),
        cmocka_unit_test(a_first_prediction_that_waited_is_not_slow),
        cmocka_unit_test(a_burst_is_no_jump),
        cmocka_unit_test(inputs_that_are_drawn_are_no_part_of_the_load),
        cmocka_unit_test(every_rule_over_facts_has_a_pair),
        cmocka_unit_test(every_row_is_complete_and_can_fire),
        cmocka_unit_test(every_status_of_a_rule_leads_to_it),
        cmocka_unit_test(every_cause_leads_to_its_rule),
        cmocka_unit_test(every_failure_of_a_model_is_explained),
        cmocka_unit_test(nothing_found_is_said),
        cmocka_unit_test(an_unexplained_failure_is_repeated),
        cmocka_unit_test(findings_are_ranked_by_severity),
        cmocka_unit_test(long_evidence_is_cut_and_counted),
        cmocka_unit_test(measured_times_of_affected_operations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
