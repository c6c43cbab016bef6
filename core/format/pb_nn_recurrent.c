/*
 * pb_nn_recurrent.c: recurrent layers. Sequences are [sequence, batch, channel, 1, 1], in networks of rank 5
 * without the batch; states have a sequence of 1. The clip of what enters an activation, to 50 on both sides,
 * is left out: it changes nothing for the functions that are limited, and is no part of what the others are
 * used for.
 */
#include "format/pb_nn.h"

#include <math.h>
#include <string.h>

enum { GATES_MAX = 4 };

/* ---- Activations ----------------------------------------------------------------------------- */

static bool near(float a, float b)
{
    return fabsf(a - b) < 1e-4f;
}

/* The name of an activation, with the constants that the format allows here; NULL after a failure. */
static const char *activation_name(struct nn *nn, const Pb__NnActivation *activation)
{
    switch (activation->type_case) {
    case PB__NN_ACTIVATION__TYPE_LINEAR: {
        const Pb__NnAlphaBeta *linear = activation->linear;
        bool plain = (near(linear->alpha, 1) || linear->alpha == 0.0f) && linear->beta == 0.0f;
        if (plain)
            return "linear";
        break;
    }
    case PB__NN_ACTIVATION__TYPE_SIGMOID:
        return "sigmoid";
    case PB__NN_ACTIVATION__TYPE_TANH:
        return "tanh";
    case PB__NN_ACTIVATION__TYPE_RELU:
        return "relu";
    case PB__NN_ACTIVATION__TYPE_SCALED_TANH: {
        const Pb__NnAlphaBeta *scaled = activation->scaled_tanh;
        if (fabsf(scaled->alpha - 1.7159f) < 0.01f && fabsf(scaled->beta - 2.0f / 3) < 0.01f)
            return "nn_scaled_tanh";
        bool unset = scaled->alpha == 0.0f && scaled->beta == 0.0f;
        if (unset || (near(scaled->alpha, 1) && near(scaled->beta, 1)))
            return "tanh";
        break;
    }
    case PB__NN_ACTIVATION__TYPE_SIGMOID_HARD: {
        const Pb__NnAlphaBeta *hard = activation->sigmoid_hard;
        bool unset = hard->alpha == 0.0f && hard->beta == 0.0f;
        if (unset || (near(hard->alpha, 0.2f) && near(hard->beta, 0.5f)))
            return "hard_sigmoid";
        break;
    }
    default:
        break;
    }
    nn_fail(nn, MLS_ERR_OP_UNSUPPORTED,
            "its activation, or the constants of it, are not among those of recurrent layers");
    return NULL;
}

static void arg_activation(struct nn *nn, struct nn_op *op, const char *name,
                           Pb__NnActivation *const *activations, size_t n, size_t i, const char *otherwise)
{
    const char *chosen = i < n ? activation_name(nn, activations[i]) : otherwise;
    if (chosen)
        nn_arg_text(nn, op, name, chosen);
}

/* ---- Weights --------------------------------------------------------------------------------- */

struct gates {
    const Pb__NnWeights *weights[GATES_MAX]; /* in the order of the operation's rows */
    const float *floats[GATES_MAX];
    unsigned n;
    const char *what;
};

/* The matrices [rows, columns] of all gates, one below the other. columns 0: vectors. */
static mls_value_id stack_gates(struct nn *nn, struct gates *gates, uint64_t n_rows, uint64_t n_columns,
                                float forget)
{
    uint64_t n = n_rows * (n_columns ? n_columns : 1); /* both are at most INT32_MAX */
    int64_t dims[2] = {(int64_t)(gates->n * n_rows), (int64_t)n_columns};
    struct mls_type type = mls_type_tensor(MLS_FP32, n_columns ? 2 : 1, dims);
    for (unsigned i = 0; i < gates->n; i++) {
        bool none = !gates->weights[i] && !n_columns; /* no bias */
        if (!none)
            gates->floats[i] = nn_weights_floats(nn, gates->weights[i], gates->what, n, n_rows);
    }
    float *all = nn->status ? NULL : mls_arena_array(nn->arena, gates->n * n, sizeof *all, 16);
    if (nn->status || !all) {
        nn_no_memory(nn);
        return (mls_value_id){MLS_NO_INDEX};
    }
    for (unsigned i = 0; i < gates->n; i++) {
        if (gates->floats[i])
            memcpy(all + i * n, gates->floats[i], n * sizeof *all);
    }
    for (uint64_t i = 0; forget != 0.0f && i < n; i++)
        all[n + i] += forget;
    return nn_stored(nn, gates->what, &type, all);
}

