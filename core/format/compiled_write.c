/* Writes a model as a compiled folder: for reading and comparing, and to be opened again by mlscope. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "core/model.h"
#include "core/partial.h"
#include "format/compiled.h"

struct folder {
    const char *path; /* as the user gave it, for messages */
    char *partial;    /* name until it is whole */
    int fd;
    struct mls_arena *arena;
    struct mls_error *reterr;
};

/* One file being written. */
struct file {
    int fd;
    int reason; /* errno of the first failure, or 0 */
};

static enum mls_status cannot_write(const struct folder *folder, const char *name, int reason)
{
    return mls_fail(folder->reterr, MLS_ERR_OUTPUT, "cannot write %s/%s: %s", folder->path, name,
                    strerror(reason));
}

static bool put(void *user, const char *text, size_t length_bytes)
{
    struct file *file = user;
    while (length_bytes && !file->reason) {
        ssize_t n = write(file->fd, text, length_bytes);
        if (n < 0 && errno != EINTR)
            file->reason = errno;
        if (n > 0) {
            text += n;
            length_bytes -= (size_t)n;
        }
    }
    return !file->reason;
}

/* Begins a file at a path in the folder; folders on the way are made. */
static struct file begin_file(const struct folder *folder, const char *name)
{
    char path[MLS_LIMIT_PATH_BYTES + 1];
    struct file file = {.fd = -1};
    if (snprintf(path, sizeof path, "%s", name) >= (int)sizeof path) {
        file.reason = ENAMETOOLONG;
        return file;
    }
    for (char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdirat(folder->fd, path, 0777) < 0 && errno != EEXIST)
            file.reason = errno;
        *slash = '/';
    }
    file.fd = openat(folder->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file.fd < 0 && !file.reason)
        file.reason = errno;
    return file;
}

static enum mls_status end_file(const struct folder *folder, const char *name, struct file *file)
{
    if (file->fd >= 0 && !file->reason && fdatasync(file->fd) < 0)
        file->reason = errno;
    if (file->fd >= 0 && close(file->fd) < 0 && !file->reason)
        file->reason = errno;
    return file->reason ? cannot_write(folder, name, file->reason) : MLS_OK;
}

static enum mls_status write_bytes(const struct folder *folder, const char *name, struct mls_bytes bytes)
{
    struct file file = begin_file(folder, name);
    put(&file, (const char *)bytes.data, bytes.size_bytes);
    return end_file(folder, name, &file);
}

static enum mls_status write_text(const struct folder *folder, const struct mls_model *model)
{
    struct file file = begin_file(folder, "model.mil");
    if (!file.reason)
        mls_program_write(model, &(struct mls_writer){&file, put});
    return end_file(folder, "model.mil", &file);
}

/* The description as the package has it; a model read from text alone has none, and needs none. */
static enum mls_status write_description(const struct folder *folder, const struct mls_model *model)
{
    struct mls_bytes spec = mls_package_spec(model->package, NULL), description = {0};
    struct spec_envelope envelope;
    enum mls_status status = MLS_OK;
    if (compiled_is_text(spec)) {
        description = compiled_description(model->package);
    } else {
        status = spec_read_envelope(spec, &envelope, folder->reterr);
        if (!status)
            description = envelope.description;
    }
    if (status || !description.size_bytes)
        return status;
    struct file file = begin_file(folder, "coremldata.bin");
    char head[COMPILED_HEAD_BYTES], tail[COMPILED_TAIL_BYTES] = {0};
    uint64_t size_bytes = description.size_bytes;
    memcpy(head, compiled_head, sizeof head);
    memcpy(tail, compiled_head, sizeof(uint32_t)); /* the model's type again */
    memcpy(head + COMPILED_VERSION_OFFSET, &model->spec_version, sizeof model->spec_version);
    put(&file, head, sizeof head);
    put(&file, (const char *)&size_bytes, sizeof size_bytes);
    put(&file, (const char *)description.data, description.size_bytes);
    put(&file, tail, sizeof tail);
    return end_file(folder, "coremldata.bin", &file);
}

/* Whether an earlier constant lies in the same file. */
static bool was_written(const struct mls_model *model, uint32_t value)
{
    for (uint32_t i = 0; i < value; i++) {
        const struct mls_constant *constant = model->program.values[i].constant;
        if (constant && constant->blob_path &&
            !strcmp(constant->blob_path, model->program.values[value].constant->blob_path))
            return true;
    }
    return false;
}

