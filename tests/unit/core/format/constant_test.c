#include "unit/core/format/fixture.h"

/* The const "c" of a model that must load. */
static const struct mls_constant *load_constant(const struct fixture *f, struct mls_model **ret_model)
{
    struct mls_error error = {0};
    if (fixture_load(f, ret_model, &error))
        fail_msg("%s", error.text);
    const struct mls_op *op = &(*ret_model)->program.ops[0];
    return (*ret_model)->program.values[op->outputs[0].i].constant;
}

static void set_dtype(struct fixture *f, int32_t dtype)
{
    fixture_set_value(&f->val_value, dtype, 1, 2);
    f->constant_output.type.tensor.data_type = dtype;
}

static void set_ints(struct fixture *f, int32_t dtype, int32_t *elements, size_t n)
{
    set_dtype(f, dtype);
    f->val_value.tensor.value_case = PB__TENSOR_VALUE__VALUE_INTS;
    f->val_value.tensor.ints = &f->val_value.ints;
    f->val_value.ints.n_values = n;
    f->val_value.ints.values = elements;
}

static void set_bytes(struct fixture *f, int32_t dtype, uint8_t *bytes, size_t n)
{
    set_dtype(f, dtype);
    f->val_value.tensor.value_case = PB__TENSOR_VALUE__VALUE_BYTES;
    f->val_value.tensor.bytes = &f->val_value.bytes;
    f->val_value.bytes.values = (ProtobufCBinaryData){n, bytes};
}

static void integers_take_the_width_of_their_type(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int32_t elements[] = {-3, 300};
    set_ints(&f, TYPE_INT16, elements, 2);
    struct mls_model *model;
    const struct mls_constant *constant = load_constant(&f, &model);
    const int16_t expected[] = {-3, 300};
    assert_int_equal(constant->size_bytes, sizeof expected);
    assert_memory_equal(constant->data, expected, sizeof expected);
    mls_model_free(model);
}

static void an_integer_outside_its_type_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int32_t elements[] = {-3, 300};
    set_ints(&f, TYPE_INT8, elements, 2);
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "300 is no int8");
}

static void half_floats_come_as_bytes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t bytes[] = {0x00, 0x3c, 0x00, 0xc0};
    set_bytes(&f, TYPE_FP16, bytes, sizeof bytes);
    struct mls_model *model;
    assert_memory_equal(load_constant(&f, &model)->data, bytes, sizeof bytes);
    mls_model_free(model);
}

static void half_floats_do_not_come_as_floats(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.val_value.type.tensor.data_type = TYPE_FP16;
    f.constant_output.type.tensor.data_type = TYPE_FP16;
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "do not come as floats");
}

static void elements_below_a_byte_are_packed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t bytes[] = {0x2b};
    set_bytes(&f, TYPE_UINT3, bytes, sizeof bytes);
    struct mls_model *model;
    const struct mls_constant *constant = load_constant(&f, &model);
    assert_int_equal(constant->size_bytes, 1);
    assert_memory_equal(constant->data, bytes, 1);
    mls_model_free(model);
}

static void strings_keep_their_length(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    set_dtype(&f, TYPE_STRING);
    uint8_t first[] = {'a', 0, 'b'};
    ProtobufCBinaryData texts[] = {{3, first}, {0, NULL}};
    f.val_value.tensor.value_case = PB__TENSOR_VALUE__VALUE_STRINGS;
    f.val_value.tensor.strings = &f.val_value.strings;
    f.val_value.strings.n_values = 2;
    f.val_value.strings.values = texts;
    struct mls_model *model;
    const struct mls_text *loaded = load_constant(&f, &model)->data;
    assert_int_equal(loaded[0].length_bytes, 3);
    assert_memory_equal(loaded[0].bytes, first, 3);
    assert_int_equal(loaded[1].length_bytes, 0);
    mls_model_free(model);
}

static void a_wrong_number_of_elements_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.val_value.floats.n_values = 1;
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "fp32[2]");
}

