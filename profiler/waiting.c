#include "profiler/waiting.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* "runs waits slices", in nanoseconds and a count; false where the thread has ended or nothing is counted. */
static bool read_thread(int folder, const char *thread, uint64_t *ret_ns)
{
    char path[64], text[96];
    uint64_t ran_ns;
    if (snprintf(path, sizeof path, "%.32s/schedstat", thread) >= (int)sizeof path)
        return false;
    int file = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return sscanf(text, "%" SCNu64 " %" SCNu64, &ran_ns, ret_ns) == 2;
}

bool mls_waiting_read(uint64_t *ret_ns)
{
    bool known = false;
    DIR *folder = opendir("/proc/self/task");
    *ret_ns = 0;
    if (!folder)
        return false;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        uint64_t ns;
        if (entry->d_name[0] == '.' || !read_thread(dirfd(folder), entry->d_name, &ns))
            continue;
        known = true;
        *ret_ns += ns;
    }
    closedir(folder);
    return known;
}
