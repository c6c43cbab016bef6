/*
 * scales.c: y = scale[c] f(x) + shift[c], by a constant for each output channel c, goes into the weights and the bias of f:
 * conv, conv_transpose or linear. Bias and, where there is a scale, weights are rounded to their own type once more; in
 * exchange the result is rounded once instead of after each operation.
 */
#include "pass/pass.h"

#include <math.h>
#include <stdlib.h>

#include "base/fp16.h"
#include "kernels/coded/coded.h"
#include "ops/op_check.h"

/* fp16 weights of a channel lie between these, or small ones would lose bits, or large ones overflow. */
#define SCALED_MIN 0x1p-10
#define SCALED_MAX 32768.0

/* An affine function of each channel. */
struct affine {
    unsigned dim; /* of the channels in the result */
    size_t n;
    double *scale, *shift; /* n each, from malloc */
    bool scales;           /* some scale is not 1 */
    bool shape_free;
};

/* Where the output channel of a weight element is read off. */
struct weights {
    const struct mls_tensor *tensor;
    size_t n_elems;
    size_t elems_per_slice; /* of the first dimension */
    size_t elems_per_channel;
    size_t slices_per_group, channels_per_group;
    bool transposed; /* the first dimension counts input channels */
};

static size_t channel_of(const struct weights *weights, size_t elem)
{
    size_t slice = elem / weights->elems_per_slice;
    if (!weights->transposed)
        return slice;
    return slice / weights->slices_per_group * weights->channels_per_group +
           elem % weights->elems_per_slice / weights->elems_per_channel;
}

/*
 * Weights of convolutions that are stored compressed, as they are: products of them are packed from plain ones anyway, unless
 * their input is quantized. NULL: they stay compressed; else the caller frees the arena, which is as secret as the plan's.
 */
static struct mls_arena *decompress(const struct piece *piece, const struct piece_node *node, struct mls_tensor *tensor)
{
    const struct mls_coded *coded = tensor->coded;
    bool matrix = tensor->type.rank < 3 || (int64_t)coded->k == tensor->type.dims[1];
    if (matrix || piece_is(piece_source(piece, piece_named_arg(node, "x")), "dequantize"))
        return NULL;
    struct mls_arena *working = mls_arena_create_beside(piece->arena);
    uint16_t *halves = working ? mls_arena_alloc(working, mls_type_bytes(&tensor->type), 64) : NULL;
    if (halves)
        mls_coded_expand(piece->kernels, NULL, coded, &(struct mls_coded_part){0, coded->n, 0, coded->k}, halves);
    tensor->data = halves;
    return working;
}

static bool describe_weights(const struct piece_node *node, const struct mls_tensor *tensor, struct weights *ret)
{
    if (!tensor->data || tensor->type.rank < 2 ||
        (tensor->type.dtype != MLS_FP16 && tensor->type.dtype != MLS_FP32) || mls_type_elems(&tensor->type) < 1)
        return false;
    struct weights weights = {.tensor = tensor, .n_elems = (size_t)mls_type_elems(&tensor->type), .transposed = piece_is(node, "conv_transpose")};
    int groups = mls_op_param_index(node->row, "groups");
    int64_t n_groups = groups < 0 ? 1 : mls_op_int(&node->call, (unsigned)groups, 1);
    weights.elems_per_slice = weights.n_elems / (size_t)tensor->type.dims[0];
    weights.channels_per_group = (size_t)tensor->type.dims[1];
    weights.elems_per_channel = weights.elems_per_slice / weights.channels_per_group;
    if (weights.transposed && (n_groups < 1 || tensor->type.dims[0] % n_groups))
        return false;
    weights.slices_per_group = (size_t)tensor->type.dims[0] / (size_t)(weights.transposed ? n_groups : 1);
    *ret = weights;
    return true;
}

/* Numbers of a constant with one for each channel, or one for all. */
static double number_at(const struct mls_tensor *tensor, size_t channel)
{
    return mls_tensor_float(tensor, mls_type_elems(&tensor->type) == 1 ? 0 : (int64_t)channel);
}

static const struct mls_tensor *constant_arg(const struct piece *piece, const struct piece_node *node, const char *param,
                                             struct affine *affine)
{
    uint32_t value = piece_named_arg(node, param);
    if (value == PIECE_NONE || !piece->values[value].constant || !piece->values[value].tensor->data)
        return NULL;
    affine->shape_free = affine->shape_free && piece->values[value].shape_free;
    return piece->values[value].tensor;
}

