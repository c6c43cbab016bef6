/* SEAL: sealed packages. Nothing of a key or of unchecked content is ever shown. */
#include "rule.h"

static bool is_sealed(struct rule_case *rule_case)
{
    const struct mls_package_info *info = mls_package_info(rule_case->facts->package);
    if (!info->sealed)
        return false;
    rule_evidence(rule_case, "%llu bytes were decrypted in memory%s; mlscope writes none of them",
                  (unsigned long long)info->decrypted_bytes, info->memory_locked ? ", which is locked" : "");
    return true;
}

static bool is_asset(struct rule_case *rule_case)
{
    if (mls_package_info(rule_case->facts->package)->form != MLS_FORM_ASSET)
        return false;
    rule_evidence(rule_case,
                  "the model came as a specification and blobs in memory; here the model owns them");
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "SEAL001",
     .title = "the file looks sealed and no key was given",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_KEY_MISSING},
     .why =
         "A sealed file has no mark of its own: a file that is none of the known forms is taken as sealed.",
     .fix = "Give the key with --key-file, --key-env or --key-fd. If the file was never sealed, it is no "
            "model that mlscope knows.",
     .source = "CryptoKit, AES.GCM.SealedBox.combined"},
    {.id = "SEAL002",
     .title = "the key has the wrong length",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_KEY_INVALID},
     .why = "An AES key has 32, 24 or 16 bytes, given raw, or as hex or base64 text.",
     .fix = "Check that the file is the key, whole and without anything added.",
     .source = "CryptoKit, SymmetricKeySize"},
    {.id = "SEAL003",
     .title = "the sealed file does not open with this key",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SEAL_REJECTED},
     .why = "The authentication tag does not match. AES-GCM cannot tell a wrong key from altered or "
            "shortened data; a box made with "
            "additional authenticated data, or by ChaChaPoly, looks the same.",
     .fix = "Check that it is the key for this file, and compare size and SHA-256 of the file with the "
            "sender's.",
     .source = "CryptoKit, AES.GCM.open"},
    {.id = "SEAL004",
     .title = "the sealed file is too short to be one",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SEAL_TRUNCATED},
     .why = "A sealed box holds a nonce of 12 bytes and a tag of 16: less than 28 bytes is none.",
     .fix = "Copy the file again.",
     .source = "CryptoKit, AES.GCM.SealedBox.combined"},
    {.id = "SEAL005",
     .title = "the file opens, but what was sealed is not a model",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_HIGH,
     .statuses = {MLS_ERR_SEAL_CONTENT},
     .why = "The key is right and the content is whole, but it is no flat RTFD of a package and no other "
            "known form.",
     .fix = "Seal a package: `mlscope seal PACKAGE -o FILE`, or FileWrapper(url:).serializedRepresentation "
            "with AES.GCM.seal.",
     .source = "notes on sealing packages"},
    {.id = "SEAL006",
     .title = "the model is encrypted by Apple's own model encryption",
     .layer = MLS_LAYER_PACKAGE,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .statuses = {MLS_ERR_APPLE_ENCRYPTED},
     .why = "Its key is bound to a developer team and is delivered by Apple to devices only; there is no way "
            "to decrypt it elsewhere, and "
            "coremltools' maintainers call it unsupported on macOS.",
     .fix = "Run it on the device, or seal the package with a key of your own.",
     .source = "coremltools#965; mlx-swift-examples#426"},
    {.id = "SEAL007",
     .title = "this coremlc wants a key of 16 bytes",
     .layer = MLS_LAYER_ENVIRONMENT,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .patterns = "Key length 32 does not match encryption block size 16",
     .why = "The compiler's --encrypt option takes the 16-byte keys that Xcode makes.",
     .fix = "Use a key made by Xcode (Create Encryption Key) for that tool.",
     .source = "turicreate#3358"},
    {.id = "SEAL008",
     .title = "on Apple's side the decrypted weights may go through a temporary folder",
     .layer = MLS_LAYER_PACKAGE,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_PACKAGE,
     .assess = is_sealed,
     .why = "The fast route there is to decrypt to disk, compileModel(at:), load and delete.",
     .fix = "Open it in memory (MLModelAsset); where the disk route must be, use a protected folder, and "
            "delete on every way "
            "out.",
     .source = "forum question on MLModelAsset"},
    {.id = "MEM008",
     .title = "the buffers of an in-memory model must live as long as the model",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_LOW,
     .needs = RULE_NEEDS_PACKAGE,
     .assess = is_asset,
     .why = "Core ML seems to keep referring to the specification and blob buffers: outputs became NaN, or "
            "the application "
            "crashed, once they were freed (the reporter's inference).",
     .fix = "Keep both Data objects for the lifetime of the model.",
     .source = "forum question on MLModelAsset"},
};

RULE_FAMILY(seal);
