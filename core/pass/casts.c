/* casts.c: conversions that change nothing, or that another one undoes. */
#include "pass/pass.h"

/* Whether every value of one type is a value of the other. */
static bool holds(enum mls_dtype wide, enum mls_dtype narrow)
{
    const mls_dtype_set small = MLS_DTYPE_BIT(MLS_INT8) | MLS_DTYPE_BIT(MLS_UINT8);
    const mls_dtype_set medium = small | MLS_DTYPE_BIT(MLS_INT16) | MLS_DTYPE_BIT(MLS_UINT16);
    mls_dtype_set held = MLS_DTYPE_BIT(wide);
    if (wide == MLS_FP32)
        held |= medium | MLS_DTYPE_BIT(MLS_FP16);
    else if (wide == MLS_FP16)
        held |= small;
    else if (wide == MLS_INT32)
        held |= medium;
    return held >> narrow & 1;
}

static uint32_t shorten(struct piece *piece, struct piece_node *node)
{
    uint32_t x = piece_arg(node, 0), output = node->outputs[0];
    const struct piece_node *before = piece_source(piece, x);
    if (piece_is(before, "cast") && holds(piece_type(piece, x)->dtype, piece_type(piece, piece_arg(before, 0))->dtype))
        x = piece_arg(before, 0);
    enum mls_dtype from = piece_type(piece, x)->dtype, to = piece_type(piece, output)->dtype;
    if (from == to)
        return piece_forward(piece, node, x);
    if (x == piece_arg(node, 0) || !holds(to, from))
        return 0;
    const struct piece_binding bindings[] = {{"x", x}, {NULL, 0}};
    return piece_rebind(piece, node, bindings);
}

uint32_t pass_casts(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++)
        if (piece_is(piece->nodes[i], "cast"))
            touched += shorten(piece, piece->nodes[i]);
    return touched;
}
