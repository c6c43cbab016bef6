#include "support.h"

static void opens_a_bare_specification(void **state)
{
    (void)state;
    write_file("net.mlmodel", spec_bytes, sizeof spec_bytes);
    struct mls_package *package = open_expecting(in_folder("net.mlmodel"), NULL, MLS_OK, NULL);
    const char *path;
    assert_int_equal(mls_package_spec(package, &path).size_bytes, sizeof spec_bytes);
    assert_string_equal(path, "net.mlmodel");
    assert_int_equal(mls_package_info(package)->form, MLS_FORM_MLMODEL);
    struct mls_error error;
    struct mls_bytes bytes;
    assert_int_equal(mls_package_blob(package, "@model_path/weights/weight.bin", &bytes, NULL, &error),
                     MLS_ERR_BLOB_MISSING);
    assert_non_null(strstr(error.hint, "--blob"));
    mls_package_release(package);
}

static void a_damaged_specification_is_still_one(void **state)
{
    (void)state;
    static const uint8_t cut[] = {0x08, 0x07, 0x12, 0x7f, 0x0a};
    write_file("cut.bin", cut, sizeof cut);
    mls_package_release(open_expecting(in_folder("cut.bin"), NULL, MLS_OK, NULL));
    write_text("junk.mlmodel", "this was a model once, and now it is only this line of text");
    mls_package_release(open_expecting(in_folder("junk.mlmodel"), NULL, MLS_OK, NULL));
}

static void other_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t size_bytes;
        enum mls_status status;
        const char *says;
    } rows[] = {
        {"a.zip", "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 36, MLS_ERR_PACKAGE_UNKNOWN, "as a zip"},
        {"a.tflite", "\x1c\0\0\0TFL3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 38, MLS_ERR_OTHER_FORMAT,
         "TensorFlow Lite"},
        {"a.onnx", "\x08\x08\x12\x07pytorch\x3a\x04gggg", 17, MLS_ERR_OTHER_FORMAT, "ONNX"},
        {"a.h5", "\x89HDF\r\n\x1a\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 36, MLS_ERR_OTHER_FORMAT, "HDF5"},
        {"a.aimodel", "whatever it is that stands in here at all", 41, MLS_ERR_AIMODEL, "Core AI"},
        {"a.mlmodel", "<!DOCTYPE html><html>not found</html>", 37, MLS_ERR_PACKAGE_UNKNOWN, "web page"},
        {"a.gguf", "GGUF\3\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaa", 35, MLS_ERR_OTHER_FORMAT, "GGUF"},
        {"a.safetensors", "\x10\0\0\0\0\0\0\0{\"w\":{}}        aaaa", 29, MLS_ERR_OTHER_FORMAT, "safetensors"},
        {"a.pte", "\x1c\0\0\0" "ET12aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 38, MLS_ERR_OTHER_FORMAT, "ExecuTorch"},
        {"a.pkl", "\x80\x04\x95\x10\0\0\0\0\0\0\0aaaaaaaaaaaaaaaaaaaaaaa", 34, MLS_ERR_OTHER_FORMAT, "pickle"},
        {"a.recording", "MLSREC\r\n\1\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 44, MLS_ERR_OTHER_FORMAT, "recording"},
        {"a.tar.gz", "\x1f\x8b\x08\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 36, MLS_ERR_PACKAGE_NOT_YET, "gzip"},
        {"a.mlmodelkey", "bplist00aaaaaaaaaaaaaaaaaaaaaaaaaaaa", 36, MLS_ERR_APPLE_ENCRYPTED, "not a model"},
        {"b.mlmodel", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32, MLS_ERR_PACKAGE_UNKNOWN,
         "zero bytes"},
        {"empty", "", 0, MLS_ERR_PACKAGE_UNKNOWN, "empty"},
        {"short", "too short", 9, MLS_ERR_SEAL_TRUNCATED, "9 bytes"},
        {"a.txt", "a text that is long enough to be a sealed box", 45, MLS_ERR_KEY_MISSING,
         "taken as a sealed package"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mls_error error;
        write_file(rows[i].name, rows[i].bytes, rows[i].size_bytes);
        open_expecting(in_folder(rows[i].name), NULL, rows[i].status, &error);
        if (!strstr(error.text, rows[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.text, rows[i].says);
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    open_expecting(in_folder("nothing"), NULL, MLS_ERR_NOT_FOUND, NULL);
    write_text("file", "x");
    open_expecting(in_folder("file/below"), NULL, MLS_ERR_NOT_FOUND, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_a_bare_specification),
        TEST(a_damaged_specification_is_still_one),
        TEST(other_files_are_named),
        TEST(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
