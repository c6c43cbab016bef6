/* pb_nn_elementwise.c: activations and functions of one operand. */
#include "format/pb_nn.h"

void nn_one_operand(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)message;
    nn_bind(nn, 0, nn_unary(nn, row->detail, nn_input(nn, 0)));
}

void nn_arc_hyperbolic(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    nn_one_operand(nn, message, row);
}

/* An operation on x with up to two numbers; NULL names are left out. */
static mls_value_id with_numbers(struct nn *nn, const char *type, mls_value_id x, const char *first_name,
                                 float first, const char *second_name, float second)
{
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", x);
    if (first_name)
        nn_arg_float(nn, &op, first_name, first);
    if (second_name)
        nn_arg_float(nn, &op, second_name, second);
    return nn_emit(nn, &op, nn_rank(nn, x));
}

/* ---- activation ------------------------------------------------------------------------------ */

/* Parameters of channels: one, or as many as there are channels. */
static mls_value_id by_channel(struct nn *nn, const char *type, mls_value_id input,
                               const Pb__NnWeightsPair *pair, bool has_beta)
{
    int64_t n_alpha = (int64_t)nn_weights_count(pair->alpha), n_beta = (int64_t)nn_weights_count(pair->beta);
    mls_value_id x = nn_batch4(nn, input);
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "alpha", nn_weights(nn, pair->alpha, "alpha", &n_alpha, 1));
    if (has_beta)
        nn_arg(nn, &op, "beta", nn_weights(nn, pair->beta, "beta", &n_beta, 1));
    return nn_unbatch(nn, nn_emit(nn, &op, 4), input);
}

/* One number for all channels: the same as functions of one operand. */
static mls_value_id prelu(struct nn *nn, mls_value_id x, const Pb__NnWeightsPair *pair)
{
    if (nn_weights_count(pair->alpha) != 1)
        return by_channel(nn, "prelu", x, pair, false);
    const float *alpha = nn_weights_floats(nn, pair->alpha, "alpha", 1, 1);
    return with_numbers(nn, "leaky_relu", x, "alpha", alpha ? *alpha : 0, NULL, 0);
}

static mls_value_id parametric_softplus(struct nn *nn, mls_value_id x, const Pb__NnWeightsPair *pair)
{
    if (nn_weights_count(pair->alpha) != 1 || nn_weights_count(pair->beta) != 1)
        return by_channel(nn, "softplus_parametric", x, pair, true);
    const float *alpha = nn_weights_floats(nn, pair->alpha, "alpha", 1, 1);
    const float *beta = nn_weights_floats(nn, pair->beta, "beta", 1, 1);
    mls_value_id scaled = nn_binary(nn, "mul", x, nn_scalar(nn, beta ? *beta : 0));
    return nn_binary(nn, "mul", nn_unary(nn, "softplus", scaled), nn_scalar(nn, alpha ? *alpha : 0));
}

static mls_value_id activate(struct nn *nn, mls_value_id x, const Pb__NnActivation *activation)
{
    switch (activation->type_case) {
    case PB__NN_ACTIVATION__TYPE_LINEAR:
        return with_numbers(nn, "linear_activation", x, "alpha", activation->linear->alpha, "beta",
                            activation->linear->beta);
    case PB__NN_ACTIVATION__TYPE_RELU:
        return nn_unary(nn, "relu", x);
    case PB__NN_ACTIVATION__TYPE_LEAKY_RELU:
        return with_numbers(nn, "leaky_relu", x, "alpha", activation->leaky_relu->alpha, NULL, 0);
    case PB__NN_ACTIVATION__TYPE_THRESHOLDED_RELU:
        return with_numbers(nn, "thresholded_relu", x, "alpha", activation->thresholded_relu->alpha, NULL, 0);
    case PB__NN_ACTIVATION__TYPE_PRELU:
        return prelu(nn, x, activation->prelu);
    case PB__NN_ACTIVATION__TYPE_TANH:
        return nn_unary(nn, "tanh", x);
    case PB__NN_ACTIVATION__TYPE_SCALED_TANH:
        return with_numbers(nn, "scaled_tanh", x, "alpha", activation->scaled_tanh->alpha, "beta",
                            activation->scaled_tanh->beta);
    case PB__NN_ACTIVATION__TYPE_SIGMOID:
        return nn_unary(nn, "sigmoid", x);
    case PB__NN_ACTIVATION__TYPE_SIGMOID_HARD:
        return with_numbers(nn, "sigmoid_hard", x, "alpha", activation->sigmoid_hard->alpha, "beta",
                            activation->sigmoid_hard->beta);
    case PB__NN_ACTIVATION__TYPE_ELU:
        return with_numbers(nn, "elu", x, "alpha", activation->elu->alpha, NULL, 0);
    case PB__NN_ACTIVATION__TYPE_SOFTSIGN:
        return nn_unary(nn, "softsign", x);
    case PB__NN_ACTIVATION__TYPE_SOFTPLUS:
        return nn_unary(nn, "softplus", x);
    case PB__NN_ACTIVATION__TYPE_PARAMETRIC_SOFTPLUS:
        return parametric_softplus(nn, x, activation->parametric_softplus);
    default:
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "its activation is not known");
        return x;
    }
}

