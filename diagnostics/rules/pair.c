/* COMP, PERF: what two models side by side show: A is the reference, B the model looked at. */
#include "rule.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "graph.h"

#define PAIR_THAT_IS_GOOD_DB 30
#define PAIR_THAT_IS_WRONG_DB 15

static uint32_t count_ops(const struct mls_model *model, const char *types)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < model->program.n_ops; i++)
        n += graph_has_word(types, model->program.ops[i].type);
    return n;
}

/* The operation of B that the walk speaks of. */
static void affect(struct rule_case *rule_case, const struct mls_walk_op *op)
{
    if (rule_case->facts->plan != NULL && op->b < mls_plan_step_count(rule_case->facts->plan))
        rule_evidence(rule_case, "%s \"%s\" adds %.2g of relative error, %.1f dB after it", op->type,
                      op->name, op->added_error, op->snr_db);
    else
        rule_evidence(rule_case, "%s \"%s\": %.1f dB", op->type, op->name, op->snr_db);
}

/* Accuracy that went when B's weights were compressed by operations of these types, which A has fewer of. */
static bool lost_by(struct rule_case *rule_case, const char *types)
{
    enum { TOLD = 5 };
    const struct mls_walk *walk = rule_case->facts->walk;
    uint32_t n = count_ops(rule_case->facts->model, types);
    if (n <= count_ops(rule_case->facts->reference, types))
        return false;
    double worst_db = (double)INFINITY;
    for (size_t i = 0; i < walk->n_outputs; i++) {
        if (walk->outputs[i].compared && walk->outputs[i].snr_db < worst_db)
            worst_db = walk->outputs[i].snr_db;
    }
    if (!(worst_db < PAIR_THAT_IS_GOOD_DB))
        return false;
    rule_evidence(rule_case,
                  "the worst output is at %.1f dB of the reference; %" PRIu32 " compressed weights", worst_db,
                  n);
    for (size_t i = 0; i < walk->n_worst && i < TOLD; i++)
        affect(rule_case, &walk->ops[walk->worst[i]]);
    rule_case->finding.severity = worst_db < PAIR_THAT_IS_WRONG_DB ? MLS_SEVERITY_WARNING : MLS_SEVERITY_INFO;
    return true;
}

static bool lost_by_palettes(struct rule_case *rule_case)
{
    return lost_by(rule_case, "constexpr_lut_to_dense constexpr_lut_to_sparse");
}

static bool lost_by_quantization(struct rule_case *rule_case)
{
    return lost_by(rule_case, "constexpr_affine_dequantize constexpr_blockwise_shift_scale");
}

static bool lost_by_pruning(struct rule_case *rule_case)
{
    return lost_by(rule_case, "constexpr_sparse_to_dense constexpr_sparse_blockwise_shift_scale");
}

static const struct mls_change *total_called(const struct mls_comparison *comparison, const char *name)
{
    for (size_t i = 0; i < comparison->n_totals; i++) {
        if (strcmp(comparison->totals[i].name, name) == 0)
            return &comparison->totals[i];
    }
    return NULL;
}

/* Both are quantized to 8 bits, by routes that gave different graphs. */
static bool two_int8_routes(struct rule_case *rule_case)
{
    static const char quantized[] = "constexpr_affine_dequantize constexpr_blockwise_shift_scale";
    const struct mls_comparison *comparison = rule_case->facts->comparison;
    uint32_t n_a = count_ops(rule_case->facts->reference, quantized);
    uint32_t n_b = count_ops(rule_case->facts->model, quantized);
    uint32_t active_a = count_ops(rule_case->facts->reference, "quantize");
    uint32_t active_b = count_ops(rule_case->facts->model, "quantize");
    const struct mls_change *weights = total_called(comparison, "weights_bytes");
    const struct mls_change *time = total_called(comparison, "p50_ns");
    if (n_a == 0 || n_b == 0 || weights == NULL || time == NULL ||
        (n_a == n_b && active_a == active_b && fabs(weights->ratio - 1) < 0.01))
        return false;
    rule_evidence(rule_case,
                  "quantized weights: %" PRIu32 " and %" PRIu32 "; quantize operations: %" PRIu32
                  " and %" PRIu32,
                  n_a, n_b, active_a, active_b);
    rule_evidence(rule_case, "weights %.2f MB and %.2f MB; %.3f ms and %.3f ms%s", weights->a / 1e6,
                  weights->b / 1e6, time->a / 1e6, time->b / 1e6,
                  time->significant ? "" : ", which is noise");
    return true;
}

