/* PLACE: what the predicted placement says. Every finding names the profile that it was made with. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

#include "graph.h"
#include "placement/profile.h"

/* Shares and times from which a finding is worth a reader's time. */
#define SHARE_THAT_MATTERS 0.10
#define SWITCHING_THAT_MATTERS 0.20
enum { SWITCHES_THAT_MATTER = 8, OPS_NAMED_MAX = 6 };

static const char *profile_name(const struct rule_case *rule_case)
{
    return mls_placement_profile_name(rule_case->facts->placement->profile);
}

static bool range_inputs(struct rule_case *rule_case)
{
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        for (size_t k = 0; k < input->n_ranges; k++) {
            char range[GRAPH_RANGE_BYTES];
            if (input->ranges[k].lower != input->ranges[k].upper)
                rule_evidence(rule_case, "input \"%s\", dimension %zu: %s", input->name, k,
                              graph_range_format(&input->ranges[k], range));
        }
    }
    const struct mls_placement *placement = rule_case->facts->placement;
    if (placement == NULL || placement->totals[MLS_UNIT_ANE].n_ops == 0)
        rule_case->finding.severity = MLS_SEVERITY_INFO;
    return rule_case->finding.n_evidence > 0;
}

static bool layer_norm_with_enumerated(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    size_t n_inputs = 0;
    size_t n_norms = 0;
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++)
        n_inputs += rule_case->interface->inputs[i].n_enumerated > 1;
    for (uint32_t i = 0; n_inputs > 0 && i < program->n_ops; i++) {
        if (strcmp(program->ops[i].type, "layer_norm") == 0) {
            rule_affects(rule_case, (mls_op_id){i});
            n_norms++;
        }
    }
    if (n_norms > 0)
        rule_evidence(rule_case, "%zu layer_norm operation%s, and %zu input%s with enumerated shapes",
                      n_norms, n_norms == 1 ? "" : "s", n_inputs, n_inputs == 1 ? "" : "s");
    return n_norms > 0;
}

static bool state_width_off(struct rule_case *rule_case)
{
    enum { MULTIPLE = 32 };
    for (size_t i = 0; i < rule_case->interface->n_states; i++) {
        const struct mls_feature *state = &rule_case->interface->states[i];
        int64_t width = state->type.rank > 0 && state->type.rank <= MLS_RANK_MAX
                            ? state->type.dims[state->type.rank - 1]
                            : 0;
        if (width > 0 && width % MULTIPLE != 0)
            rule_evidence(rule_case, "state \"%s\": the last dimension is %" PRId64 ", no multiple of %d",
                          state->name, width, MULTIPLE);
    }
    return rule_case->finding.n_evidence > 0;
}

/* What a run on the Neural Engine must save at the start of a model; in the middle one more change comes on
 * top. */
static double least_saving_us(const struct rule_case *rule_case)
{
    const struct mls_placement_profile *profile = rule_case->facts->placement->profile;
    return profile->launch_us[MLS_UNIT_ANE] + profile->change_us;
}

/* A lookup in a constant table is estimated as if all of the table were read. */
static bool is_lookup(const struct rule_case *rule_case, const struct mls_placed_op *placed)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    const struct mls_op *op = &program->ops[placed->op.i];
    const struct mls_value *table = graph_operand(program, op, "x");
    return strcmp(op->type, "gather") == 0 && table != NULL && graph_producer(program, table) == NULL &&
           table->producer.i != MLS_NO_INDEX;
}

/* Whether records, not assumptions, say that the Neural Engine refuses the operation. */
static bool is_refused(const struct mls_placed_op *op)
{
    return (op->supported & 1u << MLS_UNIT_ANE) == 0 && op->refusals != 1u << MLS_REFUSAL_UNRECORDED;
}

