/* CONV: conversion. */
#include "rule.h"

#include <inttypes.h>

#include "graph.h"

enum { COLOURS = 3, IMAGE_SIDE_MIN = 32 };

/* An array of shape 1 x 3 x height x width. */
static bool array_that_is_an_image(struct rule_case *rule_case)
{
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        const int64_t *dims = input->type.dims;
        if (input->kind != MLS_FEATURE_TENSOR || input->type.rank != 4 || dims[0] != 1 ||
            dims[1] != COLOURS || dims[2] < IMAGE_SIDE_MIN || dims[3] < IMAGE_SIDE_MIN)
            continue;
        rule_evidence(rule_case, "input \"%s\" is an array of 1 x %d x %" PRId64 " x %" PRId64, input->name,
                      COLOURS, dims[2], dims[3]);
    }
    return rule_case->finding.n_evidence > 0;
}

/* An array of shape 1 x height x width x 3: TensorFlow's order, where Core ML and PyTorch have channels
 * first. */
static bool channels_last(struct rule_case *rule_case)
{
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        const int64_t *dims = input->type.dims;
        if (input->kind == MLS_FEATURE_TENSOR && input->type.rank == 4 && dims[0] == 1 &&
            dims[3] == COLOURS && dims[1] >= IMAGE_SIDE_MIN && dims[2] >= IMAGE_SIDE_MIN)
            rule_evidence(rule_case, "input \"%s\" is 1 x %" PRId64 " x %" PRId64 " x %d: channels last",
                          input->name, dims[1], dims[2], COLOURS);
    }
    return rule_case->finding.n_evidence > 0;
}

static uint64_t stored_bytes(const struct mls_program *program)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < program->n_values; i++) {
        const struct mls_constant *constant = program->values[i].constant;
        bytes += constant != NULL && constant->blob_path != NULL ? constant->size_bytes : 0;
    }
    return bytes;
}

/* The oldest opset that there is, for a model to which a newer one would give something. */
static bool default_target(struct rule_case *rule_case)
{
    enum { OPSET_OF_DEFAULT = 5 };
    const uint64_t weights_worth_compressing = (uint64_t)20 << 20;
    const struct mls_program *program = &rule_case->facts->model->program;
    uint64_t bytes = stored_bytes(program);
    uint32_t n_attentions = 0;
    for (uint32_t i = 0; i < program->n_ops; i++)
        n_attentions += graph_attention(program, &program->ops[i]) != NULL;
    if (program->n_functions == 0 || program->functions[0].opset != OPSET_OF_DEFAULT ||
        (n_attentions == 0 && bytes < weights_worth_compressing))
        return false;
    rule_evidence(rule_case,
                  "the opset is that of %s; weights take %.1f MB, and there are %" PRIu32
                  " attentions in pieces",
                  mls_system_for_opset(program->functions[0].opset), (double)bytes / 1e6, n_attentions);
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "CONV001",
     .title = "the converter does not know an operation",
     .layer = MLS_LAYER_ENVIRONMENT,
     .confidence = MLS_CONFIDENCE_HIGH,
     .patterns =
         "PyTorch convert function for op '…' not implemented.\nConversion for TF op '…' not implemented.",
     .why = "The source model uses an operation that this coremltools cannot translate.",
     .fix = "Use a newer coremltools; write the operation with supported ones (a composite operator), or "
            "register a custom one.",
     .source = "coremltools torch/ops.py, line 138; tensorflow/convert_utils.py, line 187"},
    {.id = "CONV002",
     .title = "an input has its channels last",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL,
     .assess = channels_last,
     .why = "Right for a TensorFlow source; where outputs are wrong after a conversion, the order of "
            "channels is the first "
            "thing to look at, with normalisation, colour order and training mode.",
     .fix = "Compare with the source's outputs on the same input (`mlscope run`), and mend the first thing "
            "that differs; "
            "model.eval() before tracing.",
     .source = "ax-coreml guide"},
    {.id = "CONV003",
     .title = "converted for the oldest target, which leaves out what newer ones offer",
     .layer = MLS_LAYER_SPEC,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = default_target,
     .why = "coremltools' default target has no fused attention, no states, and no compression finer than "
            "one scale or table "
            "for a weight.",
     .fix = "Set minimum_deployment_target to the lowest system that you support.",
     .source = "ax-coreml guide; coreml guide"},
    {.id = "CONV004",
     .title = "a range without an upper bound",
     .layer = MLS_LAYER_ENVIRONMENT,
     .confidence = MLS_CONFIDENCE_HIGH,
     .patterns = "For mlprogram, inputs with infinite upper_bound is not allowed.",
     .why = "ML Programs need to know how large an input can become.",
     .fix = "Set upper_bound in RangeDim to a positive number.",
     .source = "coremltools guide, flexible inputs"},
    {.id = "CONV005",
     .title = "an array input has the shape of an image",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_MODEL,
     .assess = array_that_is_an_image,
     .why = "With an image input Core ML does scaling and colour conversion itself, without copies by the "
            "application.",
     .fix = "If it is an image, convert with ct.ImageType and its scale, bias and colour layout.",
     .source = "coreml-optimizer guide"},
};

RULE_FAMILY(conv);
