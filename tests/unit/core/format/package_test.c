#include "unit/core/format/fixture.h"

#include <stdio.h>
#include <unistd.h>

enum { RECORD_AT = 64, DATA_AT = 128, FILE_BYTES = 136 };

/* A folder with a specification whose const "c" lies in a weight file, and that file. */
struct files {
    char folder[64];
    char spec[96];
    char blob[96];
};

static void write_file(const char *path, const void *bytes, size_t size_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
}

static void write_blob(const char *path)
{
    uint8_t bytes[FILE_BYTES] = {0};
    const uint32_t header[] = {1, 2}, record[] = {0xdeadbeef, 2};
    const uint64_t place[] = {8, DATA_AT};
    const float data[] = {1.0f, -0.5f};
    memcpy(bytes, header, sizeof header);
    memcpy(bytes + RECORD_AT, record, sizeof record);
    memcpy(bytes + RECORD_AT + sizeof record, place, sizeof place);
    memcpy(bytes + DATA_AT, data, sizeof data);
    write_file(path, bytes, sizeof bytes);
}

static int set_up(void **state)
{
    static struct files files;
    const char *parent = getenv("TMPDIR");
    snprintf(files.folder, sizeof files.folder, "%.40s/mlscope-XXXXXX", parent ? parent : P_tmpdir);
    assert_non_null(mkdtemp(files.folder));
    snprintf(files.spec, sizeof files.spec, "%s/model.mlmodel", files.folder);
    snprintf(files.blob, sizeof files.blob, "%s/weight.bin", files.folder);
    struct fixture f;
    fixture_init(&f);
    fixture_set_blob(&f.val_value, (char *)"@model_path/weights/weight.bin", RECORD_AT);
    uint8_t bytes[2048];
    write_file(files.spec, bytes, pb__model__pack(&f.model, bytes));
    write_blob(files.blob);
    *state = &files;
    return 0;
}

static int tear_down(void **state)
{
    const struct files *files = *state;
    unlink(files->spec);
    unlink(files->blob);
    return rmdir(files->folder);
}

static enum mls_status load(const struct files *files, size_t n_blobs, struct mls_model **ret_model,
                            struct mls_error *reterr)
{
    const struct mls_blob_argument blob = {"weights/weight.bin", files->blob};
    const struct mls_package_options options = {0};
    struct mls_package *package = NULL;
    enum mls_status status = mls_package_open_asset(files->spec, &blob, n_blobs, &options, &package, reterr);
    if (!status)
        status = mls_model_load(package, NULL, ret_model, reterr);
    mls_package_release(package); /* a model holds a reference of its own */
    return status;
}

static void weights_lie_in_the_package(void **state)
{
    struct mls_model *model = NULL;
    assert_int_equal(load(*state, 1, &model, NULL), MLS_OK);
    const struct mls_constant *constant = model->program.values[model->program.ops[0].outputs[0].i].constant;
    bool found = false;
    for (size_t i = 0; i < mls_package_entry_count(model->package); i++) {
        struct mls_bytes bytes = mls_package_entry_at(model->package, i).bytes;
        found |= constant->data == bytes.data + DATA_AT;
    }
    assert_true(found);
    assert_true(((const float *)constant->data)[1] == -0.5f);
    assert_int_equal(constant->blob_offset, DATA_AT);
    mls_model_free(model);
}

static void a_missing_weight_file_is_named_with_its_operation(void **state)
{
    struct mls_model *model = NULL;
    struct mls_error error = {0};
    assert_int_equal(load(*state, 0, &model, &error), MLS_ERR_BLOB_MISSING);
    assert_null(model);
    assert_non_null(strstr(error.text, "weights/weight.bin"));
    assert_string_equal(error.operation, "c");
}

static void a_weight_file_cut_short_is_refused_with_its_place(void **state)
{
    const struct files *files = *state;
    struct mls_model *model = NULL;
    struct mls_error error = {0};
    assert_int_equal(truncate(files->blob, FILE_BYTES - 1), 0);
    assert_int_equal(load(files, 1, &model, &error), MLS_ERR_BLOB_TRUNCATED);
    assert_string_equal(error.operation, "c");
    assert_int_equal(error.byte_offset, RECORD_AT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_lie_in_the_package, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_weight_file_is_named_with_its_operation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_weight_file_cut_short_is_refused_with_its_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