/* Operations that the Neural Engine refuses, while others of the model run there or could. */
static bool refused_operations(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    double share = 0;
    uint32_t n_refused = 0;
    uint32_t n_taken = 0;
    if (placement->setting != MLS_COMPUTE_UNITS_ALL && placement->setting != MLS_COMPUTE_UNITS_CPU_AND_ANE)
        return false;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        n_taken += (op->supported & 1u << MLS_UNIT_ANE) != 0;
        if (!is_refused(op))
            continue;
        n_refused++;
        share += is_lookup(rule_case, op) ? 0 : op->cost_share;
    }
    if (n_taken == 0 || share < SHARE_THAT_MATTERS || share * placement->ops_us < least_saving_us(rule_case))
        return false;
    rule_evidence(rule_case,
                  "%" PRIu32 " of %" PRIu32 " operations, %.0f %% of the estimated time (profile %s)",
                  n_refused, placement->n_ops, 100 * share, profile_name(rule_case));
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        if (!is_refused(op))
            continue;
        rule_affects(rule_case, op->op);
        rule_evidence(rule_case, "%s \"%s\" (%.1f %%): %s", op->type, op->name, 100 * op->cost_share,
                      op->n_reasons > 0 ? op->reasons[0] : "refused");
    }
    place_gain(rule_case);
    return true;
}

static bool too_small_for_switching(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    double on_cpu_us = 0;
    double on_ane_us = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        if ((op->supported & 1u << MLS_UNIT_ANE) == 0 || op->preferred == MLS_UNIT_ANE)
            continue;
        on_cpu_us += op->estimate_us[op->backend];
        on_ane_us += op->estimate_us[MLS_BACKEND_ANE];
        n++;
    }
    if (n == 0 || placement->totals[MLS_UNIT_ANE].n_ops > 0)
        return false;
    rule_evidence(rule_case,
                  "%" PRIu32 " of %" PRIu32
                  " operations could run on the Neural Engine; together they take an estimated "
                  "%.4g us where they are and %.4g us there (profile %s)",
                  n, placement->n_ops, on_cpu_us, on_ane_us, profile_name(rule_case));
    rule_evidence(rule_case,
                  "each run of operations there must first save %.4g us, in the middle of a model %.4g us",
                  least_saving_us(rule_case), least_saving_us(rule_case) + placement->profile->change_us);
    return true;
}

static bool bounces(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    if (placement->n_switches < SWITCHES_THAT_MATTER ||
        placement->switching_us < SWITCHING_THAT_MATTERS * placement->total_us)
        return false;
    rule_evidence(rule_case, "%" PRIu32 " changes of unit cost %.4g of an estimated %.4g us (profile %s)",
                  placement->n_switches, placement->switching_us, placement->total_us,
                  profile_name(rule_case));
    for (uint32_t i = 0; i < placement->n_segments; i++) {
        const struct mls_placed_segment *segment = &placement->segments[i];
        /* a short run off the Neural Engine between two on it is what cuts */
        if (segment->unit == MLS_UNIT_ANE || i == 0 || i + 1 == placement->n_segments ||
            segment->last - segment->first >= OPS_NAMED_MAX)
            continue;
        const struct mls_placed_op *op = &placement->ops[segment->first];
        rule_evidence(rule_case, "%s \"%s\"%s on %s: %s", op->type, op->name,
                      segment->last > segment->first ? " and those after it" : "",
                      mls_unit_name(segment->unit), op->n_reasons > 0 ? op->reasons[0] : "");
        for (uint32_t k = segment->first; k <= segment->last; k++)
            rule_affects(rule_case, placement->ops[k].op);
    }
    rule_gain(rule_case, (uint64_t)(placement->switching_us * 1000), (uint64_t)(placement->total_us * 1000));
    return true;
}

