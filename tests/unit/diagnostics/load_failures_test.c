/*
 * From broken files to findings, the whole way: the demo model is copied, broken in one place, opened, and
 * diagnosed. The sound copy gives no error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diagnostics/engine.h"

#define DEMO MLS_TEST_DATA "/../demo/digits.mlpackage"
#define MANIFEST "Manifest.json"
#define SPEC "Data/com.apple.CoreML/model.mlmodel"
#define WEIGHTS "Data/com.apple.CoreML/weights/weight.bin"

enum { PATH_BYTES = 512 };

/* A copy of the demo package in a folder of its own; `model` is what is opened. */
struct copy {
    char folder[PATH_BYTES];
    char model[PATH_BYTES + 32];
    const char *key; /* text of a key, or NULL */
};

struct file {
    char *bytes;
    size_t size;
};

static struct file read_file(const char *folder, const char *name)
{
    char path[PATH_BYTES * 2];
    struct stat info;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fstat(fileno(stream), &info), 0);
    struct file file = {.bytes = malloc((size_t)info.st_size + 1), .size = (size_t)info.st_size};
    assert_non_null(file.bytes);
    assert_int_equal(fread(file.bytes, 1, file.size, stream), file.size);
    fclose(stream);
    return file;
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[PATH_BYTES * 2];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    write_file(folder, name, text, strlen(text));
}

static void remove_file(const struct copy *copy, const char *name)
{
    char path[PATH_BYTES * 2];
    snprintf(path, sizeof(path), "%s/%s", copy->folder, name);
    assert_int_equal(remove(path), 0);
}

/* Writes `new` over every place in the file where `old` stands; both have the same length. */
static void patch(const struct copy *copy, const char *name, const char *old, const char *new)
{
    struct file file = read_file(copy->folder, name);
    size_t n = 0;
    for (size_t at = 0; at + strlen(old) <= file.size; at++) {
        if (memcmp(file.bytes + at, old, strlen(old)) == 0) {
            memcpy(file.bytes + at, new, strlen(new));
            n++;
        }
    }
    assert_true(n > 0);
    write_file(copy->folder, name, file.bytes, file.size);
    free(file.bytes);
}

static void patch_bytes(const struct copy *copy, const char *name, size_t at, const void *bytes, size_t size)
{
    struct file file = read_file(copy->folder, name);
    assert_true(at + size <= file.size);
    memcpy(file.bytes + at, bytes, size);
    write_file(copy->folder, name, file.bytes, file.size);
    free(file.bytes);
}

