#include "core/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "format/blob.h"
#include "format/compiled.h"
#include "format/load.h"
#include "format/spec.h"
#include "ir/verify.h"

enum { SPEC_VERSION_MAX = 10 };

/*
 * What unpacking may take: real programs unpack to 5 to 9 times the size of their specification, hostile
 * ones, made of empty messages, to more than 60 times.
 */
#define UNPACK_FLOOR_BYTES ((size_t)64 << 20)
enum { UNPACK_FACTOR = 32 };

static enum mls_status cancelled(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_CANCELLED, "cannot load the model: cancelled");
}

/* The checks that need no more than the outermost message. */
static enum mls_status check_envelope(const struct spec_envelope *envelope, const char *path,
                                      struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    if (envelope->version == 0) {
        status = mls_fail(reterr, MLS_ERR_SPEC_VERSION_MISSING,
                          "cannot read %s: model specification version field missing or corrupt", path);
        mls_error_hint(reterr, "this is no Core ML model, or a damaged one: save or download it again");
    } else if (envelope->version < 0 || envelope->version > SPEC_VERSION_MAX) {
        status = mls_fail(reterr, MLS_ERR_SPEC_VERSION,
                          "cannot read %s: specification version %" PRId32
                          " is not supported; the latest known is %d (%s)",
                          path, envelope->version, SPEC_VERSION_MAX, mls_system_for_spec(SPEC_VERSION_MAX));
        mls_error_hint(reterr, "export with an older minimum_deployment_target");
    } else if (envelope->type_number == 0) {
        status = mls_fail(reterr, MLS_ERR_SPEC_TYPE_MISSING,
                          "cannot read %s: the model did not specify a valid model-parameter type", path);
    } else if (!envelope->type_name) {
        status =
            mls_fail(reterr, MLS_ERR_SPEC_TYPE_MISSING,
                     "cannot read %s: models of type %" PRIu32 " are not known", path, envelope->type_number);
        mls_error_hint(reterr, "the model is newer than this program");
    }
    if (status)
        mls_error_at(reterr, path, -1);
    return status;
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* The weight file of the last reference: a program mostly has one. */
struct weight_file {
    const char *reference;
    struct mls_bytes bytes;
    const char *path;
};

static enum mls_status open_weights(struct mls_package *package, const char *reference,
                                    struct weight_file *file, struct mls_error *reterr)
{
    if (file->reference && strcmp(file->reference, reference) == 0)
        return MLS_OK;
    if (!package) {
        enum mls_status status =
            mls_fail(reterr, MLS_ERR_BLOB_MISSING,
                     "cannot open weight file %s: the specification was given alone", reference);
        mls_error_at(reterr, reference, -1);
        mls_error_hint(reterr, "give the whole package, or the weight file with --blob");
        return status;
    }
    struct weight_file opened = {.reference = reference};
    enum mls_status status = mls_package_blob(package, reference, &opened.bytes, &opened.path, reterr);
    if (!status)
        *file = opened;
    return status;
}

/* A hint to the system that the record at `offset` is wanted soon; it may fail or be ignored. */
static void announce_record(struct mls_bytes file, uint64_t offset)
{
    if (offset >= file.size_bytes)
        return;
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t record = (uintptr_t)file.data + offset;
    uintptr_t page = record - record % page_bytes;
    posix_madvise((void *)page, page_bytes, POSIX_MADV_WILLNEED);
}

/*
 * Records lie as far apart as weights are large. Where the file is not in memory yet, asking for all of their
 * pages first lets them come together instead of one after the other.
 */
static enum mls_status announce_weights(const struct mls_model *model, const struct spec_blobs *blobs,
                                        struct mls_error *reterr)
{
    struct weight_file file = {0};
    for (const struct spec_blob *blob = blobs->first; blob; blob = blob->next) {
        enum mls_status status = open_weights(model->package, blob->reference, &file, reterr);
        if (status) {
            mls_error_within(reterr, blob->function, blob->op_type, blob->operation);
            return status;
        }
        announce_record(file.bytes, blob->offset);
    }
    return MLS_OK;
}

static enum mls_status attach_weights(struct mls_model *model, const struct spec_blobs *blobs,
                                      const struct mls_progress *progress, struct mls_error *reterr)
{
    enum mls_status announced = announce_weights(model, blobs, reterr);
    if (announced)
        return announced;
    struct weight_file file = {0};
    uint32_t n_done = 0;
    for (const struct spec_blob *blob = blobs->first; blob; blob = blob->next) {
        if (!mls_progress_at(progress, MLS_STAGE_WEIGHTS, n_done++, blobs->n))
            return cancelled(reterr);
        enum mls_status status = open_weights(model->package, blob->reference, &file, reterr);
        if (!status)
            status = blob_read(file.bytes, file.path, blob->offset, &blob->type, model->arena, blob->constant,
                               reterr);
        if (status) {
            mls_error_within(reterr, blob->function, blob->op_type, blob->operation);
            return status;
        }
        blob->constant->blob_reference = blob->reference;
    }
    return mls_progress_at(progress, MLS_STAGE_WEIGHTS, blobs->n, blobs->n) ? MLS_OK : cancelled(reterr);
}

/* ---- Loading --------------------------------------------------------------------------------- */

static enum mls_status read_protobuf(struct mls_model *model, struct mls_bytes spec, const char *path,
                                     struct spec_blobs *ret_blobs, struct mls_error *reterr)
{
    struct spec_envelope envelope;
    enum mls_status status = spec_read_envelope(spec, &envelope, reterr);
    if (!status)
        status = check_envelope(&envelope, path, reterr);
    if (status)
        return status;
    model->spec_version = envelope.version;
    model->type_name = envelope.type_name;
    return spec_read(spec, &envelope, UNPACK_FLOOR_BYTES + UNPACK_FACTOR * spec.size_bytes, model, ret_blobs,
                     reterr);
}

static enum mls_status read_spec(struct mls_model *model, struct mls_bytes spec, const char *path,
                                 struct spec_blobs *ret_blobs, struct mls_error *reterr)
{
    enum mls_status status = compiled_is_text(spec)
                                 ? compiled_read(spec, UNPACK_FLOOR_BYTES, model, ret_blobs, reterr)
                                 : read_protobuf(model, spec, path, ret_blobs, reterr);
    for (size_t i = 0; !status && i < model->n_interfaces; i++)
        status = interface_check(&model->interfaces[i], model->spec_version, reterr);
    if (!status)
        status = ir_verify_program(&model->program, reterr);
    for (size_t i = 0; !status && i < model->n_interfaces; i++)
        status = ir_verify_interface(&model->program, &model->interfaces[i], reterr);
    return status;
}

static struct mls_model *create(struct mls_package *package)
{
    struct mls_model *model = calloc(1, sizeof *model);
    if (!model)
        return NULL;
    bool sealed = package && mls_package_info(package)->sealed;
    model->arena = sealed ? mls_arena_create_secret(0) : mls_arena_create(0);
    if (!model->arena) {
        free(model);
        return NULL;
    }
    model->package = package ? mls_package_retain(package) : NULL;
    return model;
}

enum mls_status mls_model_load_spec(struct mls_bytes spec, const char *path, struct mls_package *package,
                                    const struct mls_progress *progress, struct mls_model **ret_model,
                                    struct mls_error *reterr)
{
    if (spec.size_bytes > MLS_LIMIT_SPEC_BYTES)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read %s: %zu bytes are more than a specification can have", path,
                        spec.size_bytes);
    struct mls_model *model = create(package);
    if (!model)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot load the model: out of memory");
    enum mls_status status = MLS_OK;
    struct spec_blobs blobs = {0};
    if (!mls_progress_at(progress, MLS_STAGE_PARSE, 0, 1))
        status = cancelled(reterr);
    if (!status) {
        status = read_spec(model, spec, path, &blobs, reterr);
        /* a byte offset without a file is one in the specification */
        if (status && reterr && !reterr->file[0])
            mls_error_at(reterr, path, reterr->byte_offset);
    }
    if (!status && !mls_progress_at(progress, MLS_STAGE_PARSE, 1, 1))
        status = cancelled(reterr);
    if (!status)
        status = attach_weights(model, &blobs, progress, reterr);
    if (status) {
        mls_model_free(model);
        return status;
    }
    *ret_model = model;
    return MLS_OK;
}

