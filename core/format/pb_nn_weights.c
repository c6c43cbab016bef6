/* pb_nn_weights.c: weights of layers: fp32, fp16, and codes of 1 to 8 bits with a table or a scale and bias.
 */
#include "format/pb_nn.h"

#include <string.h>

#include "base/checked.h"
#include "base/fp16.h"

enum { CODE_BITS_MAX = 8 };

/* ---- What is stored -------------------------------------------------------------------------- */

size_t nn_weights_count(const Pb__NnWeights *weights)
{
    if (!weights)
        return 0;
    if (weights->n_float_value)
        return weights->n_float_value;
    if (weights->float16_value.len)
        return weights->float16_value.len / 2;
    return weights->raw_value.len ? weights->raw_value.len : weights->int8_raw_value.len;
}

/* Bytes of n codes; the last byte may be used in part. */
static bool code_bytes(size_t n, unsigned bits, size_t *ret_bytes)
{
    size_t all_bits;
    if (!mls_mul_size(n, bits, &all_bits) || all_bits > SIZE_MAX - 7)
        return false;
    *ret_bytes = (all_bits + 7) / 8;
    return true;
}

static bool is_length(size_t found, size_t per_channel)
{
    return found == 1 || found == per_channel;
}

static void check_scale(struct nn *nn, const Pb__NnLinearQuantization *linear, size_t n_channels)
{
    nn_check(nn,
             is_length(linear->n_scale, n_channels) &&
                 (!linear->n_bias || is_length(linear->n_bias, n_channels)),
             "scale or bias of its weights have neither one element nor one a channel");
}

/* Checks codes and what they mean; returns their bits, or 0 after a failure. */
static unsigned check_codes(struct nn *nn, const Pb__NnWeights *weights, const char *what, size_t n,
                            size_t n_channels)
{
    const Pb__NnQuantization *quantization = weights->quantization;
    if (!quantization || quantization->number_of_bits < 1 || quantization->number_of_bits > CODE_BITS_MAX) {
        nn_fail(nn, MLS_ERR_OP_UNSUPPORTED, "its %s are raw bytes, but no codes of 1 to 8 bits", what);
        return 0;
    }
    unsigned bits = (unsigned)quantization->number_of_bits;
    size_t bytes;
    if (!code_bytes(n, bits, &bytes) || bytes != weights->raw_value.len) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its %s have %zu bytes, %zu codes of %u bits need others", what,
                weights->raw_value.len, n, bits);
        return 0;
    }
    if (quantization->type_case == PB__NN_QUANTIZATION__TYPE_LOOKUP_TABLE) {
        size_t n_entries = quantization->lookup_table->n_float_value;
        nn_check(nn, n_entries == (size_t)1 << bits,
                 "the lookup table of its weights has not 2^bits entries");
    } else if (quantization->type_case == PB__NN_QUANTIZATION__TYPE_LINEAR) {
        check_scale(nn, quantization->linear, n_channels);
    } else {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its %s do not say how they are quantized", what);
    }
    return nn->status ? 0 : bits;
}

/* Code i of a row of codes, first code in the highest bits. */
static unsigned read_code(const uint8_t *bytes, size_t i, unsigned bits)
{
    unsigned code = 0;
    for (size_t at = i * bits; at < (i + 1) * bits; at++)
        code = code << 1 | (bytes[at / 8] >> (7 - at % 8) & 1u);
    return code;
}

/* ---- As operations --------------------------------------------------------------------------- */

/* Content that protobuf-c put into the model's arena stays there; else it is copied. */
static const void *keep(struct nn *nn, const void *data, size_t size_bytes)
{
    if (pb_memory_keeps(size_bytes))
        return data;
    void *copy = mls_arena_alloc(nn->arena, size_bytes, 16);
    if (!copy)
        nn_no_memory(nn);
    else if (size_bytes)
        memcpy(copy, data, size_bytes);
    return copy;
}

/* A "const" operation over content that lives as long as the model. */
static mls_value_id stored(struct nn *nn, const char *what, struct mls_type type, const void *data)
{
    struct mls_constant *constant = MLS_NEW(nn->arena, struct mls_constant);
    const char *name = mls_arena_printf(nn->arena, "%s.%s", nn->layer_name, what);
    if (!constant || !name || !data)
        nn_no_memory(nn);
    struct nn_op op;
    nn_begin(&op, "const");
    const mls_value_id *output = nn_emit_several(nn, &op, &type, 1);
    if (!output)
        return (mls_value_id){MLS_NO_INDEX};
    *constant = (struct mls_constant){.data = data, .size_bytes = mls_type_bytes(&type)};
    struct mls_value *value = ir_value_at(nn->builder, output[0]);
    value->constant = constant;
    value->name = name;
    nn->pending[nn->n_pending - 1].op.name = name;
    return output[0];
}

static mls_value_id expanded(struct nn *nn, const struct nn_op *op, const char *what,
                             const struct mls_type *type)
{
    struct mls_type floats = *type;
    floats.dtype = MLS_FP32;
    const mls_value_id *output = nn_emit_several(nn, op, &floats, 1);
    const char *name = mls_arena_printf(nn->arena, "%s.%s", nn->layer_name, what);
    if (!output || !name)
        return (mls_value_id){MLS_NO_INDEX};
    nn->pending[nn->n_pending - 1].op.name = name;
    return output[0];
}

