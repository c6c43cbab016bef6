/* MIL text as Core ML's compilers write it, old and new, and what is wrong with text that is none. */
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "format/load.h"

#define FUNCTION(inputs, body, outputs)                                                    \
    "program(1.3)\n[buildInfo = dict<string, string>({{\"a, b\", \"c]\"}})]\n{\n    func " \
    "main<ios17>(" inputs ") {\n" body "        } -> (" outputs ");\n}"
#define CONSTANT(type, content) FUNCTION("fp32 x", type " c = const()[val = " type "(" content ")];\n", "c")

static struct mls_model *load(const char *text, enum mls_status expected, const char *words)
{
    struct mls_model *model = NULL;
    struct mls_error error = {0};
    enum mls_status status = mls_model_load_spec((struct mls_bytes){(const uint8_t *)text, strlen(text)},
                                                 "model.mil", NULL, NULL, &model, &error);
    if (status != expected || (words && !strstr(error.text, words)))
        fail_msg("%s: %s\n%s", mls_status_name(status), error.text, text);
    return model;
}

static const struct mls_value *value_named(const struct mls_model *model, const char *name)
{
    for (uint32_t i = 0; i < model->program.n_values; i++)
        if (!strcmp(model->program.values[i].name, name))
            return &model->program.values[i];
    fail_msg("no value %s", name);
    return NULL;
}

/* The constant c of this type and content holds these bytes. */
static void holds(const char *text, const void *bytes, size_t size_bytes)
{
    struct mls_model *model = load(text, MLS_OK, NULL);
    const struct mls_constant *constant = value_named(model, "c")->constant;
    assert_non_null(constant);
    assert_int_equal(constant->size_bytes, size_bytes);
    assert_memory_equal(constant->data, bytes, size_bytes);
    mls_model_free(model);
}

#define HOLDS(type, content, ...)                                         \
    do {                                                                  \
        holds(CONSTANT(type, content), __VA_ARGS__, sizeof(__VA_ARGS__)); \
    } while (0)

static void scalars_are_spelled_both_ways(void **state)
{
    (void)state;
    HOLDS("fp32", "0x1.8p-1", (float[]){0.75f});
    HOLDS("tensor<fp32, []>", "0x1.8p-1", (float[]){0.75f});
    HOLDS("int32", "-5", (int32_t[]){-5});
    HOLDS("tensor<int32, []>", "-5", (int32_t[]){-5});
    HOLDS("tensor<bool, []>", "true", (uint8_t[]){1});
    HOLDS("bool", "false", (uint8_t[]){0});
    HOLDS("uint64", "18446744073709551615", (uint64_t[]){UINT64_MAX});
}

static void floats_are_hexadecimal_or_decimal_or_not_finite(void **state)
{
    (void)state;
    HOLDS("fp32", "-0x1p-149", (uint32_t[]){0x80000001});
    HOLDS("fp32", "0.1", (float[]){0.1f});
    HOLDS("fp32", "1e-05", (float[]){1e-5f});
    HOLDS("fp32", "-inf", (uint32_t[]){0xff800000});
    HOLDS("fp16", "0x1.ffcp+15", (uint16_t[]){0x7bff});
    HOLDS("fp16", "-0x1.388p+13", (uint16_t[]){0xf0e2});
    HOLDS("fp16", "inf", (uint16_t[]){0x7c00});
    HOLDS("bf16", "0x1p+0", (uint16_t[]){0x3f80});
    HOLDS("fp64", "0x1.999999999999ap-4", (double[]){0.1});
    struct mls_model *model = load(CONSTANT("fp32", "nan"), MLS_OK, NULL);
    float number;
    memcpy(&number, value_named(model, "c")->constant->data, sizeof number);
    assert_true(number != number);
    mls_model_free(model);
}

