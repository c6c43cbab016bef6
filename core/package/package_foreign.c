/* What is recognised in order to be refused by its right name. */
#include "form.h"

#include <string.h>

#include "base/cursor.h"

/* A kind of file that begins with these bytes at this offset. */
struct foreign_magic {
    const char *bytes;
    size_t n_bytes;
    size_t offset_bytes;
    enum mls_status status;
    const char *what; /* completes "it is …" */
    const char *hint;
};

#define MAGIC(text) .bytes = (text), .n_bytes = sizeof(text) - 1

static const char convert_hint[] = "convert it to Core ML with coremltools first";
static const char unpack_hint[] = "unpack it and give the package inside";
static const char again_hint[] = "the download gave an error page: download the model again";
static const char input_hint[] = "give it with --input NAME=FILE";

static const struct foreign_magic magics[] = {
    {MAGIC("TFL3"), .offset_bytes = 4, MLS_ERR_OTHER_FORMAT, "a TensorFlow Lite model", convert_hint},
    {MAGIC("GGUF"), 0, MLS_ERR_OTHER_FORMAT, "a GGUF model", convert_hint},
    {MAGIC("\x89HDF\r\n\x1a\n"), 0, MLS_ERR_OTHER_FORMAT, "an HDF5 file, as Keras writes", convert_hint},
    {MAGIC("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"), 0, MLS_ERR_OTHER_FORMAT,
     "a PyTorch checkpoint of the old form", convert_hint},
    {MAGIC("\x80\x02}q"), 0, MLS_ERR_OTHER_FORMAT, "a Python pickle, as PyTorch and scikit-learn write",
     convert_hint},
    {MAGIC("\x80\x03}q"), 0, MLS_ERR_OTHER_FORMAT, "a Python pickle, as PyTorch and scikit-learn write",
     convert_hint},
    {MAGIC("\x80\x04\x95"), 0, MLS_ERR_OTHER_FORMAT, "a Python pickle, as scikit-learn writes", convert_hint},
    {MAGIC("\x80\x05\x95"), 0, MLS_ERR_OTHER_FORMAT, "a Python pickle, as scikit-learn writes", convert_hint},
    {MAGIC("ET12"), .offset_bytes = 4, MLS_ERR_OTHER_FORMAT, "an ExecuTorch program", convert_hint},
    {MAGIC("tjgg"), 0, MLS_ERR_OTHER_FORMAT, "a GGML model", convert_hint},
    {MAGIC("lmgg"), 0, MLS_ERR_OTHER_FORMAT, "a GGML model", convert_hint},
    {MAGIC("\xef\xbe\xad\xde"), .offset_bytes = 64, MLS_ERR_PACKAGE_UNKNOWN,
     "the weight file of an ML Program", "give the .mlpackage or .mlmodelc that it belongs to"},
    {MAGIC("\x1f\x8b\x08"), 0, MLS_ERR_PACKAGE_NOT_YET, "a gzip archive", unpack_hint},
    {MAGIC("\xfd"
           "7zXZ\0"),
     0, MLS_ERR_PACKAGE_NOT_YET, "an xz archive", unpack_hint},
    {MAGIC("BZh9"), 0, MLS_ERR_PACKAGE_NOT_YET, "a bzip2 archive", unpack_hint},
    {MAGIC("7z\xbc\xaf\x27\x1c"), 0, MLS_ERR_PACKAGE_NOT_YET, "a 7-Zip archive", unpack_hint},
    {MAGIC("\x28\xb5\x2f\xfd"), 0, MLS_ERR_PACKAGE_NOT_YET, "a Zstandard archive", unpack_hint},
    {MAGIC("Rar!\x1a\x07"), 0, MLS_ERR_PACKAGE_NOT_YET, "a RAR archive", unpack_hint},
    {MAGIC("ustar"), .offset_bytes = 257, MLS_ERR_PACKAGE_NOT_YET, "a tar archive", unpack_hint},
    {MAGIC("\x93NUMPY"), 0, MLS_ERR_OTHER_FORMAT, "a NumPy array, not a model", input_hint},
    {MAGIC("MLSREC\r\n"), 0, MLS_ERR_OTHER_FORMAT, "a recording of mlscope, not a model",
     "look at it with mlscope FILE, or mlscope FILE --once without a terminal"},
    {MAGIC("\x89PNG\r\n\x1a\n"), 0, MLS_ERR_OTHER_FORMAT, "a PNG image, not a model", input_hint},
    {MAGIC("\xff\xd8\xff"), 0, MLS_ERR_OTHER_FORMAT, "a JPEG image, not a model", input_hint},
    {MAGIC("<!DOCTYPE"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a web page, not a model", again_hint},
    {MAGIC("<!doctype"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a web page, not a model", again_hint},
    {MAGIC("<html"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a web page, not a model", again_hint},
    {MAGIC("bplist00"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a property list, not a model", NULL},
    {MAGIC("<?xml"), 0, MLS_ERR_PACKAGE_UNKNOWN, "an XML document, not a model", again_hint},
};

/* With a key the file may be sealed, and then it is random from its first byte: short marks prove nothing. */
static const struct foreign_magic *find_magic(struct mls_bytes bytes, bool sealed_perhaps)
{
    enum { PROOF_BYTES = 4 };
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if ((!sealed_perhaps || magics[i].n_bytes >= PROOF_BYTES) &&
            bytes.size_bytes >= magics[i].offset_bytes + magics[i].n_bytes &&
            !memcmp(bytes.data + magics[i].offset_bytes, magics[i].bytes, magics[i].n_bytes))
            return &magics[i];
    return NULL;
}

static bool has_extension(const char *path, const char *extension)
{
    size_t end = strlen(path), length = strlen(extension);
    while (end > 0 && path[end - 1] == '/')
        end--;
    return end > length && !strncmp(path + end - length, extension, length);
}

/*
 * ONNX begins like a specification (field 1 is a small version there too), but ModelProto has graph = 7 and
 * opset_import = 8, numbers that a Core ML Model does not use. A sealed file is random from its first byte,
 * so this is asked only where no key was given.
 */
static bool is_onnx(struct mls_bytes bytes)
{
    enum { VERSION_TAG = 1 << 3, VERSION_MAX = 64 };
    if (bytes.size_bytes < 2 || bytes.data[0] != VERSION_TAG || bytes.data[1] > VERSION_MAX)
        return false;
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    bool graph = false;
    while (!cursor.bad && mls_cursor_left(&cursor) && !graph) {
        uint8_t tag = (uint8_t)mls_cursor_le(&cursor, 1);
        if (tag & 0x80 || tag >> 3 == 0 || tag >> 3 > 8)
            return false;
        uint64_t value = 0;
        for (unsigned shift = 0, more = 1; more && shift < 64; shift += 7) {
            uint64_t part = mls_cursor_le(&cursor, 1);
            value |= (part & 0x7f) << shift;
            more = part & 0x80;
        }
        graph = tag == (7 << 3 | 2);
        if ((tag & 7) == 2 && !graph)
            mls_cursor_take(&cursor, value);
        else if ((tag & 7) != 0 && (tag & 7) != 2)
            return false;
    }
    return graph && !cursor.bad;
}

/* safetensors: the length of a JSON header, and the header. */
static bool is_safetensors(struct mls_bytes bytes)
{
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    uint64_t head_bytes = mls_cursor_u64(&cursor);
    const uint8_t *head = mls_cursor_take(&cursor, 2);
    return head && head[0] == '{' && (head[1] == '"' || head[1] == '}') && head_bytes <= bytes.size_bytes - 8;
}

/* What a download or copy leaves that was cut off after the file had got its size. */
static bool is_only_zeros(struct mls_bytes bytes)
{
    enum { ENOUGH_BYTES = 4096 };
    size_t n = bytes.size_bytes < ENOUGH_BYTES ? bytes.size_bytes : ENOUGH_BYTES, i = 0;
    while (i < n && !bytes.data[i])
        i++;
    return n && i == n;
}

static bool is_lfs_pointer(struct mls_bytes bytes)
{
    return package_refuse_lfs_pointer("", bytes, NULL) != MLS_OK;
}

static bool foreign_probe(const struct package_source *source)
{
    return is_lfs_pointer(source->bytes) || find_magic(source->bytes, source->key != NULL) ||
           (!source->key && (is_onnx(source->bytes) || is_safetensors(source->bytes))) ||
           (!source->content && is_only_zeros(source->bytes)) || has_extension(source->path, ".aimodel") ||
           has_extension(source->path, ".mlmodelkey");
}

static enum mls_status refuse(const struct mls_package *package, enum mls_status status, const char *what,
                              const char *hint, struct mls_error *reterr)
{
    status = mls_fail(reterr, status, "cannot open %s: it is %s", package->info.path, what);
    if (hint)
        mls_error_hint(reterr, "%s", hint);
    return status;
}

static enum mls_status refuse_aimodel(const struct mls_package *package, struct mls_error *reterr)
{
    return refuse(package, MLS_ERR_AIMODEL, "a Core AI model (.aimodel), not a Core ML model",
                  "export the model as a Core ML package (.mlpackage)", reterr);
}

static enum mls_status foreign_open(struct mls_package *package, const struct package_source *source,
                                    struct mls_error *reterr)
{
    if (has_extension(source->path, ".aimodel"))
        return refuse_aimodel(package, reterr);
    if (is_lfs_pointer(source->bytes))
        return package_refuse_lfs_pointer(source->path, source->bytes, reterr);
    if (has_extension(source->path, ".mlmodelkey"))
        return refuse(package, MLS_ERR_APPLE_ENCRYPTED, "a key of Apple's model encryption, not a model",
                      "what it opens can be read on Apple devices only: seal a package with `mlscope seal`",
                      reterr);
    const struct foreign_magic *magic = find_magic(source->bytes, source->key != NULL);
    if (magic)
        return refuse(package, magic->status, magic->what, magic->hint, reterr);
    if (is_only_zeros(source->bytes))
        return refuse(package, MLS_ERR_PACKAGE_UNKNOWN, "nothing but zero bytes where a model begins",
                      "a download or copy was cut off: get the file again", reterr);
    if (is_safetensors(source->bytes))
        return refuse(package, MLS_ERR_OTHER_FORMAT, "a safetensors file: weights without a model",
                      convert_hint, reterr);
    return refuse(package, MLS_ERR_OTHER_FORMAT, "an ONNX model", convert_hint, reterr);
}

enum mls_status package_refuse_without_manifest(const struct mls_package *package, struct mls_error *reterr)
{
    if (has_extension(package->info.path, ".aimodel"))
        return refuse_aimodel(package, reterr);
    if (package_find_entry(package, "encryptionInfo") != SIZE_MAX)
        return package_refuse_encrypted(package, reterr);
    if (package_find_entry(package, "saved_model.pb") != SIZE_MAX)
        return refuse(package, MLS_ERR_OTHER_FORMAT, "a TensorFlow SavedModel", convert_hint, reterr);
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_MANIFEST_MISSING,
                 "cannot open %s: it has no Manifest.json, so it is no Core ML package", package->info.path);
    mls_error_hint(reterr, "give the .mlpackage folder itself; if it is one, copy or save it again");
    return status;
}

const struct package_form package_form_foreign = {.probe = foreign_probe, .open = foreign_open};
