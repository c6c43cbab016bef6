/* pb_nn_shape.c: changes of shape and of the order of dimensions. */
#include "format/pb_nn.h"

#include <string.h>

/* ---- Of [.., channel, height, width] --------------------------------------------------------- */

enum { CHANNEL_FIRST, CHANNEL_LAST };

/* The last three dimensions as height, width, channel. */
static mls_value_id channel_last(struct nn *nn, mls_value_id x, unsigned rank)
{
    int64_t order[MLS_RANK_MAX];
    for (unsigned i = 0; i < rank; i++)
        order[i] = i < rank - 3 ? i : i == rank - 1 ? rank - 3 : i + 1;
    return nn_transpose(nn, x, order, rank);
}

static mls_value_id channel_first(struct nn *nn, mls_value_id x, unsigned rank)
{
    int64_t order[MLS_RANK_MAX];
    for (unsigned i = 0; i < rank; i++)
        order[i] = i < rank - 3 ? i : i == rank - 3 ? rank - 1 : i - 1;
    return nn_transpose(nn, x, order, rank);
}

void nn_flatten(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, rank >= 3 && rank <= MLS_RANK_MAX, "its input must have at least 3 dimensions"))
        return;
    if (message->flatten->mode == CHANNEL_LAST)
        x = channel_last(nn, x, rank);
    nn_bind(nn, 0, nn_collapse(nn, x, rank - 3, 2));
}

/* The target is [channel, height, width], after a sequence that stays or is given, too. */
void nn_reshape_rank5(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnReshape *layer = message->reshape;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    size_t n = layer->n_target_shape;
    if (!nn_check(nn, n == 3 || n == 4, "its target shape must have 3 or 4 numbers") ||
        !nn_check(nn, rank == 4 || rank == 5, "its input must have 5 dimensions"))
        return;
    bool last = layer->mode == CHANNEL_LAST;
    const int64_t *target = layer->target_shape + n - 3;
    int64_t shape[5] = {n == 4 ? layer->target_shape[0] : 0, 0};
    int64_t *image = shape + rank - 3;
    memcpy(image, target, 3 * sizeof *image);
    if (!last) {
        nn_bind(nn, 0, nn_reshape(nn, x, shape, rank));
        return;
    }
    image[0] = target[1];
    image[1] = target[2];
    image[2] = target[0];
    nn_bind(nn, 0, channel_first(nn, nn_reshape(nn, channel_last(nn, x, rank), shape, rank), rank));
}

/* Axes 0 to 3 are sequence, channel, height and width; a batch stays where it is. */
void nn_permute(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSizes *layer = message->permute;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, layer->n_size == 4 || layer->n_size == 0, "its axes must be four numbers") ||
        !nn_check(nn, rank == 4 || rank == 5, "its input must have 5 dimensions"))
        return;
    int64_t order[5] = {0, 1, 2, 3, 4};
    for (unsigned i = 0; i < layer->n_size; i++) {
        if (!nn_check(nn, layer->size[i] < 4, "its axes must be a permutation of 0 to 3"))
            return;
        unsigned from = (unsigned)layer->size[i];
        order[rank == 5 && i ? i + 1 : i] = rank == 5 && from ? from + 1 : from;
    }
    nn_bind(nn, 0, nn_transpose(nn, x, order, rank));
}

/* ---- Of any shape ---------------------------------------------------------------------------- */

void nn_transpose_layer(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSizes *layer = message->transpose;
    int64_t order[MLS_RANK_MAX];
    if (!nn_check(nn, layer->n_size <= MLS_RANK_MAX, "it has too many axes"))
        return;
    for (size_t i = 0; i < layer->n_size; i++)
        order[i] = layer->size[i] < MLS_RANK_MAX ? (int64_t)layer->size[i] : MLS_RANK_MAX;
    nn_bind(nn, 0, nn_transpose(nn, nn_input(nn, 0), order, (unsigned)layer->n_size));
}

/* At least one dimension stays. */
void nn_squeeze_layer(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnAxes *layer = message->squeeze;
    mls_value_id x = nn_input(nn, 0);
    if (layer->keep || !layer->n_axes) {
        struct nn_op op;
        nn_begin(&op, "nn_squeeze_all");
        nn_arg(nn, &op, "x", x);
        nn_give(nn, &op, MLS_RANK_UNKNOWN);
        return;
    }
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, layer->n_axes <= rank && rank <= MLS_RANK_MAX,
                  "it drops more dimensions than there are"))
        return;
    size_t n = layer->n_axes - (layer->n_axes == rank);
    nn_bind(nn, 0, n ? nn_squeeze(nn, x, layer->axes, (unsigned)n) : nn_unary(nn, "identity", x));
}

void nn_expand_dims(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnAxes *layer = message->expand_dims;
    if (nn_check(nn, layer->n_axes <= MLS_RANK_MAX, "it has too many axes"))
        nn_bind(nn, 0, nn_expand(nn, nn_input(nn, 0), layer->axes, (unsigned)layer->n_axes));
}

void nn_flatten_to_2d(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    struct nn_op op;
    nn_begin(&op, "flatten2d");
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    nn_arg_int(nn, &op, "axis", message->flatten_to_2d->axis);
    nn_give(nn, &op, 2);
}

void nn_reshape_like(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    nn_bind(nn, 0, nn_reshape_as(nn, nn_input(nn, 0), nn_input(nn, 1)));
}

void nn_reshape_static(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnAxes *layer = message->reshape_static;
    if (nn_check(nn, layer->n_axes >= 1 && layer->n_axes <= MLS_RANK_MAX,
                 "its shape has an impossible number of dimensions"))
        nn_bind(nn, 0, nn_reshape(nn, nn_input(nn, 0), layer->axes, (unsigned)layer->n_axes));
}

void nn_reshape_dynamic(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    struct nn_op op;
    nn_begin(&op, "reshape");
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    nn_arg(nn, &op, "shape", nn_indices(nn, nn_input(nn, 1)));
    nn_give(nn, &op, nn_length(nn, nn_input(nn, 1)));
}

void nn_get_shape(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    struct nn_op op;
    nn_begin(&op, "shape");
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    mls_value_id shape = nn_emit_as(nn, &op, MLS_INT32, 1);
    unsigned rank = nn_rank(nn, nn_input(nn, 0));
    if (!nn->status && rank <= MLS_RANK_MAX)
        ir_value_at(nn->builder, shape)->type.dims[0] = rank;
    nn_bind(nn, 0, nn_cast(nn, shape, "fp32"));
}
