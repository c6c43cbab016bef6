/* Networks of layers: what becomes of them, and what is refused. */
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "format/load.h"
#include "model.pb-c.h"
#include "neural_network.pb-c.h"

enum { ARRAY_FP32 = 65568, NETWORK = 500, CLASSIFIER = 403, LAYERS_MAX = 4 };

/* x, an array of shape[], through up to LAYERS_MAX layers of one input and one output to y. */
struct net {
    Pb__ModelDescription description;
    Pb__FeatureDescription input, output, *inputs[1], *outputs[1];
    Pb__FeatureType type;
    Pb__ArrayFeatureType array;
    int64_t shape[8];
    Pb__Network network;
    Pb__NnLayer layers[LAYERS_MAX], *layer_pointers[LAYERS_MAX];
    char *layer_inputs[LAYERS_MAX][1], *layer_outputs[LAYERS_MAX][1];
    Pb__NnActivation activation;
    Pb__NnNothing nothing;
    Pb__NnWeights weights, bias;
    Pb__NnInnerProduct product;
};

static void net_begin(struct net *net, size_t n_layers, size_t rank, const int64_t *shape)
{
    memset(net, 0, sizeof *net);
    pb__model_description__init(&net->description);
    pb__feature_description__init(&net->input);
    pb__feature_type__init(&net->type);
    pb__array_feature_type__init(&net->array);
    pb__network__init(&net->network);
    pb__nn_activation__init(&net->activation);
    pb__nn_nothing__init(&net->nothing);
    pb__nn_weights__init(&net->weights);
    pb__nn_weights__init(&net->bias);
    pb__nn_inner_product__init(&net->product);
    memcpy(net->shape, shape, rank * sizeof *shape);
    net->array.shape = net->shape;
    net->array.n_shape = rank;
    net->array.data_type = ARRAY_FP32;
    net->type.type_case = PB__FEATURE_TYPE__TYPE_MULTI_ARRAY_TYPE;
    net->type.multi_array_type = &net->array;
    net->input.type = &net->type;
    net->output = net->input;
    net->input.name = "x";
    net->output.name = "y";
    net->inputs[0] = &net->input;
    net->outputs[0] = &net->output;
    net->description.input = net->inputs;
    net->description.output = net->outputs;
    net->description.n_input = net->description.n_output = 1;
    net->network.array_mapping = 1;
    net->network.layers = net->layer_pointers;
    net->network.n_layers = n_layers;
    net->activation.type_case = PB__NN_ACTIVATION__TYPE_RELU;
    net->activation.relu = &net->nothing;
    static char *const names[LAYERS_MAX + 1] = {"x", "a", "b", "c", "y"};
    for (size_t i = 0; i < n_layers; i++) {
        Pb__NnLayer *layer = &net->layers[i];
        pb__nn_layer__init(layer);
        layer->name = "a layer";
        net->layer_inputs[i][0] = names[i];
        net->layer_outputs[i][0] = i + 1 == n_layers ? names[LAYERS_MAX] : names[i + 1];
        layer->input = net->layer_inputs[i];
        layer->output = net->layer_outputs[i];
        layer->n_input = layer->n_output = 1;
        layer->layer_case = PB__NN_LAYER__LAYER_ACTIVATION;
        layer->activation = &net->activation;
        net->layer_pointers[i] = layer;
    }
}

