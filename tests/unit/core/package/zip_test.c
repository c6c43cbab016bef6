/* Zips: what is in them is the model, whichever way it was packed; hostile ones are refused before memory is taken. */
#include "support.h"

#include <zip.h>

#include "package/form.h"
#include "package/gcm.h"

enum { ARCHIVE_BYTES_MAX = 1 << 20 };

/* An archive in memory, as a file of the test's folder. */
struct builder {
    zip_t *zip;
    zip_source_t *source;
};

static struct builder begin_zip(void)
{
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_source_keep(source);
    return (struct builder){zip_open_from_source(source, ZIP_TRUNCATE, NULL), source};
}

static zip_int64_t add(const struct builder *builder, const char *name, const void *bytes, size_t size_bytes, int method)
{
    zip_source_t *source = zip_source_buffer(builder->zip, bytes, size_bytes, 0);
    zip_int64_t index = zip_file_add(builder->zip, name, source, ZIP_FL_ENC_UTF_8);
    assert_true(index >= 0);
    assert_int_equal(zip_set_file_compression(builder->zip, (zip_uint64_t)index, method, 0), 0);
    return index;
}

/* Closes the archive and gives its bytes; the caller frees them. */
static struct mls_bytes end_zip(struct builder *builder)
{
    assert_int_equal(zip_close(builder->zip), 0);
    uint8_t *bytes = malloc(ARCHIVE_BYTES_MAX);
    assert_non_null(bytes);
    assert_int_equal(zip_source_open(builder->source), 0);
    zip_int64_t size_bytes = zip_source_read(builder->source, bytes, ARCHIVE_BYTES_MAX);
    assert_true(size_bytes > 0 && size_bytes < ARCHIVE_BYTES_MAX);
    zip_source_close(builder->source);
    zip_source_free(builder->source);
    return (struct mls_bytes){bytes, (size_t)size_bytes};
}

static void add_package(const struct builder *builder, const char *prefix, int method)
{
    static const struct {
        const char *path;
        bool weights;
    } files[] = {{"Manifest.json", false}, {SPEC_PATH, false}, {WEIGHT_PATH, true}};
    for (size_t i = 0; i < 3; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, files[i].path);
        if (i == 0)
            add(builder, name, GOOD_MANIFEST, strlen(GOOD_MANIFEST), method);
        else if (files[i].weights)
            add(builder, name, weight_bytes(), WEIGHT_BYTES, method);
        else
            add(builder, name, spec_bytes, sizeof spec_bytes, method);
    }
}

static struct mls_package *open_zip(struct mls_bytes bytes, enum mls_status expected, struct mls_error *error)
{
    struct mls_package *package = NULL;
    enum mls_status status = package_open_bytes("model.zip", bytes, NULL, &package, error);
    if (status != expected)
        print_message("%s: %s\n", mls_status_name(status), error->text);
    assert_int_equal(status, expected);
    return package;
}

static void expect_refused(struct builder *builder, enum mls_status expected, const char *words)
{
    struct mls_error error = {0};
    struct mls_bytes bytes = end_zip(builder);
    assert_null(open_zip(bytes, expected, &error));
    assert_non_null(strstr(error.text, words));
    free((void *)(uintptr_t)bytes.data);
}

static void check_package(struct mls_package *package)
{
    const char *path;
    struct mls_bytes blob;
    assert_int_equal(mls_package_entry_count(package), 3);
    assert_int_equal(mls_package_spec(package, &path).size_bytes, sizeof spec_bytes);
    assert_string_equal(path, SPEC_PATH);
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &blob, NULL, NULL), MLS_OK);
    assert_int_equal(blob.size_bytes, WEIGHT_BYTES);
    assert_memory_equal(blob.data, weight_bytes(), WEIGHT_BYTES);
    assert_int_equal((uintptr_t)blob.data % PACKAGE_ALIGN_BYTES, 0);
    assert_string_equal(mls_form_name(mls_package_info(package)->form), "zip");
}

