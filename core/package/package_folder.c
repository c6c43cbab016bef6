/* The form that Xcode and coremltools save: a folder with Manifest.json and Data/. Every file is mapped, none
 * is read. */
#include "form.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

/* A folder on the way down. Depth is limited, so the listing may recurse. */
struct place {
    struct mls_package *package;
    const char *path; /* relative to the package, "" at the top */
    unsigned depth;
    size_t n_found; /* files and folders in it */
};

static enum mls_status list_folder(int fd, struct place *place, struct mls_error *reterr);

static enum mls_status refused(const struct place *place, const char *path, const char *reason,
                               struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_IO, "cannot open %s: %s: %s", place->package->info.path, path, reason);
    mls_error_at(reterr, path, -1);
    return status;
}

static enum mls_status add_file(struct place *place, int fd, const char *path, struct mls_error *reterr)
{
    struct mls_bytes bytes;
    enum mls_status status = package_map_file(place->package, fd, path, &bytes, reterr);
    if (status)
        return status;
    place->package->info.file_bytes += bytes.size_bytes;
    if (place->package->info.file_bytes > MLS_LIMIT_FILE_BYTES)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot open %s: its files have more than %zu bytes",
                        place->package->info.path, MLS_LIMIT_FILE_BYTES);
    return package_add_entry(place->package, path, bytes, reterr);
}

static enum mls_status add_child(struct place *place, int fd, const char *path, struct mls_error *reterr)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return refused(place, path, strerror(errno), reterr);
    if (S_ISREG(about.st_mode))
        return add_file(place, fd, path, reterr);
    if (!S_ISDIR(about.st_mode))
        return refused(place, path, "it is neither a file nor a folder", reterr);
    if (place->depth + 1 >= MLS_LIMIT_FOLDER_DEPTH)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot open %s: its folders are nested more than %d deep",
                        place->package->info.path, MLS_LIMIT_FOLDER_DEPTH);
    struct place below = {.package = place->package, .path = path, .depth = place->depth + 1};
    enum mls_status status = list_folder(fd, &below, reterr);
    if (!status && !below.n_found)
        status = package_add_empty_folder(place->package, path, reterr);
    return status;
}

static enum mls_status open_child(struct place *place, int folder, const char *name, struct mls_error *reterr)
{
    const char *path = place->path[0] ? mls_arena_printf(place->package->arena, "%s/%s", place->path, name)
                                      : mls_arena_text(place->package->arena, name, strlen(name));
    if (!path)
        return package_out_of_memory(place->package, reterr);
    if (strlen(path) > MLS_LIMIT_PATH_BYTES)
        return refused(place, path, "the path is too long", reterr);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        bool link = errno == ELOOP;
        enum mls_status status = refused(
            place, path, link ? "symbolic links are not followed in a package" : strerror(errno), reterr);
        if (link)
            mls_error_hint(reterr, "put the file itself in its place");
        return status;
    }
    place->n_found++;
    enum mls_status status = add_child(place, fd, path, reterr);
    close(fd);
    return status;
}

static enum mls_status list_folder(int fd, struct place *place, struct mls_error *reterr)
{
    int listed = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = listed < 0 ? NULL : fdopendir(listed);
    if (!folder) {
        enum mls_status status = refused(place, place->path, strerror(errno), reterr);
        if (listed >= 0)
            close(listed);
        return status;
    }
    enum mls_status status = MLS_OK;
    const struct dirent *child;
    while (!status && (errno = 0, child = readdir(folder)) != NULL)
        if (strcmp(child->d_name, ".") && strcmp(child->d_name, ".."))
            status = open_child(place, fd, child->d_name, reterr);
    if (!status && errno)
        status = refused(place, place->path, strerror(errno), reterr);
    closedir(folder);
    return status;
}