static size_t put_field(uint8_t *to, uint32_t number, const ProtobufCMessage *message)
{
    size_t at = 0, size = protobuf_c_message_get_packed_size(message);
    for (uint64_t tag = (uint64_t)number << 3 | 2;; tag >>= 7) {
        to[at++] = (uint8_t)((tag & 0x7f) | (tag > 0x7f ? 0x80 : 0));
        if (tag <= 0x7f)
            break;
    }
    for (uint64_t length = size;; length >>= 7) {
        to[at++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
        if (length <= 0x7f)
            break;
    }
    return at + protobuf_c_message_pack(message, to + at);
}

static enum mls_status net_load(const struct net *net, uint32_t type, struct mls_model **ret_model,
                                struct mls_error *reterr)
{
    uint8_t spec[8192] = {0x08, 4};
    size_t n = 2;
    n += put_field(spec + n, 2, &net->description.base);
    n += put_field(spec + n, type, &net->network.base);
    assert_true(n < sizeof spec);
    *ret_model = NULL;
    return mls_model_load_spec((struct mls_bytes){spec, n}, "m", NULL, NULL, ret_model, reterr);
}

static struct mls_model *net_loaded(const struct net *net, uint32_t type)
{
    struct mls_model *model;
    struct mls_error error = {0};
    if (net_load(net, type, &model, &error) != MLS_OK)
        fail_msg("%s", error.text);
    return model;
}

static void net_refused(const struct net *net, uint32_t type, enum mls_status status, const char *reason)
{
    struct mls_model *model;
    struct mls_error error = {0};
    assert_int_equal(net_load(net, type, &model, &error), status);
    assert_null(model);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static const int64_t vector[] = {4}, image[] = {2, 3, 4};

static void a_layer_becomes_an_operation_of_its_name(void **state)
{
    (void)state;
    struct net net;
    net_begin(&net, 1, 1, vector);
    struct mls_model *model = net_loaded(&net, NETWORK);
    assert_string_equal(model->type_name, "neuralNetwork");
    assert_int_equal(model->program.n_ops, 1);
    assert_string_equal(model->program.ops[0].type, "relu");
    assert_string_equal(model->program.ops[0].name, "a layer");
    assert_string_equal(model->program.values[model->program.ops[0].outputs[0].i].name, "y");
    mls_model_free(model);
}

static void the_older_mapping_makes_images_of_arrays(void **state)
{
    (void)state;
    struct net net;
    net_begin(&net, 1, 3, image);
    net.network.array_mapping = 0;
    struct mls_model *model = net_loaded(&net, NETWORK);
    assert_int_equal(model->program.n_ops, 3); /* to four dimensions, the layer, back to three */
    const struct mls_op *layer = &model->program.ops[1];
    assert_int_equal(model->program.values[layer->outputs[0].i].type.rank, 4);
    mls_model_free(model);
}

/* The weights of a product [3, 4]. */
static void use_product(struct net *net, float *weights, size_t n)
{
    net->layers[0].layer_case = PB__NN_LAYER__LAYER_INNER_PRODUCT;
    net->layers[0].inner_product = &net->product;
    net->product.input_channels = 4;
    net->product.output_channels = 3;
    net->product.weights = &net->weights;
    net->weights.float_value = weights;
    net->weights.n_float_value = n;
    net->array.shape = net->shape;
}

static void weights_are_what_the_file_holds(void **state)
{
    (void)state;
    struct net net;
    float weights[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    net_begin(&net, 1, 1, vector);
    use_product(&net, weights, 12);
    struct mls_model *model = net_loaded(&net, NETWORK);
    const struct mls_op *constant = &model->program.ops[0];
    assert_string_equal(constant->type, "const");
    assert_string_equal(constant->name, "a layer.weights");
    const struct mls_value *value = &model->program.values[constant->outputs[0].i];
    assert_memory_equal(value->constant->data, weights, sizeof weights);
    mls_model_free(model);
    use_product(&net, weights, 11);
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "11 elements, not 12");
    net.product.output_channels = UINT64_MAX;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "too many channels");
    net.product.output_channels = net.product.input_channels = INT32_MAX;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "elements");
    net.product.weights = NULL;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "it has no weights");
}

