#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

enum mls_status file_map(const char *path, struct mls_bytes *ret_bytes, struct mls_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s", path, strerror(errno));
    struct stat about;
    enum mls_status status = MLS_OK;
    if (fstat(fd, &about) < 0)
        status = mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode) || (uint64_t)about.st_size > MLS_LIMIT_FILE_BYTES)
        status = mls_fail(reterr, MLS_ERR_INPUT_INVALID,
                          "cannot read %s: it is not a file of a readable size", path);
    size_t size_bytes = status ? 0 : (size_t)about.st_size;
    void *data = size_bytes ? mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (!status && data == MAP_FAILED)
        status = mls_fail(reterr, MLS_ERR_INPUT_INVALID, "cannot read %s: %s", path, strerror(errno));
    close(fd);
    if (!status)
        *ret_bytes = (struct mls_bytes){data ? data : (const uint8_t *)"", size_bytes};
    return status;
}

void file_unmap(struct mls_bytes bytes)
{
    if (bytes.size_bytes)
        munmap((void *)(uintptr_t)bytes.data, bytes.size_bytes);
}

static enum mls_status cannot_write(const char *path, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write %s: %s", path, strerror(errno));
}

enum mls_status file_make_folder(const char *path, struct mls_error *reterr)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof part) {
        errno = ENAMETOOLONG;
        return cannot_write(path, reterr);
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return cannot_write(path, reterr);
    }
    struct stat about;
    if (stat(path, &about) < 0)
        return cannot_write(path, reterr);
    errno = ENOTDIR;
    return S_ISDIR(about.st_mode) ? MLS_OK : cannot_write(path, reterr);
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

enum mls_status file_write(const char *folder, const char *name, const struct mls_bytes *pieces,
                           size_t n_pieces, struct mls_error *reterr)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path ||
        snprintf(temporary, sizeof temporary, "%s/.%s.%d.part", folder, name, (int)getpid()) >=
            (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return cannot_write(name, reterr);
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return cannot_write(path, reterr);
    enum mls_status status = MLS_OK;
    for (size_t i = 0; i < n_pieces && !status; i++)
        if (!write_all(fd, pieces[i]))
            status = cannot_write(path, reterr);
    if (close(fd) < 0 && !status)
        status = cannot_write(path, reterr);
    if (!status && rename(temporary, path) < 0)
        status = cannot_write(path, reterr);
    if (status)
        unlink(temporary);
    return status;
}
