/* PLACE, and what follows from placement: units asked for, cuts, and what the Neural Engine's compiler has to
 * do. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

#include "graph.h"

static const char *profile_name(const struct rule_case *rule_case)
{
    return mls_placement_profile_name(rule_case->facts->placement->profile);
}

static bool allows_ane(const struct mls_placement *placement)
{
    return placement->setting == MLS_COMPUTE_UNITS_ALL || placement->setting == MLS_COMPUTE_UNITS_CPU_AND_ANE;
}

static const struct mls_op *op_of(const struct rule_case *rule_case, const struct mls_placed_op *placed)
{
    return &rule_case->facts->model->program.ops[placed->op.i];
}

void place_gain(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    uint32_t *ops = MLS_STORE_ARRAY(rule_case->store, rule_case->finding.n_ops, uint32_t);
    uint32_t n = 0;
    for (size_t i = 0; ops != NULL && i < rule_case->finding.n_ops; i++) {
        const struct mls_placed_op *op = mls_placement_find(placement, rule_case->ops[i]);
        if (op != NULL && op->would_take_us[MLS_BACKEND_ANE] >= 0)
            ops[n++] = op->index;
    }
    double total_us = n > 0 ? mls_placement_total_if(placement, ops, n) : -1;
    double gain_us = total_us >= 0 ? placement->total_us - total_us : 0;
    gain_us = gain_us > 0 ? gain_us : 0;
    rule_gain(rule_case, (uint64_t)(gain_us * 1000), (uint64_t)(placement->total_us * 1000));
    rule_conclude(rule_case, "on the Neural Engine they would save an estimated %.4g of %.4g us (profile %s)",
                  gain_us, placement->total_us, profile_name(rule_case));
}

/* A state that is reshaped or transposed right after it is read, or right before it is written. */
static bool state_reshaped(struct rule_case *rule_case)
{
    static const char moves[] = "reshape transpose expand_dims squeeze";
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_op *source = NULL;
        const struct mls_op *move = NULL;
        if (graph_has_word(moves, op->type)) {
            source = graph_producer(program, graph_operand(program, op, "x"));
            move = source != NULL && strcmp(source->type, "read_state") == 0 ? op : NULL;
        } else if (strcmp(op->type, "coreml_update_state") == 0) {
            source = graph_producer(program, graph_operand(program, op, "value"));
            move = source != NULL && graph_has_word(moves, source->type) ? source : NULL;
            source = op;
        }
        if (move == NULL)
            continue;
        rule_evidence(rule_case, "%s \"%s\" stands next to %s \"%s\"", move->type, move->name, source->type,
                      source->name);
        rule_affects(rule_case, (mls_op_id){i});
    }
    return rule_case->finding.n_evidence > 0;
}

/* The operation that first makes an int32 value out of something else, for an operation refused for its type.
 */
static const struct mls_op *int32_root(const struct rule_case *rule_case, const struct mls_op *op)
{
    enum { STEPS_MAX = 64 };
    const struct mls_program *program = &rule_case->facts->model->program;
    for (unsigned step = 0; step < STEPS_MAX; step++) {
        const struct mls_op *before = NULL;
        for (uint32_t i = 0; before == NULL && i < op->n_arguments; i++) {
            const struct mls_value *value = graph_operand(program, op, op->arguments[i].name);
            if (value != NULL && value->type.dtype == MLS_INT32)
                before = graph_producer(program, value);
        }
        if (before == NULL)
            return step > 0 ? op : NULL;
        op = before;
    }
    return op;
}

static bool follows_a_refused_one(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    if (!allows_ane(placement))
        return false;
    uint32_t n = 0;
    const struct mls_op *shown = NULL;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *placed = &placement->ops[i];
        if (placed->refusals != 1u << MLS_REFUSAL_TYPE || (placed->supported & 1u << MLS_UNIT_ANE) != 0)
            continue;
        const struct mls_op *root = int32_root(rule_case, op_of(rule_case, placed));
        if (root == NULL)
            continue;
        if (root != shown)
            rule_evidence(rule_case, "%s \"%s\" is kept off by the int32 values that %s \"%s\" makes",
                          placed->type, placed->name, root->type, root->name);
        shown = root;
        rule_affects(rule_case, placed->op);
        n++;
    }
    place_gain(rule_case);
    /* what gains nothing by the estimates is no finding */
    return n > 0 && rule_case->finding.gain_ns >= 1000;
}