static enum mls_status write_weights(const struct folder *folder, const struct mls_model *model)
{
    const char *spec_path, *last = NULL;
    mls_package_spec(model->package, &spec_path);
    const char *slash = strrchr(spec_path, '/');
    size_t base_bytes = slash ? (size_t)(slash + 1 - spec_path) : 0;
    for (uint32_t i = 0; i < model->program.n_values; i++) {
        const struct mls_constant *constant = model->program.values[i].constant;
        const char *path = constant ? constant->blob_path : NULL;
        if (!path || path == last || was_written(model, i))
            continue;
        last = path;
        struct mls_bytes bytes;
        enum mls_status status =
            mls_package_blob(model->package, path + base_bytes, &bytes, NULL, folder->reterr);
        if (!status)
            status = write_bytes(folder, path + base_bytes, bytes);
        if (status)
            return status;
    }
    return MLS_OK;
}

/* Removes what was written, after a failure: the files that this writes, and no others. */
static void remove_partial(const struct folder *folder, const struct mls_model *model)
{
    unlinkat(folder->fd, "model.mil", 0);
    unlinkat(folder->fd, "coremldata.bin", 0);
    for (size_t i = 0; i < mls_package_entry_count(model->package); i++) {
        const char *path = mls_package_entry_at(model->package, i).path, *spec_path;
        mls_package_spec(model->package, &spec_path);
        const char *slash = strrchr(spec_path, '/');
        size_t base_bytes = slash ? (size_t)(slash + 1 - spec_path) : 0;
        if (strncmp(path, spec_path, base_bytes) || !strchr(path + base_bytes, '/'))
            continue;
        unlinkat(folder->fd, path + base_bytes, 0);
        char *parent = mls_arena_text(folder->arena, path + base_bytes, strlen(path + base_bytes));
        for (char *end; parent && (end = strrchr(parent, '/')) != NULL;) {
            *end = '\0';
            unlinkat(folder->fd, parent, AT_REMOVEDIR);
        }
    }
    rmdir(folder->partial);
}

static enum mls_status make_partial(struct folder *folder)
{
    bool made = mkdir(folder->partial, 0777) == 0;
    if (made)
        folder->fd = open(folder->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder->fd >= 0)
        return MLS_OK;
    enum mls_status status = mls_partial_fail(folder->path, errno, folder->reterr);
    if (made)
        rmdir(folder->partial);
    return status;
}

static enum mls_status check(const struct mls_model *model, const char *out_path, struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    if (strcmp(model->type_name, "mlProgram")) {
        status = mls_fail(reterr, MLS_ERR_USAGE,
                          "cannot compile %s: MIL text is made of ML Programs, and this is a %s",
                          mls_package_info(model->package)->path, model->type_name);
        mls_error_hint(reterr, "read it with: mlscope inspect --mil");
    } else if (mls_package_info(model->package)->sealed) {
        status = mls_fail(reterr, MLS_ERR_USAGE,
                          "cannot compile %s: it is sealed, and a compiled folder would hold its program and "
                          "weights in plain",
                          mls_package_info(model->package)->path);
        mls_error_hint(reterr, "compile the package before it is sealed");
    } else if (!access(out_path, F_OK)) {
        status = mls_fail(reterr, MLS_ERR_USAGE, "cannot write %s: it is there already", out_path);
        mls_error_hint(reterr, "remove it first, or give another name");
    }
    return status;
}

enum mls_status mls_model_compile(const struct mls_model *model, const char *out_path,
                                  struct mls_error *reterr)
{
    enum mls_status status = check(model, out_path, reterr);
    if (status)
        return status;
    struct folder folder = {.path = out_path, .fd = -1, .arena = mls_arena_create(0), .reterr = reterr};
    size_t length = strlen(out_path);
    while (length > 1 && out_path[length - 1] == '/')
        length--;
    folder.partial = folder.arena ? mls_arena_printf(folder.arena, "%.*s.%08x.part", (int)length, out_path,
                                                     (unsigned)getpid())
                                  : NULL;
    if (!folder.partial)
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot write %s: out of memory", out_path);
    else
        status = make_partial(&folder);
    if (!status) {
        status = write_text(&folder, model);
        if (!status)
            status = write_description(&folder, model);
        if (!status)
            status = write_weights(&folder, model);
        if (!status && rename(folder.partial, out_path) < 0)
            status = mls_partial_fail(out_path, errno, reterr);
        if (status)
            remove_partial(&folder, model);
        close(folder.fd);
    }
    mls_arena_free(folder.arena);
    return status;
}
