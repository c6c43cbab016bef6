/*
 * pb_nn_dense.c: products with matrices, and rows looked up in them. Layers that ask for an input of integers
 * (int8DynamicQuantize) are computed with floats: the result differs from Apple's by what the input loses
 * there.
 */
#include "format/pb_nn.h"

static mls_value_id linear(struct nn *nn, mls_value_id x, mls_value_id weight, bool has_bias,
                           const Pb__NnWeights *bias, int64_t n_out)
{
    struct nn_op op;
    nn_begin(&op, "linear");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "weight", weight);
    if (has_bias)
        nn_arg(nn, &op, "bias", nn_weights(nn, bias, "bias", &n_out, 1));
    return nn_emit(nn, &op, nn_rank(nn, x));
}

/* Of four and five dimensions, the last three are taken as one vector. */
void nn_inner_product(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnInnerProduct *layer = message->inner_product;
    mls_value_id input = nn_input(nn, 0), x = input;
    unsigned rank = nn_known_rank(nn, input);
    if (!nn_check(nn, layer->input_channels <= INT32_MAX && layer->output_channels <= INT32_MAX,
                  "it has too many channels"))
        return;
    const int64_t dims[2] = {(int64_t)layer->output_channels, (int64_t)layer->input_channels};
    if (rank >= 4)
        x = nn_collapse(nn, input, rank - 3, 0);
    mls_value_id y = linear(nn, x, nn_weights(nn, layer->weights, "weights", dims, 2), layer->has_bias,
                            layer->bias, dims[0]);
    if (rank >= 4)
        y = nn_expand(nn, y, (const int64_t[]){-1, -2}, 2);
    nn_bind(nn, 0, y);
}

void nn_batched_matmul(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnMatmul *layer = message->batched_matmul;
    mls_value_id x = nn_input(nn, 0);
    if (message->n_input == 1) {
        if (!nn_check(nn, layer->rows <= INT32_MAX && layer->columns <= INT32_MAX, "its matrix is too large"))
            return;
        /* stored column by column, which is its transpose row by row: what "linear" takes */
        const int64_t dims[2] = {(int64_t)layer->columns, (int64_t)layer->rows};
        nn_bind(nn, 0,
                linear(nn, x, nn_weights(nn, layer->weights, "weights", dims, 2), layer->has_bias,
                       layer->bias, dims[0]));
        return;
    }
    mls_value_id y = nn_input(nn, 1);
    bool is_row = nn_rank(nn, x) == 1, is_column = nn_rank(nn, y) == 1;
    if (is_row)
        x = nn_expand(nn, x, (const int64_t[]){0}, 1);
    if (is_column)
        y = nn_expand(nn, y, (const int64_t[]){1}, 1);
    struct nn_op op;
    nn_begin(&op, "matmul");
    nn_arg(nn, &op, "x", x);
    nn_arg(nn, &op, "y", y);
    nn_arg_bool(nn, &op, "transpose_x", layer->transpose_a && !is_row);
    nn_arg_bool(nn, &op, "transpose_y", layer->transpose_b && !is_column);
    nn_give(nn, &op, nn_broadcast_rank(nn, x, y));
}

/* ---- Embedding ------------------------------------------------------------------------------- */

/* Row x of the transpose of a matrix [channels, words], plus a bias. */
static mls_value_id look_up(struct nn *nn, mls_value_id indices, uint64_t n_words, uint64_t n_channels,
                            const Pb__NnWeights *weights, bool has_bias, const Pb__NnWeights *bias)
{
    if (!nn_check(nn, n_words <= INT32_MAX && n_channels <= INT32_MAX, "its matrix is too large"))
        return indices;
    const int64_t dims[2] = {(int64_t)n_channels, (int64_t)n_words};
    mls_value_id table =
        nn_transpose(nn, nn_weights(nn, weights, "weights", dims, 2), (const int64_t[]){1, 0}, 2);
    struct nn_op op;
    nn_begin(&op, "gather");
    nn_arg(nn, &op, "x", table);
    nn_arg(nn, &op, "indices", nn_cast(nn, indices, "int32"));
    nn_arg_int(nn, &op, "axis", 0);
    unsigned rank = nn_rank(nn, indices);
    mls_value_id rows = nn_emit(nn, &op, rank == MLS_RANK_UNKNOWN ? rank : rank + 1);
    return has_bias ? nn_binary(nn, "add", rows, nn_weights(nn, bias, "bias", dims, 1)) : rows;
}

void nn_embedding(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnEmbedding *layer = message->embedding;
    mls_value_id x = nn_input(nn, 0);
    unsigned rank = nn_known_rank(nn, x);
    if (!nn_check(nn, rank == 4 || rank == 5, "its input must have 4 or 5 dimensions"))
        return;
    mls_value_id rows = look_up(nn, nn_squeeze(nn, x, (const int64_t[]){-1, -2, -3}, 3), layer->input_dim,
                                layer->output_channels, layer->weights, layer->has_bias, layer->bias);
    nn_bind(nn, 0, nn_expand(nn, rows, (const int64_t[]){-1, -2}, 2));
}

void nn_embedding_nd(struct nn *nn, const Pb__NnLayer *message, const struct nn_row *row)
{
    (void)row;
    const Pb__NnEmbeddingNd *layer = message->embedding_nd;
    mls_value_id x = nn_input(nn, 0);
    if (!nn_check(nn, nn_known_rank(nn, x) >= 2, "its input must have at least 2 dimensions"))
        return;
    nn_bind(nn, 0,
            look_up(nn, nn_squeeze(nn, x, (const int64_t[]){-1}, 1), layer->input_dim, layer->output_channels,
                    layer->weights, layer->has_bias, layer->bias));
}