static bool never_on_ane(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    uint32_t n_supported = 0;
    uint32_t n_refused = 0;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        n_refused += is_refused(&placement->ops[i]);
        /* what only the missing shapes refuse may well run there */
        n_supported += (placement->ops[i].supported & 1u << MLS_UNIT_ANE) != 0 ||
                       placement->ops[i].refusals == 1u << MLS_REFUSAL_DYNAMIC;
    }
    if (placement->setting != MLS_COMPUTE_UNITS_ALL || placement->n_ops == 0 || n_supported > 0 || n_refused == 0)
        return false;
    rule_evidence(rule_case, "none of %" PRIu32 " operations is supported on the Neural Engine (profile %s)",
                  placement->n_ops, profile_name(rule_case));
    rule_evidence(rule_case, "%s \"%s\": %s", placement->ops[0].type, placement->ops[0].name,
                  placement->ops[0].n_reasons > 0 ? placement->ops[0].reasons[0] : "");
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "PLACE001",
     .title = "an input of variable size may keep the model off the Neural Engine",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = range_inputs,
     .patterns = "MLE5Engine is not currently supported for models with range shape inputs that try to "
                 "utilize the Neural Engine.",
     .why = "Systems have refused models with a range of sizes when the Neural Engine was allowed.",
     .fix = "Convert with a fixed shape, or with EnumeratedShapes.",
     .source = "coremltools#1029"},
    {.id = "PLACE002",
     .title = "a state's last dimension is no multiple of 32",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL,
     .assess = state_width_off,
     .why =
         "A report has a stateful model that fails on the Neural Engine with width 270 and works with 256.",
     .fix = "Pad the state to a multiple of 32.",
     .source = "coremltools#2631"},
    {.id = "PLACE004",
     .title = "layer_norm together with enumerated shapes may leave the Neural Engine",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL,
     .assess = layer_norm_with_enumerated,
     .why = "One report measured 175 ms instead of 20 ms with that combination.",
     .fix = "Use fixed shapes, or a range.",
     .source = "coremltools#1909"},
    {.id = "PLACE007",
     .title = "the model is too small for the Neural Engine to be worth it",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = too_small_for_switching,
     .why = "Going to the Neural Engine and back costs time; what it would save here is less.",
     .fix = "Nothing is wrong. More work in one prediction (a larger batch) would change it.",
     .source = "vx-lang/Vx#436; records of MLComputePlan"},
    {.id = "PLACE009",
     .title = "nothing of the model can run on the Neural Engine",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = never_on_ane,
     .why = "Setting `all` is then no faster than cpuAndGPU.",
     .fix = "If the program is in fp32, convert with compute_precision=FLOAT16; otherwise see the reasons by "
            "operation in `mlscope plan`.",
     .source = "coreml-optimizer guide"},
    {.id = "PLACE015",
     .title = "costly operations are not supported on the Neural Engine",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = refused_operations,
     .patterns = "Unsupported MIL operation\nOnly Channelwise or Spatial ArgMax/Min is supported on "
                 "ANE\nNonMaximumSuppression kernel cannot "
                 "currently run on ANE with more than 2048 input boxes\nInner product with H/W > 1 not "
                 "allowed on ANE\nConstnt Pad fill "
                 "mode with non-zero values is not supported on ANE\n3d space_to_batch is not supported on "
                 "ANE\nUnsupported tensor data "
                 "type: int32",
     .why = "They run on the CPU or the GPU, and what stands around them may follow.",
     .fix = "Replace them by supported ones, move them to the end of the model, or choose cpuAndGPU.",
     .source = "study 751K/Apple-Neural-Engine-Microarchitecture-Study-M6, notes/coreml_dispatch.md"},
    {.id = "PLACE016",
     .title = "the model goes back and forth between units",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = bounces,
     .patterns = "The network bounces between the ANE and GPU/CPU … too often",
     .why = "Each change of unit costs about 0.125 ms.",
     .fix = "Mend the operations that cut the longest segments.",
     .source = "study 751K/Apple-Neural-Engine-Microarchitecture-Study-M6, notes/coreml_dispatch.md"},
};

RULE_FAMILY(place);
