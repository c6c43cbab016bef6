#include "format/pb_desc.h"

#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "format/pb_mil.h"

/* Numbers of element types and of colour spaces in features. */
enum {
    ARRAY_UNSET = 0, /* what early converters wrote inside pipelines: numbers, which features hold as doubles */
    ARRAY_FP16 = 65552,
    ARRAY_FP32 = 65568,
    ARRAY_FP64 = 65600,
    ARRAY_INT8 = 131080,
    ARRAY_INT32 = 131104
};
enum { FEATURES_MAX = 4096 };
enum { SPACE_GRAY = 10, SPACE_RGB = 20, SPACE_BGR = 30, SPACE_GRAY_FP16 = 40 };

static enum mls_status invalid(const char *feature, const char *reason, struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE, "cannot read the model's interface: feature '%s' %s",
                    feature, reason);
}

static enum mls_status read_array_dtype(int32_t number, const char *feature, enum mls_dtype *ret_dtype,
                                        struct mls_error *reterr)
{
    switch (number) {
    case ARRAY_FP16:
        *ret_dtype = MLS_FP16;
        return MLS_OK;
    case ARRAY_FP32:
        *ret_dtype = MLS_FP32;
        return MLS_OK;
    case ARRAY_UNSET:
    case ARRAY_FP64:
        *ret_dtype = MLS_FP64;
        return MLS_OK;
    case ARRAY_INT8:
        *ret_dtype = MLS_INT8;
        return MLS_OK;
    case ARRAY_INT32:
        *ret_dtype = MLS_INT32;
        return MLS_OK;
    default:
        return mls_fail(reterr, MLS_ERR_SPEC_INTERFACE,
                        "cannot read the model's interface: feature '%s' has unknown element type %" PRId32,
                        feature, number);
    }
}

static enum mls_status read_shape(const int64_t *dims, size_t rank, const char *feature,
                                  struct mls_shape *ret_shape, struct mls_error *reterr)
{
    if (rank > MLS_RANK_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read the model's interface: feature '%s' has rank %zu, above %d", feature,
                        rank, MLS_RANK_MAX);
    struct mls_shape shape = {.rank = (uint8_t)rank};
    for (size_t i = 0; i < rank; i++)
        shape.dims[i] = dims[i] > 0 ? dims[i] : MLS_DIM_UNKNOWN;
    *ret_shape = shape;
    return MLS_OK;
}

static enum mls_status read_range(const Pb__SizeRange *message, const char *feature,
                                  struct mls_range *ret_range, struct mls_error *reterr)
{
    if (!message)
        return invalid(feature, "has a range without bounds", reterr);
    if (message->lower_bound > INT64_MAX ||
        (message->upper_bound >= 0 && (uint64_t)message->upper_bound < message->lower_bound))
        return invalid(feature, "has a range whose upper bound is below the lower one", reterr);
    *ret_range = (struct mls_range){(int64_t)message->lower_bound,
                                    message->upper_bound < 0 ? -1 : message->upper_bound};
    return MLS_OK;
}

/* ---- Arrays ---------------------------------------------------------------------------------- */

static enum mls_status read_enumerated_shapes(struct mls_arena *arena, const Pb__EnumeratedShapes *message,
                                              struct mls_feature *feature, struct mls_error *reterr)
{
    struct mls_shape *shapes = MLS_NEW_ARRAY(arena, message->n_shapes, struct mls_shape);
    if (!shapes)
        return program_no_memory(reterr);
    for (size_t i = 0; i < message->n_shapes; i++) {
        const Pb__Shape *shape = message->shapes[i];
        enum mls_status status = read_shape(shape->shape, shape->n_shape, feature->name, &shapes[i], reterr);
        if (status)
            return status;
    }
    feature->enumerated = shapes;
    feature->n_enumerated = message->n_shapes;
    return MLS_OK;
}

static enum mls_status read_shape_range(struct mls_arena *arena, const Pb__ShapeRange *message,
                                        struct mls_feature *feature, struct mls_error *reterr)
{
    struct mls_range *ranges = MLS_NEW_ARRAY(arena, message->n_size_ranges, struct mls_range);
    if (!ranges)
        return program_no_memory(reterr);
    for (size_t i = 0; i < message->n_size_ranges; i++) {
        enum mls_status status = read_range(message->size_ranges[i], feature->name, &ranges[i], reterr);
        if (status)
            return status;
    }
    feature->ranges = ranges;
    feature->n_ranges = message->n_size_ranges;
    return MLS_OK;
}