static bool check_sizes(struct nn *nn, uint64_t input, uint64_t output)
{
    return nn_check(nn, input && output && input < (1u << 24) && output < (1u << 24),
                    "its sizes are impossible");
}

/* ---- Sequences and states -------------------------------------------------------------------- */

/* [sequence, batch, channel] */
static mls_value_id sequence(struct nn *nn, mls_value_id x)
{
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, rank == 5 || rank == 4, "its input must have 5 dimensions"))
        return x;
    mls_value_id flat = nn_squeeze(nn, x, (const int64_t[]){-1, -2}, 2);
    return rank == 5 ? flat : nn_expand(nn, flat, (const int64_t[]){1}, 1);
}

static mls_value_id sequence_back(struct nn *nn, mls_value_id y, unsigned rank)
{
    if (rank == 4)
        y = nn_squeeze(nn, y, (const int64_t[]){1}, 1);
    return nn_expand(nn, y, (const int64_t[]){-1, -2}, 2);
}

/* [batch, channel]: input i of the layer, or zeros. */
static mls_value_id state(struct nn *nn, size_t i, mls_value_id x, uint64_t n_channels)
{
    if (!nn->status && nn->layer->n_input > i) /* whatever its dimensions: converters write several forms */
        return nn_reshape(nn, nn_input(nn, i), (const int64_t[]){-1, (int64_t)n_channels}, 2);
    struct nn_op shape, batch, both, zeros;
    nn_begin(&shape, "shape");
    nn_arg(nn, &shape, "x", x);
    nn_begin(&batch, "slice_by_index");
    nn_arg(nn, &batch, "x", nn_emit_as(nn, &shape, MLS_INT32, 1));
    const int64_t one = 1, two = 2;
    nn_arg_ints(nn, &batch, "begin", &one, 1);
    nn_arg_ints(nn, &batch, "end", &two, 1);
    int32_t channels = (int32_t)n_channels;
    struct mls_type type = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){1});
    const mls_value_id parts[2] = {nn_emit_as(nn, &batch, MLS_INT32, 1), nn_constant(nn, &type, &channels)};
    nn_begin(&both, "concat");
    nn_args(nn, &both, "values", parts, 2);
    nn_arg_int(nn, &both, "axis", 0);
    nn_begin(&zeros, "fill");
    nn_arg(nn, &zeros, "shape", nn_emit_as(nn, &both, MLS_INT32, 1));
    nn_arg_float(nn, &zeros, "value", 0);
    return nn_emit(nn, &zeros, 2);
}

static mls_value_id state_back(struct nn *nn, mls_value_id state, unsigned rank)
{
    const int64_t axes[3] = {-1, -2, 0};
    return nn_expand(nn, state, axes, rank == 5 ? 3 : 2);
}

/* The outputs of a recurrent operation: a sequence and n states. */
static const mls_value_id *emit_cell(struct nn *nn, const struct nn_op *op, size_t n_states)
{
    const int64_t open[3] = {MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN};
    struct mls_type types[3] = {mls_type_tensor(MLS_FP32, 3, open), mls_type_tensor(MLS_FP32, 2, open),
                                mls_type_tensor(MLS_FP32, 2, open)};
    return nn_emit_several(nn, op, types, 1 + n_states);
}

static void give_cell(struct nn *nn, const struct nn_op *op, size_t n_states, unsigned rank)
{
    const mls_value_id *outputs = emit_cell(nn, op, n_states);
    if (!outputs)
        return;
    nn_bind(nn, 0, sequence_back(nn, outputs[0], rank));
    for (size_t i = 1; !nn->status && i <= n_states && i < nn->layer->n_output; i++)
        nn_bind(nn, i, state_back(nn, outputs[i], rank));
}

static void arg_direction(struct nn *nn, struct nn_op *op, bool reverse, bool all)
{
    nn_arg_text(nn, op, "direction", reverse ? "reverse" : "forward");
    nn_arg_bool(nn, op, "output_sequence", all);
}

/* ---- simpleRecurrent and gru ----------------------------------------------------------------- */

