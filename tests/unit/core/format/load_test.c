#include "unit/core/format/fixture.h"

static const struct mls_value *value_named(const struct mls_model *model, const char *name)
{
    for (uint32_t i = 0; i < model->program.n_values; i++) {
        if (strcmp(model->program.values[i].name, name) == 0)
            return &model->program.values[i];
    }
    fail_msg("no value %s", name);
    return NULL;
}

static void a_program_is_loaded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    assert_int_equal(model->spec_version, 7);
    assert_string_equal(model->type_name, "mlProgram");
    assert_int_equal(model->program.n_functions, 1);
    assert_int_equal(model->program.functions[0].opset, 6);
    assert_int_equal(model->program.n_ops, 2);
    const struct mls_op *relu = &model->program.ops[1];
    assert_string_equal(relu->type, "relu");
    assert_string_equal(relu->name, "y");
    const struct mls_argument *x = mls_op_argument(relu, "x");
    assert_non_null(x);
    assert_ptr_equal(&model->program.values[x->values[0].i], value_named(model, "x"));
    assert_null(mls_op_argument(relu, "alpha"));
    assert_memory_equal(value_named(model, "c")->constant->data, f.val_elements, sizeof f.val_elements);
    mls_model_free(model);
}

static void the_default_function_is_main(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    mls_function_id function = {MLS_NO_INDEX};
    const struct mls_interface *interface = NULL;
    assert_int_equal(mls_model_function(model, NULL, &function, &interface, NULL), MLS_OK);
    assert_int_equal(function.i, 0);
    assert_string_equal(interface->function, "main");
    struct mls_error error = {0};
    assert_int_equal(mls_model_function(model, "other", &function, &interface, &error),
                     MLS_ERR_FUNCTION_NOT_FOUND);
    assert_non_null(strstr(error.hint, "main"));
    mls_model_free(model);
}

static void a_missing_version_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.model.specification_version = 0;
    fixture_refused(&f, MLS_ERR_SPEC_VERSION_MISSING, "version field missing");
}

static void a_version_of_the_future_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.model.specification_version = 11;
    fixture_refused(&f, MLS_ERR_SPEC_VERSION, "version 11");
}

static void a_model_without_type_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.model.type_case = PB__MODEL__TYPE__NOT_SET;
    fixture_refused(&f, MLS_ERR_SPEC_TYPE_MISSING, "model-parameter type");
}

/* A specification of version 7 with an empty description and an empty field of this number. */
static enum mls_status load_type(uint32_t number, struct mls_error *reterr)
{
    uint32_t tag = number << 3 | 2;
    uint8_t spec[] = {0x08, 7, 0x12, 0, (uint8_t)(tag | 0x80), (uint8_t)(tag >> 7 | 0x80), (uint8_t)(tag >> 14), 0};
    struct mls_model *model = NULL;
    return mls_model_load_spec((struct mls_bytes){spec, sizeof spec}, "m", NULL, NULL, &model, reterr);
}

static void other_types_of_models_are_named(void **state)
{
    (void)state;
    struct mls_error error = {0};
    assert_int_equal(load_type(2002, &error), MLS_ERR_SPEC_TYPE_NOT_YET);
    assert_non_null(strstr(error.text, "visionFeaturePrint, which is the feature extractor of Apple's Vision"));
    assert_int_equal(error.cause, MLS_CAUSE_SYSTEM_MODEL);
    assert_int_equal(load_type(556, &error), MLS_ERR_SPEC_TYPE_NOT_YET);
    assert_int_equal(error.cause, MLS_CAUSE_MODEL_ELSEWHERE);
    assert_int_equal(load_type(555, &error), MLS_ERR_SPEC_TYPE_NOT_YET);
    assert_int_equal(error.cause, MLS_CAUSE_APP_CODE);
    assert_non_null(strstr(error.text, "customModel"));
    assert_int_equal(load_type(1234, &error), MLS_ERR_SPEC_TYPE_MISSING);
    assert_non_null(strstr(error.text, "1234"));
}

static void an_unknown_opset_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.function.opset = (char *)"CoreML10";
    fixture_refused(&f, MLS_ERR_OPSET_UNKNOWN, "CoreML10");
}

static void a_function_without_the_body_of_its_opset_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.body_entry.key = (char *)"CoreML5";
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "no body");
}

static void an_argument_must_be_defined_before(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.binding.name = (char *)"y"; /* its own output */
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "refers to y");
}

static void a_value_is_defined_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.relu_output.message.name = (char *)"c";
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "defined twice");
}

static void an_error_names_the_operation(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.binding.name = (char *)"nowhere";
    struct mls_model *model;
    struct mls_error error = {0};
    assert_int_equal(fixture_load(&f, &model, &error), MLS_ERR_PROGRAM_INVALID);
    assert_string_equal(error.operation, "y");
    assert_string_equal(error.function, "main");
    assert_string_equal(error.file, "model.mlmodel");
    assert_non_null(strstr(error.text, "(relu 'y' of function 'main')"));
}

