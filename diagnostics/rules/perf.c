/* PERF: what makes a sound model slow. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

#include "graph.h"

enum {
    CACHE_BYTES_MIN = 1 << 18, /* below it passing a cache costs little */
    OPSET_WITH_ATTENTION = 8,
    WARM_UP_FACTOR = 3,
    LOAD_FACTOR = 10,
    WIDE_RANGE_FACTOR = 8,
    NS_PER_MS = 1000000
};

#define ANE_SHARE_THAT_MATTERS 0.5

static bool is_flexible(const struct mls_feature *feature)
{
    if (feature->n_enumerated > 1)
        return true;
    for (size_t i = 0; i < feature->n_ranges; i++) {
        if (feature->ranges[i].lower != feature->ranges[i].upper)
            return true;
    }
    return false;
}

static bool flexible_inputs(struct rule_case *rule_case)
{
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        if (!is_flexible(input))
            continue;
        if (input->n_enumerated > 1)
            rule_evidence(rule_case, "input \"%s\" has %zu enumerated shapes", input->name,
                          input->n_enumerated);
        else
            rule_evidence(rule_case, "input \"%s\" has a range of sizes", input->name);
    }
    /* a model that is not meant for the Neural Engine loses less */
    const struct mls_placement *placement = rule_case->facts->placement;
    if (placement == NULL || placement->totals[MLS_UNIT_ANE].cost_share < ANE_SHARE_THAT_MATTERS)
        rule_case->finding.severity = MLS_SEVERITY_INFO;
    return rule_case->finding.n_evidence > 0;
}

/* Ranges that are wide enough for many different sizes. */
static bool wide_ranges(struct rule_case *rule_case)
{
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        for (size_t k = 0; k < input->n_ranges; k++) {
            const struct mls_range *range = &input->ranges[k];
            if (range->upper >= 0 && range->upper / WIDE_RANGE_FACTOR < (range->lower > 0 ? range->lower : 1))
                continue;
            char text[GRAPH_RANGE_BYTES];
            rule_evidence(rule_case, "input \"%s\", dimension %zu: %s", input->name, k,
                          graph_range_format(range, text));
        }
    }
    return rule_case->finding.n_evidence > 0;
}

/* There is only one first prediction: what it waited for others is taken off. */
static bool first_is_slow(struct rule_case *rule_case)
{
    const struct mls_measurement *measured = rule_case->facts->measurement;
    uint64_t wait_ns = measured->growth.first_wait_ns;
    uint64_t first_ns = measured->first_ns > wait_ns ? measured->first_ns - wait_ns : 0;
    if (measured->n_runs < 2 || measured->p50_ns == 0 || first_ns < measured->p50_ns + NS_PER_MS ||
        first_ns / WARM_UP_FACTOR < measured->p50_ns)
        return false;
    rule_evidence(rule_case, "the first prediction took %.2f ms, later ones %.2f ms (median of %" PRIu64 ")",
                  (double)first_ns / NS_PER_MS, (double)measured->p50_ns / NS_PER_MS,
                  measured->n_runs);
    return true;
}

static bool load_is_slow(struct rule_case *rule_case)
{
    const struct mls_measurement *measured = rule_case->facts->measurement;
    /* inputs that are drawn or read are no part of the model */
    uint64_t load_ns = measured->load_ns - measured->stage_ns[MLS_STAGE_PREPARE];
    if (measured->p50_ns == 0 || load_ns < 100 * (uint64_t)NS_PER_MS ||
        load_ns / LOAD_FACTOR < measured->p50_ns)
        return false;
    rule_evidence(rule_case, "loading took %.1f ms, a prediction takes %.2f ms (median)",
                  (double)load_ns / NS_PER_MS, (double)measured->p50_ns / NS_PER_MS);
    return true;
}

/* Names of features that carry a cache from one step to the next. */
static bool names_a_cache(const char *name)
{
    static const char *const parts[] = {"cache", "Cache", "past",      "present",
                                        "kv_",   "_kv",   "key_value", "keyValue"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(name, parts[i]) != NULL)
            return true;
    }
    return false;
}

