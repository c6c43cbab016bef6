/*
 * elementwise.c: elementwise operations that the node before them does in place, while its results are in the cache. Bits
 * are those of separate steps, since every operation still rounds to the declared type.
 */
#include <string.h>

#include "pass/pass.h"

/* The node that computes the one value of a parameter for nobody else and can go on with it; or NULL. */
static struct piece_node *producer_of(const struct piece *piece, const struct piece_node *node, unsigned param)
{
    if (node->arguments[param].n != 1)
        return NULL;
    struct piece_node *source = piece_sole_source(piece, node->arguments[param].values[0]);
    bool grows = source && source->row->flags & MLS_OP_EPILOGUE && source->call.n_outputs == 1 && !source->dynamic &&
                 source->n_fused < MLS_FUSED_MAX;
    return grows ? source : NULL;
}

/* Whether a value is there, and will not change, when a node runs. */
static bool is_ready(const struct piece *piece, uint32_t value, const struct piece_node *node)
{
    const struct piece_node *source = piece_source(piece, value);
    while (source && source->row->flags & MLS_OP_VIEW && !source->dynamic && source->position > node->position &&
           !piece->values[piece_arg(source, 0)].constant) {
        value = piece_arg(source, 0); /* a view is there when what it views is */
        source = piece_source(piece, value);
    }
    if (!source)
        return piece->values[value].steady || piece->values[value].constant;
    return !source->dynamic && source->position < node->position;
}

static bool can_join(struct piece *piece, const struct piece_node *node, unsigned param, const struct piece_node *source,
                     struct piece_fused *ret_fused)
{
    const struct mls_type *value = &mls_op_in(&node->call, param)->type, *result = &node->call.outputs[0]->type;
    if (!mls_type_equal(value, result) || (value->dtype != MLS_FP16 && value->dtype != MLS_FP32))
        return false;
    struct piece_fused fused = {.operand = PIECE_NONE, .param = param, .node = node};
    if (!node->row->fuse(&node->call, piece->kernels, param, &fused.op))
        return false;
    for (uint32_t i = 0; i < node->n_arguments; i++) {
        if (i == param || !node->arguments[i].n)
            continue;
        if (!is_ready(piece, node->arguments[i].values[0], source))
            return false;
        if (mls_op_in(&node->call, i) == fused.op.operand)
            fused.operand = node->arguments[i].values[0];
    }
    *ret_fused = fused;
    return true;
}

static bool join(struct piece *piece, struct piece_node *source, struct piece_node *node, const struct piece_fused *fused)
{
    struct piece_fused *list = MLS_NEW_ARRAY(piece->arena, source->n_fused + 1, struct piece_fused);
    if (!list || !piece_take_over(piece, source, node)) {
        piece->out_of_memory = true;
        return false;
    }
    if (source->n_fused)
        memcpy(list, source->fused, source->n_fused * sizeof *list);
    list[source->n_fused++] = *fused;
    source->fused = list;
    return true;
}

uint32_t pass_elementwise(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++) {
        struct piece_node *node = piece->nodes[i];
        struct piece_node *source = NULL;
        struct piece_fused fused;
        bool may = !node->removed && node->row->fuse && node->call.n_outputs == 1 && !node->n_fused && !node->dynamic;
        for (unsigned param = 0; may && param < node->n_arguments; param++) {
            source = producer_of(piece, node, param);
            if (source && can_join(piece, node, param, source, &fused))
                break;
            source = NULL;
        }
        if (source)
            touched += join(piece, source, node, &fused);
    }
    return touched;
}
