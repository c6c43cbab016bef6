/* pb_nn_fill.c: layers that make their output from numbers: constants, ranges, masks, random numbers. */
#include "format/pb_nn.h"

#include <string.h>

/* ---- Constants ------------------------------------------------------------------------------- */

static bool read_dims(struct nn *nn, const uint64_t *shape, size_t n, int64_t *ret)
{
    if (!nn_check(nn, n <= MLS_RANK_MAX, "its shape has too many dimensions"))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!nn_check(nn, shape[i] <= INT32_MAX, "its shape is out of range"))
            return false;
        ret[i] = (int64_t)shape[i];
    }
    return true;
}

void nn_load_constant_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnConstant *layer = message->load_constant_nd;
    int64_t dims[MLS_RANK_MAX];
    if (!read_dims(nn, layer->shape, layer->n_shape, dims))
        return;
    mls_value_id value = nn_weights(nn, layer->data, "data", dims, (unsigned)layer->n_shape);
    nn_bind(nn, 0, nn_at_least_1(nn, value));
}

void nn_load_constant(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnConstant *layer = message->load_constant;
    int64_t dims[MLS_RANK_MAX] = {1, 1};
    unsigned ones = nn->rank5 ? 1 : 2;
    if (nn_check(nn, layer->n_shape == 3, "its shape must have 3 numbers") &&
        read_dims(nn, layer->shape, layer->n_shape, dims + ones))
        nn_bind(nn, 0, nn_weights(nn, layer->data, "data", dims, ones + 3));
}

/* ---- Filling --------------------------------------------------------------------------------- */

static mls_value_id fill(struct nn *nn, mls_value_id shape, float value, unsigned rank)
{
    struct nn_op op;
    nn_begin(&op, "fill");
    nn_arg(nn, &op, "shape", shape);
    nn_arg_float(nn, &op, "value", value);
    return nn_emit(nn, &op, rank);
}

static mls_value_id fill_like(struct nn *nn, mls_value_id like, float value)
{
    struct nn_op op;
    nn_begin(&op, "fill_like");
    nn_arg(nn, &op, "ref_tensor", like);
    nn_arg_float(nn, &op, "value", value);
    return nn_emit(nn, &op, nn_rank(nn, like));
}

/* A shape of the file as a constant of int32. */
static mls_value_id shape_constant(struct nn *nn, const uint64_t *shape, size_t n)
{
    int64_t dims[MLS_RANK_MAX];
    int32_t narrow[MLS_RANK_MAX] = {0};
    if (!read_dims(nn, shape, n, dims))
        return (mls_value_id){MLS_NO_INDEX};
    for (size_t i = 0; i < n; i++)
        narrow[i] = (int32_t)dims[i];
    struct mls_type type = mls_type_tensor(MLS_INT32, 1, (const int64_t[]){(int64_t)n});
    return nn_constant(nn, &type, narrow);
}

void nn_fill_like(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    nn_bind(nn, 0, fill_like(nn, nn_input(nn, 0), message->fill_like->value));
}

void nn_fill_static(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnFill *layer = message->fill_static;
    nn_bind(
        nn, 0,
        fill(nn, shape_constant(nn, layer->shape, layer->n_shape), layer->value, (unsigned)layer->n_shape));
}

void nn_fill_dynamic(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id shape = nn_input(nn, 0);
    nn_bind(nn, 0, fill(nn, nn_indices(nn, shape), message->fill_dynamic->value, nn_length(nn, shape)));
}

/* ---- Broadcasting: a product with ones, which is exact ---------------------------------------- */

void nn_broadcast_like(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    nn_bind(nn, 0, nn_binary(nn, "mul", nn_input(nn, 0), fill_like(nn, nn_input(nn, 1), 1)));
}

void nn_broadcast_static(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSizes *layer = message->broadcast_to_static;
    mls_value_id ones = fill(nn, shape_constant(nn, layer->size, layer->n_size), 1, (unsigned)layer->n_size);
    nn_bind(nn, 0, nn_binary(nn, "mul", nn_input(nn, 0), ones));
}

void nn_broadcast_dynamic(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    mls_value_id shape = nn_input(nn, 1);
    mls_value_id ones = fill(nn, nn_indices(nn, shape), 1, nn_length(nn, shape));
    nn_bind(nn, 0, nn_binary(nn, "mul", nn_input(nn, 0), ones));
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

/* Input i as a scalar, or the number where the layer has fewer inputs. */
static mls_value_id number(struct nn *nn, size_t i, float otherwise)
{
    const int64_t axis = 0;
    if (nn->status || nn->layer->n_input <= i)
        return nn_scalar(nn, otherwise);
    mls_value_id value = nn_input(nn, i);
    return nn_rank(nn, value) == 0 ? value : nn_squeeze(nn, value, &axis, 1);
}

static void range(struct nn *nn, mls_value_id end, mls_value_id start, mls_value_id step)
{
    struct nn_op op;
    nn_begin(&op, "range_1d");
    nn_arg(nn, &op, "end", end);
    nn_arg(nn, &op, "start", start);
    nn_arg(nn, &op, "step", step);
    nn_give(nn, &op, 1);
}

void nn_range_static(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnRange *layer = message->range_static;
    range(nn, nn_scalar(nn, layer->end), nn_scalar(nn, layer->start), nn_scalar(nn, layer->step));
}

void nn_range_dynamic(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnRange *layer = message->range_dynamic;
    if (nn_check(nn, message->n_input >= 1, "it has no input"))
        range(nn, number(nn, 0, 0), number(nn, 1, layer->start), number(nn, 2, layer->step));
}

/* ---- Masks ----------------------------------------------------------------------------------- */

static mls_value_id band(struct nn *nn, mls_value_id x, int64_t lower, int64_t upper)
{
    struct nn_op op;
    nn_begin(&op, "band_part");
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "lower", lower < 0 ? -1 : lower);
    nn_arg_int(nn, &op, "upper", upper < 0 ? -1 : upper);
    return nn_emit(nn, &op, nn_rank(nn, x));
}

