/*
 * partial.h: a file that is whole or absent. It is written beside its place under a name of its own, and takes its place
 * when it is whole; what stood there stays until then. A device, a pipe or a socket is written as it is.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "core/status.h"

struct mls_partial {
    int fd;        /* to write to */
    char *path;    /* where it will be */
    char *partial; /* its name until then; NULL for what is no regular file */
};

/* mls_partial_open: begins to write `path`; `mode` is that of a new file, less the umask. OUTPUT when it cannot be. The
 * caller calls mls_partial_close after success. */
enum mls_status mls_partial_open(const char *path, mode_t mode, struct mls_partial *ret_partial,
                                 struct mls_error *reterr);

/* mls_partial_close: with `keep` the file takes its place, on the disk as well; else, or when that fails, it goes. */
enum mls_status mls_partial_close(struct mls_partial *partial, bool keep, struct mls_error *reterr);

/* mls_partial_fail: OUTPUT, "cannot write PATH: " and the reason of this errno. */
enum mls_status mls_partial_fail(const char *path, int reason, struct mls_error *reterr);
