/* pb_nn_reduce.c: reductions. */
#include "format/pb_nn.h"

static mls_value_id reduce(struct nn *nn, const char *type, mls_value_id x, const int64_t *axes,
                           size_t n_axes, bool keep, unsigned rank)
{
    struct nn_op op;
    nn_begin(&op, type);
    nn_arg(nn, &op, "x", x);
    if (axes)
        nn_arg_ints(nn, &op, "axes", axes, n_axes);
    nn_arg_bool(nn, &op, "keep_dims", keep);
    return nn_emit(nn, &op, rank);
}

/* Over channel, height and width, which stay as dimensions of length 1. */
void nn_reduce(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    enum { LOG_SUM = 3, ARG_MAX = 9 };
    static const char *const types[] = {"reduce_sum",        "reduce_mean",    "reduce_prod",    "reduce_sum",
                                        "reduce_sum_square", "reduce_l1_norm", "reduce_l2_norm", "reduce_max",
                                        "reduce_min",        "reduce_argmax"};
    static const struct {
        int64_t axes[3];
        size_t n;
    } places[] = {{{-3, -2, -1}, 3}, {{-2, -1}, 2}, {{-3}, 1}, {{-2}, 1}, {{-1}, 1}};
    const Pb__NnReduce *layer = message->reduce;
    if (!nn_check(nn, layer->mode >= 0 && layer->mode <= ARG_MAX, "its mode is not known") ||
        !nn_check(nn, layer->axis >= 0 && layer->axis < 5, "its axis is not known"))
        return;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_rank(nn, x);
    if (layer->mode == ARG_MAX) {
        nn_check(nn, places[layer->axis].n == 1,
                 "the place of the greatest is asked for along one axis only");
        struct nn_op op;
        nn_begin(&op, types[ARG_MAX]);
        nn_arg(nn, &op, "x", x);
        nn_arg_int(nn, &op, "axis", places[layer->axis].axes[0]);
        nn_arg_bool(nn, &op, "keep_dims", true);
        nn_bind(nn, 0, nn_cast(nn, nn_emit_as(nn, &op, MLS_INT32, rank), "fp32"));
        return;
    }
    if (layer->mode == LOG_SUM) {
        struct nn_op op;
        nn_begin(&op, "log");
        nn_arg(nn, &op, "x", x);
        nn_arg_float(nn, &op, "epsilon", layer->epsilon == 0.0f ? 1e-6f : layer->epsilon);
        x = nn_emit(nn, &op, rank);
    }
    nn_bind(nn, 0,
            reduce(nn, types[layer->mode], x, places[layer->axis].axes, places[layer->axis].n, true, rank));
}

/* One dimension stays when all go. */
void nn_reduce_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    const Pb__NnAxes *layer = message->reduce_sum;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_rank(nn, x);
    bool all = layer->all || !layer->n_axes;
    if (!nn_check(nn, layer->n_axes <= MLS_RANK_MAX, "it has too many axes"))
        return;
    unsigned n_gone = rank == MLS_RANK_UNKNOWN ? 0 : all ? rank : (unsigned)layer->n_axes;
    if (!nn_check(nn, n_gone <= rank, "it has more axes than there are dimensions"))
        return;
    unsigned left = layer->keep ? rank : all ? 0 : rank == MLS_RANK_UNKNOWN ? rank : rank - n_gone;
    mls_value_id y = reduce(nn, row->detail, x, all ? NULL : layer->axes, layer->n_axes, layer->keep, left);
    nn_bind(nn, 0, nn_at_least_1(nn, y));
}
