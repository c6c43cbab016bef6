/*
 * fixture.h: a small valid model as messages, for tests that change one thing of it: y = relu(x), fp32[2],
 * with one const "c" beside it. Arrays have room for what tests add.
 */
#pragma once

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "format/load.h"
#include "model.pb-c.h"

enum { ARRAY_FP16 = 65552, ARRAY_FP32 = 65568, ARRAY_INT8 = 131080 };
enum {
    TYPE_STRING = 2,
    TYPE_FP16 = 10,
    TYPE_FP32 = 11,
    TYPE_INT8 = 21,
    TYPE_INT16 = 22,
    TYPE_INT32 = 23,
    TYPE_UINT3 = 39
};

struct fixture_feature {
    Pb__FeatureDescription message;
    Pb__FeatureType type;
    Pb__ArrayFeatureType array;
    Pb__StateFeatureType state;
    int64_t shape[4];
};

struct fixture_value_type {
    Pb__ValueType type;
    Pb__TensorType tensor;
    Pb__Dimension dims[2];
    Pb__ConstantDimension sizes[2];
    Pb__Dimension *dim_pointers[2];
};

/* A tensor value: set `tensor` to one of the fields. */
struct fixture_value {
    Pb__Value value;
    struct fixture_value_type type;
    Pb__ImmediateValue immediate;
    Pb__TensorValue tensor;
    Pb__Floats floats;
    Pb__Ints ints;
    Pb__Bytes bytes;
    Pb__Strings strings;
    Pb__BlobFileValue blob;
};

struct fixture_named {
    Pb__NamedValueType message;
    struct fixture_value_type type;
};

struct fixture {
    Pb__Model model;
    Pb__ModelDescription description;
    struct fixture_feature input, output, state;
    Pb__FeatureDescription *inputs[2], *outputs[2], *states[1];
    Pb__Program program;
    Pb__FunctionEntry entry;
    Pb__FunctionEntry *entries[2];
    Pb__Function function;
    struct fixture_named function_input;
    Pb__NamedValueType *function_inputs[2];
    Pb__BlockEntry body_entry;
    Pb__BlockEntry *bodies[1];
    Pb__Block body;
    char *body_outputs[1];
    Pb__Operation constant, relu;
    Pb__Operation *ops[3];
    struct fixture_named constant_output, relu_output;
    Pb__NamedValueType *constant_outputs[1], *relu_outputs[2];
    Pb__ValueEntry val;
    Pb__ValueEntry *constant_attributes[1];
    struct fixture_value val_value;
    float val_elements[2];
    Pb__ArgumentEntry argument;
    Pb__ArgumentEntry *arguments[2];
    Pb__Argument argument_value;
    Pb__Binding binding;
    Pb__Binding *bindings[1];
    struct fixture_value immediate; /* not used unless a test binds it */
};

static inline void fixture_set_type(struct fixture_value_type *type, int32_t dtype, size_t rank, uint64_t dim)
{
    pb__value_type__init(&type->type);
    pb__tensor_type__init(&type->tensor);
    type->type.type_case = PB__VALUE_TYPE__TYPE_TENSOR_TYPE;
    type->type.tensor_type = &type->tensor;
    type->tensor.data_type = dtype;
    type->tensor.rank = (int64_t)rank;
    type->tensor.n_dimensions = rank;
    type->tensor.dimensions = type->dim_pointers;
    for (size_t i = 0; i < 2; i++) {
        pb__dimension__init(&type->dims[i]);
        pb__constant_dimension__init(&type->sizes[i]);
        type->sizes[i].size = dim;
        type->dims[i].dimension_case = PB__DIMENSION__DIMENSION_CONSTANT;
        type->dims[i].constant = &type->sizes[i];
        type->dim_pointers[i] = &type->dims[i];
    }
}

static inline void fixture_set_named(struct fixture_named *named, char *name, int32_t dtype)
{
    pb__named_value_type__init(&named->message);
    fixture_set_type(&named->type, dtype, 1, 2);
    named->message.name = name;
    named->message.type = &named->type.type;
}

static inline void fixture_set_value(struct fixture_value *value, int32_t dtype, size_t rank, uint64_t dim)
{
    pb__value__init(&value->value);
    pb__immediate_value__init(&value->immediate);
    pb__tensor_value__init(&value->tensor);
    pb__floats__init(&value->floats);
    pb__ints__init(&value->ints);
    pb__bytes__init(&value->bytes);
    pb__strings__init(&value->strings);
    pb__blob_file_value__init(&value->blob);
    fixture_set_type(&value->type, dtype, rank, dim);
    value->value.type = &value->type.type;
    value->value.value_case = PB__VALUE__VALUE_IMMEDIATE_VALUE;
    value->value.immediate_value = &value->immediate;
    value->immediate.value_case = PB__IMMEDIATE_VALUE__VALUE_TENSOR;
    value->immediate.tensor = &value->tensor;
}

static inline void fixture_set_blob(struct fixture_value *value, char *file, uint64_t offset)
{
    value->value.value_case = PB__VALUE__VALUE_BLOB_FILE_VALUE;
    value->value.blob_file_value = &value->blob;
    value->blob.file_name = file;
    value->blob.offset = offset;
}

static inline void fixture_set_feature(struct fixture_feature *feature, char *name)
{
    pb__feature_description__init(&feature->message);
    pb__feature_type__init(&feature->type);
    pb__array_feature_type__init(&feature->array);
    pb__state_feature_type__init(&feature->state);
    feature->message.name = name;
    feature->message.type = &feature->type;
    feature->type.type_case = PB__FEATURE_TYPE__TYPE_MULTI_ARRAY_TYPE;
    feature->type.multi_array_type = &feature->array;
    feature->array.data_type = ARRAY_FP32;
    feature->array.n_shape = 1;
    feature->array.shape = feature->shape;
    feature->shape[0] = 2;
    feature->state.type_case = PB__STATE_FEATURE_TYPE__TYPE_ARRAY_TYPE;
    feature->state.array_type = &feature->array;
}

