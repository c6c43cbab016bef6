/* LOAD: the program, and failures of running it here. */
#include "rule.h"

enum { CORE_ML_RANK_MAX = 5 };

static bool rank_above_five(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    for (uint32_t i = 0; i < program->n_values; i++) {
        const struct mls_value *value = &program->values[i];
        if (value->type.kind != MLS_KIND_TENSOR || value->type.rank == MLS_RANK_UNKNOWN ||
            value->type.rank <= CORE_ML_RANK_MAX || value->constant != NULL ||
            value->producer.i == MLS_NO_INDEX)
            continue;
        char type[96];
        rule_evidence(rule_case, "operation \"%s\" makes %s, rank %u", program->ops[value->producer.i].name,
                      mls_type_format(&value->type, type, sizeof(type)), value->type.rank);
        rule_affects(rule_case, value->producer);
    }
    return rule_case->finding.n_evidence > 0;
}

static bool opset_newer_than_system(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    /* the specification version is one ahead of the opset that came with it */
    int64_t knows = (int64_t)rule_case->facts->system_version - 1;
    for (uint32_t i = 0; i < program->n_functions; i++) {
        if ((int64_t)program->functions[i].opset > knows)
            rule_evidence(rule_case, "function \"%s\" is written in opset CoreML%u (%s)",
                          program->functions[i].name, program->functions[i].opset,
                          mls_system_for_opset(program->functions[i].opset));
    }
    return rule_case->finding.n_evidence > 0;
}

static const struct mls_rule ROWS[] = {
    {.id = "LOAD020",
     .title = "the program's opset is not known",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_OPSET_UNKNOWN},
     .severity = MLS_SEVERITY_ERROR,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_SYSTEM,
     .assess = opset_newer_than_system,
     .patterns = "Unable to parse ML Program: at unknown location: Unknown opset '…'",
     .why = "The function is written in a newer set of operations than the runtime has.",
     .fix = "Convert again with a lower minimum_deployment_target, or use a newer system.",
     .source = "coremltools#2283; coremltools/__init__.py, lines 110 to 116"},
    {.id = "LOAD027",
     .title = "program and model description disagree about inputs, outputs or states",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_INTERFACE_MISMATCH},
     .patterns = "MIL program input, '…', not found in Core ML model inputs",
     .why = "A name stands on one side only: seen where a state is changed through a view and a transpose, "
            "and the converter leaves it out of "
            "the description.",
     .fix = "Convert the model again. A state that stands on one side only must be read and written directly "
            "in the source model.",
     .source = "coremltools#2275, #2278"},
    {.id = "LOAD028",
     .title = "the branches of a condition give different types",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_BRANCH_TYPES,
     .patterns = "in operation of type cond: cond must return same types from both branches",
     .why = "Both branches of a cond must give values of the same type.",
     .fix = "Cast the result of one branch in the source model.",
     .source = "coremltools#1505"},
    {.id = "LOAD030",
     .title = "the shapes of an operation do not fit",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_OP_SHAPE},
     .patterns = "Failed to PropagateInputTensorShapes…\nShapes are not compatible for "
                 "broadcasting\nMIL->EIR…std::bad_cast\nerror code: 14",
     .why = "Shapes are worked out from the inputs on; at this operation they cannot be combined.",
     .fix = "Correct the shapes in the source model. If they fit on paper, another system build may accept "
            "them.",
     .source = "swift-transformers#136; swift-chat#31"},
    {.id = "LOAD029",
     .title = "an operation is not known in the opset of the program",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_OP_UNKNOWN},
     .patterns = "The operator (…) referenced by this operation does not match the operator defined by "
                 "expected opset …",
     .why = "The operation is newer than the function's opset, a custom one, or not known to the program "
            "that reads it.",
     .fix = "Use a newer Xcode or system, or convert again for the system at hand.",
     .source = "whisper.cpp#1295"},
    {.id = "LOAD061",
     .title = "an operation is not supported by mlscope in this form",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_OP_UNSUPPORTED},
     .why =
         "mlscope refuses what it cannot compute rightly instead of guessing. The model itself may be sound.",
     .fix = "`mlscope inspect` and `mlscope plan` still work on it; report the operation and its arguments.",
     .source = "mlscope"},
    {.id = "LOAD062",
     .title = "the program breaks a rule of its language",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_PROGRAM_INVALID, MLS_ERR_OP_ARGUMENT, MLS_ERR_OP_TYPE},
     .why = "Every operation has parameters with fixed names and types; what the message names does not "
            "follow them.",
     .fix = "Convert the model again with a current coremltools; if the file was edited, undo the edit.",
     .source = "coremltools, MIL operation definitions"},
    {.id = "LOAD057",
     .title = "a tensor has more than five dimensions",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MODEL,
     .assess = rank_above_five,
     .why = "Core ML takes rank 5 at most.",
     .fix = "Reshape in the source model so that no tensor has more than five dimensions.",
     .source = "records of MLComputePlan, M4, macOS 27"},
    {.id = "LOAD063",
     .title = "a limit of mlscope is exceeded",
     .layer = MLS_LAYER_MIL,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_LIMIT},
     .why = "mlscope limits what a file may ask of the machine; real models stay far below.",
     .fix = "If the model is sound, report the number that the message names.",
     .source = "mlscope"},
    {.id = "LOAD064",
     .title = "an index or a shape computed at run time does not fit",
     .layer = MLS_LAYER_RUN,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_RUN_INDEX, MLS_ERR_RUN_SHAPE},
     .why = "The values of this input lead the program outside a tensor. Core ML does not promise any result "
            "for it.",
     .fix = "Check the values of integer inputs against what the model expects.",
     .source = "mlscope"},
    {.id = "LOAD065",
     .title = "mlscope itself failed",
     .layer = MLS_LAYER_RUN,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_INTERNAL},
     .why = "This is a fault of mlscope, not of the model.",
     .fix = "Report it with the text of the message.",
     .source = "mlscope"},
};

RULE_FAMILY(load_program);