static void codes_are_checked(void **state)
{
    (void)state;
    struct net net;
    uint8_t bytes[6] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};
    float scale[3] = {1, 2, 3}, table[16] = {0};
    Pb__NnQuantization quantization = PB__NN_QUANTIZATION__INIT;
    Pb__NnLinearQuantization linear = PB__NN_LINEAR_QUANTIZATION__INIT;
    Pb__NnLookUpTable lookup = PB__NN_LOOK_UP_TABLE__INIT;
    net_begin(&net, 1, 1, vector);
    use_product(&net, NULL, 0);
    net.weights.raw_value = (ProtobufCBinaryData){sizeof bytes, bytes};
    net_refused(&net, NETWORK, MLS_ERR_OP_UNSUPPORTED, "no codes of 1 to 8 bits");
    net.weights.quantization = &quantization;
    quantization.number_of_bits = 4;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "how they are quantized");
    quantization.type_case = PB__NN_QUANTIZATION__TYPE_LINEAR;
    quantization.linear = &linear;
    linear.scale = scale;
    linear.n_scale = 2;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "neither one element nor one a channel");
    linear.n_scale = 3;
    struct mls_model *model = net_loaded(&net, NETWORK);
    const uint8_t *codes = model->program.values[model->program.ops[0].outputs[0].i].constant->data;
    assert_int_equal(codes[0], 1); /* the first code lies in the highest bits */
    assert_int_equal(codes[11], 12);
    mls_model_free(model);
    quantization.type_case = PB__NN_QUANTIZATION__TYPE_LOOKUP_TABLE;
    quantization.lookup_table = &lookup;
    lookup.float_value = table;
    lookup.n_float_value = 15;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "2^bits entries");
    lookup.n_float_value = 16;
    mls_model_free(net_loaded(&net, NETWORK));
    quantization.number_of_bits = 8;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "6 bytes");
}

static void custom_layers_are_named(void **state)
{
    (void)state;
    struct net net;
    Pb__NnCustom custom;
    pb__nn_custom__init(&custom);
    custom.class_name = "Swirl";
    net_begin(&net, 1, 1, vector);
    net.layers[0].layer_case = PB__NN_LAYER__LAYER_CUSTOM;
    net.layers[0].custom = &custom;
    net_refused(&net, NETWORK, MLS_ERR_OP_UNSUPPORTED, "'a layer' (custom): it is a custom layer of class 'Swirl'");
}

static void names_must_be_computed_before_they_are_used(void **state)
{
    (void)state;
    struct net net;
    net_begin(&net, 2, 1, vector);
    net.layer_inputs[0][0] = "later";
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "'later' is not computed before it");
    net_begin(&net, 1, 1, vector);
    net.output.name = "z";
    net_refused(&net, NETWORK, MLS_ERR_INTERFACE_MISMATCH, "no layer computes 'z'");
    net_begin(&net, 1, 1, vector);
    net.layers[0].n_input = 0;
    net_refused(&net, NETWORK, MLS_ERR_PROGRAM_INVALID, "too few");
    net_begin(&net, 1, 1, vector);
    net.layers[0].layer_case = PB__NN_LAYER__LAYER__NOT_SET;
    net_refused(&net, NETWORK, MLS_ERR_OP_UNSUPPORTED, "is not known");
}

/* Loops in loops: the deepest ones are refused before anything calls itself too often. */
static void nesting_has_a_limit(void **state)
{
    (void)state;
    enum { DEPTH = 80 };
    struct net net;
    static Pb__Network bodies[DEPTH];
    static Pb__NnLoop loops[DEPTH];
    static Pb__NnLayer layers[DEPTH], *pointers[DEPTH];
    for (size_t i = DEPTH; i-- > 0;) {
        pb__network__init(&bodies[i]);
        pb__nn_loop__init(&loops[i]);
        pb__nn_layer__init(&layers[i]);
        layers[i].name = "loop";
        layers[i].layer_case = PB__NN_LAYER__LAYER_LOOP;
        layers[i].loop = &loops[i];
        loops[i].max_iterations = 1;
        loops[i].body_network = &bodies[i];
        pointers[i] = &layers[i];
        if (i + 1 < DEPTH) {
            bodies[i].layers = &pointers[i + 1];
            bodies[i].n_layers = 1;
        }
    }
    net_begin(&net, 2, 1, vector);
    net.layers[0] = layers[0];
    net.layer_inputs[1][0] = "x";
    net_refused(&net, NETWORK, MLS_ERR_LIMIT, "nested deeper");
    bodies[10].n_layers = 0;
    mls_model_free(net_loaded(&net, NETWORK));
}