static void copy_demo(struct copy *copy)
{
    static const char *const files[] = {MANIFEST, SPEC, WEIGHTS};
    static const char *const folders[] = {"Data", "Data/com.apple.CoreML", "Data/com.apple.CoreML/weights"};
    memset(copy, 0, sizeof(*copy));
    const char *parent = getenv("TMPDIR");
    snprintf(copy->folder, sizeof(copy->folder), "%s/mlscope-diagnostics-XXXXXX",
             parent != NULL ? parent : P_tmpdir);
    assert_non_null(mkdtemp(copy->folder));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[PATH_BYTES * 2];
        snprintf(path, sizeof(path), "%s/%s", copy->folder, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct file file = read_file(DEMO, files[i]);
        write_file(copy->folder, files[i], file.bytes, file.size);
        free(file.bytes);
    }
    snprintf(copy->model, sizeof(copy->model), "%s", copy->folder);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void open_file(struct copy *copy, const char *name, const void *bytes, size_t size)
{
    write_file(copy->folder, name, bytes, size);
    snprintf(copy->model, sizeof(copy->model), "%s/%s", copy->folder, name);
}

static void sound(struct copy *copy)
{
    (void)copy;
}

static void no_manifest(struct copy *copy)
{
    remove_file(copy, MANIFEST);
}

static void no_weight_folder(struct copy *copy)
{
    remove_file(copy, WEIGHTS);
    remove_file(copy, "Data/com.apple.CoreML/weights");
}

static void no_root_model(struct copy *copy)
{
    patch(copy, MANIFEST, "rootModelIdentifier", "rootModelXdentifier");
}

static void newer_manifest(struct copy *copy)
{
    patch(copy, MANIFEST, "1.0.0", "9.0.0");
}

static void lfs_pointer(struct copy *copy)
{
    write_text(copy->folder, SPEC,
               "version https://git-lfs.github.com/spec/v1\n"
               "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n");
}

static void not_protobuf(struct copy *copy)
{
    write_text(copy->folder, SPEC, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
}

static void no_weight_file(struct copy *copy)
{
    remove_file(copy, WEIGHTS);
}

static void short_weight_file(struct copy *copy)
{
    struct file file = read_file(copy->folder, WEIGHTS);
    write_file(copy->folder, WEIGHTS, file.bytes, file.size - 4096);
    free(file.bytes);
}

static void core_ai_model(struct copy *copy)
{
    open_file(copy, "digits.aimodel", "anything", 8);
}

static void nothing_there(struct copy *copy)
{
    snprintf(copy->model, sizeof(copy->model), "%s/absent.mlpackage", copy->folder);
}

static void no_sentinel(struct copy *copy)
{
    patch_bytes(copy, WEIGHTS, 64, "\0\0\0\0", 4);
}

static void espresso_blob(struct copy *copy)
{
    patch_bytes(copy, WEIGHTS, 4, "\1\0\0\0", 4);
}

static void other_blob_type(struct copy *copy)
{
    patch_bytes(copy, WEIGHTS, 64 + 4, "\2\0\0\0", 4);
}

static void future_version(struct copy *copy)
{
    patch_bytes(copy, SPEC, 1, "\x63", 1);
}

static void no_version(struct copy *copy)
{
    patch_bytes(copy, SPEC, 1, "\0", 1);
}

static void unknown_opset(struct copy *copy)
{
    patch(copy, SPEC, "CoreML6", "CoreML0");
}

static void gguf_file(struct copy *copy)
{
    open_file(copy, "model.gguf", "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
}

/* Not a form that is known: taken as sealed. */
static const char NOISE[] =
    "\x91\x13\xd5\x77\xe2\x05\x9c\x3a\xb8\x44\x1f\x66\x0a\xf3\x8e\x21\x5d\xc7\x70\x99\x2b\xea"
    "\x4c\x83\x16\xbf\x58\xd1\x07\x3e\xa4\x6d\xf9\x12\xcb\x80\x35\x5e\xe7\x1a";

static void sealed_without_key(struct copy *copy)
{
    open_file(copy, "model.sealed", NOISE, sizeof(NOISE) - 1);
}

static void sealed_with_wrong_key(struct copy *copy)
{
    sealed_without_key(copy);
    copy->key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
}

static void sealed_and_cut(struct copy *copy)
{
    open_file(copy, "model.sealed", NOISE, 20);
    copy->key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
}

static void key_too_long(struct copy *copy)
{
    sealed_without_key(copy);
    copy->key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
}

static const struct {
    const char *id; /* NULL: no error */
    void (*break_it)(struct copy *copy);
} CASES[] = {
    {NULL, sound},
    {"LOAD001", no_manifest},
    {"LOAD002", no_weight_folder},
    {"LOAD003", no_root_model},
    {"LOAD004", newer_manifest},
    {"LOAD006", lfs_pointer},
    {"LOAD006", not_protobuf},
    {"LOAD007", no_weight_file},
    {"LOAD008", short_weight_file},
    {"LOAD010", core_ai_model},
    {"LOAD011", nothing_there},
    {"LOAD012", no_sentinel},
    {"LOAD013", espresso_blob},
    {"LOAD014", other_blob_type},
    {"LOAD018", future_version},
    {"LOAD020", unknown_opset},
    {"LOAD055", no_version},
    {"LOAD060", gguf_file},
    {"SEAL001", sealed_without_key},
    {"SEAL002", key_too_long},
    {"SEAL003", sealed_with_wrong_key},
    {"SEAL004", sealed_and_cut},
};

/* Opens and loads; the error says how that went. */
static void try_to_load(const struct copy *copy, struct mls_error *error)
{
    struct mls_key *key = NULL;
    struct mls_package *package = NULL;
    struct mls_model *model = NULL;
    if (copy->key == NULL || mls_key_parse(copy->key, strlen(copy->key), &key, error) == MLS_OK) {
        const struct mls_package_options options = {.key = key};
        if (mls_package_open(copy->model, &options, &package, error) == MLS_OK)
            mls_model_load(package, NULL, &model, error);
    }
    mls_model_free(model);
    mls_package_release(package);
    mls_key_free(key);
}

static void each_broken_file_gets_its_finding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct copy copy;
        struct mls_error error = {.status = MLS_OK};
        struct mls_report *report = NULL;
        copy_demo(&copy);
        CASES[i].break_it(&copy);
        try_to_load(&copy, &error);
        assert_int_equal(nftw(copy.folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        assert_int_equal(mls_diagnose(&(struct mls_facts){.error = &error}, &report, NULL), MLS_OK);
        const char *got = report->n_findings > 0 ? report->findings[0].id : "nothing";
        const char *expected = CASES[i].id != NULL ? CASES[i].id : "nothing";
        if (strcmp(got, expected) != 0)
            fail_msg("expected %s, got %s: %s", expected, got, error.text);
        mls_report_free(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_broken_file_gets_its_finding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
