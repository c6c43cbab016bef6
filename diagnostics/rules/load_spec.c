/* LOAD: the specification: versions and the interface. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

enum {
    VERSION_OF_PAIRS = 9, /* from it on several inputs may have enumerated shapes */
    ENUMERATED_SHAPES_MAX = 128
};

static bool several_enumerated_inputs(struct rule_case *rule_case)
{
    const struct mls_interface *interface = rule_case->interface;
    size_t n = 0;
    for (size_t i = 0; i < interface->n_inputs; i++) {
        if (interface->inputs[i].n_enumerated < 2)
            continue;
        n++;
        rule_evidence(rule_case, "input \"%s\": %zu shapes", interface->inputs[i].name,
                      interface->inputs[i].n_enumerated);
    }
    if (n >= 2 && rule_case->facts->model->spec_version >= VERSION_OF_PAIRS)
        rule_case->finding.severity = MLS_SEVERITY_INFO;
    return n >= 2;
}

static bool too_many_enumerated(struct rule_case *rule_case)
{
    const struct mls_interface *interface = rule_case->interface;
    for (size_t i = 0; i < interface->n_inputs; i++) {
        if (interface->inputs[i].n_enumerated > ENUMERATED_SHAPES_MAX)
            rule_evidence(rule_case, "input \"%s\" has %zu shapes, the limit is %d",
                          interface->inputs[i].name, interface->inputs[i].n_enumerated,
                          ENUMERATED_SHAPES_MAX);
    }
    return rule_case->finding.n_evidence > 0;
}

static bool multi_function_in_memory(struct rule_case *rule_case)
{
    const struct mls_package_info *info = mls_package_info(rule_case->facts->package);
    uint32_t n = rule_case->facts->model->program.n_functions;
    if (n < 2 || (!info->sealed && info->form != MLS_FORM_ASSET))
        return false;
    rule_evidence(rule_case, "%" PRIu32 " functions in a model that is loaded from memory (%s%s)", n,
                  info->sealed ? "sealed " : "", mls_form_name(info->form));
    return true;
}

static bool newer_than_system(struct rule_case *rule_case)
{
    int32_t has = rule_case->facts->model->spec_version;
    int32_t knows = rule_case->facts->system_version;
    if (has <= knows)
        return false;
    rule_evidence(rule_case,
                  "specification version %" PRId32 " needs %s; the system asked for (%s) knows %" PRId32, has,
                  mls_system_for_spec(has), mls_system_for_spec(knows), knows);
    return true;
}