static void read_default(const Pb__ArrayFeatureType *message, struct mls_feature *feature)
{
    feature->has_default = true;
    switch (message->default_optional_value_case) {
    case PB__ARRAY_FEATURE_TYPE__DEFAULT_OPTIONAL_VALUE_INT_DEFAULT_VALUE:
        feature->default_value = message->int_default_value;
        break;
    case PB__ARRAY_FEATURE_TYPE__DEFAULT_OPTIONAL_VALUE_FLOAT_DEFAULT_VALUE:
        feature->default_value = (double)message->float_default_value;
        break;
    case PB__ARRAY_FEATURE_TYPE__DEFAULT_OPTIONAL_VALUE_DOUBLE_DEFAULT_VALUE:
        feature->default_value = message->double_default_value;
        break;
    default:
        feature->has_default = false;
    }
}

static enum mls_status read_array(struct mls_arena *arena, const Pb__ArrayFeatureType *message,
                                  struct mls_feature *feature, struct mls_error *reterr)
{
    enum mls_dtype dtype = MLS_NONE;
    struct mls_shape shape = {0};
    enum mls_status status = read_array_dtype(message->data_type, feature->name, &dtype, reterr);
    if (!status)
        status = read_shape(message->shape, message->n_shape, feature->name, &shape, reterr);
    if (status)
        return status;
    feature->type = mls_type_tensor(dtype, shape.rank, shape.dims);
    if (shape.rank == 0) /* an output whose shape is left open */
        feature->type.rank = MLS_RANK_UNKNOWN;
    read_default(message, feature);
    if (message->shape_flexibility_case == PB__ARRAY_FEATURE_TYPE__SHAPE_FLEXIBILITY_ENUMERATED_SHAPES)
        return read_enumerated_shapes(arena, message->enumerated_shapes, feature, reterr);
    if (message->shape_flexibility_case == PB__ARRAY_FEATURE_TYPE__SHAPE_FLEXIBILITY_SHAPE_RANGE)
        return read_shape_range(arena, message->shape_range, feature, reterr);
    return MLS_OK;
}

/* ---- Images ---------------------------------------------------------------------------------- */

static enum mls_status read_image_sizes(struct mls_arena *arena, const Pb__ImageFeatureType *message,
                                        struct mls_feature *feature, struct mls_error *reterr)
{
    if (message->size_flexibility_case == PB__IMAGE_FEATURE_TYPE__SIZE_FLEXIBILITY_ENUMERATED_SIZES) {
        const Pb__EnumeratedImageSizes *sizes = message->enumerated_sizes;
        struct mls_shape *shapes = MLS_NEW_ARRAY(arena, sizes->n_sizes, struct mls_shape);
        if (!shapes)
            return program_no_memory(reterr);
        for (size_t i = 0; i < sizes->n_sizes; i++) {
            if (sizes->sizes[i]->height > INT64_MAX || sizes->sizes[i]->width > INT64_MAX)
                return invalid(feature->name, "has an image size that is out of range", reterr);
            shapes[i] = (struct mls_shape){
                .rank = 2, .dims = {(int64_t)sizes->sizes[i]->height, (int64_t)sizes->sizes[i]->width}};
        }
        feature->enumerated = shapes;
        feature->n_enumerated = sizes->n_sizes;
    } else if (message->size_flexibility_case == PB__IMAGE_FEATURE_TYPE__SIZE_FLEXIBILITY_IMAGE_SIZE_RANGE) {
        struct mls_range *ranges = MLS_NEW_ARRAY(arena, 2, struct mls_range);
        if (!ranges)
            return program_no_memory(reterr);
        enum mls_status status =
            read_range(message->image_size_range->height_range, feature->name, &ranges[0], reterr);
        if (!status)
            status = read_range(message->image_size_range->width_range, feature->name, &ranges[1], reterr);
        if (status)
            return status;
        feature->ranges = ranges;
        feature->n_ranges = 2;
    }
    return MLS_OK;
}

