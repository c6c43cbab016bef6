/* Every rule has facts that fire it and facts that do not; a row without such a pair fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "diagnostics/engine.h"
#include "fake_facts.h"
#include "toy_model.h"

#define IMAGE TOY_TYPE(MLS_FP16, 1, 64, 32, 32)

/* Facts for one rule, and what they are made of. */
struct bench {
    struct toy toy;
    struct mls_package package;
    struct mls_asset_key key;
    struct mls_plan plan;
    struct mls_step steps[3];
    struct mls_buffer buffer;
    struct mls_measurement measurement;
    struct mls_facts facts;
    bool placed; /* whether the placement is wanted */
    enum mls_compute_units setting;
};

static void use_model(struct bench *bench)
{
    bench->facts.model = &bench->toy.model;
}

/* A model of `n` 3x3 convolutions in a row, to be placed. */
static mls_value_id use_convs(struct bench *bench, int n, int channels, int kernel)
{
    struct toy *toy = &bench->toy;
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, channels, 32, 32);
    mls_value_id x = toy_input(toy, type);
    for (int i = 0; i < n; i++) {
        mls_value_id weight = toy_constant(toy, TOY_TYPE(MLS_FP16, channels, channels, kernel, kernel));
        x = toy_op(toy, "conv", type, {"weight", weight}, {"x", x});
    }
    use_model(bench);
    bench->placed = true;
    return x;
}

static struct mls_feature *use_range(struct bench *bench, int64_t upper)
{
    use_model(bench);
    toy_input(&bench->toy, TOY_TYPE(MLS_FP16, 1, 4));
    bench->toy.ranges[0] = (struct mls_range){1, upper};
    bench->toy.ranges[1] = (struct mls_range){4, 4};
    bench->toy.inputs[0].ranges = bench->toy.ranges;
    bench->toy.inputs[0].n_ranges = 2;
    return &bench->toy.inputs[0];
}

static void use_enumerated(struct bench *bench, size_t input, size_t n)
{
    use_model(bench);
    while (bench->toy.interface.n_inputs <= input)
        toy_input(&bench->toy, TOY_TYPE(MLS_FP16, 1, 4));
    bench->toy.inputs[input].enumerated = bench->toy.shapes;
    bench->toy.inputs[input].n_enumerated = n;
}

static struct mls_feature *use_state(struct bench *bench, enum mls_dtype dtype, int width)
{
    use_model(bench);
    bench->toy.states[0] = (struct mls_feature){
        .name = "k", .description = "", .kind = MLS_FEATURE_STATE, .type = TOY_TYPE(dtype, 1, width)};
    bench->toy.interface.n_states = 1;
    return &bench->toy.states[0];
}

static void use_plan(struct bench *bench, uint64_t peak_bytes, uint64_t weights_bytes)
{
    for (uint32_t i = 0; i < 3; i++)
        bench->steps[i] = (struct mls_step){.index = i, .type = "add", .name = "n", .live_bytes_after = 1};
    bench->steps[1].live_bytes_after = peak_bytes;
    bench->buffer = (struct mls_buffer){.name = "b", .size_bytes = 1, .first_step = 0, .last_step = 2};
    bench->plan =
        (struct mls_plan){.memory = {.weights_bytes = weights_bytes, .planned_peak_bytes = peak_bytes},
                          .steps = bench->steps,
                          .n_steps = 3,
                          .buffers = &bench->buffer,
                          .n_buffers = 1};
    bench->facts.plan = &bench->plan;
}

static void large_blob(struct bench *bench, bool fires)
{
    bench->facts.package = &bench->package;
    bench->package.entry = (struct mls_package_entry){
        .path = "weights/weight.bin", .bytes = {.size_bytes = ((size_t)1 << 31) + (fires ? 1 : 0)}};
}

static void asset_key(struct bench *bench, bool fires)
{
    bench->facts.package = &bench->package;
    bench->key = (struct mls_asset_key){.key = "@model_path/weights/weight.bin",
                                        .entry_path = "weights/weight.bin",
                                        .refused_by_apple = fires};
    bench->package.info.asset_keys = &bench->key;
    bench->package.info.n_asset_keys = 1;
}

static void two_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, 3);
    use_enumerated(bench, 1, fires ? 3 : 1);
}

static void many_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, fires ? 129 : 128);
}

