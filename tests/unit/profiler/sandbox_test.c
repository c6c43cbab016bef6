/* The system call filter around the load: what a confined thread may do, and that it ends with the thread. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/loader.h"
#include "sandbox.h"

struct outcome {
    bool entered;
    int read, write, create, socket, process, program, remove, thread;
};

static void *nothing(void *user)
{
    return user;
}

/* 0 when it worked, else errno. */
static int why_not(int result)
{
    int why = result < 0 ? errno : 0;
    if (result > 2)
        close(result);
    return why;
}

static void *try_all(void *user)
{
    struct outcome *outcome = user;
    outcome->entered = sandbox_enter();
    outcome->read = why_not(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    outcome->write = why_not(open("/dev/null", O_WRONLY | O_CLOEXEC));
    outcome->create = why_not(open("/tmp/mlscope-sandbox-test", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    outcome->socket = why_not(socket(AF_INET, SOCK_STREAM, 0));
    pid_t child = fork();
    if (!child)
        _exit(0);
    outcome->process = why_not(child);
    outcome->program = why_not(execl("/bin/true", "true", (char *)NULL));
    outcome->remove = why_not(unlink("/tmp/mlscope-sandbox-test"));
    pthread_t thread;
    outcome->thread = pthread_create(&thread, NULL, nothing, NULL);
    if (!outcome->thread)
        pthread_join(thread, NULL);
    return NULL;
}

static void a_confined_thread_reads_and_nothing_else(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, try_all, &outcome), 0);
    pthread_join(thread, NULL);
    if (!outcome.entered)
        skip();
    assert_int_equal(outcome.read, 0);
    assert_int_equal(outcome.thread, 0);
    assert_int_equal(outcome.write, EPERM);
    assert_int_equal(outcome.create, EPERM);
    assert_int_equal(outcome.socket, EPERM);
    assert_int_equal(outcome.process, EPERM);
    assert_int_equal(outcome.program, EPERM);
    assert_int_equal(outcome.remove, EPERM);
}

static void other_threads_stay_free(void **state)
{
    (void)state;
    assert_int_equal(why_not(open("/dev/null", O_WRONLY | O_CLOEXEC)), 0);
}

static void a_load_is_confined_unless_told_otherwise(void **state)
{
    (void)state;
    static const char demo[] = MLS_TEST_DATA "/../demo/digits.mlpackage";
    for (int unconfined = 0; unconfined < 2; unconfined++) {
        struct mls_loader *loader = mls_loader_create(
            &(struct mls_loader_options){.path = demo, .threads = 2, .unconfined = unconfined});
        assert_int_equal(mls_loader_run(loader, NULL), MLS_OK);
        const struct mls_loaded *loaded = mls_loader_result(loader);
        assert_int_equal(loaded->confined, !unconfined && !loaded->confined_errno);
        assert_int_equal(mls_run_predict(loaded->run, NULL, NULL, NULL), MLS_OK);
        mls_loader_free(loader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_confined_thread_reads_and_nothing_else),
        cmocka_unit_test(other_threads_stay_free),
        cmocka_unit_test(a_load_is_confined_unless_told_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
