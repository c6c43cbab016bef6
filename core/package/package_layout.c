/* Where things are in a package: the manifest's model, and the weight files that a program refers to. */
#include "form.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "manifest.h"

static const char model_path_prefix[] = "@model_path/";
static const char data_folder[] = "Data/";
static const char lfs_start[] = "version https://git-lfs";

/* ---- Paths -------------------------------------------------------------------------------------------- */

/* Copies the path without "." segments into out[strlen(path) + 1]; false for what package_clean_path refuses.
 */
static bool clean_path(const char *path, char *ret_path)
{
    size_t length = strlen(path);
    if (!length || path[0] == '/' || length > MLS_LIMIT_PATH_BYTES)
        return false;
    char *out = ret_path;
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 0 || (n == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        if (!(n == 1 && at[0] == '.')) {
            if (out > ret_path)
                *out++ = '/';
            memcpy(out, at, n);
            out += n;
        }
        at += n;
        if (*at == '/')
            at++;
    }
    *out = '\0';
    return out > ret_path;
}

const char *package_clean_path(struct mls_arena *arena, const char *path)
{
    char *clean = mls_arena_text(arena, path, strlen(path));
    return clean && clean_path(path, clean) ? clean : NULL;
}

static bool is_folder(const struct mls_package *package, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < package->n_entries; i++)
        if (!strncmp(package->entries[i].path, path, length) && package->entries[i].path[length] == '/')
            return true;
    for (size_t i = 0; i < package->n_empty_folders; i++)
        if (!strncmp(package->empty_folders[i], path, length) &&
            (!package->empty_folders[i][length] || package->empty_folders[i][length] == '/'))
            return true;
    return false;
}

/* ---- Git LFS ------------------------------------------------------------------------------------------ */

enum mls_status package_refuse_lfs_pointer(const char *name, struct mls_bytes bytes, struct mls_error *reterr)
{
    enum { POINTER_BYTES_MAX = 1024 };
    if (bytes.size_bytes < sizeof lfs_start - 1 || bytes.size_bytes > POINTER_BYTES_MAX ||
        memcmp(bytes.data, lfs_start, sizeof lfs_start - 1))
        return MLS_OK;
    char text[POINTER_BYTES_MAX + 1] = {0};
    memcpy(text, bytes.data, bytes.size_bytes);
    const char *size_line = strstr(text, "\nsize ");
    unsigned long long content_bytes = size_line ? strtoull(size_line + 6, NULL, 10) : 0;
    enum mls_status status = mls_fail(
        reterr, MLS_ERR_GIT_LFS_POINTER,
        "cannot read %s: it is a Git LFS pointer, not the content (%llu bytes) itself", name, content_bytes);
    mls_error_hint(reterr,
                   "run `git lfs pull` in the repository that it came from, or download the file again");
    mls_error_at(reterr, name, 0);
    return status;
}

/* ---- The specification -------------------------------------------------------------------------------- */

enum mls_status package_set_spec(struct mls_package *package, size_t index, struct mls_error *reterr)
{
    const struct mls_package_entry *entry = &package->entries[index];
    enum mls_status status = package_refuse_lfs_pointer(entry->path, entry->bytes, reterr);
    if (status)
        return status;
    if (!entry->bytes.size_bytes) {
        status = mls_fail(reterr, MLS_ERR_SPEC_INVALID, "cannot open %s: its model file %s is empty",
                          package->info.path, entry->path);
        mls_error_hint(reterr, "copy or download the package again");
        mls_error_at(reterr, entry->path, 0);
        return status;
    }
    if (entry->bytes.size_bytes > MLS_LIMIT_SPEC_BYTES)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot open %s: its specification has %zu bytes, protobuf allows %zu",
                        package->info.path, entry->bytes.size_bytes, MLS_LIMIT_SPEC_BYTES);
    package->spec_index = index;
    const char *slash = strrchr(entry->path, '/');
    package->blob_base_bytes = slash ? (size_t)(slash + 1 - entry->path) : 0;
    return MLS_OK;
}

static enum mls_status item_wrong(const struct mls_package *package, enum mls_status status,
                                  const struct manifest_item *item, const char *reason,
                                  struct mls_error *reterr)
{
    status = mls_fail(reterr, status, "cannot open %s: manifest item %.64s, path \"%.200s\": %s",
                      package->info.path, item->identifier, item->path, reason);
    mls_error_at(reterr, "Manifest.json", -1);
    return status;
}

static enum mls_status check_item(struct mls_package *package, const struct manifest *manifest, size_t i,
                                  struct mls_error *reterr)
{
    const struct manifest_item *item = &manifest->items[i];
    const char *clean = package_clean_path(package->entry_arena, item->path);
    if (!clean)
        return item_wrong(package, MLS_ERR_MANIFEST_INVALID, item, "the path is not one inside the package",
                          reterr);
    const char *path = mls_arena_printf(package->entry_arena, "%s%s", data_folder, clean);
    if (!path)
        return package_out_of_memory(package, reterr);
    size_t index = package_find_entry(package, path);
    bool folder = index == SIZE_MAX && is_folder(package, path);
    if (index == SIZE_MAX && !folder) {
        enum mls_status status = item_wrong(package, MLS_ERR_MANIFEST_ITEM_MISSING, item,
                                            "there is no such file or folder under Data/", reterr);
        mls_error_hint(reterr, "the package was copied in part: copy or download it again");
        return status;
    }
    if (i != manifest->root)
        return MLS_OK;
    if (folder)
        return item_wrong(package, MLS_ERR_MANIFEST_INVALID, item, "the root model is a folder, not a file",
                          reterr);
    return package_set_spec(package, index, reterr);
}