static void functions_in_memory(struct bench *bench, bool fires)
{
    use_model(bench);
    bench->facts.package = &bench->package;
    bench->package.info.sealed = fires;
    bench->toy.model.program.n_functions = 2;
}

static void rank_six(struct bench *bench, bool fires)
{
    use_model(bench);
    mls_value_id x = toy_input(&bench->toy, TOY_TYPE(MLS_FP16, 4));
    toy_op(&bench->toy, "reshape",
           fires ? TOY_TYPE(MLS_FP16, 1, 1, 1, 1, 1, 4) : TOY_TYPE(MLS_FP16, 1, 1, 1, 1, 4), {"x", x});
}

static void range_input(struct bench *bench, bool fires)
{
    use_range(bench, fires ? 2 : 1);
}

static void state_width(struct bench *bench, bool fires)
{
    use_state(bench, MLS_FP16, fires ? 270 : 256);
}

static void norm_with_enumerated(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, fires ? 2 : 1);
    toy_op(&bench->toy, "layer_norm", TOY_TYPE(MLS_FP16, 1, 4), {"x", {0}});
}

static void wide_tensor(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 1, 1, fires ? 65537 : 65536);
    mls_value_id x = toy_input(&bench->toy, type);
    toy_output(&bench->toy, toy_op(&bench->toy, "relu", type, {"x", x}));
    use_model(bench);
    bench->placed = true;
}

static void small_model(struct bench *bench, bool fires)
{
    use_convs(bench, fires ? 1 : 8, 64, 3);
}

static void fp32_model(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(fires ? MLS_FP32 : MLS_FP16, 1, 64, 32, 32);
    mls_value_id x = toy_input(&bench->toy, type);
    toy_op(&bench->toy, "exp", type, {"x", x});
    use_model(bench);
    bench->placed = true;
}

static void topk_on_ane(struct bench *bench, bool fires)
{
    mls_value_id x = use_convs(bench, 8, 64, 3);
    toy_output(&bench->toy, toy_op(&bench->toy, fires ? "topk" : "exp", IMAGE, {"x", x}));
}

static void channels(struct bench *bench, bool fires)
{
    use_convs(bench, 30, fires ? 63 : 64, 3);
}

static void batch(struct bench *bench, bool fires)
{
    use_convs(bench, 8, 64, 3);
    bench->toy.inputs[0].type.dims[0] = fires ? 4 : 1;
}

static void refused_ops(struct bench *bench, bool fires)
{
    mls_value_id x = use_convs(bench, 4, 64, 1);
    for (int i = 0; i < 60; i++)
        x = toy_op(&bench->toy, fires ? "acos" : "exp", IMAGE, {"x", x});
}

static void many_switches(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    bench->placed = true;
    bench->setting = MLS_COMPUTE_UNITS_CPU_AND_ANE;
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < 5; k++) {
            mls_value_id weight = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 64, 64, 3, 3));
            x = toy_op(&bench->toy, "conv", IMAGE, {"weight", weight}, {"x", x});
        }
        x = toy_op(&bench->toy, fires ? "acos" : "exp", IMAGE, {"x", x});
    }
}

static void large_kernel(struct bench *bench, bool fires)
{
    use_convs(bench, 1, 64, fires ? 17 : 16);
}

static void flexible(struct bench *bench, bool fires)
{
    use_enumerated(bench, 0, fires ? 2 : 1);
}

static void first_prediction(struct bench *bench, bool fires)
{
    bench->measurement =
        (struct mls_measurement){.first_ns = fires ? 9000000 : 2000000, .p50_ns = 1000000, .n_runs = 10};
    bench->facts.measurement = &bench->measurement;
}

static void wide_range(struct bench *bench, bool fires)
{
    use_range(bench, fires ? -1 : 2);
}

static void slow_load(struct bench *bench, bool fires)
{
    bench->measurement =
        (struct mls_measurement){.load_ns = fires ? 900000000 : 5000000, .first_ns = 1, .p50_ns = 1000000};
    bench->facts.measurement = &bench->measurement;
}

static void kv_cache(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 8, 512, 64);
    use_model(bench);
    toy_input(&bench->toy, type);
    toy_output(&bench->toy, toy_op(&bench->toy, "exp", type, {"x", {0}}));
    bench->toy.inputs[0].name = "past_key";
    bench->toy.feature_outputs[0].name = fires ? "present_key" : "y";
}

