/* support.h: what the tests of packages share: a temporary folder, files in it, and a small package. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/package.h"

#define IDENTIFIER "B7B1C1F0-0000-4000-8000-000000000001"
#define SPEC_PATH "Data/com.apple.CoreML/model.mlmodel"
#define WEIGHT_PATH "Data/com.apple.CoreML/weights/weight.bin"
#define MANIFEST_ITEM(path) "{\"path\":\"" path "\",\"name\":\"n\",\"author\":\"a\",\"description\":\"d\"}"
#define MANIFEST(version, items, root) \
    "{\"fileFormatVersion\":" version ",\"itemInfoEntries\":" items ",\"rootModelIdentifier\":" root "}"
#define GOOD_ITEMS                                                                                  \
    "{\"" IDENTIFIER "\":" MANIFEST_ITEM("com.apple.CoreML/model.mlmodel") ",\"W\":" MANIFEST_ITEM( \
        "com.apple.CoreML/weights") "}"
#define GOOD_MANIFEST MANIFEST("\"1.0.0\"", GOOD_ITEMS, "\"" IDENTIFIER "\"")

/* specificationVersion 7, an empty description, an empty mlProgram (field 502) */
static const uint8_t spec_bytes[] = {0x08, 0x07, 0x12, 0x00, 0xb2, 0x1f, 0x00};

enum { WEIGHT_BYTES = 40000 };

/* The test's own folder; every path below is made from it. */
static char folder[64];

static inline const char *in_folder(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void write_file(const char *name, const void *bytes, size_t size_bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static inline uint8_t *weight_bytes(void)
{
    static uint8_t bytes[WEIGHT_BYTES];
    for (size_t i = 0; i < WEIGHT_BYTES; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    return bytes;
}

/* A package called `name` with this manifest, a specification, and 40,000 bytes of weights. */
static inline const char *write_package(const char *name, const char *manifest)
{
    char path[256];
    snprintf(path, sizeof path, "%s/Manifest.json", name);
    if (manifest)
        write_text(path, manifest);
    snprintf(path, sizeof path, "%s/%s", name, SPEC_PATH);
    write_file(path, spec_bytes, sizeof spec_bytes);
    snprintf(path, sizeof path, "%s/%s", name, WEIGHT_PATH);
    write_file(path, weight_bytes(), WEIGHT_BYTES);
    return in_folder(name);
}

/* Opens and expects this status; on success the package is returned. */
static inline struct mls_package *open_expecting(const char *path, const struct mls_key *key,
                                                 enum mls_status expected, struct mls_error *error)
{
    struct mls_package *package = NULL;
    struct mls_package_options options = {.key = key};
    struct mls_error local = {0};
    enum mls_status status = mls_package_open(path, &options, &package, error ? error : &local);
    if (status != expected)
        print_message("%s: %s\n", mls_status_name(status), (error ? error : &local)->text);
    assert_int_equal(status, expected);
    assert_true((package != NULL) == (expected == MLS_OK));
    return package;
}

static inline struct mls_key *make_key(size_t size_bytes)
{
    struct mls_key *key;
    assert_int_equal(mls_key_generate(size_bytes, &key, NULL), MLS_OK);
    return key;
}

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/mls-package-XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *about, int type, struct FTW *walk)
{
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static inline int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
