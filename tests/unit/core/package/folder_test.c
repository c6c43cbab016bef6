#include "support.h"

static void opens_a_package(void **state)
{
    (void)state;
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    const char *path;
    struct mls_bytes bytes = mls_package_spec(package, &path);
    assert_string_equal(path, SPEC_PATH);
    assert_int_equal(bytes.size_bytes, sizeof spec_bytes);
    assert_memory_equal(bytes.data, spec_bytes, sizeof spec_bytes);
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, &path, NULL),
                     MLS_OK);
    assert_string_equal(path, WEIGHT_PATH);
    assert_memory_equal(bytes.data, weight_bytes(), WEIGHT_BYTES);
    const struct mls_package_info *info = mls_package_info(package);
    assert_int_equal(info->form, MLS_FORM_FOLDER);
    assert_false(info->sealed);
    assert_int_equal(info->file_bytes, sizeof spec_bytes + WEIGHT_BYTES + strlen(GOOD_MANIFEST));
    mls_package_release(package);
}

static void lists_entries_in_order_of_path(void **state)
{
    (void)state;
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    assert_int_equal(mls_package_entry_count(package), 3);
    assert_string_equal(mls_package_entry_at(package, 0).path, SPEC_PATH);
    assert_string_equal(mls_package_entry_at(package, 1).path, WEIGHT_PATH);
    assert_string_equal(mls_package_entry_at(package, 2).path, "Manifest.json");
    mls_package_release(package);
}

static void the_manifest_decides_where_the_model_is(void **state)
{
    (void)state;
    write_text("m/Manifest.json",
               MANIFEST("\"1.0.0\"", "{\"X\":" MANIFEST_ITEM("own/place/net.mlmodel") "}", "\"X\""));
    write_file("m/Data/own/place/net.mlmodel", spec_bytes, sizeof spec_bytes);
    write_file("m/Data/own/place/w/a.bin", "weights", 7);
    struct mls_package *package = open_expecting(in_folder("m"), NULL, MLS_OK, NULL);
    const char *path;
    struct mls_bytes bytes;
    mls_package_spec(package, &path);
    assert_string_equal(path, "Data/own/place/net.mlmodel");
    assert_int_equal(mls_package_blob(package, "@model_path/w/a.bin", &bytes, &path, NULL), MLS_OK);
    assert_string_equal(path, "Data/own/place/w/a.bin");
    mls_package_release(package);
}

static void weights_can_be_read_after_the_opener_released(void **state)
{
    (void)state;
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    struct mls_package *of_the_model = mls_package_retain(package);
    struct mls_bytes bytes;
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, NULL), MLS_OK);
    mls_package_release(package);
    assert_memory_equal(bytes.data, weight_bytes(), WEIGHT_BYTES);
    mls_package_release(of_the_model);
}

