/* Writes a package as a folder that is whole or absent. */
#include "form.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FTW_FILES_OPEN = 16 };

static enum mls_status cannot_write(const char *path, int reason, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write %s: %s", path, strerror(reason));
}

static bool write_all(int fd, struct mls_bytes bytes)
{
    for (size_t done = 0; done < bytes.size_bytes;) {
        ssize_t put = write(fd, bytes.data + done, bytes.size_bytes - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

/* Makes the folders of `path`, which is changed and restored, from `start` on. */
static bool make_folders(char *path, size_t start, bool last)
{
    for (char *at = path + start; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        bool made = !mkdir(path, 0777) || errno == EEXIST;
        *at = '/';
        if (!made)
            return false;
    }
    return !last || !mkdir(path, 0777) || errno == EEXIST;
}

static bool write_file(const char *path, struct mls_bytes bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return false;
    bool written = write_all(fd, bytes) && !fdatasync(fd);
    int reason = errno;
    if (close(fd) < 0 && written)
        return false;
    errno = reason;
    return written;
}

static bool write_entries(const struct mls_package *package, const char *folder, struct mls_arena *arena)
{
    size_t start = strlen(folder) + 1;
    for (size_t i = 0; i < package->n_entries; i++) {
        char *path = mls_arena_printf(arena, "%s/%s", folder, package->entries[i].path);
        if (!path) {
            errno = ENOMEM;
            return false;
        }
        if (!make_folders(path, start, false) || !write_file(path, package->entries[i].bytes))
            return false;
    }
    for (size_t i = 0; i < package->n_empty_folders; i++) {
        char *path = mls_arena_printf(arena, "%s/%s", folder, package->empty_folders[i]);
        if (!path || !make_folders(path, start, true))
            return false;
    }
    return true;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    return remove(path);
}

static void remove_folder(const char *path)
{
    int reason = errno;
    nftw(path, remove_one, FTW_FILES_OPEN, FTW_DEPTH | FTW_PHYS);
    errno = reason;
}

/* Whether what stands at `path` may be replaced: nothing, an empty folder, or a package. */
static bool replaceable(const char *path)
{
    struct stat about;
    char manifest[PATH_MAX];
    if (lstat(path, &about) < 0)
        return errno == ENOENT;
    if (!S_ISDIR(about.st_mode))
        return false;
    int length = snprintf(manifest, sizeof manifest, "%s/Manifest.json", path);
    return length > 0 && (size_t)length < sizeof manifest && !access(manifest, F_OK);
}

/* Gives the finished folder its name; what stood there before is removed last. */
static bool take_name(const char *temporary, const char *path, const char *old)
{
    bool existed = !rename(path, old);
    if (!existed && errno != ENOENT)
        return false;
    if (rename(temporary, path) < 0) {
        int reason = errno;
        if (existed && rename(old, path) < 0)
            reason = errno;
        errno = reason;
        return false;
    }
    if (existed)
        remove_folder(old);
    return true;
}

enum mls_status mls_package_write(const struct mls_package *package, const char *out_path, bool overwrite,
                                  struct mls_error *reterr)
{
    if (package->info.sealed)
        return mls_fail(reterr, MLS_ERR_USAGE,
                        "cannot write %s: the content of a sealed package is never written plain", out_path);
    struct stat about;
    bool exists = !lstat(out_path, &about);
    if (exists && (!overwrite || !replaceable(out_path))) {
        mls_fail(reterr, MLS_ERR_USAGE, "cannot write %s: it exists%s", out_path,
                 overwrite ? " and is no package" : "");
        mls_error_hint(reterr,
                       overwrite ? "give another name" : "give another name, or --force to overwrite it");
        return MLS_ERR_USAGE;
    }
    struct mls_arena *arena = mls_arena_create(0);
    size_t length = strlen(out_path);
    while (length > 1 && out_path[length - 1] == '/')
        length--;
    uint32_t number = 0; /* tells two writers apart */
    if (getentropy(&number, sizeof number) < 0)
        number = (uint32_t)getpid();
    const char *path = arena ? mls_arena_text(arena, out_path, length) : NULL;
    const char *temporary = path ? mls_arena_printf(arena, "%s.%08x.part", path, number) : NULL;
    const char *old = temporary ? mls_arena_printf(arena, "%s.%08x.old", path, number) : NULL;
    enum mls_status status = MLS_OK;
    if (!old) {
        status = package_out_of_memory(package, reterr);
    } else if (mkdir(temporary, 0777) < 0) {
        status = cannot_write(out_path, errno, reterr);
    } else if (!write_entries(package, temporary, arena) || !take_name(temporary, path, old)) {
        status = cannot_write(out_path, errno, reterr);
        remove_folder(temporary);
    }
    mls_arena_free(arena);
    return status;
}
