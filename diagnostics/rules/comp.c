/* COMP: compression. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

#include "graph.h"

static const char COMPRESSED_OPS[] =
    "constexpr_affine_dequantize constexpr_blockwise_shift_scale constexpr_lut_to_dense "
    "constexpr_lut_to_sparse constexpr_sparse_blockwise_shift_scale constexpr_sparse_to_dense";

enum { TABLES_THAT_MATTER = 64, SMALL_WEIGHT_ELEMS = 2048 };

/* Quantized activations, with too little of the model on the Neural Engine. */
static bool activations_quantized_off_ane(struct rule_case *rule_case)
{
    const struct mls_placement *placement = rule_case->facts->placement;
    const struct mls_program *program = &rule_case->facts->model->program;
    uint32_t n = 0;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        const struct mls_op *op = &program->ops[placement->ops[i].op.i];
        const struct mls_value *input = graph_operand(program, op, "input");
        if (strcmp(op->type, "quantize") != 0 || input == NULL || input->constant != NULL)
            continue;
        rule_affects(rule_case, placement->ops[i].op);
        n++;
    }
    double share = placement->totals[MLS_UNIT_ANE].cost_share;
    if (n == 0 || share >= 0.5)
        return false;
    rule_evidence(rule_case,
                  "%" PRIu32
                  " quantize operations at run time; %.0f %% of the estimated time is on the Neural Engine "
                  "(profile %s)",
                  n, 100 * share, mls_placement_profile_name(placement->profile));
    return true;
}

/* Lookup tables of a palettized weight: its lut is [groups..., entries, vector]. */
static int64_t table_count(const struct mls_value *lut)
{
    enum { TABLE_RANK = 2 };
    if (lut == NULL || lut->type.rank == MLS_RANK_UNKNOWN || lut->type.rank <= TABLE_RANK)
        return 1;
    struct mls_type groups = mls_type_tensor(lut->type.dtype, lut->type.rank - TABLE_RANK, lut->type.dims);
    int64_t n = mls_type_elems(&groups);
    return n > 0 ? n : 1;
}

static bool many_tables(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        if (strcmp(op->type, "constexpr_lut_to_dense") != 0)
            continue;
        int64_t n = table_count(graph_operand(program, op, "lut"));
        if (n < TABLES_THAT_MATTER)
            continue;
        rule_evidence(rule_case, "\"%s\" has %" PRId64 " lookup tables", op->name, n);
        rule_affects(rule_case, (mls_op_id){i});
    }
    return rule_case->finding.n_evidence > 0;
}

static bool small_weights_left(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    uint64_t small_bytes = 0;
    uint64_t all_bytes = 0;
    uint32_t n_small = 0;
    bool compressed = false;
    for (uint32_t i = 0; i < program->n_ops; i++)
        compressed = compressed || graph_has_word(COMPRESSED_OPS, program->ops[i].type);
    for (uint32_t i = 0; compressed && i < program->n_values; i++) {
        const struct mls_value *value = &program->values[i];
        if (value->constant == NULL || value->constant->blob_path == NULL)
            continue;
        all_bytes += value->constant->size_bytes;
        int64_t elems = mls_type_elems(&value->type);
        bool is_float = value->type.dtype == MLS_FP16 || value->type.dtype == MLS_FP32;
        if (is_float && value->type.rank >= 2 && elems >= 0 && elems < SMALL_WEIGHT_ELEMS) {
            small_bytes += value->constant->size_bytes;
            n_small++;
        }
    }
    if (n_small == 0 || small_bytes < all_bytes / 10)
        return false;
    rule_evidence(rule_case, "%" PRIu32 " weights below %d elements take %" PRIu64 " of %" PRIu64 " bytes",
                  n_small, SMALL_WEIGHT_ELEMS, small_bytes, all_bytes);
    return true;
}

static uint32_t count_compressed(const struct mls_program *program)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < program->n_ops; i++)
        n += graph_has_word(COMPRESSED_OPS, program->ops[i].type);
    return n;
}

