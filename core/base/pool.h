/* pool.h: a fixed set of compute threads. Work is split into tasks by index; results must not depend on who
 * ran which. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/thread_part.h"

struct mls_pool;

/*
 * mls_pool_create: `threads` in all, the caller of mls_pool_for included; 1 starts none. Those that it starts are
 * named "mls-compute-N", which the sampler of stacks relies on. Waiting threads spin
 * for some tens of microseconds before they sleep, unless they outnumber `processors`. NULL when out of
 * resources.
 */
struct mls_pool *mls_pool_create(uint32_t threads, uint32_t processors);
void mls_pool_free(struct mls_pool *pool);
uint32_t mls_pool_threads(const struct mls_pool *pool);

/* A task: index in [0, n_tasks), and the number of the thread that runs it in [0, threads), for per-thread
 * scratch. */
typedef void mls_task(void *context, size_t index, uint32_t thread);

/*
 * mls_pool_for: runs task(context, 0 … n_tasks-1) on all threads and returns when all are done. One caller at
 * a time: a second one (another run of the same session) runs its tasks alone. Tasks must not call
 * mls_pool_for. A NULL pool runs everything on the caller.
 */
void mls_pool_for(struct mls_pool *pool, size_t n_tasks, mls_task *task, void *context);

/* What one thread did, oldest first. Each is written by its own thread alone, on cache lines of its own. */
struct mls_pool_log {
    _Alignas(64) struct mls_thread_part *parts;
    size_t n;
    size_t room; /* what finds none is counted in n all the same */
};

/* Where what threads do of jobs is noted: the caller's, who reads and empties the logs between jobs. */
struct mls_pool_watch {
    uint32_t step; /* of the jobs to come */
    struct mls_pool_log *logs; /* by thread */
};

/*
 * mls_pool_watch: from now on what each thread does of the calling thread's jobs is noted. One thread at a time watches:
 * false while another does, and for a NULL pool. Costs two clock readings a job and thread; unwatched jobs cost nothing.
 * mls_pool_unwatch: by the thread that watches.
 */
bool mls_pool_watch(struct mls_pool *pool, struct mls_pool_watch *watch);
void mls_pool_unwatch(struct mls_pool *pool);