static void a_loop_carries_what_it_overwrites(void **state)
{
    (void)state;
    struct net net, inner;
    Pb__NnLoop loop;
    pb__nn_loop__init(&loop);
    net_begin(&inner, 1, 1, vector);
    inner.layer_inputs[0][0] = inner.layer_outputs[0][0] = "a";
    net_begin(&net, 3, 1, vector);
    loop.max_iterations = 3;
    loop.body_network = &inner.network;
    net.layers[1].layer_case = PB__NN_LAYER__LAYER_LOOP;
    net.layers[1].loop = &loop;
    net.layers[1].n_input = net.layers[1].n_output = 0;
    net.layer_inputs[2][0] = "a";
    struct mls_model *model = net_loaded(&net, NETWORK);
    const struct mls_op *found = NULL;
    for (uint32_t i = 0; i < model->program.n_ops; i++) {
        if (!strcmp(model->program.ops[i].type, "while_loop"))
            found = &model->program.ops[i];
    }
    assert_non_null(found);
    assert_int_equal(found->n_outputs, 3); /* a, the counter, whether it goes on */
    assert_string_equal(model->program.values[found->outputs[0].i].name, "a");
    mls_model_free(model);
}

static void a_classifier_gives_a_label_and_probabilities(void **state)
{
    (void)state;
    struct net net;
    Pb__NnStrings labels = PB__NN_STRINGS__INIT;
    char *names[4] = {"one", "two", "three", "four"};
    Pb__FeatureDescription label, probabilities;
    Pb__FeatureDescription *outputs[2] = {&label, &probabilities};
    Pb__FeatureType text = PB__FEATURE_TYPE__INIT, dictionary = text;
    Pb__StringFeatureType string = PB__STRING_FEATURE_TYPE__INIT;
    Pb__DictionaryFeatureType keys = PB__DICTIONARY_FEATURE_TYPE__INIT;
    pb__feature_description__init(&label);
    pb__feature_description__init(&probabilities);
    net_begin(&net, 1, 1, vector);
    text.type_case = PB__FEATURE_TYPE__TYPE_STRING_TYPE;
    text.string_type = &string;
    keys.key_type_case = PB__DICTIONARY_FEATURE_TYPE__KEY_TYPE_STRING_KEY_TYPE;
    keys.string_key_type = &string;
    dictionary.type_case = PB__FEATURE_TYPE__TYPE_DICTIONARY_TYPE;
    dictionary.dictionary_type = &keys;
    label.name = "label";
    label.type = &text;
    probabilities.name = "p";
    probabilities.type = &dictionary;
    net.description.output = outputs;
    net.description.n_output = 2;
    net.description.predicted_feature_name = "label";
    net.description.predicted_probabilities_name = "p";
    labels.vector = names;
    labels.n_vector = 4;
    net.network.class_labels_case = PB__NETWORK__CLASS_LABELS_STRING_CLASS_LABELS;
    net.network.string_class_labels = &labels;
    struct mls_model *model = net_loaded(&net, CLASSIFIER);
    const struct mls_op *last = &model->program.ops[model->program.n_ops - 1];
    assert_string_equal(last->type, "classify");
    assert_string_equal(model->program.values[last->outputs[0].i].name, "label");
    assert_string_equal(model->program.values[last->outputs[1].i].name, "p");
    mls_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_becomes_an_operation_of_its_name),
        cmocka_unit_test(the_older_mapping_makes_images_of_arrays),
        cmocka_unit_test(weights_are_what_the_file_holds),
        cmocka_unit_test(codes_are_checked),
        cmocka_unit_test(custom_layers_are_named),
        cmocka_unit_test(names_must_be_computed_before_they_are_used),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(a_loop_carries_what_it_overwrites),
        cmocka_unit_test(a_classifier_gives_a_label_and_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
