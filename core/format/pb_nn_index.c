/* pb_nn_index.c: layers that take or give indices. Networks keep them as floats. */
#include "format/pb_nn.h"

static unsigned less(unsigned rank, unsigned n)
{
    return rank == MLS_RANK_UNKNOWN ? rank : rank - n;
}

/* ---- gather ---------------------------------------------------------------------------------- */

static mls_value_id gather(struct nn *nn, const char *type, const int64_t *axis, unsigned rank)
{
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    nn_arg(nn, &op, "indices", nn_indices(nn, nn_input(nn, 1)));
    if (axis)
        nn_arg_int(nn, &op, "axis", *axis);
    return nn_emit(nn, &op, rank);
}

void nn_gather(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    unsigned x = nn_rank(nn, nn_input(nn, 0)), indices = nn_rank(nn, nn_input(nn, 1));
    bool known = x != MLS_RANK_UNKNOWN && indices != MLS_RANK_UNKNOWN;
    nn_bind(nn, 0, gather(nn, "gather", &message->gather->axis, known ? x + indices - 1 : MLS_RANK_UNKNOWN));
}

void nn_gather_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    nn_bind(nn, 0, gather(nn, "gather_nd", NULL, MLS_RANK_UNKNOWN));
}

void nn_gather_along_axis(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    nn_bind(nn, 0,
            gather(nn, "gather_along_axis", &message->gather_along_axis->axis, nn_rank(nn, nn_input(nn, 0))));
}

/* ---- scatter --------------------------------------------------------------------------------- */

static void scatter(struct nn *nn, const char *type, const int64_t *axis, int32_t mode)
{
    static const char *const modes[] = {"update", "add", "sub", "mul", "div", "max", "min"};
    if (!nn_check(nn, mode >= 0 && mode < 7, "its mode is not known"))
        return;
    mls_value_id data = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "data", data);
    nn_arg(nn, &op, "indices", nn_indices(nn, nn_input(nn, 1)));
    nn_arg(nn, &op, "updates", nn_input(nn, 2));
    if (axis)
        nn_arg_int(nn, &op, "axis", *axis);
    nn_arg_text(nn, &op, "mode", modes[mode]);
    nn_give(nn, &op, nn_rank(nn, data));
}

void nn_scatter(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    scatter(nn, row->detail, &message->scatter->axis, message->scatter->mode);
}

void nn_scatter_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    scatter(nn, "scatter_nd", NULL, message->scatter_nd->mode);
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* The first k of all along the axis, k being an input. */
static mls_value_id first_of(struct nn *nn, mls_value_id sorted, mls_value_id k, int64_t along,
                             enum mls_dtype dtype)
{
    unsigned rank = nn_known_rank(nn, sorted), axis = nn_axis(nn, along, rank);
    bool masks[MLS_RANK_MAX];
    const int64_t zeros[MLS_RANK_MAX] = {0};
    for (unsigned i = 0; !nn->status && i < rank; i++)
        masks[i] = i != axis;
    mls_value_id end = nn_begin_along(nn, k, axis, rank);
    struct nn_op op;
    nn_begin(&op, "slice_by_index");
    nn_arg(nn, &op, "x", sorted);
    if (nn->status)
        return sorted;
    nn_arg_ints(nn, &op, "begin", zeros, rank);
    nn_arg(nn, &op, "end", end);
    nn_arg_bools(nn, &op, "end_mask", masks, rank);
    return nn_emit_as(nn, &op, dtype, rank);
}

void nn_top_k(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnTopK *layer = message->top_k;
    mls_value_id x = nn_input(nn, 0);
    bool given = message->n_input > 1;
    if (!nn_check(nn, layer->k <= INT32_MAX, "it gives too many elements"))
        return;
    struct nn_op op;
    nn_begin(&op, "topk");
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "k", given ? -1 : (int64_t)layer->k);
    nn_arg_int(nn, &op, "axis", layer->axis);
    nn_arg_bool(nn, &op, "ascending", layer->bottom);
    unsigned rank = nn_rank(nn, x);
    struct mls_type types[2] = {{.dtype = MLS_FP32, .rank = (uint8_t)rank},
                                {.dtype = MLS_INT32, .rank = (uint8_t)rank}};
    for (unsigned i = 0; rank <= MLS_RANK_MAX && i < rank; i++)
        types[0].dims[i] = types[1].dims[i] = MLS_DIM_UNKNOWN;
    const mls_value_id *outputs = nn_emit_several(nn, &op, types, 2);
    if (!outputs)
        return;
    mls_value_id values = outputs[0], indices = outputs[1];
    if (given) {
        mls_value_id k = nn_indices(nn, nn_input(nn, 1));
        values = first_of(nn, values, k, layer->axis, MLS_FP32);
        indices = first_of(nn, indices, k, layer->axis, MLS_INT32);
    }
    nn_bind(nn, 0, values);
    if (message->n_output > 1)
        nn_bind(nn, 1, nn_cast(nn, indices, "fp32"));
}

void nn_arg_extreme(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    const Pb__NnAxis *layer = message->arg_max;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    bool dropped = layer->mode != 0 && rank > 1;
    struct nn_op op;
    nn_begin(&op, row->detail);
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "axis", layer->axis);
    nn_arg_bool(nn, &op, "keep_dims", !dropped);
    nn_bind(nn, 0, nn_cast(nn, nn_emit_as(nn, &op, MLS_INT32, less(rank, dropped)), "fp32"));
}

