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

static const struct foreign_magic magics[] = {
    {MAGIC("TFL3"), .offset_bytes = 4, MLS_ERR_OTHER_FORMAT, "a TensorFlow Lite model", convert_hint},
    {MAGIC("GGUF"), 0, MLS_ERR_OTHER_FORMAT, "a GGUF model", convert_hint},
    {MAGIC("\x89HDF\r\n\x1a\n"), 0, MLS_ERR_OTHER_FORMAT, "an HDF5 file, as Keras writes", convert_hint},
    {MAGIC("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"), 0, MLS_ERR_OTHER_FORMAT,
     "a PyTorch checkpoint of the old form", convert_hint},
    {MAGIC("\x93NUMPY"), 0, MLS_ERR_OTHER_FORMAT, "a NumPy array, not a model",
     "give it with --input NAME=FILE"},
    {MAGIC("\x89PNG\r\n\x1a\n"), 0, MLS_ERR_OTHER_FORMAT, "a PNG image, not a model",
     "give it with --input NAME=FILE"},
    {MAGIC("<!DOCTYPE"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a web page, not a model",
     "the download gave an error page: download the model again"},
    {MAGIC("<!doctype"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a web page, not a model",
     "the download gave an error page: download the model again"},
    {MAGIC("<html"), 0, MLS_ERR_PACKAGE_UNKNOWN, "a web page, not a model",
     "the download gave an error page: download the model again"},
};

static const struct foreign_magic *find_magic(struct mls_bytes bytes)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (bytes.size_bytes >= magics[i].offset_bytes + magics[i].n_bytes &&
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

static bool is_lfs_pointer(struct mls_bytes bytes)
{
    return package_refuse_lfs_pointer("", bytes, NULL) != MLS_OK;
}

static bool foreign_probe(const struct package_source *source)
{
    return is_lfs_pointer(source->bytes) || find_magic(source->bytes) ||
           (!source->key && is_onnx(source->bytes)) || has_extension(source->path, ".aimodel");
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
    const struct foreign_magic *magic = find_magic(source->bytes);
    if (magic)
        return refuse(package, magic->status, magic->what, magic->hint, reterr);
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
