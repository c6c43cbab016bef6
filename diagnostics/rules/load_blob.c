/* LOAD: weight blobs, and what refers to them. */
#include "rule.h"

#include <string.h>

/* Keys that mlscope accepts and Apple's runtime refuses, each with the one that works. */
static bool asset_keys_refused(struct rule_case *rule_case)
{
    const struct mls_package_info *info = mls_package_info(rule_case->facts->package);
    size_t n_refused = 0;
    for (size_t i = 0; i < info->n_asset_keys; i++) {
        const struct mls_asset_key *key = &info->asset_keys[i];
        if (!key->refused_by_apple)
            continue;
        static const char prefix[] = "@model_path/";
        const char *relative =
            strncmp(key->key, prefix, strlen(prefix)) == 0 ? key->key + strlen(prefix) : key->entry_path;
        rule_evidence(rule_case,
                      "blob key \"%s\" is refused by Apple's runtime: \"The in-memory ML Program must not "
                      "have a blob file "
                      "reference but found a reference to mem://%s.\"",
                      key->key, relative);
        rule_evidence(rule_case, "the key that works: URL(fileURLWithPath: \"%s\")", relative);
        n_refused++;
    }
    return n_refused > 0;
}

static bool blob_above_2_gib(struct rule_case *rule_case)
{
    bool any = false;
    for (size_t i = 0; i < mls_package_entry_count(rule_case->facts->package); i++) {
        struct mls_package_entry entry = mls_package_entry_at(rule_case->facts->package, i);
        if (entry.bytes.size_bytes <= (size_t)1 << 31)
            continue;
        rule_evidence(rule_case, "%s has %zu bytes; the limit seen is 2147483648", entry.path,
                      entry.bytes.size_bytes);
        any = true;
    }
    return any;
}

static const struct mls_rule ROWS[] = {
    {.id = "LOAD012",
     .title = "no weight record stands at the offset that the program names",
     .layer = MLS_LAYER_BLOB,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_BLOB_SENTINEL},
     .patterns = "Invalid sentinel in blob_metadata.",
     .why = "Every record begins with 0xDEADBEEF at a multiple of 64 bytes. The weight file is truncated, "
            "edited, or belongs to another "
            "model.",
     .fix = "Restore the weight file that was saved with this program.",
     .source = "coremltools MILBlob StorageReader.cpp, line 46; StorageFormat.hpp"},
    {.id = "LOAD013",
     .title = "the weight file has an unknown version",
     .layer = MLS_LAYER_BLOB,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_BLOB_VERSION},
     .patterns = "Storage Reader expects file format version 2.",
     .why = "Version 1 is the old Espresso blob; anything else than 2 is a damaged header.",
     .fix = "Export the model again.",
     .source = "coremltools MILBlob StorageReader.cpp, line 161"},
    {.id = "LOAD015",
     .title = "a weight of less than 8 bits has wrong padding",
     .layer = MLS_LAYER_BLOB,
     .confidence = MLS_CONFIDENCE_HIGH,
     .cause = MLS_CAUSE_BLOB_PADDING,
     .patterns = "8 or more bits of padding for sub-byte sized data is incorrect\nInvalid padding for "
                 "byte-aligned sub-byte-sized "
                 "type\nInvalid padding for blob",
     .why = "Types such as int4 and uint3 are packed; the record says how many bits of the last byte are "
            "unused, and that does not fit the "
            "number of elements.",
     .fix = "Export with a newer version of the tool that wrote the file.",
     .source = "coremltools MILBlob StorageReader.cpp, lines 72 to 86"},
    {.id = "LOAD014",
     .title = "a weight's type or size is not the one that the program declares",
     .layer = MLS_LAYER_BLOB,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_BLOB_TYPE, MLS_ERR_BLOB_SIZE},
     .patterns = "Metadata data type does not match requested type.",
     .why = "The constant of the program and its record in the weight file disagree: they come from "
            "different exports.",
     .fix = "Export again, and keep program and weight file together.",
     .source = "coremltools MILBlob StorageReader.cpp, line 174"},
    {.id = "LOAD017",
     .title = "Apple's runtime refuses this key of the blob mapping",
     .layer = MLS_LAYER_BLOB,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_PACKAGE,
     .assess = asset_keys_refused,
     .patterns =
         "The in-memory ML Program must not have a blob file reference but found a reference to mem://…",
     .why = "MLModelAsset(specification:blobMapping:) wants file URLs of the path relative to the model. A "
            "key made from the program's own "
            "reference, as URL(string: \"@model_path/weights/weight.bin\"), matches nothing, and the "
            "reference stays unresolved.",
     .fix =
         "Make the key with URL(fileURLWithPath: \"weights/weight.bin\"). mlscope itself takes either key.",
     .source = "forum question on MLModelAsset; coremltools CoreMLPython.mm, createModelAssetFromMemory"},
    {.id = "LOAD016",
     .title = "a weight file is larger than the 2 GiB that some systems take",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .wrapper = true,
     .needs = RULE_NEEDS_PACKAGE,
     .assess = blob_above_2_gib,
     .patterns = "Error in declaring network.",
     .why =
         "Some systems refuse weight files above 2^31 bytes with nothing but \"Error in declaring network.\"",
     .fix = "Compress the weights, or split the model.",
     .source = "coremltools#1807"},
};

RULE_FAMILY(load_blob);