static void attention(struct bench *bench, bool fires)
{
    struct mls_type type = TOY_TYPE(MLS_FP16, 1, 8, 64, 64);
    bench->toy.function.opset = fires ? 7 : 8;
    use_model(bench);
    mls_value_id q = toy_input(&bench->toy, type);
    mls_value_id k = toy_input(&bench->toy, type);
    mls_value_id scores = toy_op(&bench->toy, "matmul", type, {"x", q}, {"y", k});
    mls_value_id scaled = toy_op(&bench->toy, "mul", type, {"x", scores}, {"y", k});
    mls_value_id weights = toy_op(&bench->toy, "softmax", type, {"x", scaled});
    toy_op(&bench->toy, "matmul", type, {"x", weights}, {"y", q});
}

static void slow_compile(struct bench *bench, bool fires)
{
    use_convs(bench, 1, 64, fires ? 16 : 13);
}

static void activations(struct bench *bench, bool fires)
{
    use_plan(bench, (uint64_t)1 << 27, fires ? 1000 : (uint64_t)1 << 27);
}

static void long_lived(struct bench *bench, bool fires)
{
    use_plan(bench, (uint64_t)1 << 27, (uint64_t)1 << 27);
    bench->buffer.size_bytes = fires ? (uint64_t)1 << 26 : 1;
}

static void large_model(struct bench *bench, bool fires)
{
    use_plan(bench, 1, (uint64_t)1 << (fires ? 30 : 29));
}

static void mish(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    mls_value_id soft = toy_op(&bench->toy, fires ? "softplus" : "exp", IMAGE, {"x", x});
    mls_value_id bent = toy_op(&bench->toy, "tanh", IMAGE, {"x", soft});
    toy_op(&bench->toy, "mul", IMAGE, {"x", x}, {"y", bent});
}

static void quantized_activations(struct bench *bench, bool fires)
{
    mls_value_id x = toy_input(&bench->toy, IMAGE);
    use_model(bench);
    bench->placed = true;
    toy_op(&bench->toy, fires ? "quantize" : "exp", IMAGE, {"input", x});
}

static void lookup_tables(struct bench *bench, bool fires)
{
    mls_value_id lut = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, fires ? 64 : 4, 1, 16, 1));
    use_model(bench);
    toy_op(&bench->toy, "constexpr_lut_to_dense", TOY_TYPE(MLS_FP16, 64, 64), {"lut", lut});
}

static void small_weights(struct bench *bench, bool fires)
{
    mls_value_id lut = toy_constant(&bench->toy, TOY_TYPE(MLS_UINT8, 64, 64));
    mls_value_id small = toy_constant(&bench->toy, TOY_TYPE(MLS_FP16, 40, fires ? 50 : 2));
    bench->toy.constants[lut.i].blob_path = bench->toy.constants[small.i].blob_path = "weights/weight.bin";
    use_model(bench);
    toy_op(&bench->toy, "constexpr_lut_to_dense", TOY_TYPE(MLS_FP16, 64, 64), {"indices", lut});
}

static void image_array(struct bench *bench, bool fires)
{
    use_model(bench);
    toy_input(&bench->toy, TOY_TYPE(MLS_FP32, 1, fires ? 3 : 4, 64, 64));
}

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
    struct mls_report *report = diagnose(&bench.facts);
    const struct mls_finding *finding = find(report, PAIRS[pair].id);
    bool found = finding != NULL;
    if (found && finding->n_evidence == 0)
        fail_msg("%s has no evidence", PAIRS[pair].id);
    mls_report_free(report);
    mls_placement_free(placement);
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
            rule->cause == MLS_CAUSE_NONE)
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
    assert_int_equal(report->n_findings, 1);
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
    assert_string_equal(finding->evidence[finding->n_evidence - 1], "and 49 more");
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
    bench.measurement = (struct mls_measurement){.step_mean_ns = means_ns, .n_steps = 2};
    bench.facts.measurement = &bench.measurement;
    struct mls_report *report = diagnose(&bench.facts);
    const struct mls_finding *finding = find(report, "PERF016");
    assert_non_null(finding);
    assert_non_null(strstr(finding->evidence[finding->n_evidence - 1], "take 1.0 us of 4.0 us, 25 %"));
    mls_report_free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_over_facts_fire_on_one_model_and_not_on_the_other),
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