void nn_arg_sort(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    mls_value_id x = nn_input(nn, 0);
    struct nn_op op;
    nn_begin(&op, "argsort");
    nn_arg(nn, &op, "x", x);
    nn_arg_int(nn, &op, "axis", message->arg_sort->axis);
    nn_arg_bool(nn, &op, "ascending", message->arg_sort->mode == 0);
    nn_bind(nn, 0, nn_cast(nn, nn_emit_as(nn, &op, MLS_INT32, nn_rank(nn, x)), "fp32"));
}

/* ---- Others ---------------------------------------------------------------------------------- */

/* Numbers may come as inputs: size, value of ones, value of others. */
void nn_one_hot(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnOneHot *layer = message->one_hot;
    size_t n = message->n_input;
    mls_value_id indices = nn_input(nn, 0);
    unsigned rank = nn_rank(nn, indices);
    const int64_t axis = 0;
    struct nn_op op;
    nn_begin(&op, "one_hot");
    nn_arg(nn, &op, "indices", nn_indices(nn, indices));
    if (n > 1)
        nn_arg(nn, &op, "one_hot_vector_size", nn_squeeze(nn, nn_indices(nn, nn_input(nn, 1)), &axis, 1));
    else if (nn_check(nn, layer->size <= INT32_MAX, "its vector is too long"))
        nn_arg_int(nn, &op, "one_hot_vector_size", (int64_t)layer->size);
    nn_arg_int(nn, &op, "axis", layer->axis);
    if (n > 2)
        nn_arg(nn, &op, "on_value", nn_squeeze(nn, nn_input(nn, 2), &axis, 1));
    else
        nn_arg_float(nn, &op, "on_value", layer->on_value);
    if (n > 3)
        nn_arg(nn, &op, "off_value", nn_squeeze(nn, nn_input(nn, 3), &axis, 1));
    else
        nn_arg_float(nn, &op, "off_value", layer->off_value);
    nn_give(nn, &op, rank == MLS_RANK_UNKNOWN ? rank : rank + 1);
}

void nn_where_non_zero(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    (void)message;
    struct nn_op op;
    nn_begin(&op, "non_zero");
    nn_arg(nn, &op, "x", nn_input(nn, 0));
    nn_bind(nn, 0, nn_cast(nn, nn_emit_as(nn, &op, MLS_INT32, 2), "fp32"));
}

void nn_cum_sum(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnCumSum *layer = message->cum_sum;
    mls_value_id x = nn_input(nn, 0);
    const int64_t first = 0;
    struct nn_op op;
    nn_begin(&op, "cumsum");
    nn_arg(nn, &op, "x", x);
    if (message->n_input > 1)
        nn_arg(nn, &op, "axis", nn_squeeze(nn, nn_indices(nn, nn_input(nn, 1)), &first, 1));
    else
        nn_arg_int(nn, &op, "axis", layer->axis);
    nn_arg_bool(nn, &op, "exclusive", layer->exclude_final);
    nn_arg_bool(nn, &op, "reverse", layer->reverse);
    nn_give(nn, &op, nn_rank(nn, x));
}

/* A number of the layer, or of its input i when it has one, as a scalar. */
static void arg_number(struct nn *nn, struct nn_op *op, const char *name, size_t i, float value)
{
    const int64_t axis = 0;
    if (nn->layer->n_input > i)
        nn_arg(nn, op, name, nn_squeeze(nn, nn_input(nn, i), &axis, 1));
    else
        nn_arg_float(nn, op, name, value);
}

void nn_suppression(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnSuppression *layer = message->non_maximum_suppression;
    const int64_t axis = 0;
    struct nn_op op;
    nn_begin(&op, "non_maximum_suppression");
    nn_arg(nn, &op, "boxes", nn_input(nn, 0));
    nn_arg(nn, &op, "scores", nn_input(nn, 1));
    arg_number(nn, &op, "iou_threshold", 2, layer->iou_threshold);
    arg_number(nn, &op, "score_threshold", 3, layer->score_threshold);
    if (message->n_input > 4)
        nn_arg(nn, &op, "max_boxes", nn_squeeze(nn, nn_indices(nn, nn_input(nn, 4)), &axis, 1));
    else if (nn_check(nn, layer->max_boxes <= INT32_MAX, "it gives too many boxes"))
        nn_arg_int(nn, &op, "max_boxes", (int64_t)layer->max_boxes);
    nn_arg_bool(nn, &op, "per_class_suppression", layer->per_class);
    struct mls_type types[4];
    static const struct {
        enum mls_dtype dtype;
        unsigned rank;
    } outputs[4] = {{MLS_FP32, 3}, {MLS_FP32, 3}, {MLS_INT32, 2}, {MLS_INT32, 1}};
    for (size_t i = 0; i < 4; i++) {
        const int64_t open[3] = {MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN, MLS_DIM_UNKNOWN};
        types[i] = mls_type_tensor(outputs[i].dtype, outputs[i].rank, open);
    }
    const mls_value_id *values = nn_emit_several(nn, &op, types, 4);
    for (size_t i = 0; values && i < message->n_output && i < 4; i++)
        nn_bind(nn, i, outputs[i].dtype == MLS_INT32 ? nn_cast(nn, values[i], "fp32") : values[i]);
}
