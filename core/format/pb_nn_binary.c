/* pb_nn_binary.c: arithmetic, comparison and choice between several operands. */
#include "format/pb_nn.h"

void nn_two_operands(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)message;
    nn_bind(nn, 0, nn_binary(nn, row->detail, nn_input(nn, 0), nn_input(nn, 1)));
}

static mls_value_id fold(struct nn *nn, const Pb__NnLayer *message, const char *type)
{
    mls_value_id all = nn_input(nn, 0);
    for (size_t i = 1; !nn->status && i < message->n_input; i++)
        all = nn_binary(nn, type, all, nn_input(nn, i));
    return all;
}

/* add and multiply take a number in place of a second operand. */
void nn_several_operands(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    bool has_alpha = row->number == PB__NN_LAYER__LAYER_ADD || row->number == PB__NN_LAYER__LAYER_MULTIPLY;
    if (message->n_input == 1 && has_alpha)
        nn_bind(nn, 0, nn_binary(nn, row->detail, nn_input(nn, 0), nn_scalar(nn, message->add->alpha)));
    else if (message->n_input == 1)
        nn_bind(nn, 0, nn_unary(nn, "identity", nn_input(nn, 0)));
    else
        nn_bind(nn, 0, fold(nn, message, row->detail));
}

void nn_average(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    if (nn_check(nn, message->n_input > 0, "it has no input"))
        nn_bind(
            nn, 0,
            nn_binary(nn, "mul", fold(nn, message, "add"), nn_scalar(nn, 1.0f / (float)message->n_input)));
}

/* ---- scale and bias -------------------------------------------------------------------------- */

/* Factors of shape [1], [C], [1, H, W] or [C, H, W], as [C, H, W] or such with ones. */
static mls_value_id factors(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                            const uint64_t *shape, size_t n)
{
    int64_t dims[3] = {1, 1, 1};
    if (!nn_check(nn, n == 1 || n == 3, "the shape of its factors must have one or three numbers"))
        return (mls_value_id){MLS_NO_INDEX};
    for (size_t i = 0; i < n; i++) {
        nn_check(nn, shape[i] <= INT32_MAX, "its factors are too many");
        dims[i] = (int64_t)(shape[i] & INT32_MAX);
    }
    return nn_weights(nn, weights, what, dims, 3);
}

void nn_scale(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnScale *layer = message->scale;
    mls_value_id y = nn_binary(nn, "mul", nn_input(nn, 0),
                               factors(nn, layer->scale, "scale", layer->shape_scale, layer->n_shape_scale));
    if (layer->has_bias)
        y = nn_binary(nn, "add", y, factors(nn, layer->bias, "bias", layer->shape_bias, layer->n_shape_bias));
    nn_bind(nn, 0, y);
}

void nn_bias(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnConstant *layer = message->bias;
    nn_bind(nn, 0,
            nn_binary(nn, "add", nn_input(nn, 0),
                      factors(nn, layer->data, "bias", layer->shape, layer->n_shape)));
}

/* ---- dot ------------------------------------------------------------------------------------- */

static mls_value_id over_channels(struct nn *nn, const char *type, mls_value_id x)
{
    const int64_t axis = -3;
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "axes", &axis, 1);
    nn_arg_bool(nn, &op, "keep_dims", true);
    return nn_emit(nn, &op, nn_rank(nn, x));
}

void nn_dot(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id x = nn_input(nn, 0), y = nn_input(nn, 1);
    mls_value_id dot = over_channels(nn, "reduce_sum", nn_binary(nn, "mul", x, y));
    if (message->dot->flag)
        dot = nn_binary(nn, "real_div", dot,
                        nn_binary(nn, "mul", over_channels(nn, "reduce_l2_norm", x),
                                  over_channels(nn, "reduce_l2_norm", y)));
    nn_bind(nn, 0, dot);
}

/* ---- Truth is 1 and 0 ------------------------------------------------------------------------ */

void nn_comparison(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    bool first = row->number == PB__NN_LAYER__LAYER_EQUAL || row->number == PB__NN_LAYER__LAYER_NOT_EQUAL;
    mls_value_id x = nn_input(nn, 0), y;
    if (message->n_input > 1)
        y = nn_input(nn, 1);
    else
        y = nn_scalar(nn, first ? message->equal->alpha : message->less_than->beta);
    struct nn_op op;
    nn_begin(&op, row->detail);
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "y", y);
    mls_value_id truth = nn_emit_as(nn, &op, MLS_BOOL, nn_broadcast_rank(nn, x, y));
    nn_bind(nn, 0, nn_cast(nn, truth, "fp32"));
}

void nn_logical(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)message;
    struct nn_op op;
    nn_begin(&op, row->detail);
    mls_value_id x = nn_input(nn, 0);
    nn_arg(nn, &op, "x", nn_cast(nn, x, "bool"));
    unsigned rank = nn_rank(nn, x);
    if (row->number != PB__NN_LAYER__LAYER_LOGICAL_NOT) {
        mls_value_id y = nn_input(nn, 1);
        nn_arg(nn, &op, "y", nn_cast(nn, y, "bool"));
        rank = nn_broadcast_rank(nn, x, y);
    }
    nn_bind(nn, 0, nn_cast(nn, nn_emit_as(nn, &op, MLS_BOOL, rank), "fp32"));
}

void nn_where(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)message;
    (void)row;
    mls_value_id condition = nn_input(nn, 0), a = nn_input(nn, 1), b = nn_input(nn, 2);
    unsigned rank = nn_broadcast_rank(nn, a, b), other = nn_rank(nn, condition);
    struct nn_op op;
    nn_begin(&op, "select");
    nn_arg(nn, &op, "cond", nn_cast(nn, condition, "bool"));
    nn_arg(nn, &op, "a", a);
    nn_arg(nn, &op, "b", b);
    nn_give(nn, &op, rank > other ? rank : other);
}
