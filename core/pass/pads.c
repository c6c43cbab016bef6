/* pads.c: zeros around the input of a convolution become the convolution's own. */
#include "pass/pass.h"

#include <string.h>

#include "ops/op_check.h"


/* How many zeros stand before and after each spatial dimension, and nowhere else; false when it is another kind of pad. */
static bool zeros_around(const struct piece *piece, const struct piece_node *pad, unsigned rank, int64_t *ret_pairs)
{
    int mode = mls_op_param_index(pad->row, "mode"), amounts = mls_op_param_index(pad->row, "pad");
    double fill = 0;
    int64_t given[2 * MLS_RANK_MAX];
    int n = mls_op_ints(&pad->call, (unsigned)amounts, given, 2 * MLS_RANK_MAX);
    uint32_t value = piece_named_arg(pad, "constant_val");
    if (!mls_op_text_is(&pad->call, (unsigned)mode, "constant", "constant") || n < 0 || n % 2 || (unsigned)n > 2 * rank ||
        (value != PIECE_NONE && !piece_number(piece, value, &fill)) || fill != 0)
        return false;
    unsigned n_pairs = (unsigned)n / 2, n_outer = rank - n_pairs;
    memset(ret_pairs, 0, 2 * MLS_RANK_MAX * sizeof *ret_pairs);
    for (unsigned i = 0; i < n_pairs; i++) {
        unsigned dim = n_outer + i; /* amounts are of the last dimensions */
        for (unsigned side = 0; side < 2; side++) {
            int64_t amount = given[2 * i + side];
            if (amount < 0 || amount > INT32_MAX / 2 || (dim < 2 && amount))
                return false;
            if (dim >= 2)
                ret_pairs[2 * (dim - 2) + side] = amount;
        }
    }
    return true;
}

static uint32_t absorb(struct piece *piece, struct piece_node *conv)
{
    const struct piece_node *pad = piece_sole_source(piece, piece_arg(conv, 0));
    int kind = mls_op_param_index(conv->row, "pad_type"), amounts = mls_op_param_index(conv->row, "pad");
    int64_t around[2 * MLS_RANK_MAX], own[2 * MLS_RANK_MAX] = {0};
    unsigned rank = piece_type(piece, piece_arg(conv, 0))->rank;
    bool valid = mls_op_text_is(&conv->call, (unsigned)kind, "valid", "valid");
    if (!piece_is(pad, "pad") || rank < 3 || !zeros_around(piece, pad, rank, around) ||
        (!valid && !mls_op_text_is(&conv->call, (unsigned)kind, "valid", "custom")))
        return 0;
    unsigned n = 2 * (rank - 2);
    if (!valid && mls_op_given(&conv->call, (unsigned)amounts) &&
        mls_op_ints(&conv->call, (unsigned)amounts, own, 2 * MLS_RANK_MAX) != (int)n)
        return 0;
    for (unsigned i = 0; i < n; i++)
        around[i] += own[i];
    uint32_t sums = piece_ints_value(piece, conv, around, n, true), type = piece_text_value(piece, pad, "custom");
    const struct piece_binding bindings[] = {
        {"x", piece_arg(pad, 0)}, {"pad_type", type}, {"pad", sums}, {NULL, 0}};
    return sums != PIECE_NONE && type != PIECE_NONE && piece_rebind(piece, conv, bindings);
}

uint32_t pass_pads(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++)
        if (piece_is(piece->nodes[i], "conv"))
            touched += absorb(piece, piece->nodes[i]);
    return touched;
}
