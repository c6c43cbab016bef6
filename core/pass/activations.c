/*
 * activations.c: activation functions that are written out become one operation, which is computed in fp32 and rounded once.
 * Products are taken apart into constants and factors first, so that it does not matter in which order they are written.
 */
#include "pass/pass.h"

#include <math.h>

enum { FACTORS_MAX = 2 };

/* constant * factors[0] * factors[1] */
struct product {
    double constant;
    uint32_t factors[FACTORS_MAX];
    unsigned n;
};

/* How far constants may be from those that are meant: they were rounded to fp16. */
static bool is_about(double x, double wanted)
{
    return fabs(x - wanted) <= 1e-3 * fabs(wanted);
}

/* Takes a node of two operands apart into one that is a constant number and the other one. */
static bool with_number(const struct piece *piece, const struct piece_node *node, const char *op, double *ret_number,
                        uint32_t *ret_other)
{
    if (!piece_is(node, op))
        return false;
    for (unsigned param = 0; param < 2; param++) {
        if (!piece_number(piece, piece_arg(node, param), ret_number))
            continue;
        *ret_other = piece_arg(node, 1 - param);
        return true;
    }
    return false;
}

static bool take_apart(const struct piece *piece, uint32_t value, const struct piece_node *root, struct product *product)
{
    enum { DEPTH_MAX = 8 };
    uint32_t waiting[DEPTH_MAX] = {value};
    unsigned n = 1;
    while (n) {
        uint32_t at = waiting[--n];
        double number;
        const struct piece_node *node = root ? root : piece_sole_source(piece, at);
        root = NULL;
        if (piece_number(piece, at, &number)) {
            product->constant *= number;
        } else if (piece_is(node, "mul") && n + 2 <= DEPTH_MAX) {
            waiting[n++] = piece_arg(node, 0);
            waiting[n++] = piece_arg(node, 1);
        } else if (piece_is(node, "real_div") && piece_number(piece, piece_arg(node, 1), &number)) {
            product->constant /= number;
            waiting[n++] = piece_arg(node, 0);
        } else if (product->n == FACTORS_MAX) {
            return false;
        } else {
            product->factors[product->n++] = at;
        }
    }
    return true;
}

/* The factor k where value is k x; 0 where it is something else. */
static double multiple_of(const struct piece *piece, uint32_t value, uint32_t x)
{
    struct product product = {.constant = 1};
    bool ok = take_apart(piece, value, NULL, &product) && product.n == 1 && product.factors[0] == x;
    return ok ? product.constant : 0;
}

/* Whether value is 1 + f(ret_inner). */
static bool one_plus(const struct piece *piece, uint32_t value, const char *function, uint32_t *ret_inner)
{
    double one;
    uint32_t other;
    if (!with_number(piece, piece_sole_source(piece, value), "add", &one, &other) || one != 1)
        return false;
    const struct piece_node *node = piece_sole_source(piece, other);
    *ret_inner = piece_is(node, function) ? piece_arg(node, 0) : PIECE_NONE;
    return *ret_inner != PIECE_NONE;
}

/* Whether value is x^3 times a number, which it gives. */
static double multiple_of_cube(const struct piece *piece, uint32_t value, uint32_t x)
{
    struct product product = {.constant = 1};
    double three;
    if (!take_apart(piece, value, NULL, &product))
        return 0;
    const struct piece_node *power = product.n == 1 ? piece_sole_source(piece, product.factors[0]) : NULL;
    if (piece_is(power, "pow"))
        return piece_arg(power, 0) == x && piece_number(piece, piece_arg(power, 1), &three) && three == 3
                   ? product.constant
                   : 0;
    for (unsigned i = 0; i < product.n; i++) { /* x times x^2 */
        const struct piece_node *square = piece_sole_source(piece, product.factors[i]);
        bool squares = (piece_is(square, "square") && piece_arg(square, 0) == x) ||
                       (piece_is(square, "mul") && piece_arg(square, 0) == x && piece_arg(square, 1) == x);
        if (product.n == 2 && squares && product.factors[1 - i] == x)
            return product.constant;
    }
    return 0;
}

/* sqrt(2 / pi) (x + 0.044715 x^3) */
static bool is_gelu_tanh(const struct piece *piece, uint32_t inner, uint32_t x)
{
    struct product product = {.constant = 1};
    if (!take_apart(piece, inner, NULL, &product) || product.n != 1 || !is_about(product.constant, 0.7978845608))
        return false;
    const struct piece_node *add = piece_sole_source(piece, product.factors[0]);
    if (!piece_is(add, "add"))
        return false;
    for (unsigned param = 0; param < 2; param++)
        if (piece_arg(add, param) == x && is_about(multiple_of_cube(piece, piece_arg(add, 1 - param), x), 0.044715))
            return true;
    return false;
}

