/* The in-memory asset: a specification and its weight files, named by keys as an app names them for
 * MLModelAsset. */
#include "form.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

static const char reference_prefix[] = "@model_path/";
static const char url_scheme[] = "file:";

static enum mls_status bad_key(const char *key, const char *reason, struct mls_error *reterr)
{
    enum mls_status status =
        mls_fail(reterr, MLS_ERR_USAGE, "cannot use the blob key \"%.300s\": %s", key, reason);
    mls_error_hint(
        reterr,
        "a key is a relative path (weights/weight.bin), a file URL, or @model_path/weights/weight.bin");
    return status;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX in place; false for a broken escape or a decoded NUL. */
static bool percent_decode(char *text)
{
    char *out = text;
    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *out++ = *at;
            continue;
        }
        int high = hex_digit(at[1]);
        int low = high < 0 ? -1 : hex_digit(at[2]);
        if (low < 0 || (high | low) == 0)
            return false;
        *out++ = (char)(high << 4 | low);
        at += 2;
    }
    *out = '\0';
    return true;
}

/* The path of a file URL: "file:", perhaps "//" and an empty host or localhost, then the path,
 * percent-encoded. */
static const char *url_path(struct mls_arena *arena, const char *key)
{
    const char *path = key + sizeof url_scheme - 1;
    if (!strncmp(path, "//", 2)) {
        path += 2;
        if (!strncmp(path, "localhost/", 10))
            path += 9;
        if (*path != '/')
            return NULL;
    }
    char *decoded = mls_arena_text(arena, path, strlen(path));
    return decoded && percent_decode(decoded) ? decoded : NULL;
}

/* The entry's path for a key: without prefix, scheme, leading '/' and "." segments. NULL when it is no path.
 */
static const char *entry_path(struct mls_arena *arena, const char *key)
{
    const char *path = key;
    if (!strncmp(key, reference_prefix, sizeof reference_prefix - 1))
        path = key + sizeof reference_prefix - 1;
    else if (!strncmp(key, url_scheme, sizeof url_scheme - 1))
        path = url_path(arena, key);
    while (path && *path == '/')
        path++;
    return path ? package_clean_path(arena, path) : NULL;
}

static enum mls_status add_file(struct mls_package *package, const char *file, const char *path,
                                struct mls_error *reterr)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mls_fail(reterr, errno == ENOENT || errno == ENOTDIR ? MLS_ERR_NOT_FOUND : MLS_ERR_IO,
                        "cannot open %s: %s", file, strerror(errno));
    struct mls_bytes bytes;
    enum mls_status status = package_map_file(package, fd, file, &bytes, reterr);
    close(fd);
    if (status)
        return status;
    package->info.file_bytes += bytes.size_bytes;
    return package_add_entry(package, path, bytes, reterr);
}

/* Two keys may mean one blob, as long as they bring the same bytes. */
static enum mls_status merge_same_paths(struct mls_package *package, struct mls_error *reterr)
{
    package_sort_entries(package);
    size_t kept = 0;
    for (size_t i = 0; i < package->n_entries; i++) {
        struct mls_package_entry *last = kept ? &package->entries[kept - 1] : NULL;
        const struct mls_package_entry *entry = &package->entries[i];
        if (!last || strcmp(last->path, entry->path)) {
            package->entries[kept++] = *entry;
            continue;
        }
        if (last->bytes.size_bytes != entry->bytes.size_bytes ||
            memcmp(last->bytes.data, entry->bytes.data, entry->bytes.size_bytes))
            return bad_key(entry->path, "two files were given for this path, and they differ", reterr);
    }
    package->n_entries = kept;
    return MLS_OK;
}

static enum mls_status add_blobs(struct mls_package *package, const struct mls_blob_argument *blobs,
                                 size_t n_blobs, struct mls_error *reterr)
{
    struct mls_asset_key *keys = MLS_NEW_ARRAY(package->arena, n_blobs ? n_blobs : 1, struct mls_asset_key);
    if (!keys)
        return package_out_of_memory(package, reterr);
    for (size_t i = 0; i < n_blobs; i++) {
        const char *path = entry_path(package->arena, blobs[i].key);
        if (!path)
            return bad_key(blobs[i].key, "it is not a path", reterr);
        keys[i] = (struct mls_asset_key){
            .key = mls_arena_text(package->arena, blobs[i].key, strlen(blobs[i].key)),
            .entry_path = path,
            .refused_by_apple = !strncmp(blobs[i].key, reference_prefix, sizeof reference_prefix - 1)};
        if (!keys[i].key)
            return package_out_of_memory(package, reterr);
        enum mls_status status = add_file(package, blobs[i].file, path, reterr);
        if (status)
            return status;
    }
    package->info.asset_keys = keys;
    package->info.n_asset_keys = n_blobs;
    return MLS_OK;
}

static enum mls_status open_asset(struct mls_package *package, const char *spec_file,
                                  const struct mls_blob_argument *blobs, size_t n_blobs,
                                  const struct mls_package_options *options, struct mls_error *reterr)
{
    const struct mls_progress *progress = options ? options->progress : NULL;
    const char *spec_path = package->preferred_name;
    package->info.form = MLS_FORM_ASSET;
    if (!mls_progress_at(progress, MLS_STAGE_OPEN, 0, 1))
        return package_cancelled(spec_file, reterr);
    enum mls_status status = add_file(package, spec_file, spec_path, reterr);
    if (!status)
        status = add_blobs(package, blobs, n_blobs, reterr);
    if (!status)
        status = merge_same_paths(package, reterr);
    if (!status)
        status = package_set_spec(package, package_find_entry(package, spec_path), reterr);
    if (!status &&
        !mls_progress_at(progress, MLS_STAGE_OPEN, package->info.file_bytes, package->info.file_bytes))
        status = package_cancelled(spec_file, reterr);
    return status;
}

enum mls_status mls_package_open_asset(const char *spec_file, const struct mls_blob_argument *blobs,
                                       size_t n_blobs, const struct mls_package_options *options,
                                       struct mls_package **ret_package, struct mls_error *reterr)
{
    struct mls_package *package = package_create(spec_file);
    if (!package)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot open %s: out of memory", spec_file);
    enum mls_status status = open_asset(package, spec_file, blobs, n_blobs, options, reterr);
    if (status) {
        mls_package_release(package);
        return status;
    }
    *ret_package = package;
    return MLS_OK;
}