static void test_packages_open_stored_and_deflated_at_the_top_and_in_a_folder(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "Name.mlpackage/", "a/b/Name.mlpackage/"};
    for (size_t i = 0; i < 6; i++) {
        struct builder builder = begin_zip();
        add_package(&builder, prefixes[i / 2], i % 2 ? ZIP_CM_DEFLATE : ZIP_CM_STORE);
        add(&builder, "__MACOSX/._Name.mlpackage", "noise", 5, ZIP_CM_STORE);
        struct mls_bytes bytes = end_zip(&builder);
        struct mls_error error = {0};
        struct mls_package *package = open_zip(bytes, MLS_OK, &error);
        check_package(package);
        mls_package_release(package);
        free((void *)(uintptr_t)bytes.data);
    }
}

static void test_a_bare_specification_opens_under_any_name(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add(&builder, "folder/Some Name.mlmodel", spec_bytes, sizeof spec_bytes, ZIP_CM_DEFLATE);
    add(&builder, "README.txt", "read me", 7, ZIP_CM_STORE);
    struct mls_bytes bytes = end_zip(&builder);
    struct mls_error error = {0};
    struct mls_package *package = open_zip(bytes, MLS_OK, &error);
    assert_int_equal(mls_package_entry_count(package), 1);
    mls_package_release(package);
    free((void *)(uintptr_t)bytes.data);
}

/* The archive as content of a sealed box, and the key for it. */
static void test_a_sealed_zip_opens_and_says_so(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add_package(&builder, "Name.mlpackage/", ZIP_CM_DEFLATE);
    struct mls_bytes bytes = end_zip(&builder);
    struct mls_key *key = make_key(32);
    uint8_t *box = malloc(bytes.size_bytes + GCM_OVERHEAD_BYTES);
    struct gcm_stream *stream = gcm_seal_begin(key, box);
    assert_true(gcm_stream_update(stream, bytes.data, bytes.size_bytes, box + GCM_NONCE_BYTES));
    assert_true(gcm_seal_end(stream, box + GCM_NONCE_BYTES + bytes.size_bytes));
    write_file("sealed", box, bytes.size_bytes + GCM_OVERHEAD_BYTES);
    struct mls_package *package = open_expecting(in_folder("sealed"), key, MLS_OK, NULL);
    check_package(package);
    assert_true(mls_package_info(package)->sealed);
    mls_package_release(package);
    gcm_stream_free(stream);
    mls_key_free(key);
    free(box);
    free((void *)(uintptr_t)bytes.data);
}

static void test_names_that_leave_the_package_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"../Manifest.json", "/etc/passwd", "a/../../b", "a\\b", "a//b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct builder builder = begin_zip();
        add_package(&builder, "", ZIP_CM_STORE);
        add(&builder, names[i], "x", 1, ZIP_CM_STORE);
        expect_refused(&builder, MLS_ERR_PACKAGE_UNKNOWN, "no path inside a package");
    }
}

static void test_a_symbolic_link_is_refused(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    zip_int64_t index = add(&builder, "Manifest.json", "/etc/passwd", 11, ZIP_CM_STORE);
    zip_file_set_external_attributes(builder.zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX, (zip_uint32_t)(S_IFLNK | 0777) << 16);
    expect_refused(&builder, MLS_ERR_PACKAGE_UNKNOWN, "symbolic link");
}

static void test_two_models_are_named(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add_package(&builder, "A.mlpackage/", ZIP_CM_STORE);
    add(&builder, "B.mlmodel", spec_bytes, sizeof spec_bytes, ZIP_CM_STORE);
    expect_refused(&builder, MLS_ERR_PACKAGE_UNKNOWN, "\"A.mlpackage\" and \"B.mlmodel\"");
}

static void test_archives_of_other_frameworks_are_named(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add(&builder, "archive/data.pkl", "x", 1, ZIP_CM_STORE);
    expect_refused(&builder, MLS_ERR_OTHER_FORMAT, "PyTorch");
    builder = begin_zip();
    add(&builder, "model.weights.h5", "x", 1, ZIP_CM_STORE);
    expect_refused(&builder, MLS_ERR_OTHER_FORMAT, "Keras");
    builder = begin_zip();
    add(&builder, "holiday.txt", "x", 1, ZIP_CM_STORE);
    expect_refused(&builder, MLS_ERR_PACKAGE_UNKNOWN, "no Core ML model");
}