/* The mode of gelu that a node computes, or NULL. */
static const char *gelu_mode(const struct piece *piece, const struct product *product, uint32_t x, uint32_t other)
{
    uint32_t inner;
    const struct piece_node *sigmoid = piece_sole_source(piece, other);
    if (is_about(product->constant, 0.5) && one_plus(piece, other, "erf", &inner) &&
        is_about(multiple_of(piece, inner, x), 0.7071067812))
        return "EXACT";
    if (is_about(product->constant, 0.5) && one_plus(piece, other, "tanh", &inner) && is_gelu_tanh(piece, inner, x))
        return "TANH_APPROXIMATION";
    if (product->constant == 1 && piece_is(sigmoid, "sigmoid") &&
        is_about(multiple_of(piece, piece_arg(sigmoid, 0), x), 1.702))
        return "SIGMOID_APPROXIMATION";
    return NULL;
}

/* clip(x + 3, 0, 6), times the constant 1 / 6: min(max(x / 6 + 1 / 2, 0), 1); or the same as sigmoid_hard. */
static bool is_hard_sigmoid(const struct piece *piece, double constant, uint32_t value, uint32_t x)
{
    const struct piece_node *node = piece_sole_source(piece, value);
    double low = 0, high = 6, three;
    uint32_t inner;
    if (piece_is(node, "sigmoid_hard"))
        return constant == 1 && piece_arg(node, 0) == x && piece_number(piece, piece_named_arg(node, "alpha"), &low) &&
               piece_number(piece, piece_named_arg(node, "beta"), &high) && is_about(low, 1.0 / 6) && is_about(high, 0.5);
    bool clips = piece_is(node, "relu6") ||
                 (piece_is(node, "clip") && piece_number(piece, piece_named_arg(node, "alpha"), &low) &&
                  piece_number(piece, piece_named_arg(node, "beta"), &high));
    return clips && low == 0 && high == 6 && is_about(constant, 1.0 / 6) &&
           with_number(piece, piece_sole_source(piece, piece_arg(node, 0)), "add", &three, &inner) && three == 3 && inner == x;
}

static bool become(struct piece *piece, struct piece_node *node, const char *op, uint32_t x)
{
    const struct piece_binding bindings[] = {{"x", x}, {NULL, 0}};
    return piece_rewrite(piece, node, op, bindings);
}

static bool become_gelu(struct piece *piece, struct piece_node *node, uint32_t x, const char *mode)
{
    uint32_t value = piece_text_value(piece, node, mode);
    const struct piece_binding bindings[] = {{"x", x}, {"mode", value}, {NULL, 0}};
    return value != PIECE_NONE && piece_rewrite(piece, node, "gelu", bindings);
}

static bool join_product(struct piece *piece, struct piece_node *node)
{
    struct product product = {.constant = 1};
    if (!take_apart(piece, node->outputs[0], node, &product) || product.n != 2)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t x = product.factors[i], other = product.factors[1 - i];
        const struct piece_node *source = piece_sole_source(piece, other);
        const char *mode = gelu_mode(piece, &product, x, other);
        if (mode)
            return become_gelu(piece, node, x, mode);
        if (product.constant == 1 && piece_is(source, "sigmoid") && piece_arg(source, 0) == x)
            return become(piece, node, "silu", x);
        if (is_hard_sigmoid(piece, product.constant, other, x))
            return become(piece, node, "pass_hard_swish", x);
    }
    return false;
}

/* select(x > 0, x, alpha x) */
static bool join_select(struct piece *piece, struct piece_node *node)
{
    uint32_t x = piece_named_arg(node, "a"), scaled = piece_named_arg(node, "b");
    const struct piece_node *condition = piece_sole_source(piece, piece_named_arg(node, "cond"));
    double zero;
    if (!(piece_is(condition, "greater") || piece_is(condition, "greater_equal")) || piece_arg(condition, 0) != x ||
        !piece_number(piece, piece_arg(condition, 1), &zero) || zero != 0)
        return false;
    double alpha = multiple_of(piece, scaled, x);
    const struct piece_node *mul = piece_sole_source(piece, scaled);
    if (alpha != 0) {
        uint32_t value = piece_number_value(piece, node, piece_type(piece, x)->dtype, (float)alpha);
        const struct piece_binding bindings[] = {{"x", x}, {"alpha", value}, {NULL, 0}};
        return value != PIECE_NONE && piece_rewrite(piece, node, "leaky_relu", bindings);
    }
    if (!piece_is(mul, "mul"))
        return false;
    for (unsigned param = 0; param < 2; param++) { /* a number for each channel */
        uint32_t by = piece_arg(mul, 1 - param), channels;
        if (piece_arg(mul, param) != x || !piece_channels(piece, node, by, 1, &channels))
            continue;
        const struct piece_binding bindings[] = {{"x", x}, {"alpha", channels}, {NULL, 0}};
        return piece_rewrite(piece, node, "prelu", bindings);
    }
    return false;
}

uint32_t pass_activations(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++) {
        struct piece_node *node = piece->nodes[i];
        bool product = piece_is(node, "mul") || piece_is(node, "real_div");
        enum mls_dtype dtype = node->call.n_outputs ? piece_type(piece, node->outputs[0])->dtype : MLS_NONE;
        bool is_float = dtype == MLS_FP16 || dtype == MLS_FP32;
        if (is_float && ((product && join_product(piece, node)) || (piece_is(node, "select") && join_select(piece, node))))
            touched += node->n_origins;
    }
    return touched;
}
