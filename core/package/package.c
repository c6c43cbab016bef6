#include "core/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "form.h"
#include "hash.h"
#include "secret.h"

static const char *const form_names[MLS_FORM_COUNT] = {
#define X(id, name) [MLS_FORM_##id] = name,
    MLS_FORM_LIST(X)
#undef X
};

/* In order of trial. The sealed form is last: it has no magic, so its probe takes every file. */
static const struct package_form *const forms[] = {
    &package_form_folder, &package_form_rtfd,    &package_form_foreign, &package_form_zip,
    &package_form_mil,    &package_form_mlmodel, &package_form_sealed,
};

enum { N_FORMS = sizeof forms / sizeof forms[0] };

const char *mls_form_name(enum mls_form form)
{
    return (unsigned)form < MLS_FORM_COUNT ? form_names[form] : "unknown";
}

/* ---- Life --------------------------------------------------------------------------------------------- */

/* The last part of a path; folders such as "." get a name that a wrapper can carry. */
static const char *base_name(struct mls_arena *arena, const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    const char *name = mls_arena_text(arena, path + start, end - start);
    bool nameless = name && (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "/") || !name[0]);
    return nameless ? "model.mlpackage" : name;
}

struct mls_package *package_create(const char *path)
{
    struct mls_package *package = calloc(1, sizeof *package);
    if (!package)
        return NULL;
    atomic_init(&package->references, 1);
    pthread_mutex_init(&package->hash_mutex, NULL);
    package->arena = package->entry_arena = mls_arena_create(PACKAGE_ARENA_BYTES_MAX);
    if (!package->arena)
        goto fail;
    package->info = (struct mls_package_info){.path = mls_arena_text(package->arena, path, strlen(path)),
                                              .cipher = "",
                                              .lock_message = "",
                                              .sha256_hex = ""};
    package->preferred_name = base_name(package->arena, path);
    if (!package->info.path || !package->preferred_name)
        goto fail;
    return package;
fail:
    mls_package_release(package);
    return NULL;
}

struct mls_package *mls_package_retain(struct mls_package *package)
{
    if (package)
        atomic_fetch_add_explicit(&package->references, 1, memory_order_relaxed);
    return package;
}

void mls_package_release(struct mls_package *package)
{
    if (!package || atomic_fetch_sub_explicit(&package->references, 1, memory_order_acq_rel) != 1)
        return;
    secret_free(package->secret);
    for (struct package_mapping *mapping = package->mappings; mapping; mapping = mapping->next)
        munmap(mapping->data, mapping->size_bytes);
    free(package->entries);
    free(package->empty_folders);
    if (package->entry_arena != package->arena)
        mls_arena_free(package->entry_arena);
    mls_package_release(package->source);
    mls_arena_free(package->arena);
    pthread_mutex_destroy(&package->hash_mutex);
    free(package);
}

/* ---- What the forms use ------------------------------------------------------------------------------- */

enum mls_status package_out_of_memory(const struct mls_package *package, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot open %s: out of memory", package->info.path);
}

enum mls_status package_cancelled(const char *path, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_CANCELLED, "cannot open %s: cancelled", path);
}

static enum mls_status add_mapping(struct mls_package *package, void *data, size_t size_bytes, bool file_backed,
                                   struct mls_error *reterr)
{
    struct package_mapping *mapping = MLS_NEW(package->arena, struct package_mapping);
    if (!mapping) {
        munmap(data, size_bytes);
        return package_out_of_memory(package, reterr);
    }
    *mapping = (struct package_mapping){package->mappings, data, size_bytes, file_backed};
    package->mappings = mapping;
    return MLS_OK;
}

enum mls_status package_map_file(struct mls_package *package, int fd, const char *name,
                                 struct mls_bytes *ret_bytes, struct mls_error *reterr)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return mls_fail(reterr, MLS_ERR_IO, "cannot open %s: %s", name, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return mls_fail(reterr, MLS_ERR_PACKAGE_UNKNOWN, "cannot open %s: it is neither a file nor a folder",
                        name);
    if ((uint64_t)about.st_size > MLS_LIMIT_FILE_BYTES)
        return mls_fail(reterr, MLS_ERR_LIMIT, "cannot open %s: it has %lld bytes, at most %zu are read",
                        name, (long long)about.st_size, MLS_LIMIT_FILE_BYTES);
    size_t size_bytes = (size_t)about.st_size;
    if (!size_bytes) {
        *ret_bytes = (struct mls_bytes){(const uint8_t *)"", 0};
        return MLS_OK;
    }
    void *data = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return mls_fail(reterr, MLS_ERR_IO, "cannot map %s: %s", name, strerror(errno));
    enum mls_status status = add_mapping(package, data, size_bytes, true, reterr);
    if (!status)
        *ret_bytes = (struct mls_bytes){data, size_bytes};
    return status;
}

