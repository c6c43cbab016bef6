#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <spng.h>
#include <turbojpeg.h>
#include <zip.h>

#include "base/fp16.h"
#include "core/feature.h"
#include "feature/array.h"
#include "feature/npy.h"
#include "feature/random.h"

/* ---- A run without a model behind it
 * ------------------------------------------------------------------------------ */

enum { N = 4 };

struct mls_run {
    struct mls_interface interface;
    struct mls_feature features[N];
    struct mls_tensor tensors[N];
};

static struct mls_run run;

struct mls_session *mls_run_session(const struct mls_run *of)
{
    return (struct mls_session *)(uintptr_t)of;
}

const struct mls_interface *mls_session_interface(const struct mls_session *session)
{
    return &((const struct mls_run *)(const void *)session)->interface;
}

struct mls_tensor *mls_run_input(struct mls_run *of, size_t index)
{
    return &of->tensors[index];
}

const struct mls_tensor *mls_run_output(const struct mls_run *of, size_t index)
{
    return &of->tensors[index];
}

struct mls_tensor *mls_run_state(struct mls_run *of, size_t index)
{
    return &of->tensors[index];
}

/* Feature `index`: a tensor of these dims, declared and in the program as said. */
static struct mls_feature *set_feature(size_t index, const char *name, enum mls_dtype declared,
                                       enum mls_dtype program, unsigned rank, const int64_t *dims)
{
    free(run.tensors[index].data);
    run.features[index] = (struct mls_feature){
        .name = name, .kind = MLS_FEATURE_TENSOR, .type = mls_type_tensor(declared, rank, dims)};
    run.tensors[index] = (struct mls_tensor){.type = mls_type_tensor(program, rank, dims)};
    size_t size_bytes = mls_type_bytes(&run.tensors[index].type);
    run.tensors[index].data = calloc(1, size_bytes ? size_bytes : 1);
    run.interface = (struct mls_interface){.inputs = run.features,
                                           .n_inputs = index + 1,
                                           .outputs = run.features,
                                           .n_outputs = index + 1,
                                           .states = run.features,
                                           .n_states = index + 1};
    return &run.features[index];
}

/* Feature 0: an image of width x height. */
static struct mls_feature *set_image(enum mls_color color, enum mls_dtype program, int64_t width,
                                     int64_t height)
{
    int64_t channels = color == MLS_COLOR_RGB || color == MLS_COLOR_BGR ? 3 : 1;
    int64_t dims[4] = {1, channels, height, width};
    struct mls_feature *feature = set_feature(0, "picture", MLS_FP32, program, 4, dims);
    int64_t pixels[3] = {height, width, channels};
    feature->kind = MLS_FEATURE_IMAGE;
    feature->color = color;
    feature->type = mls_type_tensor(MLS_UINT8, 3, pixels);
    return feature;
}

/* ---- Files
 * -------------------------------------------------------------------------------------------------------- */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const void *bytes, size_t size_bytes)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    fclose(file);
    return path;
}

static const char *write_text(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

/* A .npy with this header dictionary, version 1. */
static const char *write_npy(const char *name, const char *header, const void *data, size_t size_bytes)
{
    uint8_t bytes[4096] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)strlen(header), 0};
    memcpy(bytes + 10, header, strlen(header));
    memcpy(bytes + 10 + strlen(header), data, size_bytes);
    return write_file(name, bytes, 10 + strlen(header) + size_bytes);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/mls-feature-XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *walk)
{
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++)
        free(run.tensors[i].data);
    run = (struct mls_run){0};
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void expect_read(const char *path)
{
    struct mls_error error;
    if (mls_feature_read(&run, 0, path, &error))
        fail_msg("%s", error.text);
}