static bool cache_through_interface(struct rule_case *rule_case)
{
    const struct mls_interface *interface = rule_case->interface;
    double moved_bytes = 0;
    for (size_t i = 0; i < interface->n_inputs; i++) {
        const struct mls_feature *input = &interface->inputs[i];
        size_t bytes = mls_type_bytes(&input->type);
        if (input->kind != MLS_FEATURE_TENSOR || bytes == SIZE_MAX || bytes < CACHE_BYTES_MIN ||
            !names_a_cache(input->name))
            continue;
        for (size_t k = 0; k < interface->n_outputs; k++) {
            const struct mls_feature *output = &interface->outputs[k];
            if (!names_a_cache(output->name) || !mls_type_equal(&input->type, &output->type))
                continue;
            char type[96];
            rule_evidence(rule_case, "input \"%s\" and output \"%s\" are both %s, %zu bytes", input->name,
                          output->name, mls_type_format(&input->type, type, sizeof(type)), bytes);
            moved_bytes += 2.0 * (double)bytes;
            break;
        }
    }
    if (rule_case->finding.n_evidence == 0)
        return false;
    rule_evidence(rule_case, "%.1f MB are copied in and out at every prediction", moved_bytes / 1e6);
    return true;
}

static bool attention_in_pieces(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    uint32_t n = 0;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_op *softmax = graph_attention(program, op);
        if (softmax == NULL || program->functions[op->function.i].opset >= OPSET_WITH_ATTENTION)
            continue;
        if (n++ < 3)
            rule_evidence(rule_case, "matmul, softmax \"%s\", matmul \"%s\"", softmax->name, op->name);
        rule_affects(rule_case, (mls_op_id){i});
    }
    if (n > 0)
        rule_evidence(rule_case,
                      "%" PRIu32
                      " attention%s in pieces; the opset is that of %s, the fused operation needs %s",
                      n, n == 1 ? "" : "s", mls_system_for_opset(program->functions[0].opset),
                      mls_system_for_opset(OPSET_WITH_ATTENTION));
    return n > 0;
}

static const struct mls_rule ROWS[] = {
    {.id = "PERF004",
     .title = "flexible shapes can cost most of the speed",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = flexible_inputs,
     .why = "Flexible shapes leave the Neural Engine or are planned again: seen are 375 against 60 "
            "predictions in a second, and five times "
            "slower at 512 x 512.",
     .fix = "Make a function with a fixed shape for each size that is used.",
     .source = "coremltools#2370, #1764; ml-stable-diffusion#306; RallyClip PR 30"},
    {.id = "PERF006",
     .title = "the first prediction is much slower than the rest",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = first_is_slow,
     .why = "What is set up lazily is paid for by the first prediction.",
     .fix = "Make one prediction before the user needs one.",
     .source = "tensorflow#62738; react-native-executorch#1393; coreml-optimizer guide"},
    {.id = "PERF010",
     .title = "changing sizes are planned again and again",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = wide_ranges,
     .why = "Each new size needs a new plan.",
     .fix = "Use fixed or enumerated shapes; where sizes seldom change, give the hint reshapeFrequency = "
            ".infrequent.",
     .source = "ax-coreml guide; coreml-optimizer guide"},
    {.id = "PERF014",
     .title = "loading takes far longer than predicting: load once",
     .layer = MLS_LAYER_ENVIRONMENT,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = load_is_slow,
     .why = "An application that loads the model for each prediction pays this every time.",
     .fix = "Load the model once and keep it.",
     .source = "ax-coreml guide; coreml guide"},
    {.id = "PERF015",
     .title = "a cache passes through inputs and outputs at every step",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = cache_through_interface,
     .why = "Without states the caller copies the whole cache in and out; states made a 7B decoder 1.6 times "
            "faster.",
     .fix = "Convert with states, for iOS 18 or later.",
     .source = "ax-coreml guide; coreml guide"},
    {.id = "PERF016",
     .title = "attention is computed in pieces",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = attention_in_pieces,
     .why = "Below iOS 18 there is no scaled_dot_product_attention, and the scores are written to memory and "
            "read back.",
     .fix = "Convert with minimum_deployment_target = iOS18 or later.",
     .source = "ax-coreml guide; coreml guide"},
};

RULE_FAMILY(perf);
