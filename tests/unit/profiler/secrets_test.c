/* What was decrypted, and the key, are gone from the process's memory once a sealed model is closed. */
#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/package.h"
#include "profiler/loader.h"

#define DEMO MLS_TEST_DATA "/../demo/"

enum { MASK = 0xa5, PATTERN_BYTES = 32 };

/* Bytes to look for, never in memory as they are. */
struct pattern {
    uint8_t masked[PATTERN_BYTES];
};

static int hex_digit(uint8_t c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static void read_exactly(const char *path, off_t offset, void *ret, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pread(file, ret, size, offset), size);
    close(file);
}

static struct pattern key_pattern(void)
{
    struct pattern pattern;
    volatile uint8_t text[2 * PATTERN_BYTES];
    read_exactly(DEMO "digits.key", 0, (void *)(uintptr_t)text, sizeof text);
    for (size_t i = 0; i < PATTERN_BYTES; i++) {
        pattern.masked[i] = (uint8_t)((hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1])) ^ MASK);
        text[2 * i] = text[2 * i + 1] = 0;
    }
    return pattern;
}

/* From the middle of the weights. */
static struct pattern weights_pattern(void)
{
    struct pattern pattern;
    volatile uint8_t bytes[PATTERN_BYTES];
    read_exactly(DEMO "digits.mlpackage/Data/com.apple.CoreML/weights/weight.bin", 100000,
                 (void *)(uintptr_t)bytes, sizeof bytes);
    for (size_t i = 0; i < PATTERN_BYTES; i++) {
        pattern.masked[i] = bytes[i] ^ MASK;
        bytes[i] = 0;
    }
    return pattern;
}

static bool holds(const uint8_t *begin, size_t size, const struct pattern *pattern)
{
    for (size_t i = 0; i + PATTERN_BYTES <= size; i++) {
        size_t j = 0;
        while (j < PATTERN_BYTES && (begin[i + j] ^ MASK) == pattern->masked[j])
            j++;
        if (j == PATTERN_BYTES)
            return true;
    }
    return false;
}

/* Looks through all memory of the process that can be read. Returns how many mappings hold the pattern. */
static unsigned count_mappings(const struct pattern *pattern)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    char line[512], access[5];
    unsigned n = 0;
    uintptr_t begin, end;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%zx-%zx %4s", &begin, &end, access) != 3 || access[0] != 'r' || strstr(line, "[v"))
            continue;
        n += holds((const uint8_t *)begin, end - begin, pattern);
    }
    fclose(maps);
    return n;
}

static void nothing_is_left_of_a_sealed_model(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* shadow memory is too large to look through */
#endif
    const struct pattern weights = weights_pattern(), secret = key_pattern();
    struct mls_key *key;
    assert_int_equal(mls_key_from_file(DEMO "digits.key", &key, NULL), MLS_OK);
    assert_true(count_mappings(&secret) > 0); /* the search works */
    struct mls_loader *loader = mls_loader_create(
        &(struct mls_loader_options){.path = DEMO "digits.sealed", .key = key, .threads = 2});
    struct mls_error error;
    if (mls_loader_run(loader, &error))
        fail_msg("%s", error.text);
    mls_key_free(key);
    assert_int_equal(mls_run_predict(mls_loader_result(loader)->run, NULL, NULL, NULL), MLS_OK);
    assert_int_equal(count_mappings(&secret), 0);
    assert_true(count_mappings(&weights) > 0);
    mls_loader_free(loader);
    assert_int_equal(count_mappings(&weights), 0);
    assert_int_equal(count_mappings(&secret), 0);
}

static void a_refused_key_leaves_nothing(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    const struct pattern weights = weights_pattern();
    struct mls_key *wrong;
    assert_int_equal(mls_key_generate(32, &wrong, NULL), MLS_OK);
    struct mls_loader *loader =
        mls_loader_create(&(struct mls_loader_options){.path = DEMO "digits.sealed", .key = wrong});
    assert_int_equal(mls_loader_run(loader, NULL), MLS_ERR_SEAL_REJECTED);
    mls_loader_free(loader);
    mls_key_free(wrong);
    assert_int_equal(count_mappings(&weights), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_a_sealed_model),
        cmocka_unit_test(a_refused_key_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
