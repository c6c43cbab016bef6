#include "support.h"

#include <math.h>

#include <jansson.h>
#include <spng.h>

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

static void a_scalar_is_written_with_one_dimension(void **state)
{
    (void)state;
    struct mls_feature *feature = set_feature(0, "x", MLS_FP32, MLS_FP32, 0, NULL);
    feature->type.rank = MLS_RANK_UNKNOWN;
    ((float *)run.tensors[0].data)[0] = 2.5f;
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("scalar"), NULL), MLS_OK);
    json_t *document = load_json("scalar/outputs.json");
    const json_t *shape = json_object_get(json_array_get(json_object_get(document, "outputs"), 0), "shape");
    assert_int_equal(json_array_size(shape), 1);
    assert_int_equal(json_integer_value(json_array_get(shape, 0)), 1);
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

/* The PNG's own pixels, 2 x 1 of `format`. */
static void read_png(const char *name, int format, uint8_t *ret_pixels, size_t size_bytes)
{
    FILE *file = fopen(in_folder(name), "rb");
    assert_non_null(file);
    spng_ctx *png = spng_ctx_new(0);
    struct spng_ihdr header;
    assert_int_equal(spng_set_png_file(png, file), 0);
    assert_int_equal(spng_get_ihdr(png, &header), 0);
    assert_int_equal(header.width, 2);
    assert_int_equal(header.height, 1);
    assert_int_equal(spng_decode_image(png, ret_pixels, size_bytes, format, 0), 0);
    spng_ctx_free(png);
    fclose(file);
}

static void eight_bit_images_are_written_as_png_too(void **state)
{
    (void)state;
    uint8_t pixels[6];
    set_image(MLS_COLOR_BGR, MLS_FP32, 2, 1);
    memcpy(run.tensors[0].data, (float[]){10, 20, 30, 40, 300, -5}, 24);
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("out"), NULL), MLS_OK);
    read_png("out/00_picture.png", SPNG_FMT_RGB8, pixels, 6);
    assert_memory_equal(pixels, ((const uint8_t[]){255, 30, 10, 0, 40, 20}), 6);
    json_t *document = load_json("out/outputs.json");
    const char *png;
    assert_int_equal(json_unpack(document, "{s:[{s:s}]}", "outputs", "png", &png), 0);
    assert_string_equal(png, "00_picture.png");
    json_decref(document);

    set_image(MLS_COLOR_GRAY, MLS_FP32, 2, 1);
    memcpy(run.tensors[0].data, (float[]){7, 200}, 8);
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("out"), NULL), MLS_OK);
    read_png("out/00_picture.png", SPNG_FMT_G8, pixels, 2);
    assert_memory_equal(pixels, ((const uint8_t[]){7, 200}), 2);
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

static void a_refused_output_leaves_no_files(void **state)
{
    (void)state;
    set_feature(0, "good", MLS_FP32, MLS_FP32, 1, (int64_t[]){2});
    set_feature(1, "wrong", MLS_FP64, MLS_FP64, 1, (int64_t[]){2})->kind = MLS_FEATURE_DOUBLE;
    assert_int_equal(mls_feature_write_outputs(&run, in_folder("out"), NULL), MLS_ERR_INTERFACE_MISMATCH);
    assert_int_equal(access(in_folder("out"), F_OK), -1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tensors_are_written_in_the_declared_type),
        TEST(a_scalar_is_written_with_one_dimension),
        TEST(dictionaries_descend_and_ties_keep_the_labels_order),
        TEST(labels_stand_in_the_document),
        TEST(images_are_written_as_pixels),
        TEST(eight_bit_images_are_written_as_png_too),
        TEST(a_refused_output_leaves_no_files),
        TEST(states_make_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
