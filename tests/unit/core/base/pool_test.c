/* pool_test.c: every task runs exactly once, from any number of threads and callers. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "core/clock.h"

enum { TASKS = 1000 };

struct count {
    atomic_int runs[TASKS];
    atomic_int bad_threads;
    uint32_t threads;
};

static void count_task(void *context, size_t index, uint32_t thread)
{
    struct count *count = context;
    atomic_fetch_add(&count->runs[index], 1);
    if (thread >= count->threads)
        atomic_fetch_add(&count->bad_threads, 1);
}

static void every_task_runs_once(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 5; threads++) {
        struct mls_pool *pool = mls_pool_create(threads, 2);
        assert_non_null(pool);
        for (int round = 0; round < 50; round++) {
            struct count count = {.threads = threads};
            mls_pool_for(pool, TASKS, count_task, &count);
            for (int i = 0; i < TASKS; i++)
                assert_int_equal(count.runs[i], 1);
            assert_int_equal(count.bad_threads, 0);
        }
        mls_pool_free(pool);
    }
}

static void no_pool_runs_on_the_caller(void **state)
{
    (void)state;
    struct count count = {.threads = 1};
    mls_pool_for(NULL, TASKS, count_task, &count);
    assert_int_equal(count.runs[TASKS - 1], 1);
    assert_int_equal(mls_pool_threads(NULL), 1);
}

struct caller {
    struct mls_pool *pool;
    int failures;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    for (int round = 0; round < 200; round++) {
        struct count count = {.threads = 3};
        mls_pool_for(caller->pool, TASKS / 10, count_task, &count);
        for (int i = 0; i < TASKS / 10; i++)
            caller->failures += count.runs[i] != 1;
    }
    return NULL;
}

static void two_callers_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct mls_pool *pool = mls_pool_create(3, 2);
    struct caller callers[2] = {{.pool = pool}, {.pool = pool}};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, call_often, &callers[1]), 0);
    call_often(&callers[0]);
    pthread_join(other, NULL);
    assert_int_equal(callers[0].failures + callers[1].failures, 0);
    mls_pool_free(pool);
}

static void spin_task(void *context, size_t index, uint32_t thread)
{
    (void)context;
    (void)index;
    (void)thread;
    for (uint64_t until = mls_clock_ns() + 20000; mls_clock_ns() < until;)
        continue;
}

enum { LOG_ROOM = 4 };

static void a_watched_job_says_what_each_thread_did(void **state)
{
    (void)state;
    enum { THREADS = 3, JOBS = 2 };
    const struct mls_clock *clock = mls_clock_get();
    struct mls_pool *pool = mls_pool_create(THREADS, THREADS);
    struct mls_thread_part parts[THREADS][LOG_ROOM];
    struct mls_pool_log logs[THREADS] = {
        {.parts = parts[0], .room = LOG_ROOM}, {.parts = parts[1], .room = LOG_ROOM}, {.parts = parts[2], .room = LOG_ROOM}};
    struct mls_pool_watch watch = {.logs = logs};
    uint64_t begin = mls_clock_ticks(), busy = 0;
    size_t n_parts = 0;
    assert_true(mls_pool_watch(pool, &watch));
    for (watch.step = 0; watch.step < JOBS; watch.step++)
        mls_pool_for(pool, 30, spin_task, NULL);
    uint64_t end = mls_clock_ticks();
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_true(logs[i].n <= JOBS);
        n_parts += logs[i].n;
        for (size_t k = 0; k < logs[i].n; k++) {
            const struct mls_thread_part *part = &parts[i][k];
            assert_true(part->begin_ticks >= begin && part->end_ticks >= part->begin_ticks && part->end_ticks <= end);
            assert_true(part->step < JOBS && (!k || part->step > part[-1].step));
            busy += part->end_ticks - part->begin_ticks;
        }
    }
    assert_true(n_parts >= JOBS); /* a thread that comes late finds nothing left to do */
    assert_true(mls_clock_span_ns(clock, busy) >= JOBS * 30u * 20000u);
    mls_pool_unwatch(pool);
    mls_pool_free(pool);
}

static void a_full_log_counts_on(void **state)
{
    (void)state;
    struct mls_pool *pool = mls_pool_create(2, 2);
    struct mls_thread_part parts[2];
    struct mls_pool_log logs[2] = {{.parts = &parts[0], .room = 1}, {.parts = &parts[1], .room = 1}};
    struct mls_pool_watch watch = {.logs = logs};
    assert_true(mls_pool_watch(pool, &watch));
    for (watch.step = 0; watch.step < 3; watch.step++)
        mls_pool_for(pool, 10, spin_task, NULL);
    assert_true(logs[0].n + logs[1].n >= 3);
    for (size_t i = 0; i < 2; i++)
        assert_true(!logs[i].n || parts[i].step <= 3 - logs[i].n); /* the first that it noted */
    mls_pool_unwatch(pool);
    mls_pool_free(pool);
}

struct watcher {
    struct mls_pool *pool;
    struct mls_pool_watch watch;
    bool could;
};

static void *watch_too(void *argument)
{
    struct watcher *watcher = argument;
    watcher->could = mls_pool_watch(watcher->pool, &watcher->watch);
    mls_pool_for(watcher->pool, 10, spin_task, NULL);
    return NULL;
}

static void only_one_thread_watches(void **state)
{
    (void)state;
    struct mls_pool_log logs[2] = {{.n = 0}};
    struct mls_pool_watch watch = {.logs = logs};
    struct watcher watcher = {.pool = mls_pool_create(2, 2)};
    pthread_t other;
    assert_false(mls_pool_watch(NULL, &watch));
    assert_true(mls_pool_watch(watcher.pool, &watch));
    assert_int_equal(pthread_create(&other, NULL, watch_too, &watcher), 0);
    pthread_join(other, NULL);
    assert_false(watcher.could);
    assert_int_equal(logs[0].n, 0); /* the job was the other's */
    mls_pool_unwatch(watcher.pool);
    mls_pool_for(watcher.pool, 10, spin_task, NULL);
    assert_int_equal(logs[0].n, 0);
    mls_pool_free(watcher.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(no_pool_runs_on_the_caller),
        cmocka_unit_test(two_callers_do_not_disturb_each_other),
        cmocka_unit_test(a_watched_job_says_what_each_thread_did),
        cmocka_unit_test(a_full_log_counts_on),
        cmocka_unit_test(only_one_thread_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