static bool slow_to_expand(struct rule_case *rule_case)
{
    const struct mls_measurement *measured = rule_case->facts->measurement;
    uint64_t prepare_ns = measured->stage_ns[MLS_STAGE_PREPARE] + measured->stage_ns[MLS_STAGE_PASSES];
    uint32_t n = count_compressed(&rule_case->facts->model->program);
    if (n == 0 || prepare_ns < 200000000 || prepare_ns < measured->load_ns / 2)
        return false;
    rule_evidence(rule_case, "%.0f of %.0f ms of the load prepare weights, %" PRIu32 " of them compressed",
                  (double)prepare_ns / 1e6, (double)measured->load_ns / 1e6, n);
    return true;
}

static bool expanded_in_memory(struct rule_case *rule_case)
{
    struct mls_memory memory = mls_plan_memory(rule_case->facts->plan);
    uint32_t n = count_compressed(&rule_case->facts->model->program);
    if (n == 0 || memory.packed_bytes < ((uint64_t)1 << 20) || memory.packed_bytes < 2 * memory.weights_bytes)
        return false;
    rule_evidence(
        rule_case, "weights are %.2f MB in the file; %.2f MB more are held expanded, %.1f times as much",
        (double)memory.weights_bytes / 1e6, (double)memory.packed_bytes / 1e6,
        (double)memory.packed_bytes / (double)(memory.weights_bytes > 0 ? memory.weights_bytes : 1));
    return true;
}

static bool two_bits(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    uint32_t n = 0;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_value *indices = graph_operand(program, &program->ops[i], "indices");
        if (strcmp(program->ops[i].type, "constexpr_lut_to_dense") != 0 || indices == NULL ||
            mls_dtype_bits(indices->type.dtype) > 2)
            continue;
        n++;
        rule_affects(rule_case, (mls_op_id){i});
    }
    if (n > 0)
        rule_evidence(rule_case, "%" PRIu32 " weights have 2 bits or less", n);
    return n > 0;
}

/* One table of at most 16 values for a whole weight, in an opset that has no other kind. */
static bool newer_target_would_help(struct rule_case *rule_case)
{
    enum { OPSET_WITH_GROUPS = 8, FEW_ENTRIES = 16 };
    const struct mls_program *program = &rule_case->facts->model->program;
    uint32_t n = 0;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_value *lut = graph_operand(program, op, "lut");
        if (strcmp(op->type, "constexpr_lut_to_dense") != 0 || lut == NULL ||
            program->functions[op->function.i].opset >= OPSET_WITH_GROUPS ||
            mls_type_elems(&lut->type) > FEW_ENTRIES)
            continue;
        n++;
        rule_affects(rule_case, (mls_op_id){i});
    }
    if (n == 0)
        return false;
    rule_evidence(rule_case,
                  "%" PRIu32 " weights have one table of at most %d values each, and the opset is that of %s",
                  n, FEW_ENTRIES, mls_system_for_opset(program->functions[0].opset));
    return true;
}

/* Weights that mode `unique` cannot take, for a log that complains of it. */
static void name_weights_with_many_values(struct rule_case *rule_case)
{
    enum { TOLD = 5, BYTES_PER_HALF = 2, HALVES = 1 << 16, DISTINCT_MAX = 256 };
    const struct mls_model *model = rule_case->facts->model;
    uint32_t n = 0;
    for (uint32_t i = 0; model != NULL && i < model->program.n_values && n < TOLD; i++) {
        const struct mls_value *value = &model->program.values[i];
        if (value->constant == NULL || value->constant->data == NULL || value->type.dtype != MLS_FP16 ||
            value->type.rank < 2 || value->type.rank > MLS_RANK_MAX)
            continue;
        bool *seen = MLS_STORE_ARRAY(rule_case->store, HALVES, bool);
        uint32_t n_distinct = 0;
        const unsigned char *bytes = value->constant->data;
        for (size_t at = 0; seen != NULL && at + 1 < value->constant->size_bytes; at += BYTES_PER_HALF) {
            unsigned half = bytes[at] | (unsigned)bytes[at + 1] << 8;
            n_distinct += !seen[half];
            seen[half] = true;
        }
        if (n_distinct <= DISTINCT_MAX)
            continue;
        rule_evidence(rule_case, "in this model \"%s\" has %" PRIu32 " distinct values", value->name,
                      n_distinct);
        n++;
    }
}

