#include "format/compiled.h"

#include <string.h>

#include "base/cursor.h"
#include "format/mil_text.h"
#include "package/model_type.h"

/* The type, five, sixteen zeros, "generic" with its length; then the version and zeros. */
const unsigned char compiled_head[COMPILED_HEAD_BYTES] = {[0] = COMPILED_ML_PROGRAM & 0xff,
                                                          [1] = COMPILED_ML_PROGRAM >> 8,
                                                          [4] = 5,
                                                          [28] = 7,
                                                          [36] = 'g',
                                                          'e',
                                                          'n',
                                                          'e',
                                                          'r',
                                                          'i',
                                                          'c'};

bool compiled_is_text(struct mls_bytes spec)
{
    return package_is_mil_text(spec);
}

/* coremldata.bin beside the text, or no bytes. */
static struct mls_bytes find_description_file(const struct mls_package *package, const char **ret_path)
{
    const char *spec_path;
    mls_package_spec(package, &spec_path);
    const char *slash = strrchr(spec_path, '/');
    size_t folder_bytes = slash ? (size_t)(slash + 1 - spec_path) : 0;
    for (size_t i = 0; i < mls_package_entry_count(package); i++) {
        struct mls_package_entry entry = mls_package_entry_at(package, i);
        if (!strncmp(entry.path, spec_path, folder_bytes) &&
            !strcmp(entry.path + folder_bytes, "coremldata.bin")) {
            *ret_path = entry.path;
            return entry.bytes;
        }
    }
    return (struct mls_bytes){0};
}

/* The description in coremldata.bin, and the version before it. */
static bool find_description(struct mls_bytes file, int32_t *ret_version, struct mls_bytes *ret_description)
{
    struct mls_cursor cursor = mls_cursor_over(file.data, file.size_bytes);
    uint32_t type = mls_cursor_u32(&cursor);
    mls_cursor_take(&cursor, COMPILED_VERSION_OFFSET - sizeof type);
    uint32_t version = mls_cursor_u32(&cursor);
    mls_cursor_take(&cursor, COMPILED_HEAD_BYTES - COMPILED_VERSION_OFFSET - sizeof version);
    uint64_t size_bytes = mls_cursor_u64(&cursor);
    const uint8_t *description = mls_cursor_take(&cursor, size_bytes);
    *ret_version = (int32_t)version;
    *ret_description = (struct mls_bytes){description, (size_t)size_bytes};
    return !cursor.bad && type == COMPILED_ML_PROGRAM;
}

struct mls_bytes compiled_description(const struct mls_package *package)
{
    const char *path;
    int32_t version;
    struct mls_bytes description;
    return find_description(find_description_file(package, &path), &version, &description)
               ? description
               : (struct mls_bytes){0};
}

static enum mls_status read_description(struct mls_model *model, size_t limit_bytes, struct mls_error *reterr)
{
    const char *path = "";
    struct mls_bytes file =
        model->package ? find_description_file(model->package, &path) : (struct mls_bytes){0};
    if (!file.size_bytes)
        return MLS_OK;
    struct mls_bytes description;
    if (find_description(file, &model->spec_version, &description))
        return spec_read_description(file, description, limit_bytes, model, reterr);
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_SPEC_INVALID,
                 "cannot read %s: it is not the description of a compiled ML Program as it is known", path);
    mls_error_hint(
        reterr,
        "copy or compile the model again; an app's model may be encrypted by Apple's model encryption");
    mls_error_at(reterr, path, 0);
    return status;
}

/* Without a description: the newest opset decides what system the model needs. */
static enum mls_status derive(struct mil_reader *reader, struct mls_model *model)
{
    for (uint32_t i = 0; i < model->program.n_functions; i++)
        if ((int32_t)model->program.functions[i].opset >= model->spec_version)
            model->spec_version = (int32_t)model->program.functions[i].opset + 1;
    enum mls_status status = mil_derive_interfaces(reader, model);
    if (!status && !model->n_interfaces)
        return mls_fail(reader->reterr, MLS_ERR_PROGRAM_INVALID,
                        "cannot read the program: it has no functions");
    if (!status)
        model->default_function = model->interfaces[0].function;
    return status;
}

enum mls_status compiled_read(struct mls_bytes text, size_t limit_bytes, struct mls_model *model,
                              struct spec_blobs *ret_blobs, struct mls_error *reterr)
{
    model->type_name = package_model_type_name(COMPILED_ML_PROGRAM);
    enum mls_status status = read_description(model, limit_bytes, reterr);
    if (status)
        return status;
    static const char *const main_first[] = {"main"};
    const char **names = MLS_NEW_ARRAY(model->arena, model->n_interfaces, const char *);
    struct mil_reader reader = {
        .program = {.arena = model->arena, .builder = ir_builder_create(model->arena)},
        .lexer = mil_lexer_begin(text),
        .reterr = reterr};
    if (!names || !reader.program.builder) {
        ir_builder_free(reader.program.builder);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read the program: out of memory");
    }
    for (size_t i = 0; i < model->n_interfaces; i++)
        names[i] = model->interfaces[i].function;
    status = mil_read_program(&reader, model->n_interfaces ? names : main_first,
                              model->n_interfaces ? model->n_interfaces : 1, &model->program);
    ir_builder_free(reader.program.builder);
    if (!status && !model->n_interfaces)
        status = derive(&reader, model);
    if (!status)
        *ret_blobs = reader.program.blobs;
    return status;
}
