#include "cli/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_file(void *user, const char *text, size_t length_bytes)
{
    struct outfile *file = user;
    return fwrite(text, 1, length_bytes, file->file) == length_bytes;
}

static enum mls_status cannot_write(const char *path, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

enum mls_status outfile_open(const char *path, struct outfile *ret_file, struct mls_error *reterr)
{
    static const char suffix[] = ".XXXXXX";
    char *partial = malloc(strlen(path) + sizeof suffix);
    if (!partial)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot write %s: out of memory", path);
    strcpy(partial, path);
    strcat(partial, suffix);
    int fd = mkstemp(partial);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (!stream) {
        cannot_write(path, reterr);
        if (fd >= 0) {
            close(fd);
            unlink(partial);
        }
        free(partial);
        return MLS_ERR_IO;
    }
    *ret_file = (struct outfile){
        .path = path, .partial = partial, .file = stream, .writer = {.user = ret_file, .write = write_file}};
    return MLS_OK;
}

enum mls_status outfile_close(struct outfile *file, bool keep, struct mls_error *reterr)
{
    /* mkstemp makes files for the owner alone; this one is to have the rights of any other new file. */
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fileno(file->file), 0666 & ~mask);
    bool whole = !ferror(file->file);
    errno = 0;
    whole = !fclose(file->file) && whole;
    enum mls_status status = MLS_OK;
    if (keep && (!whole || rename(file->partial, file->path)))
        status = cannot_write(file->path, reterr);
    if (!keep || status)
        unlink(file->partial);
    free(file->partial);
    return status;
}