static const struct mls_rule ROWS[] = {
    {.id = "COMP001",
     .title = "expanding compressed weights takes most of the load",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_MEASUREMENT,
     .assess = slow_to_expand,
     .why = "Weights are decompressed when the model is loaded; on devices an 8-bit model took five times as "
            "long as its "
            "16-bit form.",
     .fix = "Choose the form that the target unit expands as it goes, and keep the compiled model.",
     .source = "coremltools#1741"},
    {.id = "COMP002",
     .title = "compressed weights are held expanded",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLAN,
     .assess = expanded_in_memory,
     .why =
         "The file is small, the memory is not, and nothing becomes faster: weights were expanded at load.",
     .fix = "Gains in memory and time need decompression on the way, which the Neural Engine has from iOS 17 "
            "on.",
     .source = "coremltools#200, #330; coremltools guide, palettization performance"},
    {.id = "COMP010",
     .title = "weights of two bits or less",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = two_bits,
     .why = "Four values for a weight keep accuracy only after training with them.",
     .fix = "Begin with an fp16 baseline, then 8, 6 and 4 bits with grouped channels, and look at the "
            "accuracy of each.",
     .source = "ax-coreml guide; coreml guide"},
    {.id = "COMP011",
     .title = "a newer target would allow finer compression",
     .layer = MLS_LAYER_SPEC,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MODEL,
     .assess = newer_target_would_help,
     .why = "Tables for groups of channels and scales for blocks need iOS 18; before it 4 bits are 16 values "
            "for the whole "
            "weight.",
     .fix = "Compress for minimum_deployment_target = iOS18 with per_grouped_channel or per_block.",
     .source = "ax-coreml guide; coremltools guide, optimization"},
    {.id = "COMP003",
     .title = "quantized activations cost time on the CPU and the GPU",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLACEMENT,
     .assess = activations_quantized_off_ane,
     .why = "Only the Neural Engine computes in 8 bits; elsewhere activations are quantized and expanded "
            "again at run time.",
     .fix = "Quantize weights only, unless the model is mostly on the Neural Engine.",
     .source = "coremltools guide, quantization performance"},
    {.id = "COMP004",
     .title = "a palettized weight has very many lookup tables",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = many_tables,
     .why = "Every table has to be loaded; many small groups of channels make the model slower.",
     .fix = "Choose a group size of 8 or 16 channels.",
     .source = "coremltools guide, palettization performance"},
    {.id = "COMP006",
     .title = "a weight has too many distinct values to be palettized exactly",
     .layer = MLS_LAYER_ENVIRONMENT,
     .confidence = MLS_CONFIDENCE_HIGH,
     .patterns = "Can't perform palettization: Unique values in weight cannot be represented by 8 bits "
                 "palettization.",
     .confirm = name_weights_with_many_values,
     .why = "Mode `unique` needs at most 256 distinct values in a weight.",
     .fix = "Use mode kmeans, or leave this weight as it is.",
     .source = "coremltools#2269; coremltools _quantization_passes.py, line 690"},
    {.id = "COMP012",
     .title = "many small weights were left uncompressed",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = small_weights_left,
     .why = "coremltools leaves weights below 2048 elements alone unless told otherwise; here they add up.",
     .fix = "Lower weight_threshold when compressing.",
     .source = "coremltools _config.py; coreml-optimizer guide"},
    {.id = "COMP013",
     .title = "a granularity that this compressor does not have",
     .layer = MLS_LAYER_ENVIRONMENT,
     .confidence = MLS_CONFIDENCE_HIGH,
     .patterns = "\"granularity\" must be one of …, but got …",
     .why = "per_channel was given to the palettizer, which takes per_tensor and per_grouped_channel.",
     .fix = "Use one of those two.",
     .source = "coremltools _config.py"},
};

RULE_FAMILY(comp);