static bool from_batch_norm(const struct piece *piece, const struct piece_node *node, struct affine *affine)
{
    const struct mls_tensor *mean = constant_arg(piece, node, "mean", affine);
    const struct mls_tensor *variance = constant_arg(piece, node, "variance", affine);
    const struct mls_tensor *gamma = constant_arg(piece, node, "gamma", affine);
    const struct mls_tensor *beta = constant_arg(piece, node, "beta", affine);
    bool known = mean && variance && (gamma || piece_named_arg(node, "gamma") == PIECE_NONE) &&
                 (beta || piece_named_arg(node, "beta") == PIECE_NONE);
    if (!known || affine->dim != 1)
        return false;
    double epsilon = mls_op_float(&node->call, (unsigned)mls_op_param_index(node->row, "epsilon"), 1e-5);
    for (size_t i = 0; i < affine->n; i++) {
        double scale = (gamma ? number_at(gamma, i) : 1) / sqrt(number_at(variance, i) + epsilon);
        affine->scale[i] = scale;
        affine->shift[i] = (beta ? number_at(beta, i) : 0) - number_at(mean, i) * scale;
    }
    return true;
}

static bool from_binary(const struct piece *piece, const struct piece_node *node, unsigned param, struct affine *affine)
{
    const struct mls_type *type = piece_type(piece, node->outputs[0]);
    uint32_t operand = piece_arg(node, 1 - param);
    bool product = piece_is(node, "mul"), quotient = piece_is(node, "real_div") && param == 0;
    bool sum = piece_is(node, "add"), difference = piece_is(node, "sub");
    if ((!product && !quotient && !sum && !difference) || !piece_has_channels(piece, type, operand, affine->dim))
        return false;
    affine->shape_free = affine->shape_free && piece->values[operand].shape_free;
    for (size_t i = 0; i < affine->n; i++) {
        double number = number_at(piece->values[operand].tensor, i);
        bool negated = difference && param == 1; /* operand - f(x) */
        affine->scale[i] = product ? number : quotient ? 1 / number : negated ? -1 : 1;
        affine->shift[i] = sum || negated ? number : difference ? -number : 0;
    }
    return true;
}

/* The function that a node applies to its parameter `param`. */
static bool find_affine(const struct piece *piece, const struct piece_node *node, unsigned param, struct affine *affine)
{
    bool found = piece_is(node, "batch_norm") ? param == 0 && from_batch_norm(piece, node, affine)
                                              : param < 2 && from_binary(piece, node, param, affine);
    for (size_t i = 0; found && i < affine->n; i++) {
        found = isfinite(affine->scale[i]) && isfinite(affine->shift[i]);
        affine->scales = affine->scales || affine->scale[i] != 1;
    }
    return found;
}

/* Whether scaled weights are as exact as weights are. */
static bool keeps_precision(const struct weights *weights, const struct affine *affine)
{
    double *largest = calloc(affine->n, sizeof *largest);
    bool ok = largest != NULL;
    for (size_t i = 0; ok && i < weights->n_elems; i++) {
        size_t channel = channel_of(weights, i);
        double scaled = fabs(mls_tensor_float(weights->tensor, (int64_t)i) * affine->scale[channel]);
        largest[channel] = scaled > largest[channel] ? scaled : largest[channel];
        ok = isfinite(scaled);
    }
    for (size_t i = 0; ok && weights->tensor->type.dtype == MLS_FP16 && i < affine->n; i++)
        ok = largest[i] == 0 || affine->scale[i] == 1 || (largest[i] >= SCALED_MIN && largest[i] <= SCALED_MAX);
    free(largest);
    return ok;
}

static void put(enum mls_dtype dtype, void *data, size_t index, double number)
{
    if (dtype == MLS_FP16)
        ((uint16_t *)data)[index] = mls_fp32_to_fp16((float)number);
    else
        ((float *)data)[index] = (float)number;
}

static uint32_t add_constant(struct piece *piece, const struct piece_node *node, struct mls_type type, const void *data,
                             bool shape_free)
{
    struct piece_constant constant = {.name = node->op->name, .type = type, .data = data, .shape_free = shape_free};
    uint32_t value = piece->host->add_constant(piece->host, &constant);
    piece->out_of_memory = piece->out_of_memory || value == PIECE_NONE;
    return value;
}

static uint32_t scaled_weight(struct piece *piece, const struct piece_node *node, const struct weights *weights,
                              const struct affine *affine)
{
    const struct mls_type *type = &weights->tensor->type;
    bool fresh;
    void *data = piece->host->memory(piece->host, node->op, PIECE_MADE_WEIGHT, mls_type_bytes(type), affine->shape_free, &fresh);
    piece->out_of_memory = piece->out_of_memory || !data;
    for (size_t i = 0; data && fresh && i < weights->n_elems; i++)
        put(type->dtype, data, i,
            mls_tensor_float(weights->tensor, (int64_t)i) * affine->scale[channel_of(weights, i)]);
    return data ? add_constant(piece, node, *type, data, affine->shape_free) : PIECE_NONE;
}