enum mls_status package_set_spec_from_folder(struct mls_package *package, struct mls_error *reterr)
{
    package_sort_entries(package);
    size_t index = package_find_entry(package, "Manifest.json");
    if (index == SIZE_MAX)
        return package_is_compiled(package) ? package_set_spec_compiled(package, reterr)
                                            : package_refuse_without_manifest(package, reterr);
    struct mls_bytes text = package->entries[index].bytes;
    enum mls_status status = package_refuse_lfs_pointer("Manifest.json", text, reterr);
    if (status)
        return status;
    struct manifest manifest;
    status = manifest_parse(text, &manifest, reterr);
    if (status)
        return status;
    /* The root first: when the model itself is missing, that is the news. */
    status = check_item(package, &manifest, manifest.root, reterr);
    for (size_t i = 0; i < manifest.n_items && !status; i++)
        if (i != manifest.root)
            status = check_item(package, &manifest, i, reterr);
    manifest_done(&manifest);
    return status;
}

size_t package_weights_entry(const struct mls_package *package)
{
    size_t largest = SIZE_MAX;
    for (size_t i = 0; i < package->n_entries; i++)
        if (i != package->spec_index && package->entries[i].bytes.size_bytes &&
            (largest == SIZE_MAX ||
             package->entries[i].bytes.size_bytes > package->entries[largest].bytes.size_bytes))
            largest = i;
    return largest;
}

enum mls_status package_copy_unaligned_weights(struct mls_package *package, struct mls_error *reterr)
{
    size_t index = package_weights_entry(package);
    if (index == SIZE_MAX || (uintptr_t)package->entries[index].bytes.data % PACKAGE_ALIGN_BYTES == 0)
        return MLS_OK;
    return package_map_copy(package, package->entries[index].bytes, &package->entries[index].bytes, reterr);
}

/* ---- Weight files ------------------------------------------------------------------------------------- */

/* Whether `path` is `tail`, or ends with it after a '/'. */
static bool ends_with_path(const char *path, const char *tail)
{
    size_t path_bytes = strlen(path), tail_bytes = strlen(tail);
    if (path_bytes < tail_bytes || strcmp(path + path_bytes - tail_bytes, tail))
        return false;
    return path_bytes == tail_bytes || path[path_bytes - tail_bytes - 1] == '/';
}

/* In an asset a file URL's path has the reference at its end; elsewhere only the exact path counts. */
static size_t find_blob(const struct mls_package *package, const char *path)
{
    size_t index = package_find_entry(package, path);
    if (index != SIZE_MAX || package->info.form != MLS_FORM_ASSET)
        return index;
    for (size_t i = 0; i < package->n_entries; i++)
        if (i != package->spec_index && ends_with_path(package->entries[i].path, path)) {
            if (index != SIZE_MAX)
                return SIZE_MAX;
            index = i;
        }
    return index;
}

static enum mls_status blob_missing(const struct mls_package *package, const char *reference,
                                    const char *path, struct mls_error *reterr)
{
    enum mls_cause cause =
        package->info.form == MLS_FORM_MLMODEL ? MLS_CAUSE_WEIGHTS_NOT_GIVEN : MLS_CAUSE_NONE;
    enum mls_status status =
        mls_fail_because(reterr, MLS_ERR_BLOB_MISSING, cause,
                         "cannot read weights \"%.200s\": the package has no file %.300s", reference, path);
    mls_error_at(reterr, path, -1);
    const char *folder_end = strrchr(path, '/');
    size_t folder_bytes = folder_end ? (size_t)(folder_end + 1 - path) : 0;
    if (package->info.form == MLS_FORM_MLMODEL) {
        mls_error_hint(reterr,
                       "the weights of an ML Program lie beside its specification: give the whole package, "
                       "or `--spec FILE --blob KEY=FILE`");
        return status;
    }
    if (package->info.form == MLS_FORM_ASSET) {
        mls_error_hint(reterr, "add `--blob %s=FILE`, one key for each weight file", path);
        return status;
    }
    for (size_t i = 0; i < package->n_entries; i++)
        if (folder_bytes && !strncmp(package->entries[i].path, path, folder_bytes)) {
            mls_error_hint(reterr, "the folder holds %.200s instead; save the package again",
                           package->entries[i].path);
            return status;
        }
    mls_error_hint(reterr, "copy the whole package again, with its weights folder");
    return status;
}

enum mls_status mls_package_blob(const struct mls_package *package, const char *reference,
                                 struct mls_bytes *ret_bytes, const char **ret_path, struct mls_error *reterr)
{
    const char *relative = reference;
    if (!strncmp(reference, model_path_prefix, sizeof model_path_prefix - 1))
        relative += sizeof model_path_prefix - 1;
    /* the specification's folder, then the reference; each within the limit of a path */
    char path[2 * MLS_LIMIT_PATH_BYTES + 1];
    memcpy(path, package->entries[package->spec_index].path, package->blob_base_bytes);
    if (strlen(relative) > MLS_LIMIT_PATH_BYTES || !clean_path(relative, path + package->blob_base_bytes))
        return mls_fail(reterr, MLS_ERR_BLOB_MISSING,
                        "cannot read weights \"%.300s\": the reference is not a path inside the package",
                        reference);
    size_t index = find_blob(package, path);
    if (index == SIZE_MAX)
        return blob_missing(package, reference, path, reterr);
    const struct mls_package_entry *entry = &package->entries[index];
    enum mls_status status = package_refuse_lfs_pointer(entry->path, entry->bytes, reterr);
    if (status)
        return status;
    *ret_bytes = entry->bytes;
    if (ret_path)
        *ret_path = entry->path;
    return MLS_OK;
}
