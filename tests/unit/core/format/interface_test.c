#include "unit/core/format/fixture.h"

static void features_are_read_in_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.input.message.short_description = (char *)"what comes in";
    f.input.type.is_optional = true;
    f.input.array.default_optional_value_case =
        PB__ARRAY_FEATURE_TYPE__DEFAULT_OPTIONAL_VALUE_FLOAT_DEFAULT_VALUE;
    f.input.array.float_default_value = 0.5f;
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    const struct mls_feature *x = &model->interfaces[0].inputs[0];
    assert_string_equal(x->name, "x");
    assert_string_equal(x->description, "what comes in");
    assert_int_equal(x->kind, MLS_FEATURE_TENSOR);
    assert_int_equal(x->type.dtype, MLS_FP32);
    assert_int_equal(x->type.dims[0], 2);
    assert_true(x->optional && x->has_default);
    assert_true(x->default_value == 0.5);
    mls_model_free(model);
}

static void an_input_of_the_program_must_be_described(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.input.message.name = (char *)"other";
    fixture_refused(&f, MLS_ERR_INTERFACE_MISMATCH,
                    "MIL program input not found in Core ML model inputs: 'x'");
}

static void a_described_output_must_be_in_the_program(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.output.message.name = (char *)"other";
    fixture_refused(&f, MLS_ERR_INTERFACE_MISMATCH, "lacks output 'other'");
}

static void described_and_programmed_sizes_agree(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.input.shape[0] = 3;
    fixture_refused(&f, MLS_ERR_INTERFACE_MISMATCH, "elements differ");
}

static void an_input_needs_a_shape(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.input.array.n_shape = 0;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "'x' has no shape");
}

static void a_dimension_must_be_positive(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.input.shape[0] = -2;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "not positive");
}

static void a_name_must_not_be_empty(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.output.message.name = (char *)"";
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "no name");
}

static void a_feature_is_described_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.inputs[1] = f.inputs[0];
    f.description.n_input = 2;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "described twice");
}

static void an_output_may_be_described_twice_in_the_same_way(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    Pb__FeatureDescription *outputs[] = {&f.output.message, &f.output.message};
    f.description.output = outputs;
    f.description.n_output = 2;
    struct mls_model *model;
    struct mls_error error = {0};
    assert_int_equal(fixture_load(&f, &model, &error), MLS_OK);
    assert_int_equal(model->interfaces[0].n_outputs, 2);
    mls_model_free(model);
}

static void a_model_without_outputs_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.description.n_output = 0;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "no outputs");
}

static void a_model_without_inputs_needs_version_9(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.description.n_input = 0;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "empty input is only valid in specification version >= 9");
}

static void half_float_features_need_version_7(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.input.array.data_type = ARRAY_FP16;
    f.model.specification_version = 6;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "FLOAT16");
}

static void int8_features_need_version_10(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.output.array.data_type = ARRAY_INT8;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "version >= 10");
}

static void a_default_shape_lies_in_its_ranges(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    Pb__SizeRange range = PB__SIZE_RANGE__INIT, *ranges[] = {&range};
    Pb__ShapeRange shape_range = PB__SHAPE_RANGE__INIT;
    range.lower_bound = 4;
    range.upper_bound = -1;
    shape_range.n_size_ranges = 1;
    shape_range.size_ranges = ranges;
    f.input.array.shape_flexibility_case = PB__ARRAY_FEATURE_TYPE__SHAPE_FLEXIBILITY_SHAPE_RANGE;
    f.input.array.shape_range = &shape_range;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "outside its ranges");
    range.lower_bound = 1;
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    assert_int_equal(model->interfaces[0].inputs[0].ranges[0].upper, -1);
    mls_model_free(model);
}

/* A model whose function takes the described state. */
static void add_state(struct fixture *f, struct fixture_named *input, Pb__StateType *state_type)
{
    fixture_set_named(input, (char *)"s", TYPE_FP16);
    pb__state_type__init(state_type);
    static Pb__ValueType type;
    type = input->type.type;
    state_type->wrapped_type = &type;
    input->type.type.type_case = PB__VALUE_TYPE__TYPE_STATE_TYPE;
    input->type.type.state_type = state_type;
    f->function_inputs[1] = &input->message;
    f->function.n_inputs = 2;
    f->description.n_state = 1;
    f->model.specification_version = 9;
}

static void states_are_read(void **state)
{
    (void)state;
    struct fixture f;
    struct fixture_named input;
    Pb__StateType state_type;
    fixture_init(&f);
    add_state(&f, &input, &state_type);
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    assert_int_equal(model->interfaces[0].n_states, 1);
    assert_int_equal(model->interfaces[0].states[0].type.kind, MLS_KIND_STATE);
    mls_model_free(model);
}

