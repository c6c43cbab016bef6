#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/inspect.h"
#include "core/pass.h"
#include "profiler/json.h"

static json_t *flexible_json(const struct mls_feature *feature)
{
    if (!feature->n_enumerated && !feature->n_ranges)
        return json_null();
    json_t *shapes = json_array(), *ranges = json_array();
    for (size_t i = 0; i < feature->n_enumerated; i++) {
        json_t *shape = json_array();
        for (unsigned j = 0; j < feature->enumerated[i].rank; j++)
            json_array_append_new(shape, json_integer(feature->enumerated[i].dims[j]));
        json_array_append_new(shapes, shape);
    }
    for (size_t i = 0; i < feature->n_ranges; i++)
        json_array_append_new(
            ranges,
            json_pack("{s:I, s:o}", "lower", (json_int_t)feature->ranges[i].lower, "upper",
                      feature->ranges[i].upper < 0 ? json_null() : json_integer(feature->ranges[i].upper)));
    return json_pack("{s:o, s:o}", "shapes", shapes, "ranges", ranges);
}

static json_t *feature_json(const struct mls_feature *feature)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", mls_json_text(feature->name));
    json_object_set_new(object, "kind", json_string(mls_feature_kind_name(feature->kind)));
    json_object_set_new(object, "dtype", json_string(mls_dtype_name(feature->type.dtype)));
    json_object_set_new(object, "shape", mls_json_shape(&feature->type));
    json_object_set_new(object, "optional", json_boolean(feature->optional));
    json_object_set_new(object, "default",
                        feature->has_default ? mls_json_number(feature->default_value) : json_null());
    json_object_set_new(object, "flexible", flexible_json(feature));
    json_object_set_new(object, "description", mls_json_text(feature->description));
    if (feature->kind == MLS_FEATURE_IMAGE)
        json_object_set_new(
            object, "image",
            json_pack("{s:s, s:o, s:o}", "color", inspect_color_name(feature->color), "height",
                      feature->type.rank ? json_integer(feature->type.dims[0]) : json_null(), "width",
                      feature->type.rank > 1 ? json_integer(feature->type.dims[1]) : json_null()));
    if (feature->kind == MLS_FEATURE_DICTIONARY || feature->kind == MLS_FEATURE_SEQUENCE)
        json_object_set_new(object, "key_dtype", json_string(mls_dtype_name(feature->key_dtype)));
    return object;
}

static json_t *features_json(const struct mls_feature *features, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, feature_json(&features[i]));
    return array;
}

/* The labels of a classifier stand in its operation `classify`; null for other models. */
static json_t *class_labels_json(const struct mls_program *program, mls_function_id function)
{
    const struct mls_value *classes = NULL;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_argument *argument = op->function.i == function.i && !strcmp(op->type, "classify")
                                                  ? mls_op_argument(op, "classes")
                                                  : NULL;
        if (argument && argument->n_values == 1)
            classes = &program->values[argument->values[0].i];
    }
    int64_t n = -1;
    if (classes && classes->constant)
        n = classes->type.kind == MLS_KIND_LIST ? classes->type.list_length : mls_type_elems(&classes->type);
    if (n < 0 || mls_dtype_bytes(classes->type.dtype, (size_t)n) > classes->constant->size_bytes)
        return json_null();
    json_t *labels = json_array();
    for (int64_t i = 0; i < n; i++) {
        const char *element =
            (const char *)classes->constant->data + (size_t)i * mls_dtype_bytes(classes->type.dtype, 1);
        if (classes->type.dtype == MLS_TEXT) {
            struct mls_text text;
            memcpy(&text, element, sizeof text);
            char *copy = strndup(text.bytes, text.length_bytes);
            json_array_append_new(labels, mls_json_text(copy));
            free(copy);
        } else if (classes->type.dtype == MLS_INT64) {
            int64_t number;
            memcpy(&number, element, sizeof number);
            json_array_append_new(labels, json_integer(number));
        }
    }
    return labels;
}

static json_t *interface_json(const struct mls_loaded *loaded)
{
    const struct mls_interface *interface = loaded->interface;
    const char *label = interface->predicted_feature, *probabilities = interface->predicted_probabilities;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "inputs",
                     features_json(interface->inputs, interface->n_inputs), "outputs",
                     features_json(interface->outputs, interface->n_outputs), "states",
                     features_json(interface->states, interface->n_states), "predicted_feature",
                     *label ? mls_json_text(label) : json_null(), "predicted_probabilities",
                     *probabilities ? mls_json_text(probabilities) : json_null(), "class_labels",
                     class_labels_json(&loaded->model->program, loaded->function));
}

static json_t *value_names(const struct mls_program *program, const mls_value_id *values, uint32_t n)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < n; i++) {
        const struct mls_value *value = &program->values[values[i].i];
        json_array_append_new(array, json_pack("{s:o, s:s, s:o}", "name", mls_json_text(value->name), "dtype",
                                               mls_dtype_name(value->type.dtype), "shape",
                                               mls_json_shape(&value->type)));
    }
    return array;
}