static void tensors_have_a_pair_of_brackets_for_each_dimension(void **state)
{
    (void)state;
    HOLDS("tensor<int32, [2, 1, 2]>", "[[[1, 2]], [[3, 4]]]", (int32_t[]){1, 2, 3, 4});
    HOLDS("tensor<int32, [2]>", "[1,2]", (int32_t[]){1, 2});
    HOLDS("tensor<uint4, [3]>", "[1, 2, 15]", (uint8_t[]){0x21, 0x0f});
    HOLDS("tensor<uint3, [3]>", "[7, 0, 5]", (uint8_t[]){0x47, 0x01});
    HOLDS("tensor<int4, [2]>", "[-1, 7]", (uint8_t[]){0x7f});
    holds(CONSTANT("tensor<int32, [0]>", "[]"), "", 0);
    holds(CONSTANT("tensor<int32, [2, 0]>", "[[], []]"), "", 0);
}

static void elements_that_do_not_fit_are_refused_with_the_line(void **state)
{
    (void)state;
    static const char *const texts[] = {
        CONSTANT("int8", "128"),
        CONSTANT("uint8", "-1"),
        CONSTANT("int32", "2147483648"),
        CONSTANT("int32", "1.5"),
        CONSTANT("fp32", "\"1\""),
        CONSTANT("fp32", "0x"),
        CONSTANT("bool", "maybe"),
        CONSTANT("tensor<int32, [2]>", "[1]"),
        CONSTANT("tensor<int32, [2]>", "[1, 2, 3]"),
        CONSTANT("tensor<int32, [2]>", "1, 2"),
        CONSTANT("tensor<int32, [2, 1]>", "[1, 2]"),
        CONSTANT("uint4", "16"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        load(texts[i], MLS_ERR_PROGRAM_INVALID, "line 5");
}

static void sizes_beyond_the_text_take_no_memory(void **state)
{
    (void)state;
    load(CONSTANT("tensor<fp32, [1000000, 1000000]>", "[1]"), MLS_ERR_PROGRAM_INVALID,
         "more elements than the text");
    load(CONSTANT("tensor<fp32, [9000000000000000000, 9]>", "[1]"), MLS_ERR_PROGRAM_INVALID, "shape");
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    struct mls_model *model = load(CONSTANT("string", "\"a\\\"b\\\\c\\n\\x41\""), MLS_OK, NULL);
    struct mls_text text;
    memcpy(&text, value_named(model, "c")->constant->data, sizeof text);
    assert_int_equal(text.length_bytes, 7);
    assert_memory_equal(text.bytes, "a\"b\\c\nA", 7);
    mls_model_free(model);
}

static void lists_hold_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        FUNCTION("fp32 x", "list<string, 2> c = const()[val = list<string, 2>([\"one\", \"two, or ]\"])];\n",
                 "x"),
        FUNCTION("fp32 x",
                 "list<tensor<string, []>, ?> c = const()[val = list<tensor<string, []>, ?>((\"one\", \"two, "
                 "or ]\"))];\n",
                 "x"),
        FUNCTION(
            "fp32 x",
            "list<string, 2> c = const()[val = list<string, 2>([string(\"one\"), string(\"two, or ]\")])];\n",
            "x"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct mls_model *model = load(texts[i], MLS_OK, NULL);
        const struct mls_value *value = value_named(model, "c");
        struct mls_text elements[2];
        assert_int_equal(value->type.list_length, 2);
        memcpy(elements, value->constant->data, sizeof elements);
        assert_string_equal(elements[1].bytes, "two, or ]");
        mls_model_free(model);
    }
}

static void arguments_are_values_lists_of_them_or_constants(void **state)
{
    (void)state;
    struct mls_model *model =
        load(FUNCTION("tensor<fp32, [4]> x",
                      "tensor<fp32, [2]> a, tensor<fp32, [2]> b = "
                      "split(axis=int32(0),num_splits=int32(2),x=x)[note = dict<string, "
                      "string>({{\"]\", \",\"}}), name = string(\"halves\")]; // a comment )\n"
                      "tensor<fp32, [4]> y = ios17.concat(values = (a, b), axis = tensor<int32, []>(0), "
                      "interleave = bool(false));\n",
                      "y"),
             MLS_OK, NULL);
    const struct mls_op *split = &model->program.ops[0], *concat = &model->program.ops[1];
    assert_string_equal(split->name, "halves");
    assert_int_equal(split->n_outputs, 2);
    assert_string_equal(concat->type, "concat");
    assert_string_equal(concat->name, "y");
    assert_int_equal(mls_op_argument(concat, "values")->n_values, 2);
    assert_non_null(model->program.values[mls_op_argument(concat, "axis")->values[0].i].constant);
    mls_model_free(model);
}

static void constexpr_operands_stand_among_the_attributes(void **state)
{
    (void)state;
    struct mls_model *model = load(
        FUNCTION("tensor<fp32, [2]> x",
                 "tensor<fp32, [2]> c = constexpr_affine_dequantize()[axis = int32(0), name = string(\"w\"), "
                 "quantized_data = tensor<int8, [2]>([1, 2]), scale = fp32(0x1p-1), zero_point = int8(-1)];\n"
                 "tensor<fp32, [2]> y = add(x = x, y = c);\n",
                 "y"),
        MLS_OK, NULL);
    assert_int_equal(model->program.ops[0].n_arguments, 4);
    assert_string_equal(model->program.ops[0].name, "w");
    mls_model_free(model);
}

static void blocks_nest_and_come_before_or_after_attributes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        FUNCTION("bool p, tensor<fp32, [1]> x",
                 "tensor<fp32, [1]> y = cond(pred = p)[name = string(\"c\")]\n"
                 "  () { tensor<fp32, [1]> a = relu(x = x); } -> (a),\n"
                 "  { } -> (x);\n",
                 "y"),
        FUNCTION("bool p, tensor<fp32, [1]> x",
                 "tensor<fp32, [1]> y = cond(pred = p)\n"
                 "  true_block() { tensor<fp32, [1]> a = relu(x = x); } -> (a),\n"
                 "  false_block() { } -> (x) [name = string(\"c\")];\n",
                 "y"),
    };
    for (size_t i = 0; i < 2; i++) {
        struct mls_model *model = load(texts[i], MLS_OK, NULL);
        assert_string_equal(model->program.ops[0].name, "c");
        assert_int_equal(model->program.ops[0].n_blocks, 2);
        assert_int_equal(model->program.ops[1].block.i, 1);
        mls_model_free(model);
    }
}

