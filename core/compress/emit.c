#include "compress/emit.h"

#include <string.h>

#include "kernels/lut/lut.h"

enum { OPSET_BLOCKS = 8 };

/* ---- Constants as they are stored ------------------------------------------------------------ */

/* Integers of 4 bits two to a byte, others as they are. */
static const void *pack_integers(struct emitted *emitted, const uint8_t *bytes, size_t n,
                                 enum mls_dtype dtype)
{
    size_t size_bytes = mls_dtype_bytes(dtype, n);
    emitted->size_bytes += size_bytes;
    if (mls_dtype_bits(dtype) == 8)
        return bytes;
    uint8_t *packed = form_stored(emitted->form, size_bytes, 1);
    if (packed)
        mls_pack_nibbles(bytes, n, packed);
    return packed;
}

/* Elements of `type` where the mask is set, closed up; one more than there is room for is written at the end.
 */
#define KEEP(type)                                                                          \
    static void keep_##type(const uint8_t *mask, const void *elements, size_t n, void *ret) \
    {                                                                                       \
        const type *from = elements;                                                        \
        type *to = ret;                                                                     \
        size_t at = 0;                                                                      \
        for (size_t i = 0; i < n; i++) {                                                    \
            to[at] = from[i];                                                               \
            at += mask[i / 8] >> i % 8 & 1u;                                                \
        }                                                                                   \
    }
KEEP(uint8_t)
KEEP(uint16_t)
KEEP(uint32_t)

/* The elements that the mask keeps. */
static const uint8_t *kept_elements(const struct weight_form *form, const void *elements,
                                    size_t element_bytes)
{
    if (!form->mask)
        return elements;
    uint8_t *kept = form_stored(form, form->n_kept + 1, element_bytes);
    if (kept && element_bytes == 1)
        keep_uint8_t(form->mask, elements, form->n, kept);
    else if (kept && element_bytes == 2)
        keep_uint16_t(form->mask, elements, form->n, kept);
    else if (kept)
        keep_uint32_t(form->mask, elements, form->n, kept);
    return kept;
}

static bool prepare_palette(struct emitted *emitted)
{
    const struct weight_form *form = emitted->form;
    emitted->n_indices = form->mask ? form->n_kept : (size_t)mls_type_elems(&form->indices_type);
    size_t packed_bytes = (emitted->n_indices * form->bits + 7) / 8,
           n_table = (size_t)mls_type_elems(&form->tables);
    const uint8_t *indices = kept_elements(form, form->indices, 1);
    uint8_t *packed = form_stored(form, packed_bytes, 1);
    if (!indices || !packed)
        return false;
    mls_pack_bits(indices, form->bits, emitted->n_indices, packed);
    emitted->indices = packed;
    emitted->size_bytes += packed_bytes;
    if (form->integers == FORM_NO_INTEGERS) {
        emitted->table = form->table;
        emitted->size_bytes += mls_dtype_bytes(form->type.dtype, n_table);
    } else {
        emitted->table = pack_integers(emitted, form->table, n_table, form->quant.dtype);
    }
    int32_t *axis = MLS_NEW(form->stored, int32_t);
    if (!axis || !emitted->table)
        return false;
    *axis = form->vector_axis;
    emitted->axis = axis;
    if (form->channel.scales)
        emitted->size_bytes += mls_dtype_bytes(form->type.dtype, (size_t)mls_type_elems(&form->channel.type));
    return true;
}

static bool prepare_scales(struct emitted *emitted)
{
    const struct form_scales *quant = &emitted->form->quant;
    size_t n = (size_t)mls_type_elems(&quant->type);
    emitted->size_bytes += mls_dtype_bytes(emitted->form->type.dtype, n);
    const uint8_t *offsets = quant->offsets;
    if (!offsets && emitted->opset >= OPSET_BLOCKS)
        return true;
    if (!offsets) /* before opset 8 there has to be one */
        offsets = form_stored(emitted->form, n, 1);
    emitted->offsets = offsets ? pack_integers(emitted, offsets, n, quant->dtype) : NULL;
    int32_t *axis = MLS_NEW(emitted->form->stored, int32_t);
    if (!emitted->offsets || !axis)
        return false;
    for (unsigned i = 0; i < quant->type.rank; i++)
        if (quant->type.dims[i] > 1)
            *axis = (int32_t)i;
    if (!emitted->axis)
        emitted->axis = axis;
    return true;
}

static bool prepare_shape(struct emitted *emitted)
{
    const struct mls_type *type = &emitted->form->type;
    uint32_t *shape = MLS_NEW_ARRAY(emitted->form->stored, type->rank, uint32_t);
    for (unsigned i = 0; shape && i < type->rank; i++)
        shape[i] = (uint32_t)type->dims[i];
    emitted->shape = shape;
    return shape != NULL;
}

