#include "compress/form_read.h"

#include <string.h>

#include "kernels/lut/lut.h"

enum { PARTS_MAX = 4 };

static const char unknown_form[] = "it is compressed in a form that mlscope does not read";

/* Operations from the dense weight down to its parts. */
struct source {
    const struct mls_program *program;
    struct weight_form *form;
};

static const struct mls_value *value_of(const struct source *source, const struct mls_op *op,
                                        const char *name)
{
    const struct mls_argument *argument = mls_op_argument(op, name);
    return argument && argument->n_values == 1 ? &source->program->values[argument->values[0].i] : NULL;
}

static const struct mls_op *producer_of(const struct source *source, const struct mls_value *value)
{
    bool computed = value && !value->constant && value->producer.i != MLS_NO_INDEX;
    return computed ? &source->program->ops[value->producer.i] : NULL;
}

static bool is_integer(enum mls_dtype dtype)
{
    return dtype == MLS_INT8 || dtype == MLS_UINT8 || dtype == MLS_INT4 || dtype == MLS_UINT4;
}

/* Integers of 4 or 8 bits, one a byte; 4-bit ones with their sign. */
static uint8_t *unpack(const struct weight_form *form, const struct mls_value *value)
{
    size_t n = (size_t)mls_type_elems(&value->type);
    uint8_t *bytes = form_stored(form, n, 1);
    if (!bytes)
        return NULL;
    if (mls_dtype_bits(value->type.dtype) == 8) {
        memcpy(bytes, value->constant->data, n);
        return bytes;
    }
    mls_unpack_bits(value->constant->data, mls_dtype_bits(value->type.dtype), 0, n, bytes);
    for (size_t i = 0; value->type.dtype == MLS_INT4 && i < n; i++)
        bytes[i] = (uint8_t)(bytes[i] & 8 ? bytes[i] | 0xf0 : bytes[i]);
    return bytes;
}

/* Elements that a mask left, at their places again; `kept` is a vector of elements of one size. */
static uint8_t *spread(const struct source *source, const uint8_t *kept, size_t element_bytes)
{
    const struct weight_form *form = source->form;
    uint8_t *dense = form_stored(form, form->n, element_bytes);
    if (dense && kept)
        mls_expand_bits(form->mask, 0, form->n, kept, element_bytes, dense);
    return dense;
}

/* ---- Parts ------------------------------------------------------------------------------------ */

static const char *read_scales(const struct source *source, const struct mls_op *op,
                               const struct mls_type *over, enum mls_dtype dtype, struct form_scales *scales)
{
    const struct mls_value *scale = value_of(source, op, "scale"), *offset = value_of(source, op, "offset");
    struct weight_form *form = source->form;
    if (!scale || !scale->constant || scale->type.dtype != form->type.dtype ||
        scale->type.rank != over->rank || (offset && (!offset->constant || offset->type.dtype != dtype)))
        return unknown_form;
    scales->type = scale->type;
    scales->dtype = dtype;
    scales->scales = form_stored(form, scale->constant->size_bytes, 1);
    scales->offsets = offset ? unpack(form, offset) : NULL;
    if (!scales->scales || (offset && !scales->offsets))
        return compress_no_memory;
    memcpy(scales->scales, scale->constant->data, scale->constant->size_bytes);
    return NULL;
}

static enum mls_dtype index_dtype(unsigned bits)
{
    static const enum mls_dtype dtypes[9] = {
        [1] = MLS_UINT1, [2] = MLS_UINT2, [3] = MLS_UINT3, [4] = MLS_UINT4, [6] = MLS_UINT6, [8] = MLS_UINT8};
    return bits < 9 ? dtypes[bits] : MLS_NONE;
}

/* The tables: a constant, or integers with scales of their own. */
static const char *read_tables(const struct source *source, const struct mls_op *op)
{
    struct weight_form *form = source->form;
    const struct mls_value *lut = value_of(source, op, "lut");
    const struct mls_op *scaled = producer_of(source, lut);
    if (scaled &&
        (strcmp(scaled->type, "constexpr_blockwise_shift_scale") || form->integers != FORM_NO_INTEGERS))
        return unknown_form;
    const struct mls_value *data = scaled ? value_of(source, scaled, "data") : lut;
    if (!data || !data->constant)
        return unknown_form;
    form->tables = data->type;
    if (data->type.rank == 1) { /* before opset 8: one table */
        form->tables = form->type;
        form->tables.rank = (uint8_t)(form->type.rank + 2);
        for (unsigned i = 0; i < form->type.rank; i++)
            form->tables.dims[i] = 1;
        form->tables.dims[form->type.rank] = data->type.dims[0];
        form->tables.dims[form->type.rank + 1] = 1;
    }
    if (form->type.rank + 2 > MLS_RANK_MAX || form->tables.rank != form->type.rank + 2)
        return unknown_form;
    bool integers = is_integer(data->type.dtype);
    if (!integers && data->type.dtype != form->type.dtype)
        return unknown_form;
    form->tables.dtype = form->type.dtype;
    form->table =
        integers ? unpack(form, data) : form_stored(form, data->constant->size_bytes, 1);
    if (!form->table)
        return compress_no_memory;
    if (!integers)
        memcpy(form->table, data->constant->data, data->constant->size_bytes);
    if (!scaled)
        return integers == (form->integers == FORM_THROUGH) ? NULL : unknown_form;
    form->integers = FORM_TABLES;
    return integers ? read_scales(source, scaled, &form->tables, data->type.dtype, &form->quant)
                    : unknown_form;
}

