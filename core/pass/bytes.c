/*
 * bytes.c: linear, matmul and conv of dequantize(quantize(x)), with weights that are stored as small integers, become products of
 * integers: x is rounded to bytes where it is read, sums are exact, and scales come after them. The definition rounds both
 * operands to the declared type once more before it multiplies them.
 */
#include "ops/op_check.h"
#include "pass/pass.h"

/* Channels of a group below which most of a word of four would be empty. */
enum { GROUP_CHANNELS_LEAST = 4 };

static bool same_number(const struct piece *piece, uint32_t a, uint32_t b)
{
    double x = 0, y = 0;
    bool known = (a == PIECE_NONE || piece_number(piece, a, &x)) && (b == PIECE_NONE || piece_number(piece, b, &y));
    return known && x == y;
}

/* The quantize of which a value is the dequantized form by the same numbers; NULL: there is none. */
static const struct piece_node *quantized(const struct piece *piece, uint32_t value)
{
    const struct piece_node *dequantize = piece_source(piece, value);
    if (!piece_is(dequantize, "dequantize"))
        return NULL;
    const struct piece_node *quantize = piece_source(piece, piece_named_arg(dequantize, "input"));
    if (!piece_is(quantize, "quantize") ||
        !same_number(piece, piece_named_arg(quantize, "scale"), piece_named_arg(dequantize, "scale")) ||
        !same_number(piece, piece_named_arg(quantize, "zero_point"), piece_named_arg(dequantize, "zero_point")))
        return NULL;
    return quantize;
}

static bool has_narrow_groups(const struct piece *piece, const struct piece_node *conv)
{
    int groups = mls_op_param_index(conv->row, "groups");
    return mls_op_int(&conv->call, (unsigned)groups, 1) > 1 &&
           piece_type(piece, piece_named_arg(conv, "weight"))->dims[1] < GROUP_CHANNELS_LEAST;
}

static bool become_bytes(struct piece *piece, struct piece_node *node, const struct piece_node *quantize)
{
    enum { BINDINGS_MAX = 16 };
    struct piece_binding bindings[BINDINGS_MAX] = {{NULL, 0}};
    uint32_t n = 0;
    for (; n < node->n_arguments; n++) /* the form of bytes has its parameters, and then its own */
        bindings[n] = (struct piece_binding){node->row->params[n].name, piece_arg(node, n)};
    bindings[0].value = piece_named_arg(quantize, "input");
    bindings[n++] = (struct piece_binding){"x_scale", piece_named_arg(quantize, "scale")};
    bindings[n++] = (struct piece_binding){"x_zero_point", piece_named_arg(quantize, "zero_point")};
    bindings[n++] = (struct piece_binding){"x_dtype", piece_named_arg(quantize, "output_dtype")};
    return piece_rewrite(piece, node, piece_is(node, "conv") ? "pass_conv_bytes" : "pass_linear_bytes", bindings);
}

/* A weight [n][k] is what linear has. */
static bool matmul_becomes_bytes(struct piece *piece, struct piece_node *node, const struct piece_node *quantize)
{
    const struct piece_binding bindings[] = {{"x", piece_named_arg(quantize, "input")},
                                             {"weight", piece_named_arg(node, "y")},
                                             {"x_scale", piece_named_arg(quantize, "scale")},
                                             {"x_zero_point", piece_named_arg(quantize, "zero_point")},
                                             {"x_dtype", piece_named_arg(quantize, "output_dtype")},
                                             {NULL, 0}};
    bool transposed = piece_bool(node, "transpose_y", false);
    return !piece_bool(node, "transpose_x", false) && piece->values[piece_named_arg(node, "y")].constant &&
           piece_rewrite(piece, node, transposed ? "pass_linear_bytes" : "pass_matmul_bytes", bindings);
}

uint32_t pass_bytes(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++) {
        struct piece_node *node = piece->nodes[i];
        bool conv = piece_is(node, "conv"), matmul = piece_is(node, "matmul");
        if ((!conv && !matmul && !piece_is(node, "linear")) || (conv && has_narrow_groups(piece, node)))
            continue;
        const struct piece_node *quantize = quantized(piece, piece_named_arg(node, "x"));
        if (quantize && (matmul ? matmul_becomes_bytes(piece, node, quantize) : become_bytes(piece, node, quantize)))
            touched += node->n_origins;
    }
    return touched;
}
