#include "support/test.h"

#include <string.h>

#include "format/blob.h"

enum { RECORD_AT = 64, DATA_AT = 128, SIZE = 144 };

/* A weight file with one record of four floats at byte 64. Aligned, as a mapping is. */
struct file {
    _Alignas(64) uint8_t bytes[SIZE + 1];
    struct mls_arena *arena;
};

static void put_u32(struct file *file, size_t at, uint32_t value)
{
    memcpy(file->bytes + at, &value, sizeof value);
}

static void put_u64(struct file *file, size_t at, uint64_t value)
{
    memcpy(file->bytes + at, &value, sizeof value);
}

static void make(struct file *file)
{
    memset(file->bytes, 0xa5, sizeof file->bytes); /* reserved fields may hold anything */
    put_u32(file, 0, 1);
    put_u32(file, 4, 2);
    put_u32(file, RECORD_AT, 0xdeadbeef);
    put_u32(file, RECORD_AT + 4, 2);
    put_u64(file, RECORD_AT + 8, 16);
    put_u64(file, RECORD_AT + 16, DATA_AT);
    put_u64(file, RECORD_AT + 24, 0xa5a5);
    for (uint32_t i = 0; i < 4; i++) {
        float value = (float)i;
        memcpy(file->bytes + DATA_AT + 4 * i, &value, sizeof value);
    }
}

static enum mls_status read_as(struct file *file, size_t size_bytes, uint64_t offset, enum mls_dtype dtype,
                               int64_t n, struct mls_constant *ret_constant, struct mls_error *reterr)
{
    struct mls_type type = mls_type_tensor(dtype, 1, &n);
    return blob_read((struct mls_bytes){file->bytes, size_bytes}, "weight.bin", offset, &type, file->arena,
                     ret_constant, reterr);
}

static void refused(struct file *file, size_t size_bytes, uint64_t offset, enum mls_dtype dtype,
                    enum mls_status status)
{
    struct mls_constant constant = {0};
    struct mls_error error = {0};
    assert_string_equal(mls_status_name(read_as(file, size_bytes, offset, dtype, 4, &constant, &error)),
                        mls_status_name(status));
    assert_null(constant.data);
    assert_string_equal(error.file, "weight.bin");
    assert_true(error.hint[0]);
}

static int set_up(void **state)
{
    static struct file file;
    file.arena = mls_arena_create(0);
    make(&file);
    *state = &file;
    return file.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct file *file = *state;
    mls_arena_free(file->arena);
    return 0;
}

static void a_weight_is_used_in_place(void **state)
{
    struct file *file = *state;
    struct mls_constant constant;
    assert_int_equal(read_as(file, SIZE, RECORD_AT, MLS_FP32, 4, &constant, NULL), MLS_OK);
    assert_ptr_equal(constant.data, file->bytes + DATA_AT);
    assert_int_equal(constant.size_bytes, 16);
    assert_int_equal(constant.blob_offset, DATA_AT);
}

static void a_weight_at_an_odd_byte_is_copied(void **state)
{
    struct file *file = *state;
    memmove(file->bytes + DATA_AT + 1, file->bytes + DATA_AT, 16);
    put_u64(file, RECORD_AT + 16, DATA_AT + 1);
    struct mls_constant constant;
    assert_int_equal(read_as(file, SIZE + 1, RECORD_AT, MLS_FP32, 4, &constant, NULL), MLS_OK);
    assert_true(((const float *)constant.data)[3] == 3.0f);
}

static void another_version_is_refused(void **state)
{
    struct file *file = *state;
    put_u32(file, 4, 1);
    refused(file, SIZE, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_VERSION);
}

static void a_wrong_offset_is_refused(void **state)
{
    struct file *file = *state;
    refused(file, SIZE, RECORD_AT + 4, MLS_FP32, MLS_ERR_BLOB_SENTINEL);
    refused(file, SIZE, SIZE - 63, MLS_FP32, MLS_ERR_BLOB_TRUNCATED);
    refused(file, SIZE, UINT64_MAX, MLS_FP32, MLS_ERR_BLOB_TRUNCATED);
}

static void a_short_file_is_refused(void **state)
{
    struct file *file = *state;
    refused(file, SIZE - 1, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_TRUNCATED);
    refused(file, 7, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_TRUNCATED);
    refused(file, 0, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_TRUNCATED);
}

static void an_offset_of_data_that_overflows_is_refused(void **state)
{
    struct file *file = *state;
    put_u64(file, RECORD_AT + 16, UINT64_MAX - 8);
    refused(file, SIZE, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_TRUNCATED);
}

static void another_type_is_refused(void **state)
{
    struct file *file = *state;
    refused(file, SIZE, RECORD_AT, MLS_INT32, MLS_ERR_BLOB_TYPE);
    put_u32(file, RECORD_AT + 4, 99);
    refused(file, SIZE, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_TYPE);
}

static void another_size_is_refused(void **state)
{
    struct file *file = *state;
    put_u64(file, RECORD_AT + 8, 12);
    refused(file, SIZE, RECORD_AT, MLS_FP32, MLS_ERR_BLOB_SIZE);
}

static void padding_of_packed_elements_is_checked(void **state)
{
    struct file *file = *state;
    struct mls_constant constant;
    put_u32(file, RECORD_AT + 4, 12); /* uint3 */
    put_u64(file, RECORD_AT + 8, 2);
    put_u64(file, RECORD_AT + 24, 1);
    assert_int_equal(read_as(file, SIZE, RECORD_AT, MLS_UINT3, 5, &constant, NULL), MLS_OK);
    put_u64(file, RECORD_AT + 24, 4);
    assert_int_equal(read_as(file, SIZE, RECORD_AT, MLS_UINT3, 5, &constant, NULL), MLS_ERR_BLOB_SIZE);
    assert_int_equal(read_as(file, SIZE, RECORD_AT, MLS_UINT3, 4, &constant, NULL), MLS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_weight_is_used_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_weight_at_an_odd_byte_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_offset_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_offset_of_data_that_overflows_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_type_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_size_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(padding_of_packed_elements_is_checked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