static bool older_form(struct rule_case *rule_case)
{
    const char *type = rule_case->facts->model->type_name;
    if (type == NULL || strncmp(type, "neuralNetwork", strlen("neuralNetwork")) != 0)
        return false;
    rule_evidence(rule_case, "the specification is a %s of version %" PRId32, type,
                  rule_case->facts->model->spec_version);
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "LOAD018",
     .title = "the specification is newer than the program that reads it",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SPEC_VERSION},
     .severity = MLS_SEVERITY_ERROR,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_SYSTEM,
     .assess = newer_than_system,
     .patterns = "intended for a newer version of Xcode. This version of Xcode supports model version "
                 "…\nUnsupported model version",
     .why = "Each system and each Xcode knows specification versions up to its own.",
     .fix = "Convert again with a lower minimum_deployment_target, or run it on the system that it was made "
            "for.",
     .source = "coremltools mlmodel/src/Model.cpp, line 76; coremltools#198, #750, #1557"},
    {.id = "LOAD055",
     .title = "the specification has no version",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SPEC_VERSION_MISSING},
     .patterns = "Model specification version field missing or corrupt.",
     .why = "specificationVersion is absent or 0: the file is no Core ML model, or it was damaged.",
     .fix = "Check that it is the right file, or save the model again.",
     .source = "coremltools mlmodel/src/Model.cpp, line 69"},
    {.id = "LOAD025",
     .title = "the model has no type that is known here",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SPEC_TYPE_MISSING},
     .patterns = "Model did not specify a valid model-parameter type.",
     .why =
         "The field that says what kind of model it is is missing, or newer than the program that reads it.",
     .fix = "Use a newer tool; if the model is old, save it again.",
     .source = "coremltools mlmodel/src/Model.cpp, line 158; coremltools#195; NSFWDetector#10"},
    {.id = "PLACE014",
     .title = "the model is not an ML Program",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .severity = MLS_SEVERITY_INFO,
     .needs = RULE_NEEDS_MODEL,
     .assess = older_form,
     .why = "The older neural network form describes layers instead of a typed program: fewer operations can "
            "be placed on the Neural Engine.",
     .fix = "Convert from the source model again with convert_to=\"mlprogram\".",
     .source = "coreml-optimizer guide"},
    {.id = "LOAD066",
     .title = "the model is computed by an Apple framework, not by the file",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SPEC_TYPE_NOT_YET},
     .cause = MLS_CAUSE_SYSTEM_MODEL,
     .why = "Its type names a part of Vision, Natural Language, Sound Analysis or Create ML. The file holds "
            "parameters for that part; the weights and the code are in Apple's systems.",
     .fix = "It cannot run anywhere else, and converting it again changes nothing. Measure it on an Apple "
            "system, or replace that part by a network of your own, exported as an ML Program.",
     .source = "coremltools mlmodel/format/Model.proto"},
    {.id = "LOAD067",
     .title = "the model needs the code of an app",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_APP_CODE,
     .why = "A custom model or custom layer is a name and parameters: what it computes is a class in the app "
            "that loads it, and not part of the file.",
     .fix = "Express it by operations that Core ML has: for a layer, a composite of known ones when "
            "converting; for a custom model, profile the models around it one by one.",
     .source = "coremltools guide, custom layers; mlmodel/format/CustomModel.proto"},
    {.id = "LOAD068",
     .title = "the model refers to another one that is not in the file",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_MODEL_ELSEWHERE,
     .why = "A linked model holds the name and search path of a compiled model, nothing else.",
     .fix = "Give the model that it names.",
     .source = "coremltools mlmodel/format/LinkedModel.proto"},
    {.id = "LOAD021",
     .title = "a model without inputs needs specification version 9",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_NO_INPUTS,
     .patterns = "Empty input is only valid in specification verison >= 9.\nEmpty input is only valid in "
                 "specification version >= 9.",
     .why = "Core ML's validator refuses models without inputs below version 9.",
     .fix = "Convert for iOS 18 or later, or add an input.",
     .source = "coremltools Validators.hpp, line 118; coremltools PR 2684"},
    {.id = "LOAD022",
     .title = "the interface uses something newer than the declared version",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_NEWER_FEATURE,
     .patterns = "which is only valid in specification version >= …\nwhich is only valid in specification "
                 "verison >= …\nonly valid in "
                 "specification verison >= …",
     .why = "FLOAT16 arrays and images need version 7, states and several functions version 9, INT8 arrays "
            "version 10.",
     .fix = "Raise minimum_deployment_target when converting, or change the type.",
     .source = "coremltools InterfaceValidators.cpp, lines 187 to 198, 366, 413, 507"},
    {.id = "LOAD023",
     .title = "a state is declared in a way that Core ML refuses",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_STATE_DECLARATION,
     .patterns = "State feature '…' cannot have flexible shape.\nIt must be specified as FLOAT16\nState "
                 "feature '…' should only be declared "
                 "in the state feature description.\nState feature '…' cannot be optional.",
     .why = "A state must be an fp16 array of fixed shape, and not optional.",
     .fix = "Correct the StateType given to the converter.",
     .source = "coremltools InterfaceValidators.cpp, lines 52 to 58, 419 to 457"},
    {.id = "LOAD024",
     .title = "the descriptions of the functions do not fit together",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_FUNCTION_NOT_FOUND},
     .cause = MLS_CAUSE_FUNCTION_DESCRIPTION,
     .patterns = "Multi-function model must not use top level …\nThe default function name '…' is not found "
                 "in the function name list",
     .why = "A model of several functions describes inputs, outputs and states for each function and none at "
            "the top; the default function "
            "must be one of them.",
     .fix = "Name a function that exists; when writing models, set default_function_name and move the "
            "descriptions to the functions.",
     .source = "coremltools InterfaceValidators.cpp, lines 473, 525"},
    {.id = "LOAD056",
     .title = "the model's interface breaks a rule",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SPEC_INTERFACE},
     .patterns = "validator error: …",
     .wrapper = true,
     .why = "Core ML checks the description of inputs, outputs and states before it looks at the program.",
     .fix = "Change what the message names, and save the model again.",
     .source = "coremltools InterfaceValidators.cpp"},
    {.id = "LOAD026",
     .title = "a specification was given without its weights",
     .layer = MLS_LAYER_SPEC,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_WEIGHTS_NOT_GIVEN,
     .patterns =
         "cannot be loaded just from the model spec object. It also needs the path to the weights file.",
     .why = "The specification of an ML Program holds references to a weight file, not the weights.",
     .fix = "Pass weights_dir, or give the whole package.",
     .source = "coremltools models/model.py, line 538"},
    {.id = "LOAD044",
     .title = "several inputs have enumerated shapes",
     .layer = MLS_LAYER_SPEC,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = several_enumerated_inputs,
     .why = "Enumerated shapes of several inputs belong together index by index: other pairs fail at run "
            "time. Before iOS 18 only one input "
            "may have them.",
     .fix = "Use shapes with the same index together, or one function for each combination.",
     .source = "coremltools#2271; coremltools guide, flexible inputs"},
    {.id = "LOAD045",
     .title = "an input has more enumerated shapes than Core ML takes",
     .layer = MLS_LAYER_SPEC,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = too_many_enumerated,
     .why = "The limit is 128; above it predictions fail.",
     .fix = "List fewer shapes, or use a range.",
     .source = "coremltools#989; coremltools FAQ"},
    {.id = "LOAD054",
     .title = "in-memory models are reported to refuse several functions",
     .layer = MLS_LAYER_SPEC,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_PACKAGE | RULE_NEEDS_MODEL,
     .assess = multi_function_in_memory,
     .why = "One public project notes that MLModelAsset does not take multi-function models.",
     .fix = "Make one model for each function, or load from disk on Apple's side.",
     .source = "notes of a public project"},
};

RULE_FAMILY(load_spec);
