/* rough_system.c: a library to preload. Each read and write moves a part only of what was asked for, as pipes, signals and network
 * file systems do; the wall clock jumps an hour back or forth at every look. tests/cli/rough_system_test.sh runs the program on it. */
#undef _FORTIFY_SOURCE /* its headers define what is defined here */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { PART_BYTES_MAX = 4096, JUMP_SECONDS = 3600 };

ssize_t __read_chk(int fd, void *buffer, size_t size_bytes, size_t room_bytes);
ssize_t __pread64_chk(int fd, void *buffer, size_t size_bytes, off_t offset, size_t room_bytes);
ssize_t __pread_chk(int fd, void *buffer, size_t size_bytes, off_t offset, size_t room_bytes);

static atomic_uint n_calls;

/* The next function of this name. */
static void next(const char *name, void *ret_function)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(ret_function, &symbol, sizeof symbol);
}

/* From 1 byte to a page, another amount at each call; never more than was asked for. */
static size_t part(size_t size_bytes)
{
    size_t most = 1 + atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed) * 1597u % PART_BYTES_MAX;
    return size_bytes < most ? size_bytes : most;
}

ssize_t read(int fd, void *buffer, size_t size_bytes)
{
    ssize_t (*real)(int, void *, size_t);
    next("read", &real);
    return real(fd, buffer, part(size_bytes));
}

ssize_t write(int fd, const void *buffer, size_t size_bytes)
{
    ssize_t (*real)(int, const void *, size_t);
    next("write", &real);
    return real(fd, buffer, part(size_bytes));
}

ssize_t pread(int fd, void *buffer, size_t size_bytes, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t);
    next("pread", &real);
    return real(fd, buffer, part(size_bytes), offset);
}

ssize_t pread64(int fd, void *buffer, size_t size_bytes, off_t offset)
{
    return pread(fd, buffer, size_bytes, offset);
}

/* What the checked build calls. */
ssize_t __read_chk(int fd, void *buffer, size_t size_bytes, size_t room_bytes)
{
    (void)room_bytes;
    return read(fd, buffer, size_bytes);
}

ssize_t __pread_chk(int fd, void *buffer, size_t size_bytes, off_t offset, size_t room_bytes)
{
    (void)room_bytes;
    return pread(fd, buffer, size_bytes, offset);
}

ssize_t __pread64_chk(int fd, void *buffer, size_t size_bytes, off_t offset, size_t room_bytes)
{
    (void)room_bytes;
    return pread(fd, buffer, size_bytes, offset);
}

static time_t jump(void)
{
    return atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed) % 2 ? JUMP_SECONDS : -JUMP_SECONDS;
}

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    int (*real)(clockid_t, struct timespec *);
    next("clock_gettime", &real);
    int failed = real(clock, ret_now);
    if (!failed && clock == CLOCK_REALTIME)
        ret_now->tv_sec += jump();
    return failed;
}

time_t time(time_t *ret_now)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now)
        *ret_now = now.tv_sec;
    return now.tv_sec;
}
