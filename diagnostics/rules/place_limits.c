/* PLACE: limits and habits of the Neural Engine, by operation. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

#include "graph.h"

/* Operations that are refused for this reason and for no other, each with what the placement says of it. */
static bool refused_for(struct rule_case *rule_case, enum mls_refusal refusal)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        if (op->refusals != 1u << refusal)
            continue;
        if (rule_case->finding.n_evidence == 0)
            rule_evidence(rule_case, "profile: %s", mls_placement_profile_name(placement->profile));
        rule_affects(rule_case, op->op);
        rule_evidence(rule_case, "%s \"%s\": %s", op->type, op->name,
                      op->n_reasons > 0 ? op->reasons[0] : "refused");
    }
    if (rule_case->finding.n_ops == 0)
        return false;
    place_gain(rule_case);
    return true;
}

static bool dimension_over_limit(struct rule_case *rule_case)
{
    return refused_for(rule_case, MLS_REFUSAL_DIMENSION);
}

static bool window_over_limit(struct rule_case *rule_case)
{
    return refused_for(rule_case, MLS_REFUSAL_WINDOW);
}

static bool older_chips_refuse(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    uint32_t n = 0;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        if (op->preferred != MLS_UNIT_ANE || !graph_has_word("topk scatter gather_nd", op->type))
            continue;
        rule_affects(rule_case, op->op);
        rule_evidence(rule_case, "%s \"%s\" (%.1f %% of the estimated time)", op->type, op->name,
                      100 * op->cost_share);
        n++;
    }
    return n > 0;
}

static bool odd_channels(struct rule_case *rule_case)
{
    enum { MULTIPLE = 8 };
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_program *program = &rule_case->facts->model->program;
    double share = 0;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *placed = &placement->ops[i];
        const struct mls_op *op = &program->ops[placed->op.i];
        const struct mls_value *weight = graph_operand(program, op, "weight");
        if (placed->preferred != MLS_UNIT_ANE || strcmp(op->type, "conv") != 0 || weight == NULL ||
            weight->type.rank < 3 || weight->type.rank > MLS_RANK_MAX || weight->type.dims[0] <= 0 ||
            weight->type.dims[0] % MULTIPLE == 0)
            continue;
        share += placed->cost_share;
        rule_affects(rule_case, placed->op);
        rule_evidence(rule_case, "conv \"%s\" makes %" PRId64 " channels (%.1f %% of the estimated time)",
                      op->name, weight->type.dims[0], 100 * placed->cost_share);
    }
    return share >= 0.10;
}

static bool batch_above_one(struct rule_case *rule_case)
{
    if (rule_case->facts->placement->totals[MLS_UNIT_ANE].n_ops == 0)
        return false;
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        if (input->kind == MLS_FEATURE_TENSOR && input->type.rank == 4 && input->type.dims[0] > 1)
            rule_evidence(rule_case, "input \"%s\" has batch %" PRId64, input->name, input->type.dims[0]);
    }
    return rule_case->finding.n_evidence > 0;
}

static bool slow_to_compile(struct rule_case *rule_case)
{
    enum { SIDE = 16 };
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *placed = &placement->ops[i];
        const struct mls_op *op = &program->ops[placed->op.i];
        const struct mls_value *weight = graph_operand(program, op, "weight");
        if ((placed->supported & 1u << MLS_UNIT_ANE) == 0 || strcmp(op->type, "conv") != 0 ||
            weight == NULL || weight->type.rank < 4 || weight->type.rank > MLS_RANK_MAX)
            continue;
        int64_t width = weight->type.dims[weight->type.rank - 1];
        int64_t height = weight->type.dims[weight->type.rank - 2];
        if (width < SIDE || height < SIDE)
            continue;
        rule_affects(rule_case, placed->op);
        rule_evidence(rule_case, "conv \"%s\": kernel %" PRId64 " x %" PRId64, op->name, height, width);
    }
    return rule_case->finding.n_evidence > 0;
}

static const struct mls_rule ROWS[] = {
    {.id = "PLACE005",
     .title = "a dimension is over the Neural Engine's limit",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = dimension_over_limit,
     .patterns = "Tensor dimensions …are not within supported range…",
     .why = "No dimension of a tensor may be larger than the unit addresses; the operation runs elsewhere.",
     .fix = "Split the tensor, or keep the large table off this part of the model.",
     .source = "CoreMLProfiler, app_screenshot_full.png; records of MLComputePlan"},
    {.id = "PLACE010",
     .title = "older Neural Engines do not run these operations",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = older_chips_refuse,
     .why = "top-k, gather_nd and scatter fall back to the CPU or the GPU on older chips and systems; the "
            "profile used here takes them.",
     .fix = "If older devices matter, move them to the end of the model.",
     .source = "coreml-optimizer guide; records of MLComputePlan"},
    {.id = "PLACE012",
     .title = "channel counts that do not suit the Neural Engine",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = odd_channels,
     .why = "The Neural Engine works in groups of 8 or 16 channels; the rest of a group is wasted.",
     .fix = "Choose channel counts that are multiples of 8.",
     .source = "coreml-optimizer guide"},
    {.id = "PLACE013",
     .title = "a batch above 1 on the Neural Engine",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = batch_above_one,
     .why = "A guide calls batches less efficient there than several predictions.",
     .fix = "Compare with batch 1 and more predictions on the device.",
     .source = "coreml-optimizer guide"},
    {.id = "PLACE017",
     .title = "a kernel, window or inner dimension is over the Neural Engine's limit",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = window_over_limit,
     .patterns = "conv with large kernel does not meet decomposition preconditions\nInvalid Pool kernel "
                 "width (…), must be …\nthe output channel of "
                 "input A (…) can not fit the Kmem",
     .why = "The limits differ by direction: square, wide and high kernels each have their own.",
     .fix = "Use smaller kernels, or split one into several.",
     .source = "records of the compiler's refusals, M4, macOS 27"},
    {.id = "PERF019",
     .title = "a convolution takes the Neural Engine's compiler minutes and gigabytes",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = slow_to_compile,
     .why = "A kernel of 16 x 16 took over 200 s and 11.7 GB to compile; 13 x 13 took at most 23 s.",
     .fix = "Split the kernel, or keep the operation off the Neural Engine.",
     .source = "study 751K/Apple-Neural-Engine-Microarchitecture-Study-M6"},
};

RULE_FAMILY(place_limits);