/* The same program in another wrapping must run equally fast. */
static bool wrapping_costs(struct rule_case *rule_case)
{
    const struct mls_comparison *comparison = rule_case->facts->comparison;
    const struct mls_change *time = total_called(comparison, "p50_ns");
    bool same_program = comparison->n_only_a == 0 && comparison->n_only_b == 0 &&
                        rule_case->facts->reference->program.n_ops == rule_case->facts->model->program.n_ops;
    bool in_memory = mls_package_info(rule_case->facts->model->package)->form !=
                         mls_package_info(rule_case->facts->reference->package)->form ||
                     mls_package_info(rule_case->facts->model->package)->sealed !=
                         mls_package_info(rule_case->facts->reference->package)->sealed;
    if (!same_program || !in_memory || time == NULL || !time->significant || fabs(time->ratio - 1) < 0.05)
        return false;
    rule_evidence(rule_case, "the same %zu operations take %.3f ms and %.3f ms", comparison->n_matched,
                  time->a / 1e6, time->b / 1e6);
    return true;
}

enum { PAIR = RULE_NEEDS_MODEL | RULE_NEEDS_REFERENCE, PAIR_OF_VALUES = PAIR | RULE_NEEDS_WALK };

static const struct mls_rule ROWS[] = {
    {.id = "COMP007",
     .title = "palettization costs accuracy",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = PAIR_OF_VALUES,
     .assess = lost_by_palettes,
     .why = "Too few clusters: 4 bits for a whole tensor are 16 values for the whole matrix.",
     .fix = "In this order: per_grouped_channel (iOS 18), more bits, calibration data, compression while "
            "training; leave "
            "out the operations that are named.",
     .source = "ax-coreml guide"},
    {.id = "COMP008",
     .title = "quantization costs accuracy",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = PAIR_OF_VALUES,
     .assess = lost_by_quantization,
     .why = "The scale is too coarse for these weights, or an operation is sensitive.",
     .fix = "In this order: per channel, per block (iOS 18), calibration data, a wider type; skip the "
            "operations that are "
            "named; try palettization.",
     .source = "ax-coreml guide; coreml-optimizer guide"},
    {.id = "COMP009",
     .title = "pruning costs accuracy",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = PAIR_OF_VALUES,
     .assess = lost_by_pruning,
     .why = "More weights are zero than the model bears; above 50 % training is needed.",
     .fix = "In this order: a lower sparsity, calibration data, compression while training.",
     .source = "ax-coreml guide"},
    {.id = "COMP005",
     .title = "two routes to 8 bits gave different models",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = PAIR,
     .assess = two_int8_routes,
     .why = "coremltools' own compression and that of the source framework quantize different weights in "
            "different ways.",
     .fix = "Choose by size, time and accuracy of the two.",
     .source = "coremltools#2514"},
    {.id = "PERF011",
     .title = "the same program is slower in another wrapping",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = PAIR,
     .assess = wrapping_costs,
     .why = "Here a sealed model and a folder run the same plan and must be equally fast. On Apple's side an "
            "in-memory "
            "asset was reported slower than the compiled model at every prediction; why is not known.",
     .fix = "Measure again on an idle machine; if it stays, report it. On Apple's side prefer the compiled "
            "model.",
     .source = "forum question on MLModelAsset"},
};

RULE_FAMILY(pair);