static void a_state_of_the_program_must_be_described(void **state)
{
    (void)state;
    struct fixture f;
    struct fixture_named input;
    Pb__StateType state_type;
    fixture_init(&f);
    add_state(&f, &input, &state_type);
    f.description.n_state = 0;
    fixture_refused(&f, MLS_ERR_INTERFACE_MISMATCH, "'s'");
}

static void states_keep_the_rules(void **state)
{
    (void)state;
    struct fixture f;
    struct fixture_named input;
    Pb__StateType state_type;
    fixture_init(&f);
    add_state(&f, &input, &state_type);
    f.model.specification_version = 8;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "version >= 9");
    f.model.specification_version = 9;
    f.state.type.is_optional = true;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "cannot be optional");
    f.state.type.is_optional = false;
    f.state.array.data_type = ARRAY_FP32;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "must be specified as FLOAT16");
    f.state.array.data_type = ARRAY_FP16;
    f.inputs[0] = &f.state.message;
    f.description.n_state = 0;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "state feature description");
}

/* Two functions, "a" and "b", of the same content. */
static void split(struct fixture *f, Pb__FunctionDescription *a, Pb__FunctionDescription *b,
                  Pb__FunctionDescription **list, Pb__FunctionEntry *second)
{
    pb__function_description__init(a);
    pb__function_description__init(b);
    a->name = (char *)"a";
    b->name = (char *)"b";
    a->n_input = b->n_input = 1;
    a->input = b->input = f->inputs;
    a->n_output = b->n_output = 1;
    a->output = b->output = f->outputs;
    list[0] = a;
    list[1] = b;
    f->description.n_functions = 2;
    f->description.functions = list;
    f->description.n_input = 0;
    f->description.n_output = 0;
    f->description.default_function_name = (char *)"b";
    f->model.specification_version = 9;
    *second = f->entry;
    f->entry.key = (char *)"a";
    second->key = (char *)"b";
    f->entries[1] = second;
    f->program.n_functions = 2;
}

static void the_default_function_comes_first(void **state)
{
    (void)state;
    struct fixture f;
    Pb__FunctionDescription a, b, *list[2];
    Pb__FunctionEntry second;
    fixture_init(&f);
    split(&f, &a, &b, list, &second);
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    assert_int_equal(model->n_interfaces, 2);
    assert_string_equal(model->default_function, "b");
    assert_string_equal(model->interfaces[0].function, "b");
    assert_string_equal(model->interfaces[1].function, "a");
    assert_string_equal(model->program.functions[0].name, "b");
    mls_model_free(model);
}

static void functions_keep_the_rules(void **state)
{
    (void)state;
    struct fixture f;
    Pb__FunctionDescription a, b, *list[2];
    Pb__FunctionEntry second;
    fixture_init(&f);
    split(&f, &a, &b, list, &second);
    f.model.specification_version = 8;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "version 9");
    f.model.specification_version = 9;
    f.description.n_output = 1;
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "top level output");
    f.description.n_output = 0;
    f.description.default_function_name = (char *)"c";
    fixture_refused(&f, MLS_ERR_SPEC_INTERFACE, "a, b");
    f.description.default_function_name = (char *)"a";
    f.program.n_functions = 1;
    fixture_refused(&f, MLS_ERR_INTERFACE_MISMATCH, "no function 'b'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_read_in_order),
        cmocka_unit_test(an_input_of_the_program_must_be_described),
        cmocka_unit_test(a_described_output_must_be_in_the_program),
        cmocka_unit_test(described_and_programmed_sizes_agree),
        cmocka_unit_test(an_input_needs_a_shape),
        cmocka_unit_test(a_dimension_must_be_positive),
        cmocka_unit_test(a_name_must_not_be_empty),
        cmocka_unit_test(a_feature_is_described_once),
        cmocka_unit_test(an_output_may_be_described_twice_in_the_same_way),
        cmocka_unit_test(a_model_without_outputs_is_refused),
        cmocka_unit_test(a_model_without_inputs_needs_version_9),
        cmocka_unit_test(half_float_features_need_version_7),
        cmocka_unit_test(int8_features_need_version_10),
        cmocka_unit_test(a_default_shape_lies_in_its_ranges),
        cmocka_unit_test(states_are_read),
        cmocka_unit_test(a_state_of_the_program_must_be_described),
        cmocka_unit_test(states_keep_the_rules),
        cmocka_unit_test(the_default_function_comes_first),
        cmocka_unit_test(functions_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