/* Refused operations that stand between supported ones: each such place cuts the graph. */
static bool many_cuts(struct rule_case *rule_case)
{
    enum { CUTS_THAT_MATTER = 16 };
    const struct mls_placement *placement = rule_case->facts->placement;
    uint32_t n_cuts = 0;
    uint32_t n_taken = 0;
    bool before = false;
    bool cut = false;
    for (uint32_t i = 0; allows_ane(placement) && i < placement->n_ops; i++) {
        bool taken = (placement->ops[i].supported & 1u << MLS_UNIT_ANE) != 0;
        n_taken += taken;
        n_cuts += taken && before && cut;
        cut = !taken;
        before = before || taken;
    }
    if (n_cuts < CUTS_THAT_MATTER)
        return false;
    rule_evidence(rule_case,
                  "refused operations cut the graph at %" PRIu32 " places; %" PRIu32 " of %" PRIu32
                  " operations (%.0f %%) can run on the Neural Engine (profile %s)",
                  n_cuts, n_taken, placement->n_ops, 100.0 * n_taken / placement->n_ops,
                  profile_name(rule_case));
    return true;
}

/* Height and width of a value as an image has them, with shapes of the plan; false when it has none. */
static bool spatial_sides(const struct mls_value *value, int64_t *ret_height, int64_t *ret_width)
{
    if (value->type.kind != MLS_KIND_TENSOR || value->type.rank != 4)
        return false;
    *ret_height = value->type.dims[2];
    *ret_width = value->type.dims[3];
    return *ret_height > 1 && *ret_width > 1;
}

static bool large_images(struct rule_case *rule_case)
{
    enum { SIDE_THAT_HURTS = 4096, OTHER_SIDE = 64 };
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *placed = &placement->ops[i];
        const struct mls_op *op = op_of(rule_case, placed);
        int64_t height = 0;
        int64_t width = 0;
        if (op->n_outputs == 0 || (placed->supported & 1u << MLS_UNIT_ANE) == 0 ||
            !graph_has_word("conv conv_transpose avg_pool max_pool", op->type) ||
            !spatial_sides(&program->values[op->outputs[0].i], &height, &width))
            continue;
        int64_t longer = height > width ? height : width;
        int64_t shorter = height > width ? width : height;
        if (longer <= SIDE_THAT_HURTS || shorter < OTHER_SIDE)
            continue;
        rule_evidence(rule_case, "%s \"%s\": %" PRId64 " x %" PRId64 " (guides: not above %d)", op->type,
                      op->name, height, width, SIDE_THAT_HURTS);
        rule_affects(rule_case, placed->op);
    }
    return rule_case->finding.n_evidence > 0;
}

/* As large as the tensors with which a compile for the Neural Engine was seen to fail. */
static bool too_large_for_ane(struct rule_case *rule_case)
{
    const uint64_t bytes_seen_failing = (uint64_t)3 * 5568 * 5568 * 2;
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *placed = &placement->ops[i];
        const struct mls_op *op = op_of(rule_case, placed);
        size_t bytes = op->n_outputs > 0 ? mls_type_bytes(&program->values[op->outputs[0].i].type) : 0;
        if (placed->preferred != MLS_UNIT_ANE || bytes == SIZE_MAX || bytes < bytes_seen_failing)
            continue;
        rule_evidence(rule_case,
                      "%s \"%s\" makes %.0f MB on the Neural Engine; a compile failed with %.0f MB", op->type,
                      op->name, (double)bytes / 1e6, (double)bytes_seen_failing / 1e6);
        rule_affects(rule_case, placed->op);
    }
    return rule_case->finding.n_evidence > 0;
}

/* A unit was asked for, and nothing of the model runs there. */
static bool unit_takes_nothing(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    bool ane = placement->setting == MLS_COMPUTE_UNITS_CPU_AND_ANE;
    bool gpu = placement->setting == MLS_COMPUTE_UNITS_CPU_AND_GPU;
    enum mls_unit unit = ane ? MLS_UNIT_ANE : MLS_UNIT_GPU;
    if ((!ane && !gpu) || placement->n_ops == 0)
        return false;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        if ((op->supported & 1u << unit) != 0 || op->refusals == 1u << MLS_REFUSAL_DYNAMIC)
            return false;
    }
    rule_evidence(rule_case,
                  "%s was asked for, and none of %" PRIu32 " operations can run on the %s (profile %s)",
                  mls_compute_units_name(placement->setting), placement->n_ops, mls_unit_name(unit),
                  profile_name(rule_case));
    return true;
}