static void no_memory_is_taken_for_content_that_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.val_value.type.sizes[0].size = (uint64_t)1 << 60;
    f.constant_output.type.sizes[0].size = (uint64_t)1 << 60;
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "cannot read a constant");
}

static void a_const_is_of_its_declared_type(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.constant_output.type.tensor.data_type = TYPE_INT32;
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "declared as int32");
}

static void a_list_of_labels_is_an_array_of_texts(void **state)
{
    (void)state;
    enum { N = 3 };
    static struct fixture_value elements[N];
    static ProtobufCBinaryData texts[N] = {{3, (uint8_t *)"cat"}, {3, (uint8_t *)"dog"}, {0, NULL}};
    Pb__Value *pointers[N];
    for (size_t i = 0; i < N; i++) {
        fixture_set_value(&elements[i], TYPE_STRING, 0, 0);
        elements[i].tensor.value_case = PB__TENSOR_VALUE__VALUE_STRINGS;
        elements[i].tensor.strings = &elements[i].strings;
        elements[i].strings.n_values = 1;
        elements[i].strings.values = &texts[i];
        pointers[i] = &elements[i].value;
    }
    struct fixture f;
    fixture_init(&f);
    Pb__ListType list_type = PB__LIST_TYPE__INIT;
    Pb__ValueType type = PB__VALUE_TYPE__INIT;
    list_type.type = &elements[0].type.type;
    type.type_case = PB__VALUE_TYPE__TYPE_LIST_TYPE;
    type.list_type = &list_type;
    Pb__ListValue list = PB__LIST_VALUE__INIT;
    list.n_values = N;
    list.values = pointers;
    f.val_value.value.type = &type;
    f.val_value.immediate.value_case = PB__IMMEDIATE_VALUE__VALUE_LIST;
    f.val_value.immediate.list = &list;
    f.constant_output.message.type = &type;
    struct mls_model *model;
    const struct mls_text *loaded = load_constant(&f, &model)->data;
    assert_memory_equal(loaded[1].bytes, "dog", 3);
    const struct mls_value *output = &model->program.values[model->program.ops[0].outputs[0].i];
    assert_int_equal(output->type.list_length, N);
    mls_model_free(model);
}

static void large_content_survives_the_specification(void **state)
{
    (void)state;
    enum { N = 100000 };
    static float elements[N];
    for (size_t i = 0; i < N; i++)
        elements[i] = (float)i;
    struct fixture f;
    fixture_init(&f);
    f.val_value.floats.n_values = N;
    f.val_value.floats.values = elements;
    f.val_value.type.sizes[0].size = N;
    f.constant_output.type.sizes[0].size = N;
    struct mls_model *model;
    assert_memory_equal(load_constant(&f, &model)->data, elements, sizeof elements);
    mls_model_free(model);
}

static void a_weight_without_package_is_missing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_set_blob(&f.val_value, (char *)"@model_path/weights/weight.bin", 64);
    struct mls_model *model;
    struct mls_error error = {0};
    assert_int_equal(fixture_load(&f, &model, &error), MLS_ERR_BLOB_MISSING);
    assert_non_null(strstr(error.text, "@model_path/weights/weight.bin"));
    assert_string_equal(error.operation, "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_the_width_of_their_type),
        cmocka_unit_test(an_integer_outside_its_type_is_refused),
        cmocka_unit_test(half_floats_come_as_bytes),
        cmocka_unit_test(half_floats_do_not_come_as_floats),
        cmocka_unit_test(elements_below_a_byte_are_packed),
        cmocka_unit_test(strings_keep_their_length),
        cmocka_unit_test(a_wrong_number_of_elements_is_refused),
        cmocka_unit_test(no_memory_is_taken_for_content_that_is_not_there),
        cmocka_unit_test(a_const_is_of_its_declared_type),
        cmocka_unit_test(a_list_of_labels_is_an_array_of_texts),
        cmocka_unit_test(large_content_survives_the_specification),
        cmocka_unit_test(a_weight_without_package_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