static enum mls_status read_image(struct mls_arena *arena, const Pb__ImageFeatureType *message,
                                  struct mls_feature *feature, struct mls_error *reterr)
{
    int64_t channels = 1;
    enum mls_dtype dtype = MLS_UINT8;
    switch (message->color_space) {
    case SPACE_GRAY:
        feature->color = MLS_COLOR_GRAY;
        break;
    case SPACE_GRAY_FP16:
        feature->color = MLS_COLOR_GRAY_FP16;
        dtype = MLS_FP16;
        break;
    case SPACE_RGB:
        feature->color = MLS_COLOR_RGB;
        channels = 3;
        break;
    case SPACE_BGR:
        feature->color = MLS_COLOR_BGR;
        channels = 3;
        break;
    default:
        return invalid(feature->name, "is an image of unknown colour space", reterr);
    }
    int64_t height = message->height > 0 ? message->height : MLS_DIM_UNKNOWN;
    int64_t width = message->width > 0 ? message->width : MLS_DIM_UNKNOWN;
    feature->type = mls_type_tensor(dtype, 3, (const int64_t[]){height, width, channels});
    return read_image_sizes(arena, message, feature, reterr);
}

/* ---- Features -------------------------------------------------------------------------------- */

static enum mls_status read_dictionary(const Pb__DictionaryFeatureType *message, struct mls_feature *feature,
                                       struct mls_error *reterr)
{
    if (message->key_type_case == PB__DICTIONARY_FEATURE_TYPE__KEY_TYPE__NOT_SET)
        return invalid(feature->name, "is a dictionary without a type of key", reterr);
    feature->key_dtype = message->key_type_case == PB__DICTIONARY_FEATURE_TYPE__KEY_TYPE_STRING_KEY_TYPE
                             ? MLS_TEXT
                             : MLS_INT64;
    feature->type = (struct mls_type){.kind = MLS_KIND_DICTIONARY,
                                      .dtype = MLS_FP64,
                                      .rank = 1,
                                      .dims = {MLS_DIM_UNKNOWN},
                                      .key_dtype = feature->key_dtype};
    return MLS_OK;
}

static enum mls_status read_sequence(const Pb__SequenceFeatureType *message, struct mls_feature *feature,
                                     struct mls_error *reterr)
{
    if (message->type_case == PB__SEQUENCE_FEATURE_TYPE__TYPE__NOT_SET)
        return invalid(feature->name, "is a sequence without a type of element", reterr);
    feature->key_dtype =
        message->type_case == PB__SEQUENCE_FEATURE_TYPE__TYPE_STRING_TYPE ? MLS_TEXT : MLS_INT64;
    feature->type =
        (struct mls_type){.kind = MLS_KIND_LIST, .dtype = feature->key_dtype, .list_length = MLS_DIM_UNKNOWN};
    return MLS_OK;
}

static void set_scalar(struct mls_feature *feature, enum mls_feature_kind kind, enum mls_dtype dtype)
{
    feature->kind = kind;
    feature->type = mls_type_tensor(dtype, 0, NULL);
}

static enum mls_status read_feature_type(struct mls_arena *arena, const Pb__FeatureType *message,
                                         struct mls_feature *feature, struct mls_error *reterr)
{
    feature->optional = message->is_optional;
    switch (message->type_case) {
    case PB__FEATURE_TYPE__TYPE_INT64_TYPE:
        set_scalar(feature, MLS_FEATURE_INT64, MLS_INT64);
        return MLS_OK;
    case PB__FEATURE_TYPE__TYPE_DOUBLE_TYPE:
        set_scalar(feature, MLS_FEATURE_DOUBLE, MLS_FP64);
        return MLS_OK;
    case PB__FEATURE_TYPE__TYPE_STRING_TYPE:
        set_scalar(feature, MLS_FEATURE_STRING, MLS_TEXT);
        return MLS_OK;
    case PB__FEATURE_TYPE__TYPE_IMAGE_TYPE:
        feature->kind = MLS_FEATURE_IMAGE;
        return read_image(arena, message->image_type, feature, reterr);
    case PB__FEATURE_TYPE__TYPE_MULTI_ARRAY_TYPE:
        feature->kind = MLS_FEATURE_TENSOR;
        return read_array(arena, message->multi_array_type, feature, reterr);
    case PB__FEATURE_TYPE__TYPE_DICTIONARY_TYPE:
        feature->kind = MLS_FEATURE_DICTIONARY;
        return read_dictionary(message->dictionary_type, feature, reterr);
    case PB__FEATURE_TYPE__TYPE_SEQUENCE_TYPE:
        feature->kind = MLS_FEATURE_SEQUENCE;
        return read_sequence(message->sequence_type, feature, reterr);
    case PB__FEATURE_TYPE__TYPE_STATE_TYPE: {
        feature->kind = MLS_FEATURE_STATE;
        if (message->state_type->type_case != PB__STATE_FEATURE_TYPE__TYPE_ARRAY_TYPE)
            return invalid(feature->name, "is a state of something else than an array", reterr);
        enum mls_status status = read_array(arena, message->state_type->array_type, feature, reterr);
        feature->type.kind = MLS_KIND_STATE;
        return status;
    }
    default:
        return invalid(feature->name, "has no type that we know", reterr);
    }
}

