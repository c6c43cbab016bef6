/*
 * Compiled models: the folder that Core ML's compiler writes. Of an ML Program it holds model.mil (text), the weights,
 * and coremldata.bin with the model's description. Also the text alone.
 */
#include "form.h"

#include <string.h>

#include "base/cursor.h"
#include "model_type.h"

enum { TYPE_ML_PROGRAM = 502 };

bool package_is_mil_text(struct mls_bytes bytes)
{
    static const char start[] = "program";
    size_t at = 0;
    while (at < bytes.size_bytes && memchr(" \t\r\n", bytes.data[at], 4))
        at++;
    if (bytes.size_bytes - at < sizeof start - 1 || memcmp(bytes.data + at, start, sizeof start - 1))
        return false;
    for (at += sizeof start - 1; at < bytes.size_bytes && bytes.data[at] == ' ';)
        at++;
    return at < bytes.size_bytes && bytes.data[at] == '(';
}

bool package_is_compiled(const struct mls_package *package)
{
    return package_find_entry(package, "model.mil") != SIZE_MAX ||
           package_find_entry(package, "coremldata.bin") != SIZE_MAX;
}

enum mls_status package_refuse_encrypted(const struct mls_package *package, struct mls_error *reterr)
{
    enum mls_status status = mls_fail(reterr, MLS_ERR_APPLE_ENCRYPTED,
                                      "cannot open %s: it is encrypted by Apple's model encryption, which cannot "
                                      "be read off an Apple device",
                                      package->info.path);
    mls_error_hint(reterr, "run it on the device, or seal the .mlpackage with a key of your own: mlscope seal");
    return status;
}

/* A compiled model without text: older networks, trees, pipelines. coremldata.bin begins with the number of the type. */
static enum mls_status refuse_type(const struct mls_package *package, struct mls_error *reterr)
{
    size_t data = package_find_entry(package, "coremldata.bin");
    struct mls_bytes bytes = data != SIZE_MAX ? package->entries[data].bytes : (struct mls_bytes){0};
    struct mls_cursor cursor = mls_cursor_over(bytes.data, bytes.size_bytes);
    uint32_t number = mls_cursor_u32(&cursor);
    const char *name = package_model_type_name(number);
    bool espresso = package_find_entry(package, "model.espresso.net") != SIZE_MAX;
    if (number == TYPE_ML_PROGRAM) {
        enum mls_status status = mls_fail(reterr, MLS_ERR_MANIFEST_ITEM_MISSING,
                                          "cannot open %s: it is a compiled ML Program without its model.mil",
                                          package->info.path);
        mls_error_hint(reterr, "the folder was copied in part: copy or compile it again");
        return status;
    }
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_PACKAGE_NOT_YET,
                 "cannot open %s: it is a compiled model (.mlmodelc) of type %s, whose compiled form is not supported",
                 package->info.path, name ? name : espresso ? "neuralNetwork" : "unknown");
    mls_error_hint(reterr, "give the .mlmodel or .mlpackage that it was compiled from");
    return status;
}

enum mls_status package_set_spec_compiled(struct mls_package *package, struct mls_error *reterr)
{
    size_t mil = package_find_entry(package, "model.mil");
    if (package_find_entry(package, "encryptionInfo/coremldata.bin") != SIZE_MAX)
        return package_refuse_encrypted(package, reterr);
    if (mil == SIZE_MAX)
        return refuse_type(package, reterr);
    enum mls_status status = package_set_spec(package, mil, reterr);
    if (status)
        return status;
    return package_is_mil_text(package->entries[mil].bytes) ? MLS_OK : package_refuse_encrypted(package, reterr);
}

static bool mil_probe(const struct package_source *source)
{
    return package_is_mil_text(source->bytes);
}

static enum mls_status mil_open(struct mls_package *package, const struct package_source *source,
                                struct mls_error *reterr)
{
    package->info.form = MLS_FORM_MIL_TEXT;
    enum mls_status status = package_add_entry(package, "model.mil", source->bytes, reterr);
    return status ? status : package_set_spec(package, 0, reterr);
}

const struct package_form package_form_mil = {.probe = mil_probe, .open = mil_open};
