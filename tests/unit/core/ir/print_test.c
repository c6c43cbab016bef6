#include "unit/core/ir/fixture.h"

#include <stdio.h>

struct text {
    char bytes[4096];
    size_t used;
};

static bool collect(void *user, const char *bytes, size_t length_bytes)
{
    struct text *text = user;
    assert_true(text->used + length_bytes < sizeof text->bytes);
    memcpy(text->bytes + text->used, bytes, length_bytes);
    text->used += length_bytes;
    text->bytes[text->used] = '\0';
    return true;
}

static const char *print(const struct fixture *f)
{
    static struct text text;
    text = (struct text){.used = 0};
    struct mls_model model = {.program = f->program};
    assert_true(mls_program_print(&model, &(struct mls_writer){&text, collect}));
    return text.bytes;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void a_program_is_printed_as_mil(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_string_equal(
        print(&f), "program(1.3)\n"
                   "{\n"
                   "    func main<ios16>(tensor<fp32, [1, ?]> x) {\n"
                   "        tensor<fp32, [1, ?]> y = add(x = x, y = fp32(0x1p-1))[name = string(\"sum\")];\n"
                   "        tensor<fp32, [1, ?]> z = relu(x = y)[name = string(\"z\")];\n"
                   "    } -> (z);\n"
                   "}\n");
}

/* The sum's second operand as a constant of this type and content. */
static const char *print_constant(enum mls_dtype dtype, unsigned rank, const int64_t *dims, const void *data)
{
    struct fixture f;
    fixture_init(&f);
    f.values[HALF].type = mls_type_tensor(dtype, rank, dims);
    f.constant.data = data;
    return print(&f);
}

static void elements_are_printed_by_type(void **state)
{
    (void)state;
    const int64_t two[] = {2};
    has(print_constant(MLS_FP16, 1, two, (const uint16_t[]){0x3c00, 0xc000}), "([0x1p+0, -0x1p+1])");
    has(print_constant(MLS_INT8, 1, two, (const int8_t[]){-1, 127}), "tensor<int8, [2]>([-1, 127])");
    has(print_constant(MLS_INT4, 1, two, (const uint8_t[]){0x7f}), "([-1, 7])");
    has(print_constant(MLS_UINT3, 1, two, (const uint8_t[]){0x2b}), "([3, 5])");
    has(print_constant(MLS_BOOL, 1, two, (const uint8_t[]){1, 0}), "([true, false])");
    has(print_constant(MLS_UINT64, 0, NULL, (const uint64_t[]){UINT64_MAX}), "uint64(18446744073709551615)");
    has(print_constant(MLS_FP32, 1, two, (const uint32_t[]){0x7f800000, 0x7fc00000}), "([inf, nan])");
}

static void dimensions_are_bracketed(void **state)
{
    (void)state;
    const int64_t dims[] = {2, 1, 2};
    has(print_constant(MLS_INT32, 3, dims, (const int32_t[]){1, 2, 3, 4}), "([[[1, 2]], [[3, 4]]])");
    const int64_t none[] = {0};
    has(print_constant(MLS_INT32, 1, none, ""), "tensor<int32, [0]>([])");
}

static void large_constants_are_elided(void **state)
{
    (void)state;
    static const int32_t zeros[1000];
    const int64_t dims[] = {1000};
    has(print_constant(MLS_INT32, 1, dims, zeros), "(/* 1000 elements */)");
}

static void weights_are_printed_by_place(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.constant.blob_path = "weights/weight.bin";
    f.constant.blob_offset = 128;
    f.constant.blob_reference = "@model_path/weights/weight.bin";
    f.constant.blob_record = 64;
    has(print(&f), "fp32(BLOBFILE(path = string(\"@model_path/weights/weight.bin\"), offset = uint64(64)))");
}

static void text_cannot_reach_the_terminal(void **state)
{
    (void)state;
    const char bytes[] = "a\"b\\c\n\x1b[2J\xff";
    const struct mls_text text = {bytes, sizeof bytes - 1};
    has(print_constant(MLS_TEXT, 0, NULL, &text), "string(\"a\\\"b\\\\c\\n?[2J?\")");
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char bytes[601];
    for (size_t i = 0; i < 600; i += 3)
        memcpy(bytes + i, "\xe2\x82\xac", 3);
    bytes[600] = '\0';
    const struct mls_text text = {bytes, 600};
    has(print_constant(MLS_TEXT, 0, NULL, &text), bytes);
}

static bool refuse(void *user, const char *text, size_t length_bytes)
{
    (void)user;
    (void)text;
    (void)length_bytes;
    return false;
}

static void a_writer_can_stop(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct mls_model model = {.program = f.program};
    assert_false(mls_program_print(&model, &(struct mls_writer){NULL, refuse}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_printed_as_mil),
        cmocka_unit_test(elements_are_printed_by_type),
        cmocka_unit_test(dimensions_are_bracketed),
        cmocka_unit_test(large_constants_are_elided),
        cmocka_unit_test(weights_are_printed_by_place),
        cmocka_unit_test(text_cannot_reach_the_terminal),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(a_writer_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
