/* Several inputs in one NumPy archive: a zip with one .npy for each name. */
#include "core/feature.h"

#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "fill.h"

#define HEAD_BYTES_MAX ((size_t)1 << 17)
/* A header, and at most eight bytes for each of some more elements than the input takes. */
#define MEMBER_BYTES_MAX(n_elems) (HEAD_BYTES_MAX + (n_elems)*8)

struct archive {
    const struct mls_interface *interface;
    const char *path;
    zip_t *zip;
};

/* What is done with each member; `user` is a run or an array of shapes. */
typedef enum mls_status visit_member(const struct archive *archive, zip_uint64_t member, const char *name,
                                     size_t input, void *user, struct mls_error *reterr);

static enum mls_status wrong(const struct archive *archive, const char *member, const char *reason,
                             struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s: %s", archive->path, member, reason);
    mls_error_at(reterr, archive->path, -1);
    return status;
}

/* Index of the input that the member is called after, with or without ".npy"; n_inputs when there is none. */
static size_t find_input(const struct archive *archive, const char *member)
{
    size_t length = strlen(member);
    if (length > 4 && !strcmp(member + length - 4, ".npy"))
        length -= 4;
    size_t i = 0;
    while (i < archive->interface->n_inputs && (strlen(archive->interface->inputs[i].name) != length ||
                                                memcmp(archive->interface->inputs[i].name, member, length)))
        i++;
    return i;
}

static enum mls_status unknown_name(const struct archive *archive, const char *member,
                                    struct mls_error *reterr)
{
    char names[400] = "";
    for (size_t i = 0; i < archive->interface->n_inputs; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                 archive->interface->inputs[i].name);
    }
    enum mls_status status =
        mls_fail_because(reterr, MLS_ERR_INPUT_INVALID, MLS_CAUSE_INPUT_NAME,
                         "cannot read %s: %s: the model has no input of this name", archive->path, member);
    mls_error_at(reterr, archive->path, -1);
    mls_error_hint(reterr, "the inputs are: %s", names);
    return status;
}

/* The first `size_bytes` of a member; all of it when `whole`, whose check sum has to be right. The caller
 * frees. */
static enum mls_status read_bytes(const struct archive *archive, zip_uint64_t member, const char *name,
                                  size_t size_bytes, bool whole, uint8_t **ret_bytes,
                                  struct mls_error *reterr)
{
    uint8_t *bytes = malloc(size_bytes ? size_bytes : 1);
    if (!bytes)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot read %s: out of memory", archive->path);
    enum mls_status status = MLS_OK;
    zip_file_t *file = zip_fopen_index(archive->zip, member, 0);
    if (!file)
        status = wrong(archive, name, zip_strerror(archive->zip), reterr);
    else if (zip_fread(file, bytes, size_bytes) != (zip_int64_t)size_bytes)
        status = wrong(archive, name, "it is cut off or damaged", reterr);
    /* the check sum is compared when the end is read */
    else if (whole && zip_fread(file, &(uint8_t){0}, 1) != 0)
        status = wrong(archive, name, "its check sum is wrong", reterr);
    if (file)
        zip_fclose(file);
    if (status)
        free(bytes);
    else
        *ret_bytes = bytes;
    return status;
}

static enum mls_status member_size(const struct archive *archive, zip_uint64_t member, const char *name,
                                   size_t *ret_size_bytes, struct mls_error *reterr)
{
    zip_stat_t about;
    if (zip_stat_index(archive->zip, member, 0, &about) || !(about.valid & ZIP_STAT_SIZE))
        return wrong(archive, name, zip_strerror(archive->zip), reterr);
    *ret_size_bytes = (size_t)about.size;
    return MLS_OK;
}

static enum mls_status fill_member(const struct archive *archive, zip_uint64_t member, const char *name,
                                   size_t input, void *user, struct mls_error *reterr)
{
    struct mls_tensor *tensor = mls_run_input(user, input);
    size_t size_bytes;
    uint8_t *bytes;
    enum mls_status status = member_size(archive, member, name, &size_bytes, reterr);
    if (!status && size_bytes > MEMBER_BYTES_MAX((size_t)mls_type_elems(&tensor->type)))
        return wrong(archive, name, "it is larger than the input can be", reterr);
    if (!status)
        status = read_bytes(archive, member, name, size_bytes, true, &bytes, reterr);
    if (status)
        return status;
    status = fill_from_bytes(&archive->interface->inputs[input], tensor, name,
                             (struct mls_bytes){bytes, size_bytes}, reterr);
    free(bytes);
    return status;
}

/* The shape stands at the beginning: no more is read, whatever the size. */
static enum mls_status shape_member(const struct archive *archive, zip_uint64_t member, const char *name,
                                    size_t input, void *user, struct mls_error *reterr)
{
    const struct mls_feature *feature = &archive->interface->inputs[input];
    if (!feature->n_ranges && !feature->n_enumerated)
        return MLS_OK;
    size_t size_bytes;
    uint8_t *bytes;
    enum mls_status status = member_size(archive, member, name, &size_bytes, reterr);
    if (size_bytes > HEAD_BYTES_MAX)
        size_bytes = HEAD_BYTES_MAX;
    if (!status)
        status = read_bytes(archive, member, name, size_bytes, false, &bytes, reterr);
    if (status)
        return status;
    status = fill_shape(feature, name, (struct mls_bytes){bytes, size_bytes},
                        (struct mls_shape *)user + input, reterr);
    free(bytes);
    return status;
}

static enum mls_status visit_all(const struct mls_interface *interface, const char *path, visit_member *visit,
                                 void *user, bool *ret_seen, struct mls_error *reterr)
{
    int code;
    struct archive archive = {.interface = interface, .path = path, .zip = zip_open(path, ZIP_RDONLY, &code)};
    if (!archive.zip) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        enum mls_status status = mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s as .npz: %s", path,
                                          zip_error_strerror(&error));
        zip_error_fini(&error);
        mls_error_hint(reterr, "--inputs takes an archive of several arrays; --input NAME=FILE takes one of them");
        return status;
    }
    enum mls_status status = MLS_OK;
    zip_int64_t n_members = zip_get_num_entries(archive.zip, 0);
    for (zip_int64_t i = 0; i < n_members && !status; i++) {
        const char *name = zip_get_name(archive.zip, (zip_uint64_t)i, 0);
        size_t input = name ? find_input(&archive, name) : interface->n_inputs;
        if (input == interface->n_inputs)
            status = unknown_name(&archive, name ? name : "(no name)", reterr);
        else
            status = visit(&archive, (zip_uint64_t)i, name, input, user, reterr);
        if (!status && ret_seen)
            ret_seen[input] = true;
    }
    zip_discard(archive.zip);
    return status;
}

enum mls_status mls_feature_read_npz(struct mls_run *run, const char *path, bool *ret_filled,
                                     struct mls_error *reterr)
{
    return visit_all(mls_session_interface(mls_run_session(run)), path, fill_member, run, ret_filled, reterr);
}

enum mls_status mls_feature_npz_shapes(const struct mls_interface *interface, const char *path,
                                       struct mls_shape *shapes, struct mls_error *reterr)
{
    return visit_all(interface, path, shape_member, shapes, NULL, reterr);
}
