#include "core/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUFFIX_BYTES = sizeof ".00000000.part" };

enum mls_status mls_partial_fail(const char *path, int reason, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_OUTPUT, "cannot write %s: %s", path, strerror(reason));
}

/* A name beside the file's; the number tells two writers apart, O_EXCL catches the rest. */
static char *name_beside(const char *path)
{
    uint32_t number = 0;
    if (getentropy(&number, sizeof number) < 0)
        number = (uint32_t)getpid();
    size_t size = strlen(path) + SUFFIX_BYTES;
    char *name = malloc(size);
    if (name)
        snprintf(name, size, "%s.%08x.part", path, (unsigned)number);
    return name;
}

enum mls_status mls_partial_open(const char *path, mode_t mode, struct mls_partial *ret_partial, struct mls_error *reterr)
{
    struct stat about;
    bool exists = stat(path, &about) == 0;
    struct mls_partial partial = {.fd = -1};
    if (exists && !S_ISREG(about.st_mode)) {
        partial.path = strdup(path);
        partial.fd = partial.path ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY) : -1;
    } else {
        partial.path = exists ? realpath(path, NULL) : strdup(path); /* a link stays, and what it points to changes */
        partial.partial = partial.path ? name_beside(partial.path) : NULL;
        partial.fd =
            partial.partial ? open(partial.partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode) : -1;
    }
    if (partial.fd >= 0) {
        *ret_partial = partial;
        return MLS_OK;
    }
    int reason = errno;
    free(partial.path);
    free(partial.partial);
    return mls_partial_fail(path, reason, reterr);
}

/* So that the new name, too, is on the disk; a folder that cannot be opened has to do without. */
static void sync_folder(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    int fd = folder ? open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

enum mls_status mls_partial_close(struct mls_partial *partial, bool keep, struct mls_error *reterr)
{
    int reason = 0;
    if (keep && partial->partial && fsync(partial->fd) < 0)
        reason = errno;
    if (close(partial->fd) < 0 && !reason)
        reason = errno;
    bool placed = partial->partial && keep && !reason && rename(partial->partial, partial->path) == 0;
    if (partial->partial && keep && !reason && !placed)
        reason = errno;
    if (placed)
        sync_folder(partial->path);
    else if (partial->partial)
        unlink(partial->partial);
    enum mls_status status = keep && reason ? mls_partial_fail(partial->path, reason, reterr) : MLS_OK;
    free(partial->path);
    free(partial->partial);
    return status;
}
