/* pool_test.c: every task runs exactly once, from any number of threads and callers. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(no_pool_runs_on_the_caller),
        cmocka_unit_test(two_callers_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