static mls_value_id stored_part(struct nn *nn, const char *what, const char *part, struct mls_type type,
                                const void *data)
{
    const char *name = mls_arena_printf(nn->arena, "%s.%s", what, part);
    if (!name)
        nn_no_memory(nn);
    return nn->status ? (mls_value_id){MLS_NO_INDEX} : stored(nn, name, type, data);
}

static mls_value_id stored_floats(struct nn *nn, const char *what, const char *part, const float *floats,
                                  size_t n)
{
    struct mls_type type = mls_type_tensor(MLS_FP32, 1, (const int64_t[]){(int64_t)n});
    return stored_part(nn, what, part, type, keep(nn, floats, n * sizeof *floats));
}

/* Codes as packed by tables of MIL: first code in the lowest bits. */
static mls_value_id from_table(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                               const struct mls_type *type, unsigned bits)
{
    size_t n_bytes = weights->raw_value.len, n = (size_t)mls_type_elems(type);
    uint8_t *packed = mls_arena_alloc(nn->arena, n_bytes, 16);
    uint32_t *shape = MLS_NEW_ARRAY(nn->arena, type->rank, uint32_t);
    if (!packed || !shape) {
        nn_no_memory(nn);
        return (mls_value_id){MLS_NO_INDEX};
    }
    for (size_t i = 0; i < n; i++) {
        unsigned code = read_code(weights->raw_value.data, i, bits);
        for (unsigned b = 0; b < bits; b++)
            packed[(i * bits + b) / 8] |= (uint8_t)((code >> b & 1u) << ((i * bits + b) % 8));
    }
    for (unsigned i = 0; i < type->rank; i++)
        shape[i] = (uint32_t)type->dims[i];
    const Pb__NnLookUpTable *table = weights->quantization->lookup_table;
    struct nn_op op;
    nn_begin(&op, "constexpr_lut_to_dense");
    nn_arg(nn, &op, "indices",
           stored_part(nn, what, "indices",
                       mls_type_tensor(MLS_UINT8, 1, (const int64_t[]){(int64_t)n_bytes}), packed));
    nn_arg(nn, &op, "lut", stored_floats(nn, what, "lut", table->float_value, table->n_float_value));
    struct mls_type shape_type = mls_type_tensor(MLS_UINT32, 1, (const int64_t[]){type->rank});
    nn_arg(nn, &op, "shape", nn_constant(nn, &shape_type, shape));
    return expanded(nn, &op, what, type);
}

static mls_value_id from_codes(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                               const struct mls_type *type, enum mls_dtype dtype, unsigned axis,
                               const void *codes)
{
    static const float no_bias = 0;
    const Pb__NnLinearQuantization *linear = weights->quantization->linear;
    struct mls_type code_type = *type;
    code_type.dtype = dtype;
    struct nn_op op;
    nn_begin(&op, "constexpr_nn_linear");
    nn_arg(nn, &op, "codes", stored_part(nn, what, "codes", code_type, codes));
    nn_arg(nn, &op, "scale", stored_floats(nn, what, "scale", linear->scale, linear->n_scale));
    nn_arg(nn, &op, "bias",
           stored_floats(nn, what, "bias", linear->n_bias ? linear->bias : &no_bias,
                         linear->n_bias ? linear->n_bias : 1));
    nn_arg_int(nn, &op, "axis", axis);
    return expanded(nn, &op, what, type);
}

static mls_value_id from_scale(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                               const struct mls_type *type, unsigned axis, unsigned bits)
{
    size_t n = (size_t)mls_type_elems(type);
    const uint8_t *codes = weights->raw_value.data;
    if (bits == 8) {
        codes = keep(nn, codes, n);
    } else {
        uint8_t *unpacked = mls_arena_alloc(nn->arena, n, 16);
        if (!unpacked)
            nn_no_memory(nn);
        for (size_t i = 0; unpacked && i < n; i++)
            unpacked[i] = (uint8_t)read_code(weights->raw_value.data, i, bits);
        codes = unpacked;
    }
    return from_codes(nn, weights, what, type, MLS_UINT8, axis, codes);
}

/* Signed codes of 8 bits, which products of integers use as they are. */
static mls_value_id from_signed(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                                const struct mls_type *type, unsigned axis)
{
    const Pb__NnQuantization *quantization = weights->quantization;
    size_t n = (size_t)mls_type_elems(type);
    bool scaled = quantization && quantization->type_case == PB__NN_QUANTIZATION__TYPE_LINEAR;
    if (!nn_check(nn, scaled && weights->int8_raw_value.len == n,
                  "its weights of 8 bits have another number than its shape, or no scale"))
        return (mls_value_id){MLS_NO_INDEX};
    check_scale(nn, quantization->linear, type->rank ? (size_t)type->dims[axis] : 1);
    return from_codes(nn, weights, what, type, MLS_INT8, axis, keep(nn, weights->int8_raw_value.data, n));
}