static void an_argument_is_given_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.arguments[1] = &f.argument;
    f.relu.n_inputs = 2;
    fixture_refused(&f, MLS_ERR_PROGRAM_INVALID, "given twice");
}

static void an_immediate_argument_is_a_constant_value(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    int32_t axis = -1;
    fixture_set_value(&f.immediate, TYPE_INT32, 0, 0);
    f.immediate.tensor.value_case = PB__TENSOR_VALUE__VALUE_INTS;
    f.immediate.tensor.ints = &f.immediate.ints;
    f.immediate.ints.n_values = 1;
    f.immediate.ints.values = &axis;
    f.binding.binding_case = PB__BINDING__BINDING_VALUE;
    f.binding.value = &f.immediate.value;
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    const struct mls_argument *x = mls_op_argument(&model->program.ops[1], "x");
    const struct mls_value *value = &model->program.values[x->values[0].i];
    assert_int_equal(value->producer.i, MLS_NO_INDEX);
    assert_int_equal(*(const int32_t *)value->constant->data, -1);
    mls_model_free(model);
}

static void operands_of_constexpr_operations_may_be_attributes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.relu.type = (char *)"constexpr_cast";
    f.relu.n_attributes = 1;
    f.relu.attributes = f.constant_attributes;
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    const struct mls_op *op = &model->program.ops[1];
    assert_int_equal(op->n_arguments, 2);
    assert_string_equal(op->arguments[0].name, "val");
    assert_string_equal(op->arguments[1].name, "x");
    mls_model_free(model);
}

static void a_prefix_of_the_opset_is_dropped(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.relu.type = (char *)"ios16.relu";
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    assert_string_equal(model->program.ops[1].type, "relu");
    mls_model_free(model);
}

static void blocks_nest_up_to_the_limit(void **state)
{
    (void)state;
    enum { N = 70 };
    static Pb__Operation ops[N], *op_pointers[N];
    static Pb__Block blocks[N], *block_pointers[N];
    struct fixture f;
    fixture_init(&f);
    for (size_t i = N; i-- > 0;) {
        pb__operation__init(&ops[i]);
        pb__block__init(&blocks[i]);
        ops[i].type = (char *)"cond";
        op_pointers[i] = &ops[i];
        block_pointers[i] = &blocks[i];
        if (i + 1 < N) {
            ops[i].n_blocks = 1;
            ops[i].blocks = &block_pointers[i + 1];
            blocks[i + 1].n_operations = 1;
            blocks[i + 1].operations = &op_pointers[i + 1];
        }
    }
    f.ops[2] = &ops[10]; /* 59 blocks below that of the function */
    f.body.n_operations = 3;
    struct mls_model *model;
    assert_int_equal(fixture_load(&f, &model, NULL), MLS_OK);
    mls_model_free(model);
    f.ops[2] = &ops[0];
    fixture_refused(&f, MLS_ERR_LIMIT, "nested deeper");
}

static bool cancel(void *user, enum mls_stage stage, uint64_t done, uint64_t total)
{
    (void)total;
    return stage != *(enum mls_stage *)user || done > 0;
}

static void a_listener_can_cancel(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    enum mls_stage stage = MLS_STAGE_PARSE;
    uint8_t bytes[2048];
    size_t size_bytes = pb__model__pack(&f.model, bytes);
    struct mls_progress progress = {&stage, cancel};
    struct mls_model *model = NULL;
    assert_int_equal(
        mls_model_load_spec((struct mls_bytes){bytes, size_bytes}, "m", NULL, &progress, &model, NULL),
        MLS_ERR_CANCELLED);
    assert_null(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_loaded),
        cmocka_unit_test(the_default_function_is_main),
        cmocka_unit_test(a_missing_version_is_refused),
        cmocka_unit_test(a_version_of_the_future_is_refused),
        cmocka_unit_test(a_model_without_type_is_refused),
        cmocka_unit_test(other_types_of_models_are_named),
        cmocka_unit_test(an_unknown_opset_is_refused),
        cmocka_unit_test(a_function_without_the_body_of_its_opset_is_refused),
        cmocka_unit_test(an_argument_must_be_defined_before),
        cmocka_unit_test(a_value_is_defined_once),
        cmocka_unit_test(an_error_names_the_operation),
        cmocka_unit_test(an_argument_is_given_once),
        cmocka_unit_test(an_immediate_argument_is_a_constant_value),
        cmocka_unit_test(operands_of_constexpr_operations_may_be_attributes),
        cmocka_unit_test(a_prefix_of_the_opset_is_dropped),
        cmocka_unit_test(blocks_nest_up_to_the_limit),
        cmocka_unit_test(a_listener_can_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