static bool long_compile(struct rule_case *rule_case)
{
    enum { OPS_THAT_TAKE_MINUTES = 1500 };
    const uint64_t bytes_that_take_minutes = (uint64_t)300 << 20;
    const struct mls_placement *placement = rule_case->facts->placement;
    uint32_t most = 0;
    for (uint32_t i = 0; i < placement->n_segments; i++) {
        const struct mls_placed_segment *segment = &placement->segments[i];
        uint32_t n = segment->last - segment->first + 1;
        most = segment->unit == MLS_UNIT_ANE && n > most ? n : most;
    }
    uint64_t weights =
        rule_case->facts->plan != NULL ? mls_plan_memory(rule_case->facts->plan).weights_bytes : 0;
    if (most == 0 || (most < OPS_THAT_TAKE_MINUTES && weights < bytes_that_take_minutes))
        return false;
    rule_evidence(rule_case,
                  "the longest part on the Neural Engine has %" PRIu32
                  " operations; weights take %.0f MB (profile %s)",
                  most, (double)weights / 1e6, profile_name(rule_case));
    return true;
}

static bool wrong_units(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_placement *best = placement;
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        const struct mls_placement *other = rule_case->facts->settings[i];
        if (other != NULL && other->total_us < best->total_us)
            best = other;
    }
    double gain_us = placement->total_us - best->total_us;
    if (gain_us < 500 || gain_us < placement->total_us / 3)
        return false;
    rule_evidence(rule_case, "estimated with %s: %.4g us; with %s: %.4g us (profile %s)",
                  mls_compute_units_name(placement->setting), placement->total_us,
                  mls_compute_units_name(best->setting), best->total_us, profile_name(rule_case));
    for (unsigned unit = 0; unit < MLS_UNIT_COUNT; unit++) {
        const struct mls_unit_total *total = &placement->totals[unit];
        if (total->n_ops > 0)
            rule_evidence(rule_case, "%s: %" PRIu32 " operations, %.0f %% of the estimated time",
                          mls_unit_name(unit), total->n_ops, 100 * total->cost_share);
    }
    rule_gain(rule_case, (uint64_t)(gain_us * 1000), (uint64_t)(placement->total_us * 1000));
    return true;
}

/* Weights in blocks of 4 bits are made for the GPU, lookup tables for the Neural Engine. */
static bool compression_for_other_unit(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_program *program = &rule_case->facts->model->program;
    const struct mls_op *blocks = NULL;
    const struct mls_op *tables = NULL;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_value *data = graph_operand(program, op, "data");
        if (strcmp(op->type, "constexpr_blockwise_shift_scale") == 0 && data != NULL &&
            mls_dtype_bits(data->type.dtype) == 4)
            blocks = op;
        if (strcmp(op->type, "constexpr_lut_to_dense") == 0)
            tables = op;
    }
    bool on_ane = placement->totals[MLS_UNIT_ANE].cost_share > 0.5;
    bool on_gpu = placement->setting == MLS_COMPUTE_UNITS_CPU_AND_GPU;
    if (blocks != NULL && on_ane)
        rule_evidence(
            rule_case,
            "\"%s\" has 4-bit weights in blocks, and %.0f %% of the estimated time is on the Neural "
            "Engine (profile %s)",
            blocks->name, 100 * placement->totals[MLS_UNIT_ANE].cost_share, profile_name(rule_case));
    else if (tables != NULL && on_gpu)
        rule_evidence(rule_case, "\"%s\" has a lookup table, and cpuAndGPU was asked for", tables->name);
    return rule_case->finding.n_evidence > 0;
}

static bool branches_on_gpu(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    if (placement->totals[MLS_UNIT_GPU].n_ops == 0)
        return false;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_placed_op *op = &placement->ops[i];
        if (!graph_has_word("cond while_loop", op->type))
            continue;
        rule_evidence(rule_case, "%s \"%s\", and %" PRIu32 " operations on the GPU (profile %s)", op->type,
                      op->name, placement->totals[MLS_UNIT_GPU].n_ops, profile_name(rule_case));
        rule_affects(rule_case, op->op);
    }
    return rule_case->finding.n_evidence > 0;
}