static enum mls_status read_features(struct mls_arena *arena, Pb__FeatureDescription *const *messages,
                                     size_t n, const struct mls_feature **ret_features, size_t *ret_n,
                                     struct mls_error *reterr)
{
    if (n > FEATURES_MAX)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read the model's interface: it has more than %d features", FEATURES_MAX);
    struct mls_feature *features = MLS_NEW_ARRAY(arena, n, struct mls_feature);
    if (!features)
        return program_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        features[i].name = pb_text(arena, messages[i]->name);
        features[i].description = pb_text(arena, messages[i]->short_description);
        if (!features[i].name || !features[i].description)
            return program_no_memory(reterr);
        if (!messages[i]->type)
            return invalid(features[i].name, "has no type", reterr);
        enum mls_status status = read_feature_type(arena, messages[i]->type, &features[i], reterr);
        if (status)
            return status;
    }
    *ret_features = features;
    *ret_n = n;
    return MLS_OK;
}

/* ---- Interfaces ------------------------------------------------------------------------------ */

/* Descriptions of functions, and of a model of one function, have the same fields under other numbers. */
struct source {
    const char *function;
    Pb__FeatureDescription **inputs, **outputs, **states;
    size_t n_inputs, n_outputs, n_states;
    const char *predicted_feature;
    const char *predicted_probabilities;
};

static enum mls_status read_interface(struct mls_arena *arena, const struct source *source,
                                      struct mls_interface *ret_interface, struct mls_error *reterr)
{
    struct mls_interface interface = {
        .function = pb_text(arena, source->function),
        .predicted_feature = pb_text(arena, source->predicted_feature),
        .predicted_probabilities = pb_text(arena, source->predicted_probabilities),
    };
    if (!interface.function || !interface.predicted_feature || !interface.predicted_probabilities)
        return program_no_memory(reterr);
    enum mls_status status = read_features(arena, source->inputs, source->n_inputs, &interface.inputs,
                                           &interface.n_inputs, reterr);
    if (!status)
        status = read_features(arena, source->outputs, source->n_outputs, &interface.outputs,
                               &interface.n_outputs, reterr);
    if (!status)
        status = read_features(arena, source->states, source->n_states, &interface.states,
                               &interface.n_states, reterr);
    if (!status)
        *ret_interface = interface;
    return status;
}

static struct source function_source(const Pb__FunctionDescription *message)
{
    return (struct source){
        .function = message->name,
        .inputs = message->input,
        .n_inputs = message->n_input,
        .outputs = message->output,
        .n_outputs = message->n_output,
        .states = message->state,
        .n_states = message->n_state,
        .predicted_feature = message->predicted_feature_name,
        .predicted_probabilities = message->predicted_probabilities_name,
    };
}

static enum mls_status check_multi_function(const Pb__ModelDescription *message, int32_t spec_version,
                                            struct mls_error *reterr)
{
    const char *field = message->n_input                           ? "input"
                        : message->n_output                        ? "output"
                        : message->n_state                         ? "state"
                        : message->predicted_feature_name[0]       ? "predictedFeatureName"
                        : message->predicted_probabilities_name[0] ? "predictedProbabilitiesName"
                                                                   : NULL;
    if (field)
        return mls_fail_because(
            reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_FUNCTION_DESCRIPTION,
            "cannot read the model's interface: a multi-function model must not use the top "
            "level %s description",
            field);
    if (spec_version < 9)
        return mls_fail_because(
            reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_NEWER_FEATURE,
            "cannot read the model's interface: several functions need specification version 9 "
            "(%s), this model "
            "has version %" PRId32,
            mls_system_for_spec(9), spec_version);
    if (message->n_functions > MLS_LIMIT_FUNCTIONS)
        return mls_fail(reterr, MLS_ERR_LIMIT,
                        "cannot read the model's interface: it has more than %d functions",
                        MLS_LIMIT_FUNCTIONS);
    for (size_t i = 0; i < message->n_functions; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(message->functions[i]->name, message->functions[k]->name) == 0)
                return mls_fail_because(reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_FUNCTION_DESCRIPTION,
                                        "cannot read the model's interface: function '%s' is described twice",
                                        message->functions[i]->name);
        }
    }
    return MLS_OK;
}

