#include "support.h"

#include <math.h>

#include <spng.h>
#include <turbojpeg.h>

#include "base/fp16.h"

/* Two pixels: red, and a dark blue. */
static const uint8_t two_pixels[6] = {255, 0, 0, 1, 2, 100};

static const char *write_png(const char *name)
{
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_ihdr header = {
        .width = 2, .height = 1, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_ihdr(png, &header);
    assert_int_equal(
        spng_encode_image(png, two_pixels, sizeof two_pixels, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
    size_t size_bytes;
    int code;
    void *bytes = spng_get_png_buffer(png, &size_bytes, &code);
    const char *path = write_file(name, bytes, size_bytes);
    free(bytes);
    spng_ctx_free(png);
    return path;
}

static void png_is_laid_out_as_declared(void **state)
{
    (void)state;
    const char *path = write_png("p.png");
    set_image(MLS_COLOR_RGB, MLS_FP32, 2, 1);
    expect_read(path);
    const float *planes = run.tensors[0].data;
    assert_true(planes[0] == 255 && planes[1] == 1 && planes[2] == 0 && planes[3] == 2 && planes[4] == 0 &&
                planes[5] == 100);
    set_image(MLS_COLOR_BGR, MLS_FP16, 2, 1);
    expect_read(path);
    assert_true(mls_fp16_to_fp32(((uint16_t *)run.tensors[0].data)[1]) == 100);
    assert_true(mls_fp16_to_fp32(((uint16_t *)run.tensors[0].data)[4]) == 255);
    set_image(MLS_COLOR_GRAY, MLS_FP32, 2, 1);
    expect_read(path);
    assert_true(((float *)run.tensors[0].data)[0] == 76); /* 0.299 * 255 = 76.2 */
    assert_true(((float *)run.tensors[0].data)[1] == 13); /* 0.299 + 1.174 + 11.4 = 12.9 */
}

static void jpeg_is_read(void **state)
{
    (void)state;
    uint8_t gray[64];
    memset(gray, 200, sizeof gray);
    unsigned char *bytes = NULL;
    unsigned long size_bytes = 0;
    tjhandle jpeg = tjInitCompress();
    assert_int_equal(tjCompress2(jpeg, gray, 8, 0, 8, TJPF_GRAY, &bytes, &size_bytes, TJSAMP_GRAY, 100, 0),
                     0);
    const char *path = write_file("g.jpg", bytes, size_bytes);
    set_image(MLS_COLOR_GRAY, MLS_FP32, 8, 8);
    expect_read(path);
    assert_true(fabsf(((float *)run.tensors[0].data)[0] - 200) <= 1);
    path = write_file("cut.jpg", bytes, size_bytes / 2);
    expect_refusal(path, "cannot read the image");
    tjFree(bytes);
    tjDestroy(jpeg);
}

static void image_sizes_are_not_changed_but_told(void **state)
{
    (void)state;
    const char *path = write_png("p.png");
    struct mls_shape shape;
    struct mls_error error;
    struct mls_feature *feature = set_image(MLS_COLOR_RGB, MLS_FP32, 28, 14);
    expect_refusal(path, "the image is 2 x 1 pixels (width x height), the model takes 28 x 14");
    assert_int_equal(mls_feature_file_shape(feature, path, &shape, &error), MLS_ERR_INPUT_INVALID);
    assert_non_null(strstr(error.text, "is 1x2, the model takes 14x28"));
    const struct mls_shape sizes[] = {{.rank = 2, .dims = {1, 2}}};
    feature->enumerated = sizes;
    feature->n_enumerated = 1;
    assert_int_equal(mls_feature_file_shape(feature, path, &shape, &error), MLS_OK);
    assert_true(shape.rank == 4 && shape.dims[1] == 3 && shape.dims[2] == 1 && shape.dims[3] == 2);
    expect_refusal(write_text("p.txt", "no image"), "no PNG");
}

static void half_images_come_as_arrays(void **state)
{
    (void)state;
    set_image(MLS_COLOR_GRAY_FP16, MLS_FP16, 2, 1);
    expect_read(write_npy("h.npy", HEADER("<f2", "False", "(1, 2, 1)"), (uint16_t[]){0x3555, 0x4000}, 4));
    assert_int_equal(((uint16_t *)run.tensors[0].data)[0], 0x3555);
    set_image(MLS_COLOR_GRAY, MLS_FP16, 2, 1);
    expect_refusal(write_npy("h.npy", HEADER("<f2", "False", "(1, 2, 1)"), (uint16_t[]){0x3555, 0x4000}, 4),
                   "not uint8");
}

static void flexible_shapes_are_checked_against_the_ranges(void **state)
{
    (void)state;
    struct mls_feature *feature = set_feature(0, "x", MLS_FP32, MLS_FP32, 2, (int64_t[]){1, 3});
    const struct mls_range ranges[] = {{1, -1}, {3, 3}};
    const float values[15] = {0};
    struct mls_shape shape;
    struct mls_error error;
    feature->ranges = ranges;
    feature->n_ranges = 2;
    assert_int_equal(mls_feature_file_shape(feature,
                                            write_npy("a", HEADER("<f4", "False", "(5, 3)"), values, 60),
                                            &shape, &error),
                     MLS_OK);
    assert_true(shape.rank == 2 && shape.dims[0] == 5);
    assert_int_equal(mls_feature_file_shape(feature,
                                            write_npy("a", HEADER("<f4", "False", "(3, 5)"), values, 60),
                                            &shape, &error),
                     MLS_ERR_INPUT_INVALID);
    assert_non_null(strstr(error.text, "its shape is 3x5, the model takes 1x3 or 1… x 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(png_is_laid_out_as_declared),
        TEST(jpeg_is_read),
        TEST(image_sizes_are_not_changed_but_told),
        TEST(half_images_come_as_arrays),
        TEST(flexible_shapes_are_checked_against_the_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
