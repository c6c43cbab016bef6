/* pb_nn.c: a network: its inputs and their preprocessing, its layers, its outputs and class labels. */
#include "format/pb_nn.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static const struct nn_row rows[] = {
#define NN_LAYER(number, name, function, detail) {PB__NN_LAYER__LAYER_##number, name, function, detail},
#include "format/nn_layers.def"
#undef NN_LAYER
};

const struct nn_row *nn_find_row(Pb__NnLayer__LayerCase number)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].number == number)
            return &rows[i];
    }
    return NULL;
}

enum { TYPE_REGRESSOR = 303, TYPE_CLASSIFIER = 403, TYPE_NETWORK = 500 };

bool pb_is_network(uint32_t type_number)
{
    return type_number == TYPE_NETWORK || type_number == TYPE_CLASSIFIER || type_number == TYPE_REGRESSOR;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

void nn_layer(struct nn *nn, const Pb__NnLayer *layer)
{
    const struct nn_row *row = nn_find_row(layer->layer_case);
    nn->layer = layer;
    nn->layer_name = mls_arena_text(nn->arena, layer->name, strlen(layer->name));
    if (nn->layer_name && !layer->name[0])
        nn->layer_name = mls_arena_printf(nn->arena, "%s",
                                          layer->n_output && layer->output[0][0] ? layer->output[0]
                                          : row                                  ? row->name
                                                                                 : "layer");
    if (!nn->layer_name)
        nn_no_memory(nn);
    else if (!row)
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED,
                "this kind of layer is not known; the model may be newer than this program");
    else
        row->translate(nn, layer, row);
    nn_flush(nn);
    nn->layer = NULL;
}

void nn_network(struct nn *nn, const Pb__Network *network)
{
    for (size_t i = 0; !nn->status && i < network->n_layers; i++) {
        const Pb__NnLayer *layer = network->layers[i];
        nn_layer(nn, layer);
        if (nn->n_loops && i + 1 < network->n_layers && nn_layer_jumps(layer)) {
            nn_rest(nn, network, i + 1);
            return;
        }
    }
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

/* Whether the description leaves this dimension open. For images: 0 is the height, 1 the width. */
static bool is_open(const struct mls_feature *feature, unsigned place, int64_t dim)
{
    if (place < feature->n_ranges) {
        const struct mls_range *range = &feature->ranges[place];
        return range->lower != dim || range->upper != dim;
    }
    for (size_t i = 0; i < feature->n_enumerated; i++) {
        const struct mls_shape *shape = &feature->enumerated[i];
        if (place < shape->rank && shape->dims[place] != dim)
            return true;
    }
    return false;
}

static struct mls_type input_type(struct nn *nn, const struct mls_feature *feature)
{
    struct mls_type type = feature->type;
    type.dtype = MLS_FP32;
    if (feature->kind == MLS_FEATURE_IMAGE && type.rank == 3) {
        int64_t height = is_open(feature, 0, type.dims[0]) ? MLS_DIM_UNKNOWN : type.dims[0];
        int64_t width = is_open(feature, 1, type.dims[1]) ? MLS_DIM_UNKNOWN : type.dims[1];
        return mls_type_tensor(MLS_FP32, 4, (const int64_t[]){1, type.dims[2], height, width});
    }
    bool is_number = feature->kind == MLS_FEATURE_INT64 || feature->kind == MLS_FEATURE_DOUBLE;
    if (feature->kind != MLS_FEATURE_TENSOR && !is_number)
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "its input '%s' is a %s; networks take arrays and images",
                feature->name, mls_feature_kind_name(feature->kind));
    for (unsigned i = 0; type.rank <= MLS_RANK_MAX && i < type.rank; i++) {
        if (is_open(feature, i, type.dims[i]))
            type.dims[i] = MLS_DIM_UNKNOWN;
    }
    return type;
}

/* What layers see of an input: [sequence, channel, height, width] in networks of rank 5, without its batch
 * of 1. */
static mls_value_id mapped_input(struct nn *nn, const struct mls_feature *feature, mls_value_id value)
{
    unsigned rank = nn_rank(nn, value);
    if (rank == 0)
        return nn_expand(nn, value, (const int64_t[]){0}, 1);
    if (!nn->rank5 || feature->kind == MLS_FEATURE_IMAGE)
        return value;
    switch (rank) {
    case 1:
        return nn_expand(nn, value, (const int64_t[]){0, 2, 3}, 3);
    case 2: /* sequence, channel */
        return nn_expand(nn, value, (const int64_t[]){2, 3}, 2);
    case 3:
        return nn_expand(nn, value, (const int64_t[]){0}, 1);
    case 4:
        return value;
    case 5:
        return nn_squeeze(nn, value, (const int64_t[]){1}, 1);
    default:
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED,
                "its input '%s' has %u dimensions; networks of rank 5 take 1 to 5", feature->name, rank);
        return value;
    }
}