/* Puts the default function first; a model that names none has its first as default. */
static enum mls_status move_default_first(struct mls_interface *interfaces, size_t n, const char *name,
                                          struct mls_error *reterr)
{
    size_t found = 0;
    while (name[0] && found < n && strcmp(interfaces[found].function, name) != 0)
        found++;
    if (found == n) {
        char list[256];
        return mls_fail_because(
            reterr, MLS_ERR_SPEC_INTERFACE, MLS_CAUSE_FUNCTION_DESCRIPTION,
            "cannot read the model's interface: the default function '%s' is not found; there are: %s", name,
            interface_list(interfaces, n, list, sizeof list));
    }
    struct mls_interface first = interfaces[found];
    memmove(interfaces + 1, interfaces, found * sizeof *interfaces);
    interfaces[0] = first;
    return MLS_OK;
}

static enum mls_status read_functions(const Pb__ModelDescription *message, struct mls_model *model,
                                      struct mls_error *reterr)
{
    enum mls_status status = check_multi_function(message, model->spec_version, reterr);
    if (status)
        return status;
    struct mls_interface *interfaces =
        MLS_NEW_ARRAY(model->arena, message->n_functions, struct mls_interface);
    if (!interfaces)
        return program_no_memory(reterr);
    for (size_t i = 0; !status && i < message->n_functions; i++) {
        struct source source = function_source(message->functions[i]);
        status = read_interface(model->arena, &source, &interfaces[i], reterr);
    }
    if (!status)
        status = move_default_first(interfaces, message->n_functions, message->default_function_name, reterr);
    if (status)
        return status;
    model->interfaces = interfaces;
    model->n_interfaces = message->n_functions;
    return MLS_OK;
}

static enum mls_status read_single(const Pb__ModelDescription *message, struct mls_model *model,
                                   struct mls_error *reterr)
{
    struct mls_interface *interface = MLS_NEW(model->arena, struct mls_interface);
    if (!interface)
        return program_no_memory(reterr);
    struct source source = {
        .function = "main",
        .inputs = message->input,
        .n_inputs = message->n_input,
        .outputs = message->output,
        .n_outputs = message->n_output,
        .states = message->state,
        .n_states = message->n_state,
        .predicted_feature = message->predicted_feature_name,
        .predicted_probabilities = message->predicted_probabilities_name,
    };
    model->interfaces = interface;
    model->n_interfaces = 1;
    return read_interface(model->arena, &source, interface, reterr);
}

static enum mls_status read_metadata(const Pb__Metadata *message, struct mls_model *model,
                                     struct mls_error *reterr)
{
    const struct {
        const char *key;
        const char *value;
    } fixed[] = {
        {"author", message->author},
        {"license", message->license},
        {"shortDescription", message->short_description},
        {"versionString", message->version_string},
    };
    enum { N_FIXED = sizeof fixed / sizeof *fixed };
    struct mls_metadata *metadata =
        MLS_NEW_ARRAY(model->arena, N_FIXED + message->n_user_defined, struct mls_metadata);
    if (!metadata)
        return program_no_memory(reterr);
    size_t n = 0;
    for (size_t i = 0; i < N_FIXED; i++) {
        if (fixed[i].value[0])
            metadata[n++] = (struct mls_metadata){fixed[i].key, pb_text(model->arena, fixed[i].value)};
    }
    for (size_t i = 0; i < message->n_user_defined; i++)
        metadata[n++] = (struct mls_metadata){pb_text(model->arena, message->user_defined[i]->key),
                                              pb_text(model->arena, message->user_defined[i]->value)};
    for (size_t i = 0; i < n; i++) {
        if (!metadata[i].key || !metadata[i].value)
            return program_no_memory(reterr);
    }
    model->metadata = metadata;
    model->n_metadata = n;
    return MLS_OK;
}

enum mls_status pb_read_description(const Pb__ModelDescription *message, struct mls_model *model,
                                    struct mls_error *reterr)
{
    enum mls_status status =
        message->n_functions ? read_functions(message, model, reterr) : read_single(message, model, reterr);
    if (!status && message->metadata)
        status = read_metadata(message->metadata, model, reterr);
    if (!status)
        model->default_function = model->interfaces[0].function;
    return status;
}