void nn_band_part(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    nn_bind(nn, 0,
            band(nn, nn_input(nn, 0), message->matrix_band_part->lower, message->matrix_band_part->upper));
}

/* Keeps columns up to row + k ("lower"), or from row + k on. Where the diagonal lies on the other side of the
 * main one, what is not kept is a band. */
void nn_triangular(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    bool lower = row->number == PB__NN_LAYER__LAYER_LOWER_TRIANGULAR;
    int64_t k = message->lower_triangular->axis;
    if (!nn_check(nn, k > -INT32_MAX && k < INT32_MAX, "its diagonal is out of range"))
        return;
    mls_value_id x = nn_input(nn, 0);
    if (lower ? k >= 0 : k <= 0) {
        nn_bind(nn, 0, band(nn, x, lower ? -1 : -k, lower ? k : -1));
        return;
    }
    mls_value_id ones = fill_like(nn, x, 1);
    mls_value_id gone = band(nn, ones, lower ? -(k + 1) : -1, lower ? -1 : k - 1);
    struct nn_op op;
    nn_begin(&op, "select");
    nn_arg(nn, &op, "cond", nn_cast(nn, gone, "bool"));
    nn_arg(nn, &op, "a", nn_scalar(nn, 0));
    nn_arg(nn, &op, "b", x);
    nn_give(nn, &op, nn_rank(nn, x));
}

/* ---- Random numbers -------------------------------------------------------------------------- */

/* The shape of random numbers: that of an input, the layer's own, or the content of an input. *ret_rank:
 * their dimensions. */
static mls_value_id random_shape(struct nn *nn, const uint64_t *shape, size_t n, const struct nn_row *row,
                                 unsigned *ret_rank)
{
    *ret_rank = (unsigned)n;
    if (!strcmp(row->detail, "static"))
        return shape_constant(nn, shape, n);
    mls_value_id x = nn_input(nn, 0);
    if (!strcmp(row->detail, "dynamic")) {
        *ret_rank = nn_length(nn, x);
        return nn_indices(nn, x);
    }
    *ret_rank = nn_rank(nn, x);
    struct nn_op op;
    nn_begin(&op, "shape");
    nn_arg(nn, &op, "x", x);
    return nn_emit_as(nn, &op, MLS_INT32, 1);
}

/* A seed of the file; a negative one asks for any. */
static void arg_seed(struct nn *nn, struct nn_op *op, int64_t seed)
{
    nn_arg_int(nn, op, "seed", seed < 0 ? -1 : seed & INT32_MAX);
}

static void random_of(struct nn *nn, const Pb__NnRandom *layer, const struct nn_row *row, const char *type,
                      const char *first, const char *second)
{
    unsigned rank;
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "shape", random_shape(nn, layer->shape, layer->n_shape, row, &rank));
    nn_arg_float(nn, &op, first, layer->first);
    nn_arg_float(nn, &op, second, layer->second);
    arg_seed(nn, &op, layer->seed);
    nn_give(nn, &op, rank);
}

void nn_random_normal(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    random_of(nn, message->random_normal_static, row, "random_normal", "mean", "stddev");
}

void nn_random_uniform(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    random_of(nn, message->random_uniform_static, row, "random_uniform", "low", "high");
}

void nn_bernoulli(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    const Pb__NnBernoulli *layer = message->random_bernoulli_static;
    unsigned rank;
    struct nn_op op;
    nn_begin(&op, "random_bernoulli");
    nn_arg(nn, &op, "shape", random_shape(nn, layer->shape, layer->n_shape, row, &rank));
    nn_arg_float(nn, &op, "prob", layer->probability);
    arg_seed(nn, &op, layer->seed);
    nn_give(nn, &op, rank);
}

void nn_categorical(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnCategorical *layer = message->categorical_distribution;
    float temperature = layer->temperature == 0.0f ? 1 : layer->temperature;
    mls_value_id x = nn_input(nn, 0);
    if (temperature != 1.0f) {
        if (!nn_check(nn, layer->is_logits, "a temperature applies to logits only"))
            return;
        x = nn_binary(nn, "mul", x, nn_scalar(nn, 1 / temperature));
    }
    struct nn_op op;
    nn_begin(&op, "random_categorical");
    nn_arg(nn, &op, "x", x);
    nn_arg_text(nn, &op, "mode", layer->is_logits ? "logits" : "probs");
    nn_arg_int(nn, &op, "size", layer->n_samples ? layer->n_samples : 1);
    arg_seed(nn, &op, layer->seed);
    nn_give(nn, &op, nn_rank(nn, x));
}