static const char *read_palette(const struct source *source, const struct mls_op *op)
{
    struct weight_form *form = source->form;
    const struct mls_value *indices = value_of(source, op, form->mask ? "indices_nonzero_data" : "indices");
    const struct mls_value *axis = value_of(source, op, "vector_axis");
    const char *reason = read_tables(source, op);
    if (reason)
        return reason;
    int64_t entries = form->tables.dims[form->type.rank], n_vector = form->tables.dims[form->type.rank + 1];
    while (form->bits < 8 && (int64_t)1 << form->bits < entries)
        form->bits++;
    form->indices_type = form->type;
    form->indices_type.dtype = index_dtype(form->bits);
    int32_t vector_axis = 0;
    if (n_vector > 1 && axis && axis->constant)
        memcpy(&vector_axis, axis->constant->data, sizeof vector_axis);
    vector_axis += vector_axis < 0 ? form->type.rank : 0;
    bool fits = indices && indices->constant && (int64_t)1 << form->bits == entries &&
                form->indices_type.dtype != MLS_NONE && vector_axis >= 0 && vector_axis < form->type.rank &&
                n_vector > 0 && form->type.dims[vector_axis] % n_vector == 0 && !(form->mask && n_vector > 1);
    if (!fits)
        return unknown_form;
    form->indices_type.dims[vector_axis] /= n_vector;
    form->vector_axis = n_vector > 1 ? vector_axis : -1;
    size_t n = form->mask ? form->n_kept : (size_t)mls_type_elems(&form->indices_type);
    if (indices->constant->size_bytes != (n * form->bits + 7) / 8)
        return unknown_form;
    uint8_t *unpacked = mls_arena_alloc(form->arena, n, 1);
    if (!unpacked)
        return compress_no_memory;
    mls_unpack_bits(indices->constant->data, form->bits, 0, n, unpacked);
    form->indices = form->mask ? spread(source, unpacked, 1) : unpacked;
    return form->indices ? NULL : compress_no_memory;
}

static bool is_palette(const struct mls_op *op)
{
    return !strcmp(op->type, "constexpr_lut_to_dense") || !strcmp(op->type, "constexpr_lut_to_sparse");
}

/* Integers of the elements with their scales, or palettes behind scales. */
static const char *read_scaled(const struct source *source, const struct mls_op *op)
{
    struct weight_form *form = source->form;
    const struct mls_value *data = value_of(source, op, form->mask ? "nonzero_data" : "data");
    const struct mls_op *palette = producer_of(source, data);
    if (!data || (palette && !is_palette(palette)) || (!palette && !data->constant))
        return unknown_form;
    bool integers = is_integer(data->type.dtype);
    if (palette && !integers) { /* scales over the channels of a palettized weight */
        const char *reason = read_scales(source, op, &form->type, MLS_INT8, &form->channel);
        return reason ? reason : read_palette(source, palette);
    }
    form->integers = palette ? FORM_THROUGH : FORM_DATA;
    const char *reason =
        integers ? read_scales(source, op, &form->type, data->type.dtype, &form->quant) : unknown_form;
    if (reason || palette)
        return reason ? reason : read_palette(source, palette);
    if ((size_t)mls_type_elems(&data->type) != (form->mask ? form->n_kept : form->n))
        return unknown_form;
    form->data = unpack(form, data);
    if (form->data && form->mask)
        form->data = spread(source, form->data, 1);
    return form->data ? NULL : compress_no_memory;
}