static const Pb__NnPreprocessing *find_preprocessing(const Pb__Network *network,
                                                     const struct mls_feature *feature)
{
    for (size_t i = 0; i < network->n_preprocessing; i++) {
        const Pb__NnPreprocessing *preprocessing = network->preprocessing[i];
        if (!strcmp(preprocessing->feature_name, feature->name) || !preprocessing->feature_name[0])
            return preprocessing;
    }
    return NULL;
}

static mls_value_id scaled(struct nn *nn, const Pb__NnImageScaler *scaler, const struct mls_feature *feature,
                           mls_value_id x)
{
    float biases[3] = {scaler->gray_bias};
    int64_t n = 1;
    if (feature->color == MLS_COLOR_RGB || feature->color == MLS_COLOR_BGR) {
        bool rgb = feature->color == MLS_COLOR_RGB;
        n = 3;
        biases[0] = rgb ? scaler->red_bias : scaler->blue_bias;
        biases[1] = scaler->green_bias;
        biases[2] = rgb ? scaler->blue_bias : scaler->red_bias;
    }
    if (scaler->channel_scale != 1.0f)
        x = nn_binary(nn, "mul", x, nn_scalar(nn, scaler->channel_scale));
    bool biased = false;
    for (int64_t i = 0; i < n; i++)
        biased |= biases[i] != 0.0f;
    struct mls_type type = mls_type_tensor(MLS_FP32, 4, (const int64_t[]){1, n, 1, 1});
    return biased ? nn_binary(nn, "add", x, nn_constant(nn, &type, biases)) : x;
}

static mls_value_id without_mean(struct nn *nn, const Pb__NnMeanImage *mean,
                                 const struct mls_feature *feature, mls_value_id x)
{
    const int64_t *dims = feature->type.dims; /* height, width, channels */
    struct mls_type type = mls_type_tensor(MLS_FP32, 4, (const int64_t[]){1, dims[2], dims[0], dims[1]});
    if (mls_type_elems(&type) != (int64_t)mean->n_mean_image) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID,
                "the mean image for '%s' has %zu values, the image has another number", feature->name,
                mean->n_mean_image);
        return x;
    }
    return nn_binary(nn, "sub", x, nn_constant(nn, &type, mean->mean_image));
}

static void add_input(struct nn *nn, const Pb__Network *network, const struct mls_feature *feature,
                      mls_value_id *ret_id)
{
    struct mls_value value = {
        .name = feature->name, .type = input_type(nn, feature), .producer = {MLS_NO_INDEX}};
    if (!nn->status)
        nn->status = ir_value_define(nn->builder, &value, ret_id, nn->error);
    if (nn->status)
        return;
    nn->layer_name = feature->name;
    mls_value_id x = mapped_input(nn, feature, *ret_id);
    const Pb__NnPreprocessing *preprocessing = find_preprocessing(network, feature);
    if (preprocessing && feature->kind == MLS_FEATURE_IMAGE) {
        if (preprocessing->preprocessor_case == PB__NN_PREPROCESSING__PREPROCESSOR_SCALER)
            x = scaled(nn, preprocessing->scaler, feature, x);
        else if (preprocessing->preprocessor_case == PB__NN_PREPROCESSING__PREPROCESSOR_MEAN_IMAGE)
            x = without_mean(nn, preprocessing->mean_image, feature, x);
    }
    for (uint32_t i = 0; i < nn->n_pending; i++) {
        nn->pending[i].op.name = mls_arena_printf(nn->arena, "%s/preprocessing", feature->name);
        if (!nn->pending[i].op.name)
            nn_no_memory(nn);
    }
    nn_flush(nn);
    if (!nn->status && x.i != ret_id->i)
        nn->status = ir_value_bind(nn->builder, feature->name, x, nn->error);
}

/* ---- Outputs --------------------------------------------------------------------------------- */

static mls_value_id find_blob(struct nn *nn, const char *name)
{
    mls_value_id value = ir_value_find(nn->builder, name);
    if (!nn->status && value.i == MLS_NO_INDEX)
        nn_fail(nn, MLS_ERR_INTERFACE_MISMATCH, "no layer computes '%s'", name);
    return value;
}

