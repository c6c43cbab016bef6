#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define CPU_RELAX() _mm_pause()
#else
#define CPU_RELAX() ((void)0)
#endif

/* Polls before a waiting thread sleeps: some tens of microseconds, the gap between two operations of one
 * prediction. */
enum { SPIN_POLLS = 4000 };

struct worker {
    struct mls_pool *pool;
    uint32_t number;
    pthread_t thread;
};

/*
 * A job is published by raising `generation`. Every worker takes part in every job (it counts itself out in
 * `active`), so the caller knows when the job's fields may be written again. Tasks are handed out by `next`.
 */
struct mls_pool {
    uint32_t threads;
    struct worker *workers; /* threads - 1 of them */
    uint32_t started;
    atomic_flag busy;
    bool spin; /* false where threads outnumber processors and spinning would steal from the work */

    mls_task *task;
    void *context;
    size_t n_tasks;

    _Alignas(64) atomic_size_t next;
    _Alignas(64) atomic_uint active;
    _Alignas(64) atomic_uint generation;
    atomic_uint sleepers;
    atomic_bool stopping;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_cond_t done;
};

static void work(struct mls_pool *pool, uint32_t thread)
{
    size_t n_tasks = pool->n_tasks;
    for (;;) {
        size_t index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= n_tasks)
            return;
        pool->task(pool->context, index, thread);
    }
}

static void wait_for_job(struct mls_pool *pool, unsigned seen)
{
    for (int i = 0; pool->spin && i < SPIN_POLLS; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen)
            return;
        CPU_RELAX();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct mls_pool *pool = worker->pool;
    unsigned seen = 0;
    for (;;) {
        wait_for_job(pool, seen);
        seen++;
        if (atomic_load_explicit(&pool->stopping, memory_order_acquire))
            return NULL;
        work(pool, worker->number);
        if (atomic_fetch_sub_explicit(&pool->active, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

/* Raises the generation; the sequentially consistent order with `sleepers` makes a lost wake-up impossible.
 */
static void publish(struct mls_pool *pool)
{
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void wait_for_workers(struct mls_pool *pool)
{
    for (int i = 0; pool->spin && i < SPIN_POLLS; i++) {
        if (!atomic_load_explicit(&pool->active, memory_order_acquire))
            return;
        CPU_RELAX();
    }
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->active))
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void mls_pool_for(struct mls_pool *pool, size_t n_tasks, mls_task *task, void *context)
{
    bool alone = !pool || pool->threads == 1 || n_tasks <= 1;
    if (alone || atomic_flag_test_and_set_explicit(&pool->busy, memory_order_acquire)) {
        for (size_t i = 0; i < n_tasks; i++)
            task(context, i, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->active, pool->threads - 1, memory_order_relaxed);
    publish(pool);
    work(pool, 0);
    wait_for_workers(pool);
    atomic_flag_clear_explicit(&pool->busy, memory_order_release);
}

uint32_t mls_pool_threads(const struct mls_pool *pool)
{
    return pool ? pool->threads : 1;
}

void mls_pool_free(struct mls_pool *pool)
{
    if (!pool)
        return;
    atomic_store_explicit(&pool->stopping, true, memory_order_release);
    publish(pool);
    for (uint32_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}

struct mls_pool *mls_pool_create(uint32_t threads, uint32_t processors)
{
    struct mls_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    if (!pool)
        return NULL;
    *pool = (struct mls_pool){.threads = threads ? threads : 1, .busy = ATOMIC_FLAG_INIT};
    pool->spin = pool->threads <= processors;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->workers = calloc(pool->threads, sizeof *pool->workers);
    if (!pool->workers)
        goto fail;
    for (uint32_t i = 0; i + 1 < pool->threads; i++) {
        pool->workers[i] = (struct worker){.pool = pool, .number = i + 1};
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]))
            goto fail;
        pool->started++;
    }
    return pool;
fail:
    mls_pool_free(pool);
    return NULL;
}