static void flexible_shapes_make_the_interface(void **state)
{
    (void)state;
    struct mls_model *model = load("program(1.3)\n{\n    func second<ios18>(tensor<fp32, [?]> x) "
                                   "[FlexibleShapeInformation = tuple<tuple<string, "
                                   "dict<string, tensor<int32, [?]>>>, tuple<string, dict<string, "
                                   "list<tensor<int32, [2]>, ?>>>>(((\"DefaultShapes\", "
                                   "{{\"x\", [2]}}), (\"RangeDims\", {{\"x\", [[0, -1]]}})))] {\n            "
                                   "tensor<fp32, [?]> y = relu(x = x);\n        } -> "
                                   "(y);\n    func main<ios18>(tensor<fp32, [?, 3]> x) "
                                   "[FlexibleShapeInformation = tuple<>(((\"DefaultShapes\", {{\"x\", [1, "
                                   "3]}}), (\"EnumeratedShapes\", {{\"79ae\", {{\"x\", [1, 3]}}}, {\"ed8c\", "
                                   "{{\"x\", [7, 3]}}}})))] {\n            "
                                   "tensor<fp32, [?, 3]> y = relu(x = x);\n        } -> (y);\n}",
                                   MLS_OK, NULL);
    assert_int_equal(model->spec_version, 9);
    assert_string_equal(model->default_function, "main");
    const struct mls_feature *main_x = &model->interfaces[0].inputs[0],
                             *second_x = &model->interfaces[1].inputs[0];
    assert_int_equal(main_x->n_enumerated, 2);
    assert_int_equal(main_x->enumerated[1].dims[0], 7);
    assert_int_equal(main_x->type.dims[0], 1);
    assert_int_equal(second_x->n_ranges, 1);
    assert_int_equal(second_x->ranges[0].upper, -1);
    assert_int_equal(second_x->type.dims[0], 2);
    mls_model_free(model);
}