static void expect_refusal(const char *path, const char *says)
{
    struct mls_error error;
    assert_int_equal(mls_feature_read(&run, 0, path, &error), MLS_ERR_INPUT_INVALID);
    if (!strstr(error.text, says))
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

/* ---- .npy
 * ---------------------------------------------------------------------------------------------------------
 */

#define HEADER(descr, order, shape) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"

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

/* ---- JSON, .npz
 * --------------------------------------------------------------------------------------------------- */

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

/* ---- Images
 * ------------------------------------------------------------------------------------------------------- */

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

/* ---- Random
 * ------------------------------------------------------------------------------------------------------- */

static void random_values_are_these_on_every_machine(void **state)
{
    (void)state;
    struct random_stream stream = random_begin(1, "x");
    uint64_t first = random_next(&stream);
    stream = random_begin(1, "x");
    assert_true(random_next(&stream) == first);
    stream = random_begin(2, "x");
    assert_true(random_next(&stream) != first);
    stream = random_begin(1, "y");
    assert_true(random_next(&stream) != first);
    stream = (struct random_stream){.state = 0}; /* published first output of splitmix64 for state 0 */
    assert_true(random_next(&stream) == 0xe220a8397b1dcdafu);
}

static void normal_values_have_the_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct random_stream stream = random_begin(7, "moments");
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < DRAWS; i++) {
        double v = random_normal(&stream);
        sum += v;
        squares += v * v;
        fourth += v * v * v * v;
    }
    assert_true(fabs(sum / DRAWS) < 0.01);
    assert_true(fabs(squares / DRAWS - 1) < 0.01);
    assert_true(fabs(fourth / DRAWS - 3) < 0.06);
}

static void random_inputs_follow_the_description(void **state)
{
    (void)state;
    struct mls_feature *feature =
        set_feature(0, "attention_mask", MLS_INT32, MLS_INT32, 1, (int64_t[]){1000});
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    const int32_t *integers = run.tensors[0].data;
    bool bits = true;
    for (int i = 0; i < 1000; i++)
        bits = bits && (integers[i] == 0 || integers[i] == 1);
    assert_true(bits);
    feature->name = "ids";
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    for (int i = 0; i < 1000; i++)
        assert_in_range(integers[i], 0, 7);
    feature->optional = feature->has_default = true;
    feature->default_value = 9;
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    assert_int_equal(integers[999], 9);
    set_image(MLS_COLOR_RGB, MLS_FP16, 16, 16);
    assert_int_equal(mls_feature_random(&run, 0, 1, NULL), MLS_OK);
    for (int i = 0; i < 768; i++) {
        float value = mls_fp16_to_fp32(((uint16_t *)run.tensors[0].data)[i]);
        assert_true(value >= 0 && value <= 255 && value == floorf(value));
    }
}

/* ---- Outputs
 * ------------------------------------------------------------------------------------------------------ */

static json_t *load_json(const char *name)
{
    json_t *document = json_load_file(in_folder(name), 0, NULL);
    assert_non_null(document);
    return document;
}

static void tensors_are_written_in_the_declared_type(void **state)
{
    (void)state;
    set_feature(0, "../a b/é", MLS_FP16, MLS_FP32, 2, (int64_t[]){1, 2});
    ((float *)run.tensors[0].data)[0] = 1.5f;
    ((float *)run.tensors[0].data)[1] = 1e9f;
    struct mls_error error;
    if (mls_feature_write_outputs(&run, in_folder("new/out"), &error))
        fail_msg("%s", error.text);
    json_t *document = load_json("new/out/outputs.json");
    const char *schema, *name, *kind, *dtype, *file;
    int version, d0, d1;
    assert_int_equal(json_unpack(document, "{s:s, s:i, s:[{s:s, s:s, s:s, s:[i,i], s:s}]}", "schema", &schema,
                                 "version", &version, "outputs", "name", &name, "kind", &kind, "dtype",
                                 &dtype, "shape", &d0, &d1, "file", &file),
                     0);
    assert_string_equal(schema, "mlscope.outputs");
    assert_string_equal(name, "../a b/é");
    assert_string_equal(kind, "tensor");
    assert_string_equal(dtype, "float16");
    assert_string_equal(file, "00_.._a_b___.npy");
    char path[128];
    snprintf(path, sizeof path, "new/out/%s", file);
    set_feature(0, "x", MLS_FP32, MLS_FP32, 2, (int64_t[]){1, 2});
    expect_read(in_folder(path));
    assert_true(((float *)run.tensors[0].data)[0] == 1.5f && isinf(((float *)run.tensors[0].data)[1]));
    json_decref(document);
}