void nn_activation(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    nn_bind(nn, 0, activate(nn, nn_input(nn, 0), message->activation));
}

/* ---- unary ----------------------------------------------------------------------------------- */

enum { SQRT, RSQRT, INVERSE, POWER, EXP, LOG, ABS, THRESHOLD };

void nn_unary_function(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnUnary *layer = message->unary;
    mls_value_id x = nn_input(nn, 0), y = x;
    float scale = layer->scale == 0.0f ? 1 : layer->scale;
    float epsilon = layer->epsilon == 0.0f ? 1e-6f : layer->epsilon;
    if (scale != 1.0f || layer->shift != 0.0f)
        x = with_numbers(nn, "linear_activation", x, "alpha", scale, "beta", layer->shift);
    switch (layer->type) {
    case SQRT:
        y = nn_unary(nn, "sqrt", x);
        break;
    case RSQRT:
        y = with_numbers(nn, "rsqrt", x, "epsilon", epsilon, NULL, 0);
        break;
    case INVERSE:
        y = with_numbers(nn, "inverse", x, "epsilon", epsilon, NULL, 0);
        break;
    case POWER:
        y = nn_binary(nn, "pow", x, nn_scalar(nn, layer->alpha));
        break;
    case EXP:
        y = nn_unary(nn, "exp", x);
        break;
    case LOG:
        y = with_numbers(nn, "log", x, "epsilon", epsilon, NULL, 0);
        break;
    case ABS:
        y = nn_unary(nn, "abs", x);
        break;
    case THRESHOLD:
        y = with_numbers(nn, "threshold", x, "alpha", layer->alpha, NULL, 0);
        break;
    default:
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "its function is not known");
    }
    nn_bind(nn, 0, y);
}

/* ---- Others ---------------------------------------------------------------------------------- */

void nn_gelu(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    static const char *const modes[] = {"EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"};
    int32_t mode = message->gelu->mode;
    if (!nn_check(nn, mode >= 0 && mode < 3, "its mode is not known"))
        return;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, "gelu");
    nn_arg(nn, &op, "x", x);
    nn_arg_text(nn, &op, "mode", modes[mode]);
    nn_give(nn, &op, nn_rank(nn, x));
}

void nn_clip(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    nn_bind(nn, 0,
            with_numbers(nn, "clip", nn_input(nn, 0), "alpha", message->clip->alpha, "beta",
                         message->clip->beta));
}

/* min(x, beta), and alpha times x where x is negative. */
void nn_clamped_relu(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id x = nn_input(nn, 0);
    if (message->clamped_relu->alpha == 0.0f)
        x = nn_unary(nn, "relu", x);
    else
        x = with_numbers(nn, "leaky_relu", x, "alpha", message->clamped_relu->alpha, NULL, 0);
    nn_bind(nn, 0, nn_binary(nn, "minimum", x, nn_scalar(nn, message->clamped_relu->beta)));
}