/* Changes a number of the central directory's first member: sizes lie at bytes 20 (packed) and 24 of it. */
static void put_central(struct mls_bytes bytes, size_t offset, uint32_t value)
{
    uint8_t *central = memmem((uint8_t *)(uintptr_t)bytes.data, bytes.size_bytes, "PK\1\2", 4);
    assert_non_null(central);
    memcpy(central + offset, &value, sizeof value);
}

static void test_a_size_that_deflate_cannot_reach_is_refused(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add(&builder, "Manifest.json", GOOD_MANIFEST, strlen(GOOD_MANIFEST), ZIP_CM_DEFLATE);
    struct mls_bytes bytes = end_zip(&builder);
    put_central(bytes, 24, 0xfffffff0u);
    struct mls_error error = {0};
    assert_null(open_zip(bytes, MLS_ERR_PACKAGE_UNKNOWN, &error));
    assert_non_null(strstr(error.text, "more than its bytes can hold"));
    free((void *)(uintptr_t)bytes.data);
}

static void test_damage_and_cuts_are_refused(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add_package(&builder, "", ZIP_CM_STORE);
    struct mls_bytes bytes = end_zip(&builder);
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
    struct mls_error error = {0};
    for (size_t size_bytes = 4; size_bytes < bytes.size_bytes; size_bytes += 97)
        assert_null(open_zip((struct mls_bytes){data, size_bytes}, MLS_ERR_PACKAGE_UNKNOWN, &error));
    uint8_t *weights = memmem(data, bytes.size_bytes, weight_bytes(), 64);
    weights[5] ^= 1;
    assert_null(open_zip(bytes, MLS_ERR_PACKAGE_UNKNOWN, &error));
    assert_non_null(strstr(error.text, "damaged or cut"));
    free(data);
}

static void test_deflated_damage_is_refused(void **state)
{
    (void)state;
    struct builder builder = begin_zip();
    add_package(&builder, "", ZIP_CM_DEFLATE);
    struct mls_bytes bytes = end_zip(&builder);
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
    uint8_t *name = memmem(data, bytes.size_bytes, WEIGHT_PATH, strlen(WEIGHT_PATH));
    uint8_t *packed = name + strlen(WEIGHT_PATH);
    for (size_t i = 0; i < 64; i++) {
        struct mls_error error = {0};
        packed[i] ^= 0x10;
        assert_null(open_zip(bytes, MLS_ERR_PACKAGE_UNKNOWN, &error));
        assert_non_null(strstr(error.text, "damaged or cut"));
        packed[i] ^= 0x10;
    }
    free(data);
}

/* Sizes of 0, of one byte, and around the pieces that are unpacked at once. */
static void test_members_of_any_size_come_out_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    uint8_t *content = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        content[i] = (uint8_t)((i * i) >> 7 ^ i);
    for (int method = 0; method < 2; method++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct builder builder = begin_zip();
            add_package(&builder, "", ZIP_CM_STORE);
            add(&builder, "Data/other.bin", content, sizes[i], method ? ZIP_CM_DEFLATE : ZIP_CM_STORE);
            struct mls_bytes bytes = end_zip(&builder);
            struct mls_error error = {0};
            struct mls_package *package = open_zip(bytes, MLS_OK, &error);
            size_t index = package_find_entry(package, "Data/other.bin");
            struct mls_bytes found = mls_package_entry_at(package, index).bytes;
            assert_int_equal(found.size_bytes, sizes[i]);
            assert_memory_equal(found.data, content, sizes[i]);
            mls_package_release(package);
            free((void *)(uintptr_t)bytes.data);
        }
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_packages_open_stored_and_deflated_at_the_top_and_in_a_folder),
        TEST(test_a_bare_specification_opens_under_any_name),
        TEST(test_a_sealed_zip_opens_and_says_so),
        TEST(test_deflated_damage_is_refused),
        TEST(test_members_of_any_size_come_out_whole),
        TEST(test_names_that_leave_the_package_are_refused),
        TEST(test_a_symbolic_link_is_refused),
        TEST(test_two_models_are_named),
        TEST(test_archives_of_other_frameworks_are_named),
        TEST(test_a_size_that_deflate_cannot_reach_is_refused),
        TEST(test_damage_and_cuts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
