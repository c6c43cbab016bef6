#include "support.h"

static enum mls_status open_keys(const char *const *keys, size_t n, struct mls_package **ret_package,
                                 struct mls_error *error)
{
    write_file("net.mlmodel", spec_bytes, sizeof spec_bytes);
    write_file("w.bin", weight_bytes(), WEIGHT_BYTES);
    struct mls_blob_argument blobs[4];
    for (size_t i = 0; i < n; i++)
        blobs[i] = (struct mls_blob_argument){keys[i], in_folder("w.bin")};
    return mls_package_open_asset(in_folder("net.mlmodel"), blobs, n, NULL, ret_package, error);
}

static void every_form_of_key_means_the_same_blob(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool refused;
    } rows[] = {
        {"weights/weight.bin", false},
        {"./weights/weight.bin", false},
        {"file:///Users/me/My%20App/weights/weight.bin", false},
        {"file://localhost/weights/weight.bin", false},
        {"file:weights/weight.bin", false},
        {"/somewhere/weights/weight%2Ebin", false},
        {"@model_path/weights/weight.bin", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mls_package *package;
        struct mls_error error;
        bool literal_percent = rows[i].key[0] == '/';
        if (open_keys(&rows[i].key, 1, &package, &error))
            fail_msg("%s: %s", rows[i].key, error.text);
        struct mls_bytes bytes;
        assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, &error),
                         literal_percent ? MLS_ERR_BLOB_MISSING : MLS_OK);
        const struct mls_package_info *info = mls_package_info(package);
        assert_int_equal(info->form, MLS_FORM_ASSET);
        assert_int_equal(info->n_asset_keys, 1);
        assert_string_equal(info->asset_keys[0].key, rows[i].key);
        assert_true(info->asset_keys[0].refused_by_apple == rows[i].refused);
        mls_package_release(package);
    }
}

static void a_missing_blob_says_which_key_to_add(void **state)
{
    (void)state;
    struct mls_package *package;
    struct mls_error error;
    struct mls_bytes bytes;
    static const char *const keys[] = {"weights/other.bin"};
    assert_int_equal(open_keys(keys, 1, &package, NULL), MLS_OK);
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, &error),
                     MLS_ERR_BLOB_MISSING);
    assert_non_null(strstr(error.hint, "--blob weights/weight.bin=FILE"));
    mls_package_release(package);
}

static void bad_keys_are_usage_errors(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",    "../weight.bin", "file://host/weight.bin", "file:///a%zz", "file:///a%00b", "@model_path/",
        "a//b"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct mls_package *package;
        assert_int_equal(open_keys(&keys[i], 1, &package, NULL), MLS_ERR_USAGE);
    }
}

static void one_path_twice_must_be_one_content(void **state)
{
    (void)state;
    struct mls_package *package;
    static const char *const keys[] = {"weights/weight.bin", "@model_path/weights/weight.bin"};
    assert_int_equal(open_keys(keys, 2, &package, NULL), MLS_OK);
    assert_int_equal(mls_package_entry_count(package), 2);
    assert_int_equal(mls_package_info(package)->n_asset_keys, 2);
    mls_package_release(package);
    write_text("other.bin", "other");
    struct mls_blob_argument blobs[2] = {{keys[0], in_folder("w.bin")}, {keys[1], in_folder("other.bin")}};
    assert_int_equal(mls_package_open_asset(in_folder("net.mlmodel"), blobs, 2, NULL, &package, NULL),
                     MLS_ERR_USAGE);
}

static void missing_files_are_not_found(void **state)
{
    (void)state;
    struct mls_package *package;
    struct mls_blob_argument blob = {"weights/weight.bin", in_folder("none")};
    write_file("net.mlmodel", spec_bytes, sizeof spec_bytes);
    assert_int_equal(mls_package_open_asset(in_folder("net.mlmodel"), &blob, 1, NULL, &package, NULL),
                     MLS_ERR_NOT_FOUND);
    assert_int_equal(mls_package_open_asset(in_folder("gone.mlmodel"), &blob, 1, NULL, &package, NULL),
                     MLS_ERR_NOT_FOUND);
}

static void an_asset_cannot_be_sealed(void **state)
{
    (void)state;
    struct mls_package *package;
    struct mls_key *key = make_key(32);
    assert_int_equal(open_keys(NULL, 0, &package, NULL), MLS_OK);
    assert_int_equal(mls_package_seal(package, key, in_folder("out"), NULL), MLS_ERR_USAGE);
    mls_package_release(package);
    mls_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_form_of_key_means_the_same_blob),
        TEST(a_missing_blob_says_which_key_to_add),
        TEST(bad_keys_are_usage_errors),
        TEST(one_path_twice_must_be_one_content),
        TEST(missing_files_are_not_found),
        TEST(an_asset_cannot_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
