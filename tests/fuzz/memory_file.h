/* memory_file.h: bytes as a file that only this process sees, for readers that take a path. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct memory_file {
    int fd; /* 0: none yet */
    char path[32];
};

/* memory_file_set: makes `file` hold exactly these bytes; its path. Kept open for the next ones. */
static inline const char *memory_file_set(struct memory_file *file, const void *bytes, size_t size_bytes)
{
    if (!file->fd) {
        file->fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
    }
    if (file->fd < 0 || ftruncate(file->fd, 0) || pwrite(file->fd, bytes, size_bytes, 0) != (ssize_t)size_bytes)
        abort();
    return file->path;
}