/* What the model gives of a blob: of the shape that the description states, and for images of rank 4. */
static mls_value_id mapped_output(struct nn *nn, const struct mls_feature *feature, mls_value_id value)
{
    unsigned rank = nn_rank(nn, value);
    if (feature->kind == MLS_FEATURE_IMAGE) {
        if (rank == 3)
            return nn_expand(nn, value, (const int64_t[]){0}, 1);
        return rank == 4 || rank == MLS_RANK_UNKNOWN ? value : nn_batch4(nn, value);
    }
    const struct mls_type *stated = &feature->type;
    bool is_stated = mls_type_is_static(stated) && stated->rank && stated->rank != rank;
    if (feature->kind != MLS_FEATURE_TENSOR || (!nn->rank5 && !is_stated))
        return value;
    struct nn_op op;
    nn_begin(&op, "nn_unmap");
    nn_arg(nn, &op, "x", value);
    nn_arg_ints(nn, &op, "shape", stated->dims, mls_type_is_static(stated) ? stated->rank : 0);
    nn_arg_bool(nn, &op, "mapped", nn->rank5);
    return nn_emit(nn, &op, MLS_RANK_UNKNOWN);
}

static void add_output(struct nn *nn, const struct mls_feature *feature, mls_value_id *ret_id)
{
    mls_value_id value = find_blob(nn, feature->name);
    if (nn->status)
        return;
    nn->layer_name = feature->name;
    mls_value_id mapped = mapped_output(nn, feature, value);
    struct mls_value *given = nn->status ? NULL : ir_value_at(nn->builder, mapped);
    bool is_input = given && given->producer.i == MLS_NO_INDEX;
    if (given && (is_input || (given->name[0] && strcmp(given->name, feature->name)))) {
        mapped = nn_unary(nn, "identity", mapped);
        given = nn->status ? NULL : ir_value_at(nn->builder, mapped);
    }
    if (given)
        given->name = feature->name;
    nn_flush(nn);
    *ret_id = mapped;
}

/* The labels of a classifier as a list; n is 0 when it has none. */
static mls_value_id labels(struct nn *nn, const Pb__Network *network)
{
    bool texts = network->class_labels_case == PB__NETWORK__CLASS_LABELS_STRING_CLASS_LABELS;
    size_t n = texts ? network->string_class_labels->n_vector : network->int64_class_labels->n_vector;
    struct mls_type type = {
        .kind = MLS_KIND_LIST, .dtype = texts ? MLS_TEXT : MLS_INT64, .list_length = (int64_t)n};
    struct mls_constant *constant = MLS_NEW(nn->arena, struct mls_constant);
    size_t bytes = mls_dtype_bytes(type.dtype, n);
    void *data = n <= MLS_LIMIT_LIST_LENGTH ? mls_arena_alloc(nn->arena, bytes, 16) : NULL;
    mls_value_id id = {MLS_NO_INDEX};
    if (!constant || !data) {
        nn_no_memory(nn);
        return id;
    }
    for (size_t i = 0; texts && i < n; i++) {
        const char *label = network->string_class_labels->vector[i];
        size_t length = strlen(label);
        const char *copy = mls_arena_text(nn->arena, label, length);
        if (!copy)
            nn_no_memory(nn);
        ((struct mls_text *)data)[i] = (struct mls_text){copy, length};
    }
    if (!texts && n)
        memcpy(data, network->int64_class_labels->vector, bytes);
    *constant = (struct mls_constant){.data = data, .size_bytes = bytes};
    struct mls_value value = {
        .name = "classes", .type = type, .producer = {MLS_NO_INDEX}, .constant = constant};
    if (!nn->status)
        nn->status = ir_value_add(nn->builder, &value, &id, nn->error);
    return id;
}

static void classify(struct nn *nn, const Pb__Network *network, const mls_value_id **ret_outputs)
{
    const char *blob = network->label_probability_layer_name;
    const Pb__NnLayer *last = network->n_layers ? network->layers[network->n_layers - 1] : NULL;
    if (!blob[0] && last && last->n_output)
        blob = last->output[0];
    mls_value_id probabilities = find_blob(nn, blob);
    struct nn_op op;
    nn_begin(&op, "classify");
    nn_arg(nn, &op, "probabilities", probabilities);
    nn_arg(nn, &op, "classes", labels(nn, network));
    struct mls_type types[2] = {{.dtype = MLS_INT64},
                                {.kind = MLS_KIND_DICTIONARY, .dtype = MLS_FP32, .rank = 1}};
    types[0].dtype =
        network->class_labels_case == PB__NETWORK__CLASS_LABELS_STRING_CLASS_LABELS ? MLS_TEXT : MLS_INT64;
    types[1].dims[0] = MLS_DIM_UNKNOWN;
    types[1].key_dtype = types[0].dtype;
    const mls_value_id *outputs = nn_emit_several(nn, &op, types, 2);
    if (!outputs)
        return;
    ir_value_at(nn->builder, outputs[0])->name = nn->interface->predicted_feature;
    ir_value_at(nn->builder, outputs[1])->name = nn->interface->predicted_probabilities[0]
                                                     ? nn->interface->predicted_probabilities
                                                     : "classProbability";
    nn->layer_name = "classify";
    nn_flush(nn);
    *ret_outputs = outputs;
}