enum mls_status package_map_memory(struct mls_package *package, size_t size_bytes, uint8_t **ret_memory,
                                   struct mls_error *reterr)
{
    size_t mapped_bytes = size_bytes ? size_bytes : 1;
    void *data = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return package_out_of_memory(package, reterr);
    enum mls_status status = add_mapping(package, data, mapped_bytes, false, reterr);
    if (!status)
        *ret_memory = data;
    return status;
}

enum mls_status package_map_copy(struct mls_package *package, struct mls_bytes bytes,
                                 struct mls_bytes *ret_bytes, struct mls_error *reterr)
{
    uint8_t *copy;
    enum mls_status status = package_map_memory(package, bytes.size_bytes, &copy, reterr);
    if (status)
        return status;
    memcpy(copy, bytes.data, bytes.size_bytes);
    mprotect(copy, bytes.size_bytes, PROT_READ);
    *ret_bytes = (struct mls_bytes){copy, bytes.size_bytes};
    return MLS_OK;
}

void mls_package_done_with(const struct mls_package *package, const void *data, size_t size_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)data, end = first + size_bytes;
    for (const struct package_mapping *mapping = package->mappings; mapping; mapping = mapping->next) {
        uintptr_t base = (uintptr_t)mapping->data;
        if (!mapping->file_backed || first < base || end > base + mapping->size_bytes)
            continue;
        first = first / page * page;
        madvise((unsigned char *)mapping->data + (first - base), end - first, MADV_DONTNEED);
        return;
    }
}

/* Makes room for one more element in an owned array; the new array, or NULL. */
static void *grow(void *array, size_t n, size_t *capacity, size_t element_bytes)
{
    if (n < *capacity)
        return array;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = reallocarray(array, wanted, element_bytes);
    if (grown)
        *capacity = wanted;
    return grown;
}

static enum mls_status check_count(const struct mls_package *package, struct mls_error *reterr)
{
    if (package->n_entries + package->n_empty_folders < MLS_LIMIT_ENTRIES)
        return MLS_OK;
    return mls_fail(reterr, MLS_ERR_LIMIT, "cannot open %s: it holds more than %d files", package->info.path,
                    MLS_LIMIT_ENTRIES);
}

enum mls_status package_add_entry(struct mls_package *package, const char *path, struct mls_bytes bytes,
                                  struct mls_error *reterr)
{
    enum mls_status status = check_count(package, reterr);
    if (status)
        return status;
    void *grown =
        grow(package->entries, package->n_entries, &package->entry_capacity, sizeof *package->entries);
    if (!grown)
        return package_out_of_memory(package, reterr);
    package->entries = grown;
    package->entries[package->n_entries++] = (struct mls_package_entry){path, bytes};
    return MLS_OK;
}

enum mls_status package_add_empty_folder(struct mls_package *package, const char *path,
                                         struct mls_error *reterr)
{
    enum mls_status status = check_count(package, reterr);
    if (status)
        return status;
    void *grown = grow(package->empty_folders, package->n_empty_folders, &package->empty_folder_capacity,
                       sizeof *package->empty_folders);
    if (!grown)
        return package_out_of_memory(package, reterr);
    package->empty_folders = grown;
    package->empty_folders[package->n_empty_folders++] = path;
    return MLS_OK;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct mls_package_entry *)a)->path, ((const struct mls_package_entry *)b)->path);
}

void package_sort_entries(struct mls_package *package)
{
    if (package->n_entries)
        qsort(package->entries, package->n_entries, sizeof *package->entries, compare_paths);
}

size_t package_find_entry(const struct mls_package *package, const char *path)
{
    struct mls_package_entry wanted = {.path = path};
    const struct mls_package_entry *found =
        package->n_entries
            ? bsearch(&wanted, package->entries, package->n_entries, sizeof *package->entries, compare_paths)
            : NULL;
    return found ? (size_t)(found - package->entries) : SIZE_MAX;
}

/* ---- Opening ------------------------------------------------------------------------------------------ */