void nn_simple_recurrent(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSimpleRecurrent *layer = message->simple_recurrent;
    if (!check_sizes(nn, layer->input_size, layer->output_size))
        return;
    mls_value_id input = nn_input(nn, 0), x = sequence(nn, input);
    struct gates ih = {.weights = {layer->weights}, .n = 1, .what = "weights"};
    struct gates hh = {.weights = {layer->recursion}, .n = 1, .what = "recursion"};
    struct gates bias = {.weights = {layer->has_bias ? layer->bias : NULL}, .n = 1, .what = "bias"};
    struct nn_op op;
    nn_begin(&op, "rnn");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "initial_h", state(nn, 1, x, layer->output_size));
    nn_arg(nn, &op, "weight_ih", stack_gates(nn, &ih, layer->output_size, layer->input_size, 0));
    nn_arg(nn, &op, "weight_hh", stack_gates(nn, &hh, layer->output_size, layer->output_size, 0));
    nn_arg(nn, &op, "bias", stack_gates(nn, &bias, layer->output_size, 0, 0));
    arg_direction(nn, &op, layer->reverse_input, layer->sequence_output);
    arg_activation(nn, &op, "activation", &layer->activation, layer->activation ? 1 : 0, 0, "tanh");
    give_cell(nn, &op, 1, nn_rank(nn, input));
}

void nn_gru(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnGru *layer = message->gru;
    if (!check_sizes(nn, layer->input_size, layer->output_size))
        return;
    mls_value_id input = nn_input(nn, 0), x = sequence(nn, input);
    bool has_bias = layer->has_bias;
    struct gates ih = {.weights = {layer->reset_weights, layer->output_weights, layer->update_weights},
                       .n = 3,
                       .what = "weights"};
    struct gates hh = {.weights = {layer->reset_recursion, layer->output_recursion, layer->update_recursion},
                       .n = 3,
                       .what = "recursion"};
    struct gates bias = {.weights = {has_bias ? layer->reset_bias : NULL,
                                     has_bias ? layer->output_bias : NULL,
                                     has_bias ? layer->update_bias : NULL},
                         .n = 3,
                         .what = "bias"};
    struct nn_op op;
    nn_begin(&op, "gru");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "initial_h", state(nn, 1, x, layer->output_size));
    nn_arg(nn, &op, "weight_ih", stack_gates(nn, &ih, layer->output_size, layer->input_size, 0));
    nn_arg(nn, &op, "weight_hh", stack_gates(nn, &hh, layer->output_size, layer->output_size, 0));
    nn_arg(nn, &op, "bias", stack_gates(nn, &bias, layer->output_size, 0, 0));
    arg_direction(nn, &op, layer->reverse_input, layer->sequence_output);
    arg_activation(nn, &op, "recurrent_activation", layer->activations, layer->n_activations, 0, "sigmoid");
    arg_activation(nn, &op, "activation", layer->activations, layer->n_activations, 1, "tanh");
    give_cell(nn, &op, 1, nn_rank(nn, input));
}

/* ---- LSTM ------------------------------------------------------------------------------------ */

/* What one direction adds to the operation; `back` is "" or "_back". */
static void arg_lstm_weights(struct nn *nn, struct nn_op *op, const Pb__NnLstmWeights *weights,
                             const Pb__NnLstmParams *params, uint64_t n_in, uint64_t n_out, bool back)
{
    bool has_bias = params->has_bias;
    struct gates ih = {.weights = {weights->input_weights, weights->forget_weights, weights->output_weights,
                                   weights->block_weights},
                       .n = 4,
                       .what = back ? "weights.back" : "weights"};
    struct gates hh = {.weights = {weights->input_recursion, weights->forget_recursion,
                                   weights->output_recursion, weights->block_recursion},
                       .n = 4,
                       .what = back ? "recursion.back" : "recursion"};
    struct gates bias = {.n = 4, .what = back ? "bias.back" : "bias"};
    if (has_bias) {
        const Pb__NnWeights *biases[4] = {weights->input_bias, weights->forget_bias, weights->output_bias,
                                          weights->block_bias};
        memcpy(bias.weights, biases, sizeof biases);
    }
    nn_arg(nn, op, back ? "weight_ih_back" : "weight_ih", stack_gates(nn, &ih, n_out, n_in, 0));
    nn_arg(nn, op, back ? "weight_hh_back" : "weight_hh", stack_gates(nn, &hh, n_out, n_out, 0));
    nn_arg(nn, op, back ? "bias_back" : "bias",
           stack_gates(nn, &bias, n_out, 0, params->forget_bias ? 1 : 0));
    if (params->has_peephole) {
        struct gates peephole = {
            .weights = {weights->input_peephole, weights->forget_peephole, weights->output_peephole},
            .n = 3,
            .what = back ? "peephole.back" : "peephole"};
        nn_arg(nn, op, back ? "peephole_back" : "peephole", stack_gates(nn, &peephole, n_out, 0, 0));
    }
}