/* Before opset 8: one scale, or one for each channel of an axis. */
static const char *read_affine(const struct source *source, const struct mls_op *op)
{
    struct weight_form *form = source->form;
    const struct mls_value *data = value_of(source, op, "quantized_data"),
                           *scale = value_of(source, op, "scale");
    const struct mls_value *zero = value_of(source, op, "zero_point"), *axis = value_of(source, op, "axis");
    int32_t at = 0;
    if (!data || !data->constant || !scale || !scale->constant || !zero || !zero->constant || !axis ||
        !axis->constant || axis->type.dtype != MLS_INT32 || scale->type.dtype != form->type.dtype ||
        zero->type.dtype != data->type.dtype || (size_t)mls_type_elems(&data->type) != form->n ||
        mls_type_elems(&scale->type) < 1)
        return unknown_form;
    memcpy(&at, axis->constant->data, sizeof at);
    at += at < 0 ? form->type.rank : 0;
    int64_t n = mls_type_elems(&scale->type), n_zero = mls_type_elems(&zero->type);
    if (at < 0 || at >= form->type.rank || (n > 1 && n != form->type.dims[at]) ||
        (n_zero != 1 && n_zero != n))
        return unknown_form;
    struct form_scales *quant = &form->quant;
    quant->type = form->type;
    for (unsigned i = 0; i < form->type.rank; i++)
        quant->type.dims[i] = i == (unsigned)at ? n : 1;
    quant->dtype = data->type.dtype;
    quant->scales = form_stored(form, scale->constant->size_bytes, 1);
    quant->offsets = form_stored(form, (size_t)n, 1);
    form->data = unpack(form, data);
    if (!quant->scales || !quant->offsets || !form->data)
        return compress_no_memory;
    memcpy(quant->scales, scale->constant->data, scale->constant->size_bytes);
    for (int64_t i = 0; i < n; i++)
        quant->offsets[i] = ((const uint8_t *)zero->constant->data)[n_zero > 1 ? i : 0];
    form->integers = FORM_DATA;
    return NULL;
}

/* ---- Masks ------------------------------------------------------------------------------------ */

/* The mask of a sparse chain stands at its far end. */
static const struct mls_value *find_mask(const struct source *source, const struct mls_op *op)
{
    const char *name = "mask";
    for (int i = 0; i < PARTS_MAX && op; i++) {
        const struct mls_value *mask = value_of(source, op, name);
        if (!mask || mask->constant)
            return mask;
        op = producer_of(source, mask);
        name = op && is_palette(op) ? "indices_mask" : "data_mask";
    }
    return NULL;
}

static const char *read_sparse(const struct source *source, const struct mls_op *op)
{
    struct weight_form *form = source->form;
    const struct mls_value *mask = find_mask(source, op), *data = value_of(source, op, "nonzero_data");
    if (!mask || !data || mask->constant->size_bytes != (form->n + 7) / 8)
        return unknown_form;
    form->mask = form_stored(form, mask->constant->size_bytes, 1);
    if (!form->mask)
        return compress_no_memory;
    memcpy(form->mask, mask->constant->data, mask->constant->size_bytes);
    form->n_kept = mls_count_bits(form->mask, 0, form->n);
    const struct mls_op *producer = producer_of(source, data);
    if (producer)
        return is_palette(producer) ? read_palette(source, producer) : read_scaled(source, producer);
    if (!data->constant || data->type.dtype != form->type.dtype ||
        (size_t)mls_type_elems(&data->type) != form->n_kept)
        return unknown_form;
    form->plain = spread(source, data->constant->data, mls_dtype_bits(form->type.dtype) / 8);
    return form->plain ? NULL : compress_no_memory;
}

/* ---- The whole -------------------------------------------------------------------------------- */

/* What the weight is now is what it was: errors are counted from here on. */
static const char *keep_values(struct weight_form *form)
{
    float *values = MLS_NEW_ARRAY(form->arena, form->n, float);
    void *plain = form_stored(form, form->n, mls_dtype_bits(form->type.dtype) / 8);
    if (!values || !plain)
        return compress_no_memory;
    if (!form_values(form, values))
        return unknown_form;
    form_store(plain, form->type.dtype, 0, form->n, values);
    form->plain = plain;
    return NULL;
}

const char *form_read(const struct mls_program *program, mls_op_id op, struct weight_form *form)
{
    static const struct {
        const char *type;
        const char *(*read)(const struct source *source, const struct mls_op *op);
    } readers[] = {{"constexpr_lut_to_dense", read_palette},
                   {"constexpr_blockwise_shift_scale", read_scaled},
                   {"constexpr_affine_dequantize", read_affine},
                   {"constexpr_sparse_to_dense", read_sparse}};
    const struct source source = {program, form};
    const struct mls_op *top = &program->ops[op.i];
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (strcmp(top->type, readers[i].type))
            continue;
        const char *reason = readers[i].read(&source, top);
        return reason ? reason : keep_values(form);
    }
    return unknown_form;
}