static void dictionaries_descend_and_ties_keep_the_labels_order(void **state)
{
    (void)state;
    struct mls_feature *feature = set_feature(0, "probs", MLS_FP32, MLS_FP32, 1, (int64_t[]){4});
    struct mls_text labels[4] = {{"cat", 3}, {"dog", 3}, {"eel", 3}, {"fox", 3}};
    struct mls_tensor keys = {.type = mls_type_tensor(MLS_TEXT, 1, (int64_t[]){4}), .data = labels};
    memcpy(run.tensors[0].data, (float[]){0, 0.5f, 0, NAN}, 16);
    feature->kind = MLS_FEATURE_DICTIONARY;
    run.tensors[0].type.kind = MLS_KIND_DICTIONARY;
    run.tensors[0].keys = &keys;
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("out"), NULL), MLS_OK);
    json_t *document = load_json("out/outputs.json");
    char *text = json_dumps(json_object_get(json_array_get(json_object_get(document, "outputs"), 0), "value"),
                            JSON_COMPACT);
    assert_string_equal(text, "[[\"dog\",0.5],[\"cat\",0.0],[\"eel\",0.0],[\"fox\",null]]");
    free(text);
    json_decref(document);
}

static void labels_stand_in_the_document(void **state)
{
    (void)state;
    struct mls_feature *feature = set_feature(0, "label", MLS_INT64, MLS_INT64, 0, NULL);
    feature->kind = MLS_FEATURE_INT64;
    *(int64_t *)run.tensors[0].data = 7;
    feature = set_feature(1, "class", MLS_TEXT, MLS_TEXT, 0, NULL);
    feature->kind = MLS_FEATURE_STRING;
    *(struct mls_text *)run.tensors[1].data = (struct mls_text){"tabby", 5};
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("out"), NULL), MLS_OK);
    json_t *document = load_json("out/outputs.json");
    int label;
    const char *class;
    assert_int_equal(json_unpack(document, "{s:[{s:i},{s:s}]}", "outputs", "value", &label, "value", &class),
                     0);
    assert_int_equal(label, 7);
    assert_string_equal(class, "tabby");
    json_decref(document);
}

static void images_are_written_as_pixels(void **state)
{
    (void)state;
    set_image(MLS_COLOR_BGR, MLS_FP32, 2, 1);
    memcpy(run.tensors[0].data, (float[]){10, 20, 30, 40, 300, -5}, 24);
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("out"), NULL), MLS_OK);
    FILE *file = fopen(in_folder("out/00_picture.npy"), "rb");
    assert_non_null(file);
    uint8_t bytes[256];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    const uint8_t expected[6] = {255, 30, 10, 0, 40, 20};
    assert_memory_equal(bytes + size - 6, expected, 6);
}

static void states_make_the_round_trip(void **state)
{
    (void)state;
    set_feature(0, "cache", MLS_FP16, MLS_FP16, 1, (int64_t[]){2})->kind = MLS_FEATURE_STATE;
    memcpy(run.tensors[0].data, (uint16_t[]){0x3c00, 0x4000}, 4);
    assert_int_equal(mls_feature_write_states(&run, in_folder("out"), NULL), MLS_OK);
    memset(run.tensors[0].data, 0, 4);
    assert_int_equal(mls_feature_read_states(&run, in_folder("out"), NULL), MLS_OK);
    assert_int_equal(((uint16_t *)run.tensors[0].data)[1], 0x4000);
    run.features[0].name = "other";
    assert_int_equal(mls_feature_read_states(&run, in_folder("out"), NULL), MLS_ERR_INPUT_INVALID);
    write_text("states.json", "{\"states\":[{\"name\":\"other\",\"file\":\"../x.npy\"}]}");
    assert_int_equal(mls_feature_read_states(&run, folder, NULL), MLS_ERR_INPUT_INVALID);
    write_text("states.json", "{\"states\":[]}");
    assert_int_equal(mls_feature_read_states(&run, folder, NULL), MLS_ERR_INPUT_INVALID);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

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
        TEST(png_is_laid_out_as_declared),
        TEST(jpeg_is_read),
        TEST(image_sizes_are_not_changed_but_told),
        TEST(half_images_come_as_arrays),
        TEST(flexible_shapes_are_checked_against_the_ranges),
        TEST(random_values_are_these_on_every_machine),
        TEST(normal_values_have_the_moments),
        TEST(random_inputs_follow_the_description),
        TEST(tensors_are_written_in_the_declared_type),
        TEST(dictionaries_descend_and_ties_keep_the_labels_order),
        TEST(labels_stand_in_the_document),
        TEST(images_are_written_as_pixels),
        TEST(states_make_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