/* A hint for who gives the folder that a package lies in. */
static void hint_package_inside(int fd, const char *path, struct mls_error *reterr)
{
    int listed = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = listed < 0 ? NULL : fdopendir(listed);
    if (!folder) {
        if (listed >= 0)
            close(listed);
        return;
    }
    const struct dirent *child;
    while ((child = readdir(folder)) != NULL) {
        const char *extension = strrchr(child->d_name, '.');
        if (extension && (!strcmp(extension, ".mlpackage") || !strcmp(extension, ".mlmodel"))) {
            const char *slash = path[0] && path[strlen(path) - 1] == '/' ? "" : "/";
            mls_error_hint(reterr, "did you mean %.200s%s%.200s?", path, slash, child->d_name);
            break;
        }
    }
    closedir(folder);
}

static bool exists_in(int fd, const char *name)
{
    return !faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static bool is_called_compiled(const char *path)
{
    static const char suffix[] = ".mlmodelc";
    size_t length = strlen(path), bytes = sizeof suffix - 1;
    while (length && path[length - 1] == '/')
        length--;
    return length >= bytes && !memcmp(path + length - bytes, suffix, bytes);
}

/* Looks before listing: a folder that is no package may hold anything, a home folder for one. */
static enum mls_status refuse_other_folder(struct mls_package *package, int fd, struct mls_error *reterr)
{
    static const char *const telling[] = {"encryptionInfo", "saved_model.pb"};
    enum mls_status status = MLS_OK;
    for (size_t i = 0; i < sizeof telling / sizeof telling[0] && !status; i++) {
        int child = openat(fd, telling[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (child < 0)
            continue;
        struct stat about;
        struct mls_bytes bytes = {(const uint8_t *)"", 0};
        if (!fstat(child, &about) && S_ISREG(about.st_mode))
            status = package_map_file(package, child, telling[i], &bytes, reterr);
        if (!status)
            status = package_add_entry(package, telling[i], bytes, reterr);
        close(child);
    }
    if (status)
        return status;
    package_sort_entries(package);
    status = package_refuse_without_manifest(package, reterr);
    if (status == MLS_ERR_MANIFEST_MISSING)
        hint_package_inside(fd, package->info.path, reterr);
    if (status == MLS_ERR_MANIFEST_MISSING && reterr && is_called_compiled(package->info.path))
        reterr->cause = MLS_CAUSE_NOT_COMPILED;
    return status;
}

static bool folder_probe(const struct package_source *source)
{
    return source->folder;
}

static enum mls_status folder_open(struct mls_package *package, const struct package_source *source,
                                   struct mls_error *reterr)
{
    bool manifest = exists_in(source->fd, "Manifest.json");
    bool compiled =
        !manifest && (exists_in(source->fd, "coremldata.bin") || exists_in(source->fd, "model.mil"));
    package->info.form = compiled ? MLS_FORM_COMPILED : MLS_FORM_FOLDER;
    if (!manifest && !compiled)
        return refuse_other_folder(package, source->fd, reterr);
    /* the total is not known before the end; 1 stands for it */
    if (!mls_progress_at(source->progress, MLS_STAGE_OPEN, 0, 1))
        return package_cancelled(source->path, reterr);
    struct place top = {.package = package, .path = ""};
    enum mls_status status = list_folder(source->fd, &top, reterr);
    if (status)
        return status;
    if (!mls_progress_at(source->progress, MLS_STAGE_OPEN, package->info.file_bytes,
                         package->info.file_bytes) ||
        !mls_progress_at(source->progress, MLS_STAGE_UNPACK, 0, package->info.file_bytes))
        return package_cancelled(source->path, reterr);
    status = package_set_spec_from_folder(package, reterr);
    if (!status && !mls_progress_at(source->progress, MLS_STAGE_UNPACK, package->info.file_bytes,
                                    package->info.file_bytes))
        status = package_cancelled(source->path, reterr);
    return status;
}

const struct package_form package_form_folder = {.probe = folder_probe, .open = folder_open};
