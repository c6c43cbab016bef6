#include "secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sodium/utils.h>

/*
 * Whether a process is dumpable is one flag for all of it, so its count is one for all as well: the first
 * open secret takes the flag away, the last one closed gives back what it was.
 */
static struct {
    pthread_mutex_t mutex;
    size_t n_holders;
    int before;
} dumps = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void hold_dumps(void)
{
    pthread_mutex_lock(&dumps.mutex);
    if (dumps.n_holders++ == 0) {
        dumps.before = prctl(PR_GET_DUMPABLE);
        prctl(PR_SET_DUMPABLE, 0);
    }
    pthread_mutex_unlock(&dumps.mutex);
}

static void let_dumps(void)
{
    pthread_mutex_lock(&dumps.mutex);
    if (--dumps.n_holders == 0 && dumps.before == 1)
        prctl(PR_SET_DUMPABLE, 1);
    pthread_mutex_unlock(&dumps.mutex);
}

/* Locks as much from the start as the limit allows: all of it at best. What else is locked counts too, so it
 * is tried out. */
static void lock_pages(struct secret *secret)
{
    secret->locked_bytes = secret->size_bytes;
    if (!mlock(secret->data, secret->mapped_bytes))
        return;
    int reason = errno;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit;
    size_t tried = secret->mapped_bytes - page;
    if (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur < tried)
        tried = (size_t)limit.rlim_cur;
    for (tried -= tried % page; tried && mlock(secret->data, tried); tried -= tried % page)
        tried -= tried / 32 > page ? tried / 32 : page;
    secret->locked_bytes = tried;
    snprintf(secret->lock_message, sizeof secret->lock_message,
             "%zu of %zu bytes are locked in memory: %s; the rest may be swapped out (see ulimit -l)", tried,
             secret->size_bytes, strerror(reason));
}

struct secret *secret_create(size_t size_bytes)
{
    struct secret *secret = calloc(1, sizeof *secret);
    if (!secret)
        return NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size_bytes > SIZE_MAX - page)
        goto fail;
    secret->size_bytes = size_bytes;
    secret->mapped_bytes = size_bytes ? (size_bytes + page - 1) / page * page : page;
    void *data = mmap(NULL, secret->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        goto fail;
    secret->data = data;
    madvise(data, secret->mapped_bytes, MADV_DONTDUMP);
    madvise(data, secret->mapped_bytes, MADV_DONTFORK);
    /* before the first touch: fewer faults, which cost more than the decryption of the page */
    madvise(data, secret->mapped_bytes, MADV_HUGEPAGE);
    lock_pages(secret);
    return secret;
fail:
    free(secret);
    return NULL;
}

void secret_hold_dumps(struct secret *secret)
{
    hold_dumps();
    secret->holds_dumps = true;
}

void secret_seal_writes(struct secret *secret)
{
    mprotect(secret->data, secret->mapped_bytes, PROT_READ);
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    mprotect(secret->data, secret->mapped_bytes, PROT_READ | PROT_WRITE);
    secret_wipe(secret->data, secret->mapped_bytes);
    munmap(secret->data, secret->mapped_bytes);
    if (secret->holds_dumps)
        let_dumps();
    free(secret);
}

void secret_wipe(void *memory, size_t size_bytes)
{
    sodium_memzero(memory, size_bytes);
}