static void hash_depends_on_paths_and_contents_only(void **state)
{
    (void)state;
    struct mls_package *a = open_expecting(write_package("a.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    struct mls_package *b = open_expecting(write_package("b.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    assert_string_equal(mls_package_info(a)->sha256_hex, "");
    assert_int_equal(strlen(mls_package_hash(a)), 64);
    assert_string_equal(mls_package_hash(a), mls_package_hash(b));
    assert_string_equal(mls_package_info(a)->sha256_hex, mls_package_hash(a));
    mls_package_release(b);
    write_file("b.mlpackage/" WEIGHT_PATH, "other", 5);
    b = open_expecting(in_folder("b.mlpackage"), NULL, MLS_OK, NULL);
    assert_string_not_equal(mls_package_hash(a), mls_package_hash(b));
    mls_package_release(a);
    mls_package_release(b);
}

static void names_the_wrong_manifest_key(void **state)
{
    (void)state;
    static const struct {
        const char *manifest;
        enum mls_status status;
        const char *says;
    } rows[] = {
        {"", MLS_ERR_MANIFEST_INVALID, "not JSON"},
        {"[]", MLS_ERR_MANIFEST_INVALID, "top level"},
        {"{}", MLS_ERR_MANIFEST_INVALID, "fileFormatVersion: it is missing"},
        {"{\"fileFormatVersion\":1}", MLS_ERR_MANIFEST_INVALID, "fileFormatVersion: it is not a string"},
        {MANIFEST("\"2.0.0\"", GOOD_ITEMS, "\"A\""), MLS_ERR_MANIFEST_VERSION, "2.0.0"},
        {MANIFEST("\"1.0\"", GOOD_ITEMS, "\"A\""), MLS_ERR_MANIFEST_VERSION, "major.minor.patch"},
        {MANIFEST("\"1.-1.0\"", GOOD_ITEMS, "\"A\""), MLS_ERR_MANIFEST_VERSION, "negative"},
        {"{\"fileFormatVersion\":\"1.0.0\"}", MLS_ERR_MANIFEST_INVALID, "itemInfoEntries: it is missing"},
        {MANIFEST("\"1.0.0\"", "[]", "\"A\""), MLS_ERR_MANIFEST_INVALID,
         "itemInfoEntries: it is not an object"},
        {MANIFEST("\"1.0.0\"", "{\"A\":{}}", "\"A\""), MLS_ERR_MANIFEST_INVALID,
         "itemInfoEntries/A/path: it is missing"},
        {MANIFEST("\"1.0.0\"", "{\"A\":{\"path\":\"p\",\"name\":\"n\",\"description\":\"d\"}}", "\"A\""),
         MLS_ERR_MANIFEST_INVALID, "itemInfoEntries/A/author: it is missing"},
        {"{\"fileFormatVersion\":\"1.0.0\",\"itemInfoEntries\":{}}", MLS_ERR_MANIFEST_INVALID,
         "rootModelIdentifier: it is missing"},
        {MANIFEST("\"1.0.0\"", GOOD_ITEMS, "\"A\""), MLS_ERR_MANIFEST_INVALID,
         "rootModelIdentifier: itemInfoEntries has no"},
        {MANIFEST("\"1.0.0\"", "{\"A\":" MANIFEST_ITEM("../../secret") "}", "\"A\""),
         MLS_ERR_MANIFEST_INVALID, "not one inside the package"},
        {MANIFEST("\"1.0.0\"", "{\"A\":" MANIFEST_ITEM("/etc/passwd") "}", "\"A\""), MLS_ERR_MANIFEST_INVALID,
         "not one inside the package"},
        {MANIFEST("\"1.0.0\"", "{\"A\":" MANIFEST_ITEM("com.apple.CoreML") "}", "\"A\""),
         MLS_ERR_MANIFEST_INVALID, "is a folder"},
        {MANIFEST("\"1.0.0\"", "{\"A\":" MANIFEST_ITEM("com.apple.CoreML/gone.mlmodel") "}", "\"A\""),
         MLS_ERR_MANIFEST_ITEM_MISSING, "com.apple.CoreML/gone.mlmodel"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mls_error error;
        open_expecting(write_package("m.mlpackage", rows[i].manifest), NULL, rows[i].status, &error);
        if (!strstr(error.text, rows[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.text, rows[i].says);
    }
}

static void an_empty_folder_satisfies_the_manifest(void **state)
{
    (void)state;
    write_package("m.mlpackage", GOOD_MANIFEST);
    unlink(in_folder("m.mlpackage/" WEIGHT_PATH));
    struct mls_package *package = open_expecting(in_folder("m.mlpackage"), NULL, MLS_OK, NULL);
    mls_package_release(package);
    rmdir(in_folder("m.mlpackage/Data/com.apple.CoreML/weights"));
    open_expecting(in_folder("m.mlpackage"), NULL, MLS_ERR_MANIFEST_ITEM_MISSING, NULL);
}

static void missing_manifest_is_told_from_a_compiled_model(void **state)
{
    (void)state;
    struct mls_error error;
    open_expecting(write_package("m.mlpackage", NULL), NULL, MLS_ERR_MANIFEST_MISSING, NULL);
    write_text("c.mlmodelc/coremldata.bin", "data");
    write_text("c.mlmodelc/model.mil", "program(1.0)\n{}");
    mls_package_release(open_expecting(in_folder("c.mlmodelc"), NULL, MLS_OK, NULL));
    write_text("n.mlmodelc/coremldata.bin", "\x2f\x01");
    write_text("n.mlmodelc/model.espresso.net", "{}");
    open_expecting(in_folder("n.mlmodelc"), NULL, MLS_ERR_PACKAGE_NOT_YET, &error);
    assert_non_null(strstr(error.text, "compiled model (.mlmodelc) of type neuralNetwork"));
    write_text("c.mlmodelc/model.mil", "\x91\x02 scrambled");
    open_expecting(in_folder("c.mlmodelc"), NULL, MLS_ERR_APPLE_ENCRYPTED, NULL);
    write_package("outer/m.mlpackage", GOOD_MANIFEST);
    open_expecting(in_folder("outer"), NULL, MLS_ERR_MANIFEST_MISSING, &error);
    assert_non_null(strstr(error.hint, "outer/m.mlpackage"));
}

static void links_and_devices_are_refused(void **state)
{
    (void)state;
    struct mls_error error;
    write_package("m.mlpackage", GOOD_MANIFEST);
    assert_int_equal(symlink("/etc/passwd", in_folder("m.mlpackage/Data/link")), 0);
    open_expecting(in_folder("m.mlpackage"), NULL, MLS_ERR_IO, &error);
    assert_non_null(strstr(error.text, "Data/link: symbolic links"));
    unlink(in_folder("m.mlpackage/Data/link"));
    assert_int_equal(mkfifo(in_folder("m.mlpackage/Data/pipe"), 0600), 0);
    open_expecting(in_folder("m.mlpackage"), NULL, MLS_ERR_IO, NULL);
    open_expecting(in_folder("m.mlpackage/Data/pipe"), NULL, MLS_ERR_PACKAGE_UNKNOWN, NULL);
}

static void folders_nested_too_deep_are_refused(void **state)
{
    (void)state;
    write_package("m.mlpackage", GOOD_MANIFEST);
    char path[400] = "m.mlpackage";
    for (int i = 0; i < 40; i++)
        strcat(path, "/d");
    strcat(path, "/f");
    write_text(path, "x");
    open_expecting(in_folder("m.mlpackage"), NULL, MLS_ERR_LIMIT, NULL);
}

static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n";

static void lfs_pointers_are_named(void **state)
{
    (void)state;
    struct mls_error error;
    struct mls_bytes bytes;
    write_package("m.mlpackage", GOOD_MANIFEST);
    write_text("m.mlpackage/" WEIGHT_PATH, pointer);
    struct mls_package *package = open_expecting(in_folder("m.mlpackage"), NULL, MLS_OK, NULL);
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, &error),
                     MLS_ERR_GIT_LFS_POINTER);
    assert_non_null(strstr(error.text, "123456"));
    mls_package_release(package);
    write_text("m.mlpackage/" SPEC_PATH, pointer);
    open_expecting(in_folder("m.mlpackage"), NULL, MLS_ERR_GIT_LFS_POINTER, NULL);
    write_text("model.mlmodel", pointer);
    open_expecting(in_folder("model.mlmodel"), NULL, MLS_ERR_GIT_LFS_POINTER, NULL);
}

static void blob_references_stay_inside_the_package(void **state)
{
    (void)state;
    struct mls_package *package =
        open_expecting(write_package("m.mlpackage", GOOD_MANIFEST), NULL, MLS_OK, NULL);
    static const char *const escapes[] = {"@model_path/../model.mlmodel",
                                          "/etc/passwd",
                                          "@model_path//etc/passwd",
                                          "@model_path/",
                                          "",
                                          "@model_path/weights/../../../Manifest.json"};
    struct mls_bytes bytes;
    struct mls_error error;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
        assert_int_equal(mls_package_blob(package, escapes[i], &bytes, NULL, &error), MLS_ERR_BLOB_MISSING);
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weights.bin", &bytes, NULL, &error),
                     MLS_ERR_BLOB_MISSING);
    assert_non_null(strstr(error.hint, "weights/weight.bin"));
    assert_int_equal(mls_package_blob(package, "@model_path/./weights/weight.bin", &bytes, NULL, &error),
                     MLS_OK);
    mls_package_release(package);
}

static void an_empty_model_file_is_refused(void **state)
{
    (void)state;
    write_package("m.mlpackage", GOOD_MANIFEST);
    write_file("m.mlpackage/" SPEC_PATH, "", 0);
    open_expecting(in_folder("m.mlpackage"), NULL, MLS_ERR_SPEC_INVALID, NULL);
}

static bool stop(void *user, enum mls_stage stage, uint64_t done, uint64_t total)
{
    (void)stage, (void)done, (void)total;
    return ++*(int *)user < 2;
}

static void opening_can_be_cancelled(void **state)
{
    (void)state;
    int calls = 0;
    struct mls_progress progress = {.user = &calls, .at = stop};
    struct mls_package_options options = {.progress = &progress};
    struct mls_package *package = NULL;
    assert_int_equal(mls_package_open(write_package("m.mlpackage", GOOD_MANIFEST), &options, &package, NULL),
                     MLS_ERR_CANCELLED);
    assert_null(package);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_a_package),
        TEST(lists_entries_in_order_of_path),
        TEST(the_manifest_decides_where_the_model_is),
        TEST(weights_can_be_read_after_the_opener_released),
        TEST(hash_depends_on_paths_and_contents_only),
        TEST(names_the_wrong_manifest_key),
        TEST(an_empty_folder_satisfies_the_manifest),
        TEST(missing_manifest_is_told_from_a_compiled_model),
        TEST(links_and_devices_are_refused),
        TEST(folders_nested_too_deep_are_refused),
        TEST(lfs_pointers_are_named),
        TEST(blob_references_stay_inside_the_package),
        TEST(an_empty_model_file_is_refused),
        TEST(opening_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
