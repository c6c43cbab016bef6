/*
 * moves.c: transposes and reshapes in a row. A transpose that leaves the order of all dimensions but those of one element
 * moves nothing, and is a reshape; of reshapes in a row the last one is enough.
 */
#include "pass/pass.h"

enum { X, PERM };

/* The permutation of a transpose; 0 when it is not known. */
static unsigned permutation(const struct piece_node *node, unsigned perm[MLS_RANK_MAX])
{
    int64_t given[MLS_RANK_MAX];
    int rank = mls_op_ints(&node->call, PERM, given, MLS_RANK_MAX);
    for (int i = 0; i < rank; i++)
        if (!mls_op_axis(given[i], (unsigned)rank, &perm[i]))
            return 0;
    return rank < 0 ? 0 : (unsigned)rank;
}

static bool moves_nothing(const struct piece *piece, const struct piece_node *node, const unsigned *perm, unsigned rank)
{
    const struct mls_type *type = piece_type(piece, piece_arg(node, X));
    unsigned last = 0;
    for (unsigned i = 0; i < rank; i++) {
        if (type->dims[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return true;
}

/* The node as a reshape of x; if that has the shape already, nothing is left of it. */
static uint32_t become_reshape(struct piece *piece, struct piece_node *node, uint32_t x)
{
    const struct mls_type *type = piece_type(piece, node->outputs[0]);
    if (mls_type_equal(type, piece_type(piece, x)) && piece_forward(piece, node, x))
        return 1;
    for (unsigned i = 0; i < type->rank; i++)
        if (type->dims[i] < 1 || type->dims[i] > INT32_MAX)
            return 0; /* 0 would mean another dimension */
    uint32_t shape = piece_ints_value(piece, node, type->dims, type->rank, false);
    const struct piece_binding bindings[] = {{"x", x}, {"shape", shape}, {NULL, 0}};
    return shape != PIECE_NONE && piece_rewrite(piece, node, "reshape", bindings);
}

static uint32_t shorten_transpose(struct piece *piece, struct piece_node *node)
{
    unsigned perm[MLS_RANK_MAX], before[MLS_RANK_MAX], rank = permutation(node, perm);
    const struct piece_node *source = piece_source(piece, piece_arg(node, X));
    if (!rank)
        return 0;
    if (moves_nothing(piece, node, perm, rank))
        return become_reshape(piece, node, piece_arg(node, X));
    if (!piece_is(source, "transpose") || permutation(source, before) != rank)
        return 0;
    int64_t both[MLS_RANK_MAX];
    bool same = true;
    for (unsigned i = 0; i < rank; i++) {
        both[i] = before[perm[i]];
        same = same && both[i] == i;
    }
    uint32_t x = piece_arg(source, X);
    if (same)
        return piece_forward(piece, node, x);
    uint32_t value = piece_ints_value(piece, node, both, rank, true);
    const struct piece_binding bindings[] = {{"x", x}, {"perm", value}, {NULL, 0}};
    return value != PIECE_NONE && piece_rebind(piece, node, bindings);
}

static bool is_view(const struct piece *piece, const struct piece_node *node)
{
    return node && !node->removed && !node->dynamic && node->row->flags & MLS_OP_VIEW && node->call.n_outputs == 1 &&
           node->arguments[X].n == 1 && piece_type(piece, node->outputs[0])->kind == MLS_KIND_TENSOR &&
           piece_type(piece, piece_arg(node, X))->kind == MLS_KIND_TENSOR;
}

static uint32_t shorten_view(struct piece *piece, struct piece_node *node)
{
    uint32_t x = piece_arg(node, X);
    const struct piece_node *source = piece_source(piece, x);
    if (is_view(piece, source))
        x = piece_arg(source, X);
    if (x != piece_arg(node, X))
        return become_reshape(piece, node, x);
    return mls_type_equal(piece_type(piece, x), piece_type(piece, node->outputs[0])) && piece_forward(piece, node, x);
}

uint32_t pass_moves(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++) {
        struct piece_node *node = piece->nodes[i];
        uint32_t changed = piece_is(node, "transpose") && shorten_transpose(piece, node);
        if (is_view(piece, node)) /* as some transposes are now */
            changed |= shorten_view(piece, node);
        touched += changed;
    }
    return touched;
}