bool emit_prepare(const struct weight_form *form, uint32_t opset, struct emitted *ret_emitted)
{
    struct emitted emitted = {.form = form, .opset = opset, .mask = form->mask};
    if (form->mask)
        emitted.size_bytes += (form->n + 7) / 8;
    bool ok = prepare_shape(&emitted);
    if (ok && form->bits)
        ok = prepare_palette(&emitted);
    if (ok && form->integers != FORM_NO_INTEGERS)
        ok = prepare_scales(&emitted);
    if (ok && !form->bits) {
        bool integers = form->integers == FORM_DATA;
        size_t n = form->mask ? form->n_kept : form->n, element_bytes = mls_dtype_bits(form->type.dtype) / 8;
        const void *kept =
            kept_elements(form, integers ? form->data : form->plain, integers ? 1 : element_bytes);
        if (integers && kept)
            kept = pack_integers(&emitted, kept, n, form->quant.dtype);
        else
            emitted.size_bytes += n * element_bytes;
        emitted.data = kept;
        ok = kept != NULL;
    }
    *ret_emitted = emitted;
    return ok;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static void add_constant(struct edit_op *op, const char *name, struct mls_type type, const void *data)
{
    op->operands[op->n_operands++] = (struct edit_operand){.name = name, .type = type, .data = data};
}

static void add_value(struct edit_op *op, const char *name, const char *value)
{
    op->operands[op->n_operands++] = (struct edit_operand){.name = name, .value = value};
}

static void add_result(struct edit_op *op, const char *name, struct mls_type type)
{
    op->results[op->n_results++] = (struct edit_result){.name = name, .type = type};
}

static struct mls_type of_dtype(struct mls_type type, enum mls_dtype dtype)
{
    type.dtype = dtype;
    return type;
}

static struct mls_type vector_type(enum mls_dtype dtype, size_t n)
{
    return mls_type_tensor(dtype, 1, (const int64_t[]){(int64_t)n});
}

static void add_scales(struct edit_op *op, const struct form_scales *scales, enum mls_dtype dtype,
                       const void *offsets)
{
    add_constant(op, "scale", of_dtype(scales->type, dtype), scales->scales);
    if (offsets)
        add_constant(op, "offset", of_dtype(scales->type, scales->dtype), offsets);
}

/* Before opset 8: one palette, one axis, a mask of bytes. */
static size_t emit_basic(const struct emitted *emitted, const char *name, struct edit_op *op)
{
    const struct weight_form *form = emitted->form;
    struct mls_type shape = vector_type(MLS_UINT32, form->type.rank);
    *op = (struct edit_op){.name = name};
    if (form->bits) {
        op->type = "constexpr_lut_to_dense";
        add_constant(op, "indices", vector_type(MLS_UINT8, (emitted->n_indices * form->bits + 7) / 8),
                     emitted->indices);
        add_constant(op, "lut", vector_type(form->type.dtype, (size_t)1 << form->bits), emitted->table);
        add_constant(op, "shape", shape, emitted->shape);
    } else if (form->integers == FORM_DATA) {
        int64_t n = mls_type_elems(&form->quant.type);
        struct mls_type scale =
            n > 1 ? vector_type(form->type.dtype, (size_t)n) : mls_type_tensor(form->type.dtype, 0, NULL);
        op->type = "constexpr_affine_dequantize";
        add_constant(op, "quantized_data", of_dtype(form->type, form->quant.dtype), emitted->data);
        add_constant(op, "zero_point", of_dtype(scale, form->quant.dtype), emitted->offsets);
        add_constant(op, "scale", scale, form->quant.scales);
        add_constant(op, "axis", mls_type_tensor(MLS_INT32, 0, NULL), emitted->axis);
    } else {
        op->type = "constexpr_sparse_to_dense";
        add_constant(op, "nonzero_data", vector_type(form->type.dtype, form->n_kept), emitted->data);
        add_constant(op, "mask", vector_type(MLS_UINT8, (form->n + 7) / 8), emitted->mask);
        add_constant(op, "shape", shape, emitted->shape);
    }
    add_result(op, name, form->type);
    return 1;
}

/* What is being put together: operations so far, and the names of what the last one gives. */
struct chain {
    const struct emitted *emitted;
    struct edit_op *ops;
    size_t n;
    struct mls_arena *arena;
    const char *name;   /* of the weight */
    const char *values; /* of what there is so far, or NULL */
    const char *mask;   /* or NULL: still the constant */
    bool failed;
};

static const char *name_after(struct chain *chain, const char *suffix)
{
    const char *name = mls_arena_printf(chain->arena, "%s_%s", chain->name, suffix);
    chain->failed |= !name;
    return name;
}

static struct edit_op *add_op(struct chain *chain, const char *type, const char *name)
{
    struct edit_op *op = &chain->ops[chain->n++];
    *op = (struct edit_op){.type = type, .name = name};
    return op;
}

/* Operations on pruned weights give mask and elements. */
static void finish_sparse(struct chain *chain, struct edit_op *op, const char *suffix, enum mls_dtype dtype)
{
    const struct weight_form *form = chain->emitted->form;
    const char *values = name_after(chain, suffix);
    chain->mask = mls_arena_printf(chain->arena, "%s_mask", values ? values : "");
    chain->failed |= !chain->mask;
    chain->values = values;
    op->name = values;
    add_result(op, chain->mask, of_dtype(form->type, MLS_UINT1));
    add_result(op, values, vector_type(dtype, form->n_kept));
}

static void add_mask(struct chain *chain, struct edit_op *op, const char *name)
{
    if (chain->mask)
        add_value(op, name, chain->mask);
    else
        add_constant(op, name, of_dtype(chain->emitted->form->type, MLS_UINT1), chain->emitted->mask);
}

/* The tables of the palettes, dequantized where they are integers of their own. */
static void chain_tables(struct chain *chain)
{
    const struct weight_form *form = chain->emitted->form;
    if (form->integers != FORM_TABLES)
        return;
    const char *name = name_after(chain, "lut");
    struct edit_op *op = add_op(chain, "constexpr_blockwise_shift_scale", name);
    add_constant(op, "data", of_dtype(form->tables, form->quant.dtype), chain->emitted->table);
    add_scales(op, &form->quant, form->type.dtype, chain->emitted->offsets);
    add_result(op, name, of_dtype(form->tables, form->type.dtype));
    chain->values = name;
}

static void chain_palette(struct chain *chain, bool last)
{
    const struct emitted *emitted = chain->emitted;
    const struct weight_form *form = emitted->form;
    enum mls_dtype dtype = form->integers == FORM_THROUGH ? form->quant.dtype : form->type.dtype;
    chain_tables(chain);
    const char *tables = chain->values,
               *name = last && !form->mask ? chain->name : name_after(chain, "palettized");
    struct edit_op *op =
        add_op(chain, form->mask ? "constexpr_lut_to_sparse" : "constexpr_lut_to_dense", name);
    if (form->mask) {
        add_mask(chain, op, "indices_mask");
        add_constant(op, "indices_nonzero_data", vector_type(form->indices_type.dtype, emitted->n_indices),
                     emitted->indices);
    } else {
        add_constant(op, "indices", form->indices_type, emitted->indices);
    }
    if (tables)
        add_value(op, "lut", tables);
    else
        add_constant(op, "lut", of_dtype(form->tables, dtype), emitted->table);
    if (form->vector_axis >= 0)
        add_constant(op, "vector_axis", mls_type_tensor(MLS_INT32, 0, NULL), emitted->axis);
    if (form->mask) {
        finish_sparse(chain, op, "palettized", dtype);
        return;
    }
    add_result(op, name, of_dtype(form->type, dtype));
    chain->values = name;
}

/* Scales over the elements: of integers, or of channels. */
static void chain_scales(struct chain *chain, const struct form_scales *scales, const void *offsets,
                         bool last)
{
    const struct emitted *emitted = chain->emitted;
    const struct weight_form *form = emitted->form;
    const char *name = last && !form->mask ? chain->name : name_after(chain, "dequantized");
    struct edit_op *op = add_op(
        chain, form->mask ? "constexpr_sparse_blockwise_shift_scale" : "constexpr_blockwise_shift_scale",
        name);
    if (form->mask)
        add_mask(chain, op, "data_mask");
    const char *parameter = form->mask ? "nonzero_data" : "data";
    if (chain->values)
        add_value(op, parameter, chain->values);
    else
        add_constant(op, parameter,
                     form->mask ? vector_type(scales->dtype, form->n_kept)
                                : of_dtype(form->type, scales->dtype),
                     emitted->data);
    add_scales(op, scales, form->type.dtype, offsets);
    if (form->mask) {
        finish_sparse(chain, op, "dequantized", form->type.dtype);
        return;
    }
    add_result(op, name, form->type);
    chain->values = name;
}

static void chain_dense(struct chain *chain)
{
    const struct emitted *emitted = chain->emitted;
    const struct weight_form *form = emitted->form;
    struct edit_op *op = add_op(chain, "constexpr_sparse_to_dense", chain->name);
    if (chain->values)
        add_value(op, "nonzero_data", chain->values);
    else
        add_constant(op, "nonzero_data", vector_type(form->type.dtype, form->n_kept), emitted->data);
    add_mask(chain, op, "mask");
    add_result(op, chain->name, form->type);
}

size_t emit_ops(const struct emitted *emitted, const char *name, struct mls_arena *arena,
                struct edit_op ret_ops[EMIT_OPS_MAX])
{
    const struct weight_form *form = emitted->form;
    if (form_is_plain(form)) {
        ret_ops[0] = (struct edit_op){.type = "const", .name = name};
        add_constant(&ret_ops[0], "val", form->type, emitted->data);
        add_result(&ret_ops[0], name, form->type);
        return 1;
    }
    if (emitted->opset < OPSET_BLOCKS)
        return emit_basic(emitted, name, ret_ops);
    struct chain chain = {.emitted = emitted, .ops = ret_ops, .arena = arena, .name = name};
    bool through = form->integers == FORM_THROUGH || form->integers == FORM_DATA;
    if (form->bits)
        chain_palette(&chain, !through && !form->channel.scales);
    if (form->channel.scales)
        chain_scales(&chain, &form->channel, NULL, true);
    if (through)
        chain_scales(&chain, &form->quant, emitted->offsets, true);
    if (form->mask)
        chain_dense(&chain);
    return chain.failed ? 0 : chain.n;
}