static uint32_t shifted_bias(struct piece *piece, const struct piece_node *node, const struct mls_tensor *bias,
                             enum mls_dtype dtype, const struct affine *affine)
{
    int64_t n = (int64_t)affine->n;
    struct mls_type type = mls_type_tensor(dtype, 1, &n);
    bool fresh;
    void *data = piece->host->memory(piece->host, node->op, PIECE_MADE_BIAS, mls_type_bytes(&type), affine->shape_free, &fresh);
    piece->out_of_memory = piece->out_of_memory || !data;
    for (size_t i = 0; data && fresh && i < affine->n; i++)
        put(dtype, data, i, (bias ? mls_tensor_float(bias, (int64_t)i) * affine->scale[i] : 0) + affine->shift[i]);
    return data ? add_constant(piece, node, type, data, affine->shape_free) : PIECE_NONE;
}

static bool fold_into(struct piece *piece, struct piece_node *source, struct piece_node *node, const struct mls_tensor *tensor,
                      struct affine *affine)
{
    struct weights weights;
    if (!describe_weights(source, tensor, &weights))
        return false;
    uint32_t weight = piece_named_arg(source, "weight"), bias = piece_named_arg(source, "bias");
    const struct mls_tensor *had = constant_arg(piece, source, "bias", affine);
    affine->shape_free = affine->shape_free && piece->values[weight].shape_free;
    if ((bias != PIECE_NONE && !had) || (affine->scales && !keeps_precision(&weights, affine)))
        return false;
    if (affine->scales)
        weight = scaled_weight(piece, node, &weights, affine);
    bias = shifted_bias(piece, node, had, weights.tensor->type.dtype, affine);
    const struct piece_binding bindings[] = {{"weight", weight}, {"bias", bias}, {NULL, 0}};
    return weight != PIECE_NONE && bias != PIECE_NONE && piece_rebind(piece, source, bindings) &&
           piece_take_over(piece, source, node);
}

/* Puts the function into the node that computes what it is applied to. */
static bool fold(struct piece *piece, struct piece_node *source, struct piece_node *node, struct affine *affine)
{
    uint32_t value = piece_named_arg(source, "weight");
    if (value == PIECE_NONE || !piece->values[value].constant)
        return false;
    struct mls_tensor tensor = *piece->values[value].tensor;
    struct mls_arena *working = !tensor.data && tensor.coded ? decompress(piece, source, &tensor) : NULL;
    bool folded = fold_into(piece, source, node, &tensor, affine);
    mls_arena_free(working);
    return folded;
}

static bool try_fold(struct piece *piece, struct piece_node *node, unsigned param)
{
    struct piece_node *source = piece_sole_source(piece, piece_arg(node, param));
    bool linear = piece_is(source, "linear"), conv = piece_is(source, "conv") || piece_is(source, "conv_transpose");
    if ((!linear && !conv) || node->call.n_outputs != 1)
        return false;
    const struct mls_type *type = piece_type(piece, node->outputs[0]);
    if (type->rank < 2 || !mls_type_equal(type, piece_type(piece, source->outputs[0])))
        return false;
    struct affine affine = {.dim = linear ? type->rank - 1u : 1, .shape_free = true};
    affine.n = (size_t)type->dims[affine.dim];
    affine.scale = calloc(affine.n ? affine.n : 1, sizeof *affine.scale);
    affine.shift = calloc(affine.n ? affine.n : 1, sizeof *affine.shift);
    piece->out_of_memory = piece->out_of_memory || !affine.scale || !affine.shift;
    bool folded = !piece->out_of_memory && find_affine(piece, node, param, &affine) && fold(piece, source, node, &affine);
    free(affine.scale);
    free(affine.shift);
    return folded;
}

uint32_t pass_scales(struct piece *piece)
{
    uint32_t touched = 0;
    for (uint32_t i = 0; i < piece->n_nodes && !piece->out_of_memory; i++) {
        struct piece_node *node = piece->nodes[i];
        if (node->removed || node->dynamic || node->n_fused)
            continue;
        for (unsigned param = 0; param < 2 && param < node->n_arguments && !node->removed; param++)
            if (node->arguments[param].n == 1)
                touched += try_fold(piece, node, param);
    }
    return touched;
}