static void broken_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "program(1.0",
        "program(1.0) {",
        "program(1.0) { }",
        "program(1.0) { func main<ios16>(fp32 x) { } -> (x) }",
        "program(1.0) { func main<ios16>(fp32 x { } -> (x); }",
        "program(1.0) { func main<ios16>(fp32 x) { } (x); }",
        "program(1.0) { func main<ios16>(fp32 x) { } -> x; }",
        "program(1.0) { func main<ios16>(fp32 x) { } -> (fp32(1)); }",
        "program(1.0) { func main<ios16>(fp32 x) { } -> (y); }",
        "program(1.0) { func main<ios16>(fp99 x) { } -> (x); }",
        "program(1.0) { func main<ios16>(tensor<fp32, [-1]> x) { } -> (x); }",
        "program(1.0) { func main<ios16>(fp32 x) { } -> (x); func main<ios16>(fp32 x) { } -> (x); }",
        FUNCTION("fp32 x", "fp32 y = relu(x = z);\n", "y"),
        FUNCTION("fp32 x", "fp32 y = relu(x = y);\n", "y"),
        FUNCTION("fp32 x", "fp32 y = relu(x = x)\n", "y"),
        FUNCTION("fp32 x", "fp32 y relu(x = x);\n", "y"),
        FUNCTION("fp32 x", "fp32 y = relu(x = x, x = x);\n", "y"),
        FUNCTION("fp32 x", "fp32 y = const()[name = string(\"y\")];\n", "y"),
        FUNCTION("fp32 x", "fp32 y = const()[val = int32(1)];\n", "y"),
        FUNCTION("fp32 x", "fp32 y = const()[val = string(\"never closed)];\n", "y"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        load(texts[i], MLS_ERR_PROGRAM_INVALID, "cannot ");
    load("program(1.0) { func main<ios99>(fp32 x) { } -> (x); }", MLS_ERR_OPSET_UNKNOWN, "ios99");
    load(FUNCTION("fp32 x",
                  "tensor<fp32, [2]> y = const()[val = tensor<fp32, [2]>(BLOBFILE(path = string(\"w\"), "
                  "offset = uint64(64)))];\n",
                  "y"),
         MLS_ERR_BLOB_MISSING, "w");
}

static void nesting_is_limited(void **state)
{
    (void)state;
    static char text[1 << 16];
    char *at = text;
    at += sprintf(at, "program(1.0) { func main<ios16>(bool p) { ");
    for (int i = 0; i < 1000; i++)
        at += sprintf(at, "bool b = cond(pred = p) { ");
    load(text, MLS_ERR_PROGRAM_INVALID, "text ends"); /* the list of functions finds no end */
    for (int i = 0; i < 1000; i++)
        at += sprintf(at, "} -> (p), { } -> (p); ");
    sprintf(at, "} -> (p); }");
    load(text, MLS_ERR_LIMIT, "nested deeper");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_spelled_both_ways),
        cmocka_unit_test(floats_are_hexadecimal_or_decimal_or_not_finite),
        cmocka_unit_test(tensors_have_a_pair_of_brackets_for_each_dimension),
        cmocka_unit_test(elements_that_do_not_fit_are_refused_with_the_line),
        cmocka_unit_test(sizes_beyond_the_text_take_no_memory),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(lists_hold_texts),
        cmocka_unit_test(arguments_are_values_lists_of_them_or_constants),
        cmocka_unit_test(constexpr_operands_stand_among_the_attributes),
        cmocka_unit_test(blocks_nest_and_come_before_or_after_attributes),
        cmocka_unit_test(flexible_shapes_make_the_interface),
        cmocka_unit_test(broken_text_is_refused),
        cmocka_unit_test(nesting_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
