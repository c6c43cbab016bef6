/* LOAD: packages and files. Texts of other programs are literal; … stands for what varies in them. */
#include "rule.h"

#include <inttypes.h>

static bool compiled_for_newer(struct rule_case *rule_case)
{
    const struct mls_model *model = rule_case->facts->model;
    if (mls_package_info(rule_case->facts->package)->form != MLS_FORM_COMPILED ||
        model->spec_version <= rule_case->facts->system_version)
        return false;
    rule_evidence(rule_case,
                  "the compiled model is of version %" PRId32 " (%s); the system asked for knows %" PRId32
                  " (%s)",
                  model->spec_version, mls_system_for_spec(model->spec_version),
                  rule_case->facts->system_version, mls_system_for_spec(rule_case->facts->system_version));
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "LOAD001",
     .title = "the folder is not a model package: its manifest is missing",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_MANIFEST_MISSING},
     .patterns = "A valid manifest does not exist at path: …/Manifest.json",
     .why = "An .mlpackage is a folder with a Manifest.json at its top. Without it nothing says where the "
            "model is: the file was "
            "lost in copying, or the folder is a compiled .mlmodelc.",
     .fix = "Give the .mlpackage folder itself. If the manifest is lost, copy or save the package again.",
     .source = "coremltools, modelpackage/src/ModelPackage.cpp, line 205; ComfyUI-CoreMLSuite#59"},
    {.id = "LOAD002",
     .title = "the manifest lists a file that is not there",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_MANIFEST_ITEM_MISSING},
     .patterns = "Item does not exist for identifier: …",
     .why = "The package was copied in part: an interrupted unzip, or a file left out by version control.",
     .fix = "Copy the whole package again, with everything below Data/.",
     .source = "coremltools, modelpackage/src/ModelPackage.cpp, line 310"},
    {.id = "LOAD003",
     .title = "the manifest is wrong",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_MANIFEST_INVALID},
     .patterns = "Invalid itemInfo for identifier: …\nFailed to look up root model\nFailed to open model "
                 "package at path: …",
     .why = "A manifest needs itemInfoEntries and rootModelIdentifier, and each entry needs path, name, "
            "author and description.",
     .fix = "Save the package again with the tool that made it.",
     .source = "coremltools, modelpackage/src/ModelPackage.cpp, lines 225, 305, 452"},
    {.id = "LOAD004",
     .title = "the manifest's fileFormatVersion is malformed or too new",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_MANIFEST_VERSION},
     .patterns = "Unsupported version: …\nFile format version must be in the form of "
                 "major.minor.patch…\nFailed to parse file format "
                 "version: …\nFile format version uses negative number(s): …",
     .why = "The only version that exists is 1.0.0.",
     .fix = "Save the package again with a matching tool.",
     .source = "coremltools, modelpackage/src/ModelPackage.cpp, lines 266 to 289"},
    {.id = "LOAD005",
     .title = "a folder without coremldata.bin was given as a compiled model",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .cause = MLS_CAUSE_NOT_COMPILED,
     .patterns = "Failed to open file: …coremldata.bin. It is not a valid .mlmodelc file.",
     .why = "MLComputePlan and MLModelStructure want a compiled .mlmodelc; given anything else, a C++ "
            "exception escapes and the process dies.",
     .fix = "Compile the model first, and test for coremldata.bin before the call.",
     .source = "coremltools#2757, PR 2780"},
    {.id = "LOAD006",
     .title = "the file is a Git LFS pointer, or not a specification",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_GIT_LFS_POINTER, MLS_ERR_SPEC_INVALID},
     .titles = {"a Git LFS pointer lies in the place of the file", "the file is no Core ML specification"},
     .patterns = "unable to deserialize object\nError reading protobuf spec\nInput stream is not valid",
     .why = "A Git LFS pointer is a text of about 130 bytes that names the real file by size and hash. Any "
            "other file that is no valid "
            "protobuf message is damaged or no model at all.",
     .fix = "Run `git lfs pull` in the repository that the file is from; otherwise download the file again.",
     .source = "swift-coreml-transformers#15, #18; swift-transformers#19"},
    {.id = "LOAD007",
     .title = "a weight file is missing",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_BLOB_MISSING},
     .patterns = "Error parsing MIL model: … Could not open …",
     .why = "The program's constants refer to a weight file that was not copied with it.",
     .fix = "Copy the whole package or bundle, with its weights folder. For an in-memory model give the blob "
            "with --blob.",
     .source = "ml-stable-diffusion#5; SwiftWhisper#15; coremltools#1704; coremltools MILBlob "
               "MMapFileReader, line 22"},
    {.id = "LOAD008",
     .title = "a weight file is shorter than the program needs",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_BLOB_TRUNCATED},
     .why = "A download that stopped early, seen with 9.4 of 17.7 MB. Core ML gives no message for it: it "
            "crashes or decodes nonsense.",
     .fix = "Download the file again and compare its size and SHA-256 with those published.",
     .source = "coremltools#401, #932; argmax-oss-swift#241, #264"},
    {.id = "LOAD009",
     .title = "the flat RTFD breaks a rule of its format",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_RTFD_INVALID},
     .why = "A serialized FileWrapper is a tree of names and sizes that must fit each other exactly; names "
            "must not leave the folder, and "
            "links have no place in a package.",
     .fix = "Serialize the FileWrapper again from the package folder.",
     .source = "format notes on flat RTFD, checked on samples"},
    {.id = "LOAD010",
     .title = "this is a Core AI model, not a Core ML model",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_AIMODEL},
     .why = ".aimodel is another format of Apple's; it is not supported here.",
     .fix = "Export the model as Core ML (.mlpackage).",
     .source = "Apple's WWDC 2026 session page on Core AI"},
    {.id = "LOAD011",
     .title = "there is no model to load at this path",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_NOT_FOUND, MLS_ERR_IO, MLS_ERR_PACKAGE_UNKNOWN},
     .why = "The path does not exist, cannot be read, or holds none of the known forms of a model.",
     .fix = "Check the path and its permissions. A model is an .mlpackage or .mlmodelc folder, an "
            ".mlmodel or MIL text file, a zip or flat RTFD of one, or one of these sealed.",
     .source = "ax-coreml guide"},
    {.id = "LOAD019",
     .title = "the compiled model is newer than the system",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .severity = MLS_SEVERITY_ERROR,
     .needs = RULE_NEEDS_PACKAGE | RULE_NEEDS_MODEL | RULE_NEEDS_SYSTEM,
     .assess = compiled_for_newer,
     .patterns = "compiler major version for compiled model is … and is more recent than this framework "
                 "major version …",
     .why = "An .mlmodelc is compiled for one generation of systems; an older system does not read it.",
     .fix = "Compile for the lowest system that must run it, or state that system as the floor.",
     .source = "desert-ant-core#77, #85"},
    {.id = "LOAD058",
     .title = "this form of model is known, but not read yet",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_PACKAGE_NOT_YET},
     .why = "The file is a model in a form that mlscope does not open yet.",
     .fix = "Give the .mlpackage that it was made from.",
     .source = "mlscope"},
    {.id = "LOAD060",
     .title = "this is a model of another framework",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_OTHER_FORMAT},
     .why = "The first bytes are those of another framework's format.",
     .fix = "Convert the model with coremltools.",
     .source = "mlscope"},
};

RULE_FAMILY(load_package);
