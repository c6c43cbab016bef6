/* CONV: conversion. */
#include "rule.h"

#include <inttypes.h>

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
