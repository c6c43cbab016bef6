/* A thousand models opened, run and closed take no more memory than a hundred. */
#include "support/test.h"

#include <stdio.h>
#include <unistd.h>

#include "profiler/loader.h"

#define CASE MLS_TEST_DATA "/../parity/cases/rounding/model.mlpackage"
#define DEMO MLS_TEST_DATA "/../demo/"

enum { GROWTH_PAGES_MAX = 512 }; /* 2 MiB */

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident;
}

static void load_and_close(const char *path, const struct mls_key *key)
{
    struct mls_error error;
    struct mls_loader *loader =
        mls_loader_create(&(struct mls_loader_options){.path = path, .key = key, .threads = 2});
    if (mls_loader_run(loader, &error) || mls_run_predict(mls_loader_result(loader)->run, NULL, NULL, &error))
        fail_msg("%s", error.text);
    mls_loader_free(loader);
}

static void loads_and_closes_keep_nothing(const char *path, const struct mls_key *key, int n)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    n /= 50; /* the leak checker knows without counting */
#endif
    long before = 0;
    for (int i = 0; i < n; i++) {
        load_and_close(path, key);
        if (i == n / 10)
            before = resident_pages();
    }
    long grown = resident_pages() - before;
    print_message("%d loads: %ld pages more\n", n, grown);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(grown < GROWTH_PAGES_MAX);
#endif
}

static void a_thousand_loads_of_a_folder(void **state)
{
    (void)state;
    loads_and_closes_keep_nothing(CASE, NULL, 1000);
}

static void loads_of_a_sealed_model(void **state)
{
    (void)state;
    struct mls_key *key;
    assert_int_equal(mls_key_from_file(DEMO "digits.key", &key, NULL), MLS_OK);
    loads_and_closes_keep_nothing(DEMO "digits.sealed", key, 200);
    mls_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_loads_of_a_folder),
        cmocka_unit_test(loads_of_a_sealed_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