static void add_outputs(struct nn *nn, const Pb__Network *network, struct mls_block *block)
{
    const struct mls_interface *interface = nn->interface;
    mls_value_id *ids = MLS_NEW_ARRAY(nn->arena, interface->n_outputs, mls_value_id);
    const mls_value_id *classes = NULL;
    if (!ids)
        nn_no_memory(nn);
    if (!nn->status && network->class_labels_case != PB__NETWORK__CLASS_LABELS__NOT_SET)
        classify(nn, network, &classes);
    for (size_t i = 0; !nn->status && i < interface->n_outputs; i++) {
        const struct mls_feature *feature = &interface->outputs[i];
        bool is_text = feature->kind == MLS_FEATURE_STRING || feature->kind == MLS_FEATURE_INT64;
        if (classes && is_text && !strcmp(feature->name, interface->predicted_feature))
            ids[i] = classes[0];
        else if (classes && feature->kind == MLS_FEATURE_DICTIONARY)
            ids[i] = classes[1];
        else
            add_output(nn, feature, &ids[i]);
    }
    block->outputs = ids;
    block->n_outputs = (uint32_t)interface->n_outputs;
}

/* ---- The function ---------------------------------------------------------------------------- */

static void read_function(struct nn *nn, const Pb__Network *network, struct mls_block *block)
{
    const struct mls_interface *interface = nn->interface;
    mls_value_id *inputs = MLS_NEW_ARRAY(nn->arena, interface->n_inputs, mls_value_id);
    if (!inputs)
        nn_no_memory(nn);
    for (size_t i = 0; !nn->status && i < interface->n_inputs; i++)
        add_input(nn, network, &interface->inputs[i], &inputs[i]);
    nn_network(nn, network);
    if (!nn->status)
        add_outputs(nn, network, block);
    block->inputs = inputs;
    block->n_inputs = (uint32_t)interface->n_inputs;
}

/* The last three dimensions of arrays mean channel, height and width, and one in front a sequence, unless the
 * network says that it takes arrays as they are; of images alone, the mapping of images tells. */
static bool is_rank5(const Pb__Network *network, const struct mls_interface *interface)
{
    for (size_t i = 0; i < interface->n_inputs; i++) {
        if (interface->inputs[i].kind != MLS_FEATURE_IMAGE)
            return network->array_mapping == 0;
    }
    return network->image_mapping == 0;
}

enum mls_status pb_read_network(struct mls_bytes spec, struct mls_bytes message, struct pb_memory *memory,
                                struct mls_arena *arena, struct ir_builder *builder,
                                const struct mls_interface *interface, mls_function_id id,
                                struct mls_function *ret_function, struct mls_error *reterr)
{
    ProtobufCMessage *unpacked;
    enum mls_status status = pb_unpack(&pb__network__descriptor, message, spec, memory, &unpacked, reterr);
    if (status)
        return status;
    const Pb__Network *network = (const Pb__Network *)unpacked;
    struct nn_block body = {0};
    struct nn nn = {.arena = arena,
                    .builder = builder,
                    .interface = interface,
                    .function = id,
                    .rank5 = is_rank5(network, interface),
                    .block = &body,
                    .layer_name = "",
                    .error = reterr};
    struct mls_function function = {.name = interface->function, .opset = NN_OPSET};
    struct mls_block block = {.function = id, .parent = {MLS_NO_INDEX}};
    nn.status = ir_scope_open(builder, reterr);
    if (!nn.status)
        nn.status = ir_block_reserve(builder, &function.block, reterr);
    body.id = function.block;
    if (!nn.status) {
        read_function(&nn, network, &block);
        ir_scope_close(builder);
    }
    nn_close_block(&nn, &body, &block);
    free(nn.pending);
    if (!nn.status)
        *ret_function = function;
    return nn.status;
}
