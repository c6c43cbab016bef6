/* pool.h: a fixed set of compute threads. Work is split into tasks by index; results must not depend on who
 * ran which. */
#pragma once

#include <stddef.h>
#include <stdint.h>

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