mls_value_id nn_weights_along(struct nn *nn, const Pb__NnWeights *weights, const char *what,
                              const int64_t *dims, unsigned rank, unsigned axis)
{
    const mls_value_id none = {MLS_NO_INDEX};
    struct mls_type type = mls_type_tensor(MLS_FP32, rank, dims);
    int64_t n = mls_type_elems(&type);
    for (unsigned i = 0; i < rank; i++) {
        if (dims[i] < 0 || dims[i] > INT32_MAX)
            n = -1;
    }
    if (nn->status)
        return none;
    if (n < 0 || !weights) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, weights ? "the shape of its %s is impossible" : "it has no %s",
                what);
        return none;
    }
    if (weights->raw_value.len && !weights->n_float_value && !weights->float16_value.len) {
        unsigned bits = check_codes(nn, weights, what, (size_t)n, rank ? (size_t)dims[axis] : 1);
        if (!bits)
            return none;
        return weights->quantization->type_case == PB__NN_QUANTIZATION__TYPE_LOOKUP_TABLE
                   ? from_table(nn, weights, what, &type, bits)
                   : from_scale(nn, weights, what, &type, axis, bits);
    }
    if (weights->int8_raw_value.len && !weights->n_float_value && !weights->float16_value.len)
        return from_signed(nn, weights, what, &type, axis);
    size_t found = nn_weights_count(weights);
    bool half = !weights->n_float_value && weights->float16_value.len;
    if (found != (size_t)n || (half && weights->float16_value.len % 2) ||
        (!half && !weights->n_float_value && n)) {
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its %s have %zu elements, not %lld", what, found, (long long)n);
        return none;
    }
    if (!half)
        return stored(nn, what, type, keep(nn, weights->float_value, (size_t)n * sizeof(float)));
    struct mls_type half_type = type;
    half_type.dtype = MLS_FP16;
    struct nn_op op;
    nn_begin(&op, "constexpr_cast");
    nn_arg(nn, &op, "source_val",
           stored_part(nn, what, "fp16", half_type,
                       keep(nn, weights->float16_value.data, weights->float16_value.len)));
    nn_arg_text(nn, &op, "output_dtype", "fp32");
    return expanded(nn, &op, what, &type);
}

mls_value_id nn_weights(struct nn *nn, const Pb__NnWeights *weights, const char *what, const int64_t *dims,
                        unsigned rank)
{
    return nn_weights_along(nn, weights, what, dims, rank, 0);
}

mls_value_id nn_stored(struct nn *nn, const char *what, const struct mls_type *type, const void *data)
{
    return nn->status ? (mls_value_id){MLS_NO_INDEX} : stored(nn, what, *type, data);
}

/* ---- Decoded --------------------------------------------------------------------------------- */

static void decode_codes(const Pb__NnWeights *weights, unsigned bits, size_t n, size_t n_channels,
                         float *floats)
{
    const Pb__NnQuantization *quantization = weights->quantization;
    bool table = quantization->type_case == PB__NN_QUANTIZATION__TYPE_LOOKUP_TABLE;
    for (size_t i = 0; i < n; i++) {
        unsigned code = read_code(weights->raw_value.data, i, bits);
        if (table) {
            floats[i] = quantization->lookup_table->float_value[code];
            continue;
        }
        const Pb__NnLinearQuantization *linear = quantization->linear;
        size_t channel = i / (n / n_channels);
        float bias = linear->n_bias ? linear->bias[linear->n_bias == 1 ? 0 : channel] : 0;
        floats[i] = (float)code * linear->scale[linear->n_scale == 1 ? 0 : channel] + bias;
    }
}

/* The content is checked before memory is taken: a shape alone may ask for any amount. */
const float *nn_weights_floats(struct nn *nn, const Pb__NnWeights *weights, const char *what, size_t n,
                               size_t n_channels)
{
    bool plain = weights && weights->n_float_value;
    bool half = weights && !plain && weights->float16_value.len;
    bool raw = weights && !plain && !half && weights->raw_value.len;
    unsigned bits = raw && !nn->status ? check_codes(nn, weights, what, n, n_channels) : 0;
    size_t found = plain ? weights->n_float_value : half ? weights->float16_value.len / 2 : raw ? n : 0;
    if (found != n)
        nn_fail(nn, MLS_ERR_PROGRAM_INVALID, "its %s have %zu elements, not %zu", what, found, n);
    float *floats = nn->status ? NULL : mls_arena_array(nn->arena, n, sizeof *floats, 16);
    if (nn->status)
        return NULL;
    if (!floats) {
        nn_no_memory(nn);
        return NULL;
    }
    if (plain)
        memcpy(floats, weights->float_value, n * sizeof *floats);
    else if (raw)
        decode_codes(weights, bits, n, n_channels, floats);
    for (size_t i = 0; half && i < n; i++) {
        uint16_t bits16;
        memcpy(&bits16, weights->float16_value.data + 2 * i, sizeof bits16);
        floats[i] = mls_fp16_to_fp32(bits16);
    }
    return floats;
}
