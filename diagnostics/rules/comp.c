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

static const struct mls_rule ROWS[] = {
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
