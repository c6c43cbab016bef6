/* pb_nn_norm.c: normalization and softmax. */
#include "format/pb_nn.h"

static float or_default(float value, float otherwise)
{
    return value == 0.0f ? otherwise : value;
}

/* ---- batchnorm ------------------------------------------------------------------------------- */

static void arg_vector(struct nn *nn, struct nn_op *op, const char *name, const Pb__NnWeights *weights,
                       int64_t n)
{
    if (nn_weights_count(weights))
        nn_arg(nn, op, name, nn_weights(nn, weights, name, &n, 1));
}

/* Mean and variance over the whole batch: what instance_norm does to one instance, the batch laid into the
 * height. */
static mls_value_id over_batch(struct nn *nn, struct nn_op *op, mls_value_id x)
{
    mls_value_id turned = nn_transpose(nn, x, (const int64_t[]){1, 0, 2, 3}, 4);
    mls_value_id image = nn_collapse(nn, turned, 1, 0); /* channels, all others */
    nn_arg(nn, op, "x", nn_expand(nn, image, (const int64_t[]){0, -1}, 2));
    mls_value_id y = nn_squeeze(nn, nn_emit(nn, op, 4), (const int64_t[]){0, -1}, 2);
    return nn_transpose(nn, nn_reshape_as(nn, y, turned), (const int64_t[]){1, 0, 2, 3}, 4);
}

void nn_batchnorm(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnBatchnorm *layer = message->batchnorm;
    if (!nn_check(nn, layer->channels && layer->channels <= INT32_MAX,
                  "its number of channels is impossible"))
        return;
    int64_t n = (int64_t)layer->channels;
    bool computed = layer->compute_mean_var;
    mls_value_id input = nn_input(nn, 0), x = nn_batch4(nn, input);
    struct nn_op op;
    nn_begin(&op, computed ? "instance_norm" : "batch_norm");
    arg_vector(nn, &op, "gamma", layer->gamma, n);
    arg_vector(nn, &op, "beta", layer->beta, n);
    nn_arg_float(nn, &op, "epsilon", or_default(layer->epsilon, 1e-5f));
    if (!computed) {
        nn_arg(nn, &op, "mean", nn_weights(nn, layer->mean, "mean", &n, 1));
        nn_arg(nn, &op, "variance", nn_weights(nn, layer->variance, "variance", &n, 1));
    }
    mls_value_id y;
    if (computed && !layer->instance_normalization) {
        y = over_batch(nn, &op, x);
    } else {
        nn_arg(nn, &op, "x", x);
        y = nn_emit(nn, &op, 4);
    }
    nn_bind(nn, 0, nn_unbatch(nn, y, input));
}

/* ---- Others of images ------------------------------------------------------------------------ */

static mls_value_id mean_over(struct nn *nn, mls_value_id x, const int64_t *axes, size_t n_axes)
{
    struct nn_op op;
    nn_begin(&op, "reduce_mean");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "axes", axes, n_axes);
    nn_arg_bool(nn, &op, "keep_dims", true);
    return nn_emit(nn, &op, nn_rank(nn, x));
}

void nn_mvn(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnMeanVariance *layer = message->mvn;
    const int64_t axes[3] = {-1, -2, -3};
    size_t n_axes = layer->across_channels ? 3 : 2;
    mls_value_id x = nn_input(nn, 0);
    mls_value_id centred = nn_binary(nn, "sub", x, mean_over(nn, x, axes, n_axes));
    if (!layer->normalize_variance) {
        nn_bind(nn, 0, centred);
        return;
    }
    mls_value_id variance = mean_over(nn, nn_unary(nn, "square", centred), axes, n_axes);
    mls_value_id steady = nn_binary(nn, "add", variance, nn_scalar(nn, or_default(layer->epsilon, 1e-6f)));
    nn_bind(nn, 0, nn_binary(nn, "real_div", centred, nn_unary(nn, "sqrt", steady)));
}

void nn_l2normalize(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    struct nn_op op;
    nn_begin(&op, "l2_norm");
    mls_value_id x = nn_input(nn, 0);
    nn_arg(nn, &op, "x", x);
    nn_arg_float(nn, &op, "epsilon", or_default(message->l2normalize->alpha, 1e-6f));
    nn_give(nn, &op, nn_rank(nn, x));
}

void nn_lrn(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnLocalResponse *layer = message->lrn;
    if (!nn_check(nn, layer->local_size <= INT32_MAX, "its window is too large"))
        return;
    mls_value_id input = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, "local_response_norm");
    nn_arg(nn, &op, "x", nn_batch4(nn, input));
    nn_arg_int(nn, &op, "size", (int64_t)layer->local_size);
    nn_arg_float(nn, &op, "alpha", layer->alpha);
    nn_arg_float(nn, &op, "beta", layer->beta);
    nn_arg_float(nn, &op, "k", or_default(layer->k, 1));
    nn_bind(nn, 0, nn_unbatch(nn, nn_emit(nn, &op, 4), input));
}

/* ---- softmax --------------------------------------------------------------------------------- */

static void softmax_along(struct nn *nn, int64_t axis)
{
    struct nn_op op;
    nn_begin(&op, "softmax");
    mls_value_id x = nn_input(nn, 0);
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "axis", axis);
    nn_give(nn, &op, nn_rank(nn, x));
}

void nn_softmax(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    softmax_along(nn, -3);
}

void nn_softmax_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    softmax_along(nn, message->softmax_nd->axis);
}

/* ---- layerNormalization ---------------------------------------------------------------------- */

void nn_layer_normalization(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnLayerNorm *layer = message->layer_normalization;
    size_t n = layer->n_shape;
    if (!nn_check(nn, n >= 1 && n <= MLS_RANK_MAX, "its shape has an impossible number of dimensions"))
        return;
    int64_t axes[MLS_RANK_MAX];
    for (size_t i = 0; i < n; i++)
        axes[i] = (int64_t)i - (int64_t)n;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, "layer_norm");
    nn_arg(nn, &op, "x", x);
    nn_arg_ints(nn, &op, "axes", axes, n);
    nn_arg_float(nn, &op, "epsilon", layer->epsilon);
    nn_arg(nn, &op, "gamma", nn_weights(nn, layer->gamma, "gamma", layer->shape, (unsigned)n));
    nn_arg(nn, &op, "beta", nn_weights(nn, layer->beta, "beta", layer->shape, (unsigned)n));
    nn_give(nn, &op, nn_rank(nn, x));
}
