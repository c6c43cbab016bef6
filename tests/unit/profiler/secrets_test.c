/* What was decrypted, and the key, are gone from the process's memory once a sealed model is closed. */
#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zip.h>

#include "core/package.h"
#include "package/gcm.h"
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

#define WEIGHTS "Data/com.apple.CoreML/weights/weight.bin"

/* From the weights, at a place. */
static struct pattern weights_at(off_t offset)
{
    struct pattern pattern;
    volatile uint8_t bytes[PATTERN_BYTES];
    read_exactly(DEMO "digits.mlpackage/" WEIGHTS, offset, (void *)(uintptr_t)bytes, sizeof bytes);
    for (size_t i = 0; i < PATTERN_BYTES; i++) {
        pattern.masked[i] = bytes[i] ^ MASK;
        bytes[i] = 0;
    }
    return pattern;
}

static struct pattern weights_pattern(void)
{
    return weights_at(100000);
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

/* The demo as a deflated zip in a sealed file; made by a child, whose memory is not looked at. */
static void write_sealed_zip(const char *path)
{
    static const char *const files[] = {"Manifest.json", "Data/com.apple.CoreML/model.mlmodel", WEIGHTS};
    struct mls_key *key;
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_source_keep(source);
    zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, NULL);
    for (size_t i = 0; i < 3; i++) {
        char from[512];
        snprintf(from, sizeof from, DEMO "digits.mlpackage/%s", files[i]);
        zip_int64_t index = zip_file_add(zip, files[i], zip_source_file(zip, from, 0, -1), 0);
        zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_DEFLATE, 9);
    }
    if (zip_close(zip) || zip_source_open(source) || mls_key_from_file(DEMO "digits.key", &key, NULL))
        _exit(1);
    static uint8_t plain[1 << 20], box[(1 << 20) + GCM_OVERHEAD_BYTES];
    size_t size = (size_t)zip_source_read(source, plain, sizeof plain);
    struct gcm_stream *stream = gcm_seal_begin(key, box);
    bool ok = stream && gcm_stream_update(stream, plain, size, box + GCM_NONCE_BYTES) &&
              gcm_seal_end(stream, box + GCM_NONCE_BYTES + size);
    FILE *file = fopen(path, "wbe");
    ok = ok && file && fwrite(box, 1, size + GCM_OVERHEAD_BYTES, file) == size + GCM_OVERHEAD_BYTES;
    _exit(ok && !fclose(file) ? 0 : 1);
}

/* What unpacking keeps for itself is wiped as well: a window over the end of the content, above all. */
static void nothing_is_left_of_a_sealed_zip(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    const struct pattern end = weights_at(300000), middle = weights_pattern();
    char path[] = "/tmp/mlscope-secrets-XXXXXX";
    int fd = mkstemp(path), code;
    close(fd);
    pid_t child = fork();
    if (child == 0)
        write_sealed_zip(path);
    assert_true(waitpid(child, &code, 0) == child && code == 0);
    struct mls_key *key;
    assert_int_equal(mls_key_from_file(DEMO "digits.key", &key, NULL), MLS_OK);
    struct mls_package *package;
    assert_int_equal(
        mls_package_open(path, &(struct mls_package_options){.key = key}, &package, NULL), MLS_OK);
    mls_key_free(key);
    assert_int_equal(count_mappings(&end), 1); /* where the content is, and nowhere else */
    assert_int_equal(count_mappings(&middle), 1);
    mls_package_release(package);
    assert_int_equal(count_mappings(&end), 0);
    assert_int_equal(count_mappings(&middle), 0);
    remove(path);
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
        cmocka_unit_test(nothing_is_left_of_a_sealed_zip),
        cmocka_unit_test(a_refused_key_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
