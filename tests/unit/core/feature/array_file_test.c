#include "support.h"

#include <math.h>

#include <zip.h>

#include "feature/npy.h"

static void npy_is_read_in_both_orders(void **state)
{
    (void)state;
    const float c[6] = {1, 2, 3, 4, 5, 6}, fortran[6] = {1, 4, 2, 5, 3, 6};
    set_feature(0, "x", MLS_FP32, MLS_FP32, 2, (int64_t[]){2, 3});
    expect_read(write_npy("c.npy", HEADER("<f4", "False", "(2, 3)"), c, sizeof c));
    assert_memory_equal(run.tensors[0].data, c, sizeof c);
    memset(run.tensors[0].data, 0, sizeof c);
    expect_read(write_npy("f.npy", HEADER("<f4", "True", "(2, 3)"), fortran, sizeof fortran));
    assert_memory_equal(run.tensors[0].data, c, sizeof c);
}

static void types_are_converted_with_one_rounding(void **state)
{
    (void)state;
    set_feature(0, "x", MLS_FP16, MLS_FP16, 1, (int64_t[]){2});
    /* 1 + 2^-11 + 2^-40: through float it would be a tie and round down */
    const double values[2] = {1 + 0x1p-11 + 0x1p-40, -65504};
    expect_read(write_npy("d.npy", HEADER("<f8", "False", "(2,)"), values, sizeof values));
    assert_int_equal(((uint16_t *)run.tensors[0].data)[0], 0x3c01);
    assert_int_equal(((uint16_t *)run.tensors[0].data)[1], 0xfbff);
    set_feature(0, "x", MLS_INT32, MLS_FP32, 1, (int64_t[]){2});
    expect_read(write_npy("i.npy", HEADER("<i8", "False", "(2,)"), (int64_t[]){-7, 3}, 16));
    assert_true(((float *)run.tensors[0].data)[0] == -7);
}

static void lost_values_are_refused(void **state)
{
    (void)state;
    set_feature(0, "x", MLS_INT32, MLS_INT32, 1, (int64_t[]){2});
    expect_refusal(write_npy("a.npy", HEADER("<i8", "False", "(2,)"), (int64_t[]){1, (int64_t)1 << 40}, 16),
                   "element 1 is 1.09951163e+12, which int32 does not hold");
    expect_refusal(write_npy("b.npy", HEADER("<f4", "False", "(2,)"), (float[]){1, 1.5f}, 8),
                   "element 1 is 1.5");
    set_feature(0, "x", MLS_FP16, MLS_FP32, 1, (int64_t[]){2});
    expect_refusal(write_npy("c.npy", HEADER("<f4", "False", "(2,)"), (float[]){1e6f, 1}, 8),
                   "which fp16 does not hold");
    expect_read(write_npy("d.npy", HEADER("<f4", "False", "(2,)"), (float[]){-INFINITY, NAN}, 8));
}

static void shapes_must_agree(void **state)
{
    (void)state;
    set_feature(0, "x", MLS_FP32, MLS_FP32, 2, (int64_t[]){2, 3});
    const float values[6] = {0};
    expect_refusal(write_npy("a.npy", HEADER("<f4", "False", "(3, 2)"), values, 24),
                   "its shape is 3x2, the model takes 2x3");
    set_feature(0, "x", MLS_FP32, MLS_FP32, 0, NULL);
    expect_read(write_npy("s.npy", HEADER("<f4", "False", "(1,)"), (float[]){5}, 4));
    expect_read(write_npy("s.npy", HEADER("<f4", "False", "()"), (float[]){5}, 4));
    assert_true(*(float *)run.tensors[0].data == 5);
}

