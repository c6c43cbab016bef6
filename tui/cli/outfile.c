#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool write_file(void *user, const char *text, size_t length_bytes)
{
    struct outfile *file = user;
    return fwrite(text, 1, length_bytes, file->file) == length_bytes;
}

enum mls_status outfile_open(const char *path, struct outfile *ret_file, struct mls_error *reterr)
{
    struct mls_partial partial;
    enum mls_status status = mls_partial_open(path, 0666, &partial, reterr);
    if (status)
        return status;
    int fd = fcntl(partial.fd, F_DUPFD_CLOEXEC, 0); /* of the stream, which closes it */
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (!stream) {
        status = mls_partial_fail(path, errno, reterr);
        if (fd >= 0)
            close(fd);
        mls_partial_close(&partial, false, NULL);
        return status;
    }
    *ret_file =
        (struct outfile){.partial = partial, .file = stream, .writer = {.user = ret_file, .write = write_file}};
    return MLS_OK;
}

enum mls_status outfile_close(struct outfile *file, bool keep, struct mls_error *reterr)
{
    errno = 0;
    bool whole = !ferror(file->file);
    whole = !fclose(file->file) && whole;
    enum mls_status status = keep && !whole ? mls_partial_fail(file->partial.path, errno ? errno : EIO, reterr) : MLS_OK;
    enum mls_status closed = mls_partial_close(&file->partial, keep && whole, reterr);
    return status ? status : closed;
}