enum mls_status mls_model_load(struct mls_package *package, const struct mls_progress *progress,
                               struct mls_model **ret_model, struct mls_error *reterr)
{
    const char *path;
    struct mls_bytes spec = mls_package_spec(package, &path);
    return mls_model_load_spec(spec, path, package, progress, ret_model, reterr);
}

void mls_model_free(struct mls_model *model)
{
    if (!model)
        return;
    mls_arena_free(model->arena);
    mls_package_release(model->package);
    free(model);
}

/* ---- Functions ------------------------------------------------------------------------------- */

static enum mls_status function_not_found(const struct mls_model *model, const char *name,
                                          struct mls_error *reterr)
{
    char list[MLS_ERROR_TEXT_BYTES / 2];
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_FUNCTION_NOT_FOUND, "cannot find function '%s' in the model", name);
    mls_error_hint(reterr, "the model has: %s",
                   interface_list(model->interfaces, model->n_interfaces, list, sizeof list));
    return status;
}

enum mls_status mls_model_function(const struct mls_model *model, const char *name,
                                   mls_function_id *ret_function, const struct mls_interface **ret_interface,
                                   struct mls_error *reterr)
{
    const char *wanted = name ? name : model->default_function;
    for (size_t i = 0; i < model->n_interfaces; i++) {
        if (strcmp(model->interfaces[i].function, wanted) != 0)
            continue;
        for (uint32_t f = 0; f < model->program.n_functions; f++) {
            if (strcmp(model->program.functions[f].name, wanted) == 0) {
                *ret_function = (mls_function_id){f};
                *ret_interface = &model->interfaces[i];
                return MLS_OK;
            }
        }
    }
    return function_not_found(model, wanted, reterr);
}