static void arg_lstm_params(struct nn *nn, struct nn_op *op, const Pb__NnLstmParams *params,
                            Pb__NnActivation *const *activations, size_t n)
{
    if (params->coupled_gates)
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "its input and forget gates are coupled, which is not supported");
    arg_activation(nn, op, "recurrent_activation", activations, n, 0, "sigmoid");
    arg_activation(nn, op, "cell_activation", activations, n, 1, "tanh");
    arg_activation(nn, op, "activation", activations, n, 2, "tanh");
    nn_arg_float(nn, op, "clip", params->cell_clip == 0.0f ? 50 : params->cell_clip);
}

static const Pb__NnLstmParams *lstm_params(const Pb__NnLstmParams *params)
{
    static const Pb__NnLstmParams none = PB__NN_LSTM_PARAMS__INIT;
    return params ? params : &none;
}

void nn_lstm(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnLstm *layer = message->uni_directional_lstm;
    const Pb__NnLstmParams *params = lstm_params(layer->params);
    if (!check_sizes(nn, layer->input_size, layer->output_size) ||
        !nn_check(nn, layer->weights, "it has no weights"))
        return;
    mls_value_id input = nn_input(nn, 0), x = sequence(nn, input);
    struct nn_op op;
    nn_begin(&op, "lstm");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "initial_h", state(nn, 1, x, layer->output_size));
    nn_arg(nn, &op, "initial_c", state(nn, 2, x, layer->output_size));
    arg_lstm_weights(nn, &op, layer->weights, params, layer->input_size, layer->output_size, false);
    arg_direction(nn, &op, layer->reverse_input, params->sequence_output);
    arg_lstm_params(nn, &op, params, layer->activations, layer->n_activations);
    give_cell(nn, &op, 2, nn_rank(nn, input));
}

/* The states of both directions side by side. */
static mls_value_id both_states(struct nn *nn, size_t forward, size_t backward, mls_value_id x,
                                uint64_t n_channels)
{
    if (nn->status || nn->layer->n_input <= forward)
        return state(nn, forward, x, 2 * n_channels);
    const mls_value_id halves[2] = {state(nn, forward, x, n_channels), state(nn, backward, x, n_channels)};
    struct nn_op op;
    nn_begin(&op, "concat");
    nn_args(nn, &op, "values", halves, 2);
    nn_arg_int(nn, &op, "axis", 1);
    return nn_emit(nn, &op, 2);
}

/* Outputs `forward` and `backward` of the layer from a state of both. */
static void divide_state(struct nn *nn, mls_value_id both, size_t forward, size_t backward, unsigned rank)
{
    if (nn->layer->n_output <= forward)
        return;
    const int64_t open[2] = {MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN};
    const struct mls_type types[2] = {mls_type_tensor(MLS_FP32, 2, open), mls_type_tensor(MLS_FP32, 2, open)};
    struct nn_op op;
    nn_begin(&op, "split");
    nn_arg(nn, &op, "x", both);
    nn_arg_int(nn, &op, "num_splits", 2);
    nn_arg_int(nn, &op, "axis", 1);
    const mls_value_id *halves = nn_emit_several(nn, &op, types, 2);
    if (!halves)
        return;
    nn_bind(nn, forward, state_back(nn, halves[0], rank));
    if (nn->layer->n_output > backward)
        nn_bind(nn, backward, state_back(nn, halves[1], rank));
}

/* Inputs and outputs: the sequence, states h and c forward, states h and c backward. */
void nn_bi_lstm(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnBiLstm *layer = message->bi_directional_lstm;
    const Pb__NnLstmParams *params = lstm_params(layer->params);
    if (!check_sizes(nn, layer->input_size, layer->output_size) ||
        !nn_check(nn, layer->n_weights == 2, "it has not weights for two directions"))
        return;
    mls_value_id input = nn_input(nn, 0), x = sequence(nn, input);
    unsigned rank = nn_rank(nn, input);
    struct nn_op op;
    nn_begin(&op, "lstm");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "initial_h", both_states(nn, 1, 3, x, layer->output_size));
    nn_arg(nn, &op, "initial_c", both_states(nn, 2, 4, x, layer->output_size));
    arg_lstm_weights(nn, &op, layer->weights[0], params, layer->input_size, layer->output_size, false);
    arg_lstm_weights(nn, &op, layer->weights[1], params, layer->input_size, layer->output_size, true);
    nn_arg_text(nn, &op, "direction", "bidirectional");
    nn_arg_bool(nn, &op, "output_sequence", params->sequence_output);
    arg_lstm_params(nn, &op, params, layer->activations_forward, layer->n_activations_forward);
    const mls_value_id *outputs = emit_cell(nn, &op, 2);
    if (!outputs)
        return;
    nn_bind(nn, 0, sequence_back(nn, outputs[0], rank));
    divide_state(nn, outputs[1], 1, 3, rank);
    divide_state(nn, outputs[2], 2, 4, rank);
}
