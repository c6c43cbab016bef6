/*
 * Every allocation of opening, loading, planning and predicting fails once: each time an error comes back,
 * and everything that was taken is given back. The allocator counts; sanitizers bring their own, so there the
 * test is skipped.
 */
#include "support/test.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feature.h"
#include "core/package.h"
#include "core/session.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 1
#endif

/* Of this thread: others (the compute threads) go on undisturbed. */
static _Thread_local bool counting;
static _Thread_local uint64_t n_taken;  /* allocations tried since counting began */
static _Thread_local uint64_t fails_at; /* the one that fails, from 1; 0: none */
static _Thread_local int64_t n_live;

#if COUNTS_ALLOCATIONS
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

static bool fails(void)
{
    if (!counting || ++n_taken != fails_at)
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory)
{
    n_live += counting && memory;
    return memory;
}

void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    return memory ? __libc_realloc(memory, size) : counted(__libc_realloc(NULL, size));
}

void *reallocarray(void *memory, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, total);
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(align, size));
}

int posix_memalign(void **ret_memory, size_t align, size_t size)
{
    void *memory = aligned_alloc(align, size);
    if (memory)
        *ret_memory = memory;
    return memory ? 0 : ENOMEM;
}

void free(void *memory)
{
    n_live -= counting && memory;
    __libc_free(memory);
}
#endif

/* All that one prediction takes, and gives back. */
static enum mls_status predict_once(const char *path, struct mls_error *error)
{
    struct mls_package_options options = {0};
    struct mls_session_options one_thread = {.threads = 1};
    struct mls_package *package = NULL;
    struct mls_model *model = NULL;
    struct mls_session *session = NULL;
    const struct mls_plan *plan = NULL;
    struct mls_run *run = NULL;
    enum mls_status status = mls_package_open(path, &options, &package, error);
    if (!status)
        status = mls_model_load(package, NULL, &model, error);
    if (!status)
        status = mls_session_create(model, &one_thread, &session, error);
    if (!status)
        status = mls_session_plan(session, NULL, &plan, error);
    if (!status)
        status = mls_run_create(session, plan, &run, error);
    for (size_t i = 0; !status && i < mls_session_interface(session)->n_inputs; i++)
        status = mls_feature_random(run, i, 1, error);
    if (!status)
        status = mls_run_predict(run, NULL, NULL, error);
    mls_run_free(run);
    if (plan)
        mls_session_release_plan(session, plan);
    mls_session_free(session);
    mls_model_free(model);
    mls_package_release(package);
    return status;
}

static const char *const models[] = {
    "parity/cases/loop_grows/model.mlpackage",          "parity/cases/lists/model.mlpackage",
    "parity/cases/fusion_fp16/model.mlpackage",         "parity/classical/pipeline_mixed.mlmodel",
    "parity/classical/random_forest_regressor.mlmodel", "parity/classical/recommender.mlmodel",
    "fuzz/corpus/format_mil_fuzz/legacy.mil",
};

/* Fails allocations one after the other until none is left to fail. */
static void fail_each(const char *path)
{
    for (uint64_t at = 1;; at++) {
        struct mls_error error = {0};
        int64_t before = n_live;
        n_taken = 0;
        fails_at = at;
        counting = true;
        enum mls_status status = predict_once(path, &error);
        counting = false;
        if (n_live != before)
            fail_msg("%s: allocation %llu: %lld are left", path, (unsigned long long)at,
                     (long long)(n_live - before));
        if (n_taken < at) {
            assert_int_equal(status, MLS_OK);
            print_message("%s: %llu allocations failed\n", strrchr(path, '/') + 1,
                          (unsigned long long)at - 1);
            return;
        }
        if (status && !error.text[0])
            fail_msg("%s: allocation %llu: %s without a word", path, (unsigned long long)at,
                     mls_status_name(status));
    }
}

static void an_allocation_that_fails_is_an_error(void **state)
{
    (void)state;
    if (!COUNTS_ALLOCATIONS)
        skip();
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[512];
        struct mls_error error = {0};
        snprintf(path, sizeof path, MLS_TEST_DATA "/../%s", models[i]);
        if (predict_once(path, &error)) /* what is made once for the process is made now */
            fail_msg("%s: %s", path, error.text);
        fail_each(path);
    }
}

static size_t resident_kib(void)
{
    size_t pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &pages, &resident), 2);
    fclose(file);
    return resident * 4;
}

static void a_thousand_loads_take_no_more_memory_than_a_hundred(void **state)
{
    (void)state;
    if (!COUNTS_ALLOCATIONS)
        skip();
    char path[512];
    struct mls_error error = {0};
    size_t after_hundred = 0;
    snprintf(path, sizeof path, MLS_TEST_DATA "/../%s", models[3]);
    for (int i = 0; i < 1000; i++) {
        if (predict_once(path, &error))
            fail_msg("%s", error.text);
        if (i == 99)
            after_hundred = resident_kib();
    }
    assert_true(resident_kib() <= after_hundred + 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_is_an_error),
        cmocka_unit_test(a_thousand_loads_take_no_more_memory_than_a_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
