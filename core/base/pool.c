#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"

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
 * A thread's share of a job: tasks that lie next to each other, so that the data of one operation is where the next one is
 * done. Who is through with its own goes on with what is left of others'.
 */
struct share {
    _Alignas(64) atomic_size_t next;
    size_t end;
};

/*
 * A job is published by raising the generation in `state`. A worker that sees it joins, if the job is still
 * open; the caller works as well, closes the job when no task is left, and waits for those who joined only: a
 * worker that is not scheduled in time costs nothing. The job's fields are written while no job is open and
 * nobody who joined is at work.
 */
struct mls_pool {
    uint32_t threads;
    struct worker *workers; /* threads - 1 of them */
    uint32_t started;
    atomic_flag busy;
    bool spin; /* false where threads outnumber processors and spinning would steal from the work */

    mls_task *task;
    void *context;
    struct share *shares; /* one a thread */
    struct mls_pool_log *logs; /* where the job is noted, or NULL */
    uint32_t step;             /* that it belongs to, when it is */

    atomic_uintptr_t watcher;     /* the thread whose jobs are noted, as pthread_self gives it; 0: none */
    struct mls_pool_watch *watch; /* the watcher's */

    _Alignas(64) atomic_uint finished;    /* of those who joined */
    _Alignas(64) _Atomic(uint64_t) state; /* generation, closed, number joined: see below */
    atomic_uint sleepers;
    atomic_bool caller_sleeps;
    atomic_bool stopping;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_cond_t done;
};

/* The word `state`: generation in the upper half, then one bit, then the number of workers that joined. */
#define GENERATION_ONE ((uint64_t)1 << 32)
#define CLOSED ((uint64_t)1 << 31)
#define JOINED_MASK (CLOSED - 1)

static uint32_t generation_of(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

static bool work_off(struct mls_pool *pool, uint32_t thread)
{
    bool any = false;
    for (uint32_t i = 0; i < pool->threads; i++) {
        struct share *share = &pool->shares[(thread + i) % pool->threads];
        while (atomic_load_explicit(&share->next, memory_order_relaxed) < share->end) {
            size_t index = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
            if (index >= share->end)
                continue;
            pool->task(pool->context, index, thread);
            any = true;
        }
    }
    return any;
}

static void work(struct mls_pool *pool, uint32_t thread)
{
    if (!pool->logs) {
        work_off(pool, thread);
        return;
    }
    struct mls_pool_log *log = &pool->logs[thread];
    uint64_t begin = mls_clock_ticks();
    if (!work_off(pool, thread))
        return;
    if (log->n < log->room)
        log->parts[log->n] =
            (struct mls_thread_part){.step = pool->step, .begin_ticks = begin, .end_ticks = mls_clock_ticks()};
    log->n++;
}

static void share_out(struct mls_pool *pool, size_t n_tasks)
{
    size_t first = 0, each = n_tasks / pool->threads, more = n_tasks % pool->threads;
    for (uint32_t i = 0; i < pool->threads; i++) {
        size_t end = first + each + (i < more);
        atomic_store_explicit(&pool->shares[i].next, first, memory_order_relaxed);
        pool->shares[i].end = end;
        first = end;
    }
}

static void wait_for_job(struct mls_pool *pool, uint32_t seen)
{
    for (int i = 0; pool->spin && i < SPIN_POLLS; i++) {
        if (generation_of(atomic_load_explicit(&pool->state, memory_order_acquire)) != seen)
            return;
        CPU_RELAX();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (generation_of(atomic_load(&pool->state)) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

/* Takes part in the open job, if there is one. */
static bool join_job(struct mls_pool *pool, uint32_t *ret_generation)
{
    uint64_t state = atomic_load_explicit(&pool->state, memory_order_acquire);
    do {
        *ret_generation = generation_of(state);
        if (state & CLOSED)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&pool->state, &state, state + 1, memory_order_acquire,
                                                    memory_order_acquire));
    return true;
}

static void finish_job(struct mls_pool *pool)
{
    atomic_fetch_add(&pool->finished, 1);
    if (atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct mls_pool *pool = worker->pool;
    char name[16]; /* what top -H shows, and how profilers know compute threads */
    snprintf(name, sizeof name, "mls-compute-%u", worker->number % 1000u);
    pthread_setname_np(pthread_self(), name);
    uint32_t seen = 0;
    for (;;) {
        wait_for_job(pool, seen);
        if (atomic_load_explicit(&pool->stopping, memory_order_acquire))
            return NULL;
        if (join_job(pool, &seen)) {
            work(pool, worker->number);
            finish_job(pool);
        }
    }
}

/* Makes workers look; the sequentially consistent order with `sleepers` makes a lost wake-up impossible. */
static void publish(struct mls_pool *pool, uint64_t state)
{
    atomic_store(&pool->state, state);
    if (atomic_load(&pool->sleepers)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void wait_for_joined(struct mls_pool *pool, unsigned joined)
{
    for (int i = 0; i < (pool->spin ? SPIN_POLLS : 1); i++) {
        if (atomic_load_explicit(&pool->finished, memory_order_acquire) == joined)
            return;
        CPU_RELAX();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->finished) != joined)
        pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->mutex);
}

/* Where the jobs of the calling thread are noted, or NULL. */
static struct mls_pool_watch *watch_of_caller(const struct mls_pool *pool)
{
    uintptr_t watcher = atomic_load_explicit(&pool->watcher, memory_order_relaxed);
    return watcher && watcher == (uintptr_t)pthread_self() ? pool->watch : NULL;
}

bool mls_pool_watch(struct mls_pool *pool, struct mls_pool_watch *watch)
{
    uintptr_t nobody = 0;
    if (!pool || !atomic_compare_exchange_strong(&pool->watcher, &nobody, (uintptr_t)pthread_self()))
        return false;
    pool->watch = watch;
    return true;
}

void mls_pool_unwatch(struct mls_pool *pool)
{
    atomic_store(&pool->watcher, 0);
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
    share_out(pool, n_tasks);
    const struct mls_pool_watch *watch = watch_of_caller(pool);
    pool->logs = watch ? watch->logs : NULL;
    pool->step = watch ? watch->step : 0;
    atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
    uint64_t closed = atomic_load_explicit(&pool->state, memory_order_relaxed);
    publish(pool, ((closed & ~(GENERATION_ONE - 1)) + GENERATION_ONE));
    work(pool, 0);
    uint64_t state = atomic_fetch_or_explicit(&pool->state, CLOSED, memory_order_acq_rel);
    wait_for_joined(pool, (unsigned)(state & JOINED_MASK));
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
    publish(pool, atomic_load(&pool->state) + GENERATION_ONE);
    for (uint32_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool->shares);
    free(pool);
}

struct mls_pool *mls_pool_create(uint32_t threads, uint32_t processors)
{
    struct mls_pool *pool = aligned_alloc(64, (sizeof *pool + 63) / 64 * 64);
    if (!pool)
        return NULL;
    *pool = (struct mls_pool){.threads = threads ? threads : 1, .busy = ATOMIC_FLAG_INIT, .state = CLOSED};
    pool->spin = pool->threads <= processors;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->workers = calloc(pool->threads, sizeof *pool->workers);
    pool->shares = aligned_alloc(_Alignof(struct share), pool->threads * sizeof *pool->shares);
    if (!pool->workers || !pool->shares)
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