static json_t *functions_json(const struct mls_program *program)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < program->n_functions; i++) {
        const struct mls_function *function = &program->functions[i];
        const struct mls_block *block = &program->blocks[function->block.i];
        json_array_append_new(
            array, json_pack("{s:o, s:I, s:I, s:o, s:o}", "name", mls_json_text(function->name), "opset",
                             (json_int_t)function->opset, "ops", (json_int_t)inspect_count_ops(program, i),
                             "inputs", value_names(program, block->inputs, block->n_inputs), "outputs",
                             value_names(program, block->outputs, block->n_outputs)));
    }
    return array;
}

static json_t *weight_json(const struct mls_program *program, const struct weight *weight)
{
    json_t *users = json_array();
    for (uint32_t i = 0; i < weight->n_users; i++)
        json_array_append_new(users, mls_json_text(program->ops[weight->users[i].i].name));
    int64_t elems = mls_type_elems(&weight->type);
    return json_pack("{s:o, s:s, s:o, s:I, s:s, s:o, s:o, s:o, s:o}", "name", mls_json_text(weight->name),
                     "dtype", mls_dtype_name(weight->type.dtype), "shape", mls_json_shape(&weight->type),
                     "bytes", (json_int_t)weight->bytes, "stored_as", weight->stored_as, "bits_per_weight",
                     elems > 0 ? mls_json_number((double)weight->bytes * 8 / (double)elems) : json_null(),
                     "file", mls_json_text(weight->file), "offset",
                     weight->file ? json_integer((json_int_t)weight->offset) : json_null(), "used_by", users);
}

static json_t *totals_json(const struct inspected *inspected)
{
    const struct mls_loaded *loaded = inspected->loaded;
    const struct mls_model *model = loaded->model;
    return json_pack(
        "{s:I, s:I, s:o, s:I, s:I, s:s, s:I}", "parameters", (json_int_t)inspected->weights.parameters,
        "weights_bytes", (json_int_t)inspected->weights.bytes, "flops",
        inspected->flops_known ? json_integer((json_int_t)inspected->flops) : json_null(), "spec_version",
        (json_int_t)model->spec_version, "opset",
        (json_int_t)model->program.functions[loaded->function.i].opset, "minimum_deployment_target",
        mls_system_for_spec(model->spec_version), "ops", (json_int_t)inspected->n_ops);
}

static json_t *metadata_json(const struct mls_model *model)
{
    json_t *object = json_object();
    /* a key that is no UTF-8 cannot be one in JSON: jansson leaves it out */
    for (size_t i = 0; i < model->n_metadata; i++)
        json_object_set_new(object, model->metadata[i].key, mls_json_text(model->metadata[i].value));
    return object;
}

static json_t *package_json(const struct mls_package *package)
{
    json_t *files = json_array();
    for (size_t i = 0; i < mls_package_entry_count(package); i++) {
        struct mls_package_entry entry = mls_package_entry_at(package, i);
        json_array_append_new(files, json_pack("{s:o, s:I}", "path", mls_json_text(entry.path), "bytes",
                                               (json_int_t)entry.bytes.size_bytes));
    }
    return files;
}

/* What was done to the program; null where it could not be planned. */
static json_t *passes_json(const struct mls_plan *plan)
{
    if (!plan)
        return json_null();
    json_t *array = json_array();
    for (uint32_t i = 0; i < mls_pass_count(); i++)
        json_array_append_new(array, json_pack("{s:s, s:s, s:I, s:b, s:b}", "name", mls_pass_name(i), "description",
                                               mls_pass_description(i), "touched",
                                               (json_int_t)mls_plan_pass_touched(plan, i), "optional",
                                               mls_pass_is_optional(i), "keeps_bits", mls_pass_keeps_bits(i)));
    return array;
}

void inspect_write_json(const struct inspected *inspected, struct console *console)
{
    const struct mls_loaded *loaded = inspected->loaded;
    const struct mls_program *program = &loaded->model->program;
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    json_t *counts = json_object(), *weights = json_array();
    for (size_t i = 0; i < inspected->n_counts; i++)
        json_object_set_new(counts, inspected->counts[i].type, json_integer(inspected->counts[i].n));
    for (size_t i = 0; i < inspected->weights.n; i++)
        json_array_append_new(weights, weight_json(program, &inspected->weights.list[i]));
    json_t *block = mls_document_model(loaded);
    json_object_set_new(block, "weights_bytes", json_integer((json_int_t)inspected->weights.bytes));
    json_t *root =
        json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "mlscope.inspect",
                  "version", 1, "environment", mls_document_environment(&environment, loaded, NULL), "model",
                  block, "interface", interface_json(loaded), "functions", functions_json(program),
                  "op_counts", counts, "weights", weights, "totals", totals_json(inspected), "metadata",
                  metadata_json(loaded->model), "files", package_json(loaded->package), "passes",
                  passes_json(loaded->plan));
    mls_json_write(root, &console->out);
    json_decref(root);
}