enum mls_status package_try_forms(struct mls_package *package, const struct package_source *source,
                                  struct mls_error *reterr)
{
    for (size_t i = 0; i < N_FORMS; i++)
        if (forms[i]->probe(source))
            return forms[i]->open(package, source, reterr);
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_SEAL_CONTENT,
                 "cannot open %s: the key is right, but what was sealed is no package", source->path);
    mls_error_hint(reterr, "seal a package: mlscope seal NAME.mlpackage -o FILE");
    return status;
}

enum mls_status package_open_bytes(const char *name, struct mls_bytes bytes,
                                   const struct mls_package_options *options,
                                   struct mls_package **ret_package, struct mls_error *reterr)
{
    struct mls_package *package = package_create(name);
    if (!package)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot open %s: out of memory", name);
    struct package_source source = {.path = name,
                                    .fd = -1,
                                    .bytes = bytes,
                                    .key = options ? options->key : NULL,
                                    .progress = options ? options->progress : NULL};
    enum mls_status status = package_try_forms(package, &source, reterr);
    if (status) {
        mls_package_release(package);
        return status;
    }
    *ret_package = package;
    return MLS_OK;
}

static enum mls_status open_source(struct mls_package *package, struct package_source *source,
                                   struct mls_error *reterr)
{
    struct stat about;
    if (fstat(source->fd, &about) < 0)
        return mls_fail(reterr, MLS_ERR_IO, "cannot open %s: %s", source->path, strerror(errno));
    source->folder = S_ISDIR(about.st_mode);
    if (!source->folder) {
        uint64_t size_bytes = (uint64_t)about.st_size;
        if (!mls_progress_at(source->progress, MLS_STAGE_OPEN, 0, size_bytes))
            return package_cancelled(source->path, reterr);
        enum mls_status status = package_map_file(package, source->fd, source->path, &source->bytes, reterr);
        if (status)
            return status;
        if (!source->bytes.size_bytes)
            return mls_fail(reterr, MLS_ERR_PACKAGE_UNKNOWN, "cannot open %s: the file is empty",
                            source->path);
        package->file = source->bytes;
        package->info.file_bytes = source->bytes.size_bytes;
        if (!mls_progress_at(source->progress, MLS_STAGE_OPEN, size_bytes, size_bytes))
            return package_cancelled(source->path, reterr);
    }
    return package_try_forms(package, source, reterr);
}

enum mls_status mls_package_open(const char *path, const struct mls_package_options *options,
                                 struct mls_package **ret_package, struct mls_error *reterr)
{
    struct package_source source = {
        .path = path, .key = options ? options->key : NULL, .progress = options ? options->progress : NULL};
    /* O_NONBLOCK: a FIFO must not hang the open; it is refused by its type afterwards */
    source.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source.fd < 0) {
        enum mls_status status = errno == ENOENT || errno == ENOTDIR ? MLS_ERR_NOT_FOUND : MLS_ERR_IO;
        return mls_fail(reterr, status, "cannot open %s: %s", path, strerror(errno));
    }
    struct mls_package *package = package_create(path);
    enum mls_status status = package
                                 ? open_source(package, &source, reterr)
                                 : mls_fail(reterr, MLS_ERR_MEMORY, "cannot open %s: out of memory", path);
    close(source.fd);
    if (status) {
        mls_package_release(package);
        return status;
    }
    *ret_package = package;
    return MLS_OK;
}

/* ---- Reading ------------------------------------------------------------------------------------------ */

size_t mls_package_entry_count(const struct mls_package *package)
{
    return package->n_entries;
}

struct mls_package_entry mls_package_entry_at(const struct mls_package *package, size_t index)
{
    return package->entries[index];
}

struct mls_bytes mls_package_spec(const struct mls_package *package, const char **ret_path)
{
    if (ret_path)
        *ret_path = package->entries[package->spec_index].path;
    return package->entries[package->spec_index].bytes;
}

const struct mls_package_info *mls_package_info(const struct mls_package *package)
{
    return &package->info;
}

const char *mls_package_hash(struct mls_package *package)
{
    pthread_mutex_lock(&package->hash_mutex);
    if (!package->sha256_hex[0]) {
        if (package->file.size_bytes)
            hash_file(package, package->file, package->sha256_hex);
        else
            hash_entries(package, package->entries, package->n_entries, package->sha256_hex);
        package->info.sha256_hex = package->sha256_hex;
    }
    pthread_mutex_unlock(&package->hash_mutex);
    return package->sha256_hex;
}