static void broken_npy_files_are_refused(void **state)
{
    (void)state;
    set_feature(0, "x", MLS_FP32, MLS_FP32, 1, (int64_t[]){2});
    const float v[2] = {1, 2};
    expect_refusal(write_npy("a", HEADER(">f4", "False", "(2,)"), v, 8), "big-endian");
    expect_refusal(write_npy("a", HEADER("<c8", "False", "(2,)"), v, 8), "'<c8' is not supported");
    expect_refusal(write_npy("a", HEADER("<f4", "False", "(2,)"), v, 7), "do not take the 7 bytes");
    expect_refusal(write_npy("a", HEADER("<f4", "False", "(9223372036854775807, 9)"), v, 8), "header");
    expect_refusal(write_npy("a", HEADER("<f4", "Maybe", "(2,)"), v, 8), "header");
    expect_refusal(write_npy("a", "{'descr': '<f4'}", v, 8), "header");
    expect_refusal(write_npy("a", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", v, 8),
                   "records");
    expect_refusal(write_file("a", "\x93NUMPY\x01\x00\xff", 9), "cut off");
    expect_refusal(write_file("a", "\x93NUMPY\x09\x00\x01\x00", 10), "version");
    expect_refusal(in_folder("none.npy"), "No such file");
}

static void written_headers_read_back(void **state)
{
    (void)state;
    const struct mls_type types[] = {
        mls_type_tensor(MLS_FP16, 3, (int64_t[]){1, 2, 3}),
        mls_type_tensor(MLS_UINT8, 1, (int64_t[]){7}),
        mls_type_tensor(MLS_FP32, 0, NULL),
    };
    for (size_t i = 0; i < 3; i++) {
        char head[NPY_HEAD_BYTES_MAX];
        size_t length = npy_write_head(&types[i], head);
        assert_int_equal(length % 64, 0);
        struct mls_type type;
        assert_int_equal(npy_read_type("x", (struct mls_bytes){(uint8_t *)head, length}, &type, NULL),
                         MLS_OK);
        assert_true(mls_type_equal(&type, &types[i]));
    }
}

static void json_gives_scalars_and_nested_lists(void **state)
{
    (void)state;
    set_feature(0, "x", MLS_FP32, MLS_FP32, 2, (int64_t[]){2, 2});
    expect_read(write_text("a.json", "[[1, 2.5], [\"-Infinity\", true]]"));
    const float *values = run.tensors[0].data;
    assert_true(values[0] == 1 && values[1] == 2.5f && isinf(values[2]) && values[3] == 1);
    expect_refusal(write_text("a.json", "[[1, 2], [3]]"), "unevenly");
    expect_refusal(write_text("a.json", "[[1, 2], [3, [4]]]"), "unevenly");
    expect_refusal(write_text("a.json", "[[1, \"x\"], [3, 4]]"), "not a number");
    expect_refusal(write_text("a.json", "{\"a\": 1}"), "dictionary");
    expect_refusal(write_text("a.json", "[[1, 2"), "not JSON");
    set_feature(0, "x", MLS_INT32, MLS_INT32, 0, NULL);
    expect_read(write_text("s.json", "42\n"));
    assert_int_equal(*(int32_t *)run.tensors[0].data, 42);
}

static void write_npz(const char *path, const char *const *names, size_t n)
{
    static const uint8_t npy[] =
        "\x93NUMPY\x01\x00\x3b\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n\n\0\0\x80\x3f";
    int code;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(zip);
    for (size_t i = 0; i < n; i++)
        assert_true(zip_file_add(zip, names[i], zip_source_buffer(zip, npy, sizeof npy - 1, 0), 0) >= 0);
    assert_int_equal(zip_close(zip), 0);
}

static void npz_fills_inputs_by_name(void **state)
{
    (void)state;
    bool filled[2] = {false, false};
    struct mls_error error;
    set_feature(0, "a", MLS_FP32, MLS_FP32, 1, (int64_t[]){1});
    set_feature(1, "b", MLS_FP32, MLS_FP16, 1, (int64_t[]){1});
    write_npz(in_folder("x.npz"), (const char *[]){"b.npy"}, 1);
    if (mls_feature_read_npz(&run, in_folder("x.npz"), filled, &error))
        fail_msg("%s", error.text);
    assert_true(!filled[0] && filled[1]);
    assert_int_equal(*(uint16_t *)run.tensors[1].data, 0x3c00);
    write_npz(in_folder("x.npz"), (const char *[]){"a.npy", "c.npy"}, 2);
    assert_int_equal(mls_feature_read_npz(&run, in_folder("x.npz"), filled, &error), MLS_ERR_INPUT_INVALID);
    assert_non_null(strstr(error.hint, "a, b"));
    assert_int_equal(mls_feature_read_npz(&run, write_text("y.npz", "no zip"), filled, &error),
                     MLS_ERR_INPUT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(npy_is_read_in_both_orders),
        TEST(types_are_converted_with_one_rounding),
        TEST(lost_values_are_refused),
        TEST(shapes_must_agree),
        TEST(broken_npy_files_are_refused),
        TEST(written_headers_read_back),
        TEST(json_gives_scalars_and_nested_lists),
        TEST(npz_fills_inputs_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