static inline void fixture_set_ops(struct fixture *f)
{
    pb__operation__init(&f->constant);
    f->constant.type = (char *)"const";
    fixture_set_named(&f->constant_output, (char *)"c", TYPE_FP32);
    f->constant_outputs[0] = &f->constant_output.message;
    f->constant.n_outputs = 1;
    f->constant.outputs = f->constant_outputs;
    fixture_set_value(&f->val_value, TYPE_FP32, 1, 2);
    f->val_value.tensor.value_case = PB__TENSOR_VALUE__VALUE_FLOATS;
    f->val_value.tensor.floats = &f->val_value.floats;
    f->val_value.floats.n_values = 2;
    f->val_value.floats.values = f->val_elements;
    f->val_elements[0] = 1.0f;
    f->val_elements[1] = -0.5f;
    pb__value_entry__init(&f->val);
    f->val.key = (char *)"val";
    f->val.value = &f->val_value.value;
    f->constant_attributes[0] = &f->val;
    f->constant.n_attributes = 1;
    f->constant.attributes = f->constant_attributes;

    pb__operation__init(&f->relu);
    f->relu.type = (char *)"relu";
    fixture_set_named(&f->relu_output, (char *)"y", TYPE_FP32);
    f->relu_outputs[0] = &f->relu_output.message;
    f->relu.n_outputs = 1;
    f->relu.outputs = f->relu_outputs;
    pb__binding__init(&f->binding);
    f->binding.binding_case = PB__BINDING__BINDING_NAME;
    f->binding.name = (char *)"x";
    f->bindings[0] = &f->binding;
    pb__argument__init(&f->argument_value);
    f->argument_value.n_arguments = 1;
    f->argument_value.arguments = f->bindings;
    pb__argument_entry__init(&f->argument);
    f->argument.key = (char *)"x";
    f->argument.value = &f->argument_value;
    f->arguments[0] = &f->argument;
    f->relu.n_inputs = 1;
    f->relu.inputs = f->arguments;
    f->ops[0] = &f->constant;
    f->ops[1] = &f->relu;
}

static inline void fixture_set_program(struct fixture *f)
{
    pb__program__init(&f->program);
    pb__function_entry__init(&f->entry);
    pb__function__init(&f->function);
    pb__block_entry__init(&f->body_entry);
    pb__block__init(&f->body);
    f->program.n_functions = 1;
    f->program.functions = f->entries;
    f->entries[0] = &f->entry;
    f->entry.key = (char *)"main";
    f->entry.value = &f->function;
    fixture_set_named(&f->function_input, (char *)"x", TYPE_FP32);
    f->function_inputs[0] = &f->function_input.message;
    f->function.n_inputs = 1;
    f->function.inputs = f->function_inputs;
    f->function.opset = (char *)"CoreML6";
    f->function.n_block_specializations = 1;
    f->function.block_specializations = f->bodies;
    f->bodies[0] = &f->body_entry;
    f->body_entry.key = (char *)"CoreML6";
    f->body_entry.value = &f->body;
    f->body.n_operations = 2;
    f->body.operations = f->ops;
    f->body.n_outputs = 1;
    f->body.outputs = f->body_outputs;
    f->body_outputs[0] = (char *)"y";
    fixture_set_ops(f);
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    pb__model__init(&f->model);
    pb__model_description__init(&f->description);
    fixture_set_feature(&f->input, (char *)"x");
    fixture_set_feature(&f->output, (char *)"y");
    fixture_set_feature(&f->state, (char *)"s");
    f->state.type.type_case = PB__FEATURE_TYPE__TYPE_STATE_TYPE;
    f->state.type.state_type = &f->state.state;
    f->state.array.data_type = ARRAY_FP16;
    f->inputs[0] = &f->input.message;
    f->outputs[0] = &f->output.message;
    f->states[0] = &f->state.message;
    f->description.n_input = 1;
    f->description.input = f->inputs;
    f->description.n_output = 1;
    f->description.output = f->outputs;
    f->description.state = f->states;
    f->model.specification_version = 7;
    f->model.description = &f->description;
    f->model.type_case = PB__MODEL__TYPE_ML_PROGRAM;
    f->model.ml_program = &f->program;
    fixture_set_program(f);
}

/* Packs and loads. The model is NULL unless the status is OK; the caller frees it. */
static inline enum mls_status fixture_load(const struct fixture *f, struct mls_model **ret_model,
                                           struct mls_error *reterr)
{
    size_t size_bytes = pb__model__get_packed_size(&f->model);
    uint8_t *bytes = malloc(size_bytes ? size_bytes : 1);
    assert_non_null(bytes);
    pb__model__pack(&f->model, bytes);
    *ret_model = NULL;
    enum mls_status status = mls_model_load_spec((struct mls_bytes){bytes, size_bytes}, "model.mlmodel", NULL,
                                                 NULL, ret_model, reterr);
    free(bytes);
    return status;
}

/* Loads what must be refused with this status, in words that hold `text`. */
static inline void fixture_refused(const struct fixture *f, enum mls_status status, const char *text)
{
    struct mls_model *model;
    struct mls_error error = {0};
    assert_string_equal(mls_status_name(fixture_load(f, &model, &error)), mls_status_name(status));
    assert_null(model);
    if (!strstr(error.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, error.text);
}