static const struct mls_rule ROWS[] = {
    {.id = "PLACE003",
     .title = "a state is reshaped or transposed next to where it is read or written",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL,
     .assess = state_reshaped,
     .why = "Stateful models are reported that the Neural Engine refuses for it while CPU and GPU take them.",
     .fix = "Keep the state in the layout that the computation uses.",
     .source = "coremltools#2553"},
    {.id = "PLACE006",
     .title = "operations are off the Neural Engine because of the int32 values that they get",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = follows_a_refused_one,
     .patterns = "Input cannot run on ANE, prevents this op from running on ANE.",
     .why = "The cause is the operation that makes the input, often a cast to an integer type.",
     .fix =
         "Mend the operation that is named: compute in fp16 or 16-bit integers, or make the value constant.",
     .source = "CoreMLProfiler, app_screenshot_full.png"},
    {.id = "PLACE008",
     .title = "refused operations cut the graph into many pieces",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = many_cuts,
     .why =
         "Each piece that could run on the Neural Engine has to pay for going there and back; seen: 14.6 % "
         "of the nodes in 64 partitions.",
     .fix =
         "Use static shapes and fp16, and replace what is refused; `mlscope plan` says what that would gain.",
     .source = "gigastt#42; oemer#62; onnxruntime#9433"},
    {.id = "PLACE011",
     .title = "images larger than the Neural Engine likes",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = large_images,
     .why = "Guides call sides above 4096 refused or inefficient; limits differ between chips.",
     .fix = "Work in tiles.",
     .source = "coreml-optimizer guide"},
    {.id = "LOAD032",
     .title = "the Neural Engine's compiler refuses parts as large as these",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = too_large_for_ane,
     .patterns = "MILCompilerForANE error: failed to compile ANE model using ANEF.\nANECCompile() FAILED",
     .why = "A tensor or the graph is too large for the Neural Engine (seen: 1x3x5568x5568), or its "
            "dimensions are bad. After a long load "
            "without an error, this line also announces a crash at the first prediction.",
     .fix =
         "Use smaller tiles, or compute units cpuAndGPU; `mlscope plan` names the dimensions over a limit.",
     .source = "coremltools#2247, #2758"},
    {.id = "LOAD035",
     .title = "nothing of the model can run on the unit asked for",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .wrapper = true,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = unit_takes_nothing,
     .patterns = "Failed to create compute plan",
     .why = "Operations are not supported on the unit asked for.",
     .fix = "Try cpuOnly to confirm; convert with FLOAT16 precision; `mlscope plan` lists what each unit "
            "refuses.",
     .source = "ax-coreml guide"},
    {.id = "PERF001",
     .title = "the first load on a device may take minutes",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = long_compile,
     .why = "The Neural Engine's compiler runs on the device, and its time grows faster than the number of "
            "operations: 1 block took 4.9 s, 4 took 39 s, 8 took 130 s.",
     .fix = "Split the model, or use cpuAndGPU; ship the compiled .mlmodelc and keep its path, so that the "
            "cache "
            "holds.",
     .source = "coremltools#1814, #1900, #2367; whisper.cpp#773, #937, #2126; speech-swift#464"},
    {.id = "PERF008",
     .title = "another compute-unit setting is estimated to be faster",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT | RULE_NEEDS_SETTINGS,
     .assess = wrong_units,
     .why = "The setting decides which units the compiler may use at all.",
     .fix = "Set computeUnits to the faster one, and measure each setting on the device.",
     .source = "ax-coreml guide; coreml-optimizer guide"},
    {.id = "PERF009",
     .title = "the compression of the weights does not suit the unit",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = compression_for_other_unit,
     .why = "The Neural Engine expands lookup tables as it goes; the GPU does so with blocks of 4 bits.",
     .fix = "Palettize for the Neural Engine, quantize in blocks for the GPU, and measure on the target.",
     .source = "ax-coreml guide"},
    {.id = "ACC004",
     .title = "branches on the GPU have given wrong results",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = branches_on_gpu,
     .why = "A fault of one system's framework: a model with branches was wrong on the GPU only.",
     .fix = "Compare the device's output with that of `mlscope run`; choose another unit where they differ.",
     .source = "coremltools#937"},
};

RULE_FAMILY(place_units);
