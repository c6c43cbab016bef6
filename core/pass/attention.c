/*
 * attention.c: softmax(scale x y^T + mask) z written out in products and elementwise operations becomes one node. Scores are
 * fp32 then, and never rounded to fp16; numbers that overflow fp16 on the way do not.
 */
#include "pass/pass.h"

#include <math.h>

/* Fewer rows of scores fit the cache anyway, and products with few rows need no packing: a cache that is read for one token. */
enum { QUERIES_LEAST = 8 };

/* What was found, from the last product backwards. */
struct parts {
    uint32_t query, key, value, mask;
    double scale;
    struct piece_node *turned; /* the transpose that makes the key as the product wants it, not as attention does; or NULL */
    struct piece_node *product; /* of query and key */
};

static bool is_product(const struct piece_node *node, bool transpose_y)
{
    return piece_is(node, "matmul") && !piece_bool(node, "transpose_x", false) &&
           piece_bool(node, "transpose_y", false) == transpose_y;
}

/* The other operand of a node of two, if one of them is a constant number; its effect on the scale. */
static bool peel_scale(const struct piece *piece, uint32_t *value, double *scale)
{
    const struct piece_node *node = piece_sole_source(piece, *value);
    double number;
    if (piece_is(node, "mul")) {
        for (unsigned param = 0; param < 2; param++) {
            if (!piece_number(piece, piece_arg(node, param), &number))
                continue;
            *scale *= number;
            *value = piece_arg(node, 1 - param);
            return true;
        }
    } else if (piece_is(node, "real_div") && piece_number(piece, piece_arg(node, 1), &number)) {
        *scale /= number;
        *value = piece_arg(node, 0);
        return true;
    }
    return false;
}

/* A matrix that a product takes transposed, as it is before a transpose; false when there is none. */
static bool peel_transpose(const struct piece *piece, uint32_t *value)
{
    const struct piece_node *node = piece_sole_source(piece, *value);
    int64_t perm[MLS_RANK_MAX];
    if (!piece_is(node, "transpose"))
        return false;
    int rank = mls_op_ints(&node->call, 1, perm, MLS_RANK_MAX);
    for (int i = 0; i < rank; i++) {
        int64_t from = perm[i] < 0 ? perm[i] + rank : perm[i];
        if (from != (i == rank - 1 ? rank - 2 : i == rank - 2 ? rank - 1 : i))
            return false;
    }
    *value = piece_arg(node, 0);
    return rank >= 2;
}

/*
 * Converters join the transpose that a product asks for with the one before it, which brings heads to the front: what such a
 * transpose makes is turned back by exchanging the last two of its dimensions.
 */
static bool turn(struct piece *piece, const struct parts *parts)
{
    int64_t perm[MLS_RANK_MAX];
    int rank = mls_op_ints(&parts->turned->call, 1, perm, MLS_RANK_MAX);
    if (rank < 2)
        return false;
    int64_t last = perm[rank - 1];
    perm[rank - 1] = perm[rank - 2];
    perm[rank - 2] = last;
    uint32_t value = piece_ints_value(piece, parts->product, perm, (unsigned)rank, true);
    const struct piece_binding bindings[] = {{"perm", value}, {NULL, 0}};
    return value != PIECE_NONE && piece_retype(piece, parts->turned, bindings);
}

static bool is_last_axis(const struct piece *piece, const struct piece_node *softmax)
{
    double axis = -1;
    uint32_t given = piece_named_arg(softmax, "axis");
    if (given != PIECE_NONE && !piece_number(piece, given, &axis))
        return false;
    return axis == -1 || axis == piece_type(piece, softmax->outputs[0])->rank - 1;
}

/* The value that is the matrix of scores before a mask was added: the side that a product computes. */
static void peel_mask(const struct piece *piece, uint32_t *scores, uint32_t *ret_mask)
{
    const struct piece_node *add = piece_sole_source(piece, *scores);
    if (!piece_is(add, "add"))
        return;
    for (unsigned param = 0; param < 2; param++) {
        uint32_t side = piece_arg(add, param), other = piece_arg(add, 1 - param);
        double scale = 1;
        if (!mls_type_equal(piece_type(piece, side), piece_type(piece, *scores)))
            continue;
        uint32_t product = side;
        peel_scale(piece, &product, &scale);
        if (!piece_is(piece_sole_source(piece, product), "matmul"))
            continue;
        *scores = side;
        *ret_mask = other;
        return;
    }
}

static bool has_many_queries(const struct piece *piece, uint32_t query)
{
    const struct mls_type *type = piece_type(piece, query);
    return type->rank >= 2 && type->dims[type->rank - 2] >= QUERIES_LEAST;
}

static bool find_parts(const struct piece *piece, const struct piece_node *last, struct parts *ret)
{
    struct parts parts = {.value = piece_arg(last, 1), .mask = PIECE_NONE, .scale = 1, .turned = NULL};
    const struct piece_node *softmax = piece_sole_source(piece, piece_arg(last, 0));
    if (!is_product(last, false) || !piece_is(softmax, "softmax") || !is_last_axis(piece, softmax))
        return false;
    uint32_t scores = piece_arg(softmax, 0);
    peel_mask(piece, &scores, &parts.mask);
    peel_scale(piece, &scores, &parts.scale);
    struct piece_node *first = piece_sole_source(piece, scores);
    if (!is_product(first, true) && !is_product(first, false))
        return false;
    parts.query = piece_arg(first, 0);
    parts.key = piece_arg(first, 1);
    peel_scale(piece, &parts.query, &parts.scale);
    peel_scale(piece, &parts.key, &parts.scale);
    parts.product = first;
    if (is_product(first, false) && !peel_transpose(piece, &parts.key)) {
        parts.turned = piece_sole_source(piece, parts.key);
        if (!piece_is(parts.turned, "transpose"))
            return false;
    }
    if (!parts.turned)
        peel_scale(piece, &parts.key, &parts.scale);
    *ret = parts;
    return has_many_queries(piece, parts.query) && parts.scale > 0 && isfinite((float)parts.scale) && (float)parts.scale > 0;
}

uint32_t pass_attention(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++) {
        struct piece_node *node = piece->nodes[i];
        struct parts parts;
        if (!piece_is(node, "matmul") || !find_parts(piece, node, &parts))
            continue;
        uint32_t perm = parts.turned ? piece_named_arg(parts.turned, "perm") : PIECE_NONE;
        if (parts.turned && !turn(piece, &parts))
            continue;
        uint32_t scale = piece_number_value(piece, node, MLS_FP32, (float)parts.scale);
        const struct piece_binding bindings[] = {{"query", parts.query}, {"key", parts.key},     {"value", parts.value},
                                                 {"attn_mask", parts.mask}, {"scale", scale}, {NULL, 0}};
        if (scale != PIECE_NONE && piece_rewrite(piece, node, "pass_attention", bindings))
            touched += node->n_origins;
        else if (parts.turned) /* as it was */
            piece_retype(piece, parts.turned, (const struct piece_binding[]){{"perm", perm}, {NULL, 0}});
    }
    return touched;
}
