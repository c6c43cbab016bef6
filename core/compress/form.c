#include "compress/form.h"

#include <string.h>

#include "base/checked.h"
#include "base/fp16.h"
#include "kernels/convert/convert.h"
#include "ops/blocks.h"

enum { LARGE_BYTES = 1 << 16 }; /* worth large pages */

const char compress_no_memory[] = "out of memory";

void *form_stored(const struct weight_form *form, size_t n, size_t element_bytes)
{
    size_t size_bytes;
    if (!mls_mul_size(n, element_bytes, &size_bytes))
        return NULL;
    return size_bytes < LARGE_BYTES ? mls_arena_alloc(form->stored, size_bytes, 8)
                                    : mls_arena_alloc_large(form->stored, size_bytes);
}

void form_load(const void *elements, enum mls_dtype dtype, size_t first, size_t n, float *ret)
{
    if (dtype == MLS_FP32) {
        memcpy(ret, (const float *)elements + first, n * sizeof *ret);
        return;
    }
    const uint16_t *halves = (const uint16_t *)elements + first;
    for (size_t i = 0; i < n; i++)
        ret[i] = mls_fp16_to_fp32(halves[i]);
}

void form_store(void *elements, enum mls_dtype dtype, size_t first, size_t n, const float *values)
{
    if (dtype == MLS_FP32) {
        memcpy((float *)elements + first, values, n * sizeof *values);
        return;
    }
    uint16_t *halves = (uint16_t *)elements + first;
    for (size_t i = 0; i < n; i++)
        halves[i] = mls_fp32_to_fp16(values[i]);
}

static float rounded(enum mls_dtype dtype, float value)
{
    return dtype == MLS_FP16 ? mls_fp16_to_fp32(mls_fp32_to_fp16(value)) : value;
}

/* The number that an integer stands for: rounded once, as constexpr_blockwise_shift_scale does. */
static float scaled(const struct form_scales *scales, enum mls_dtype dtype, int64_t entry, uint8_t byte)
{
    float scale;
    form_load(scales->scales, dtype, (size_t)entry, 1, &scale);
    int offset = scales->offsets ? form_integer(scales->dtype, scales->offsets[entry]) : 0;
    return rounded(dtype, scale * (float)(form_integer(scales->dtype, byte) - offset));
}

/* Integers of a tensor as numbers. */
static bool scale_integers(const struct form_scales *scales, const struct mls_type *tensor,
                           enum mls_dtype dtype, const uint8_t *bytes, float *ret)
{
    struct mls_blocks blocks;
    if (!mls_blocks_solve(tensor, scales->type.dims, &blocks))
        return false;
    int64_t n = mls_type_elems(tensor);
    for (int64_t i = 0; i < n;) {
        struct mls_blocks_run run = mls_blocks_run(&blocks, i, n);
        for (int64_t j = 0; j < run.n; j++)
            ret[i + j] = scaled(scales, dtype, run.entry + j * run.step, bytes[i + j]);
        i += run.n;
    }
    return true;
}

/* ---- Palettes -------------------------------------------------------------------------------- */

/* The palette of every index, and where its elements lie in the dense weight. `take` gets dense index and
 * table entry. */
static bool look_up(const struct weight_form *form, const float *table, float *ret)
{
    unsigned rank = form->type.rank;
    struct mls_blocks blocks;
    if (!mls_blocks_solve(&form->indices_type, form->tables.dims, &blocks))
        return false;
    size_t n_vector = (size_t)form->tables.dims[rank + 1], table_elems = ((size_t)1 << form->bits) * n_vector;
    size_t inner = 1;
    for (unsigned i = form->vector_axis < 0 ? rank : (unsigned)form->vector_axis + 1; i < rank; i++)
        inner *= (size_t)form->type.dims[i];
    int64_t n = mls_type_elems(&form->indices_type);
    for (int64_t i = 0; i < n;) {
        struct mls_blocks_run run = mls_blocks_run(&blocks, i, n);
        for (int64_t j = 0; j < run.n; j++) {
            const float *entry =
                table + (size_t)(run.entry + j * run.step) * table_elems + form->indices[i + j] * n_vector;
            size_t index = (size_t)(i + j), at = (index - index % inner) * n_vector + index % inner;
            for (size_t v = 0; v < n_vector; v++)
                ret[at + v * inner] = entry[v];
        }
        i += run.n;
    }
    return true;
}

/* Entries of the tables as numbers; THROUGH: the integers themselves. */
static bool load_tables(const struct weight_form *form, float *ret)
{
    size_t n = (size_t)mls_type_elems(&form->tables);
    if (form->integers == FORM_NO_INTEGERS)
        form_load(form->table, form->type.dtype, 0, n, ret);
    else if (form->integers == FORM_TABLES)
        return scale_integers(&form->quant, &form->tables, form->type.dtype, form->table, ret);
    else
        for (size_t i = 0; i < n; i++)
            ret[i] = (float)form_integer(form->quant.dtype, ((const uint8_t *)form->table)[i]);
    return true;
}

static bool apply_scales(const struct form_scales *scales, const struct weight_form *form, float *values)
{
    struct mls_blocks blocks;
    if (!mls_blocks_solve(&form->type, scales->type.dims, &blocks))
        return false;
    int64_t n = (int64_t)form->n;
    for (int64_t i = 0; i < n;) {
        struct mls_blocks_run run = mls_blocks_run(&blocks, i, n);
        for (int64_t j = 0; j < run.n; j++) {
            float scale;
            int64_t entry = run.entry + j * run.step;
            form_load(scales->scales, form->type.dtype, (size_t)entry, 1, &scale);
            int offset = scales->offsets ? form_integer(scales->dtype, scales->offsets[entry]) : 0;
            values[i + j] = rounded(form->type.dtype, scale * (values[i + j] - (float)offset));
        }
        i += run.n;
    }
    return true;
}

static bool palette_values(const struct weight_form *form, float *ret)
{
    struct mls_arena *scratch = mls_arena_create_beside(form->arena);
    float *table = scratch ? MLS_NEW_ARRAY(scratch, (size_t)mls_type_elems(&form->tables), float) : NULL;
    bool ok = table && load_tables(form, table) && look_up(form, table, ret);
    mls_arena_free(scratch);
    if (ok && form->channel.scales)
        ok = apply_scales(&form->channel, form, ret);
    if (ok && form->integers == FORM_THROUGH)
        ok = apply_scales(&form->quant, form, ret);
    return ok;
}

bool form_values(const struct weight_form *form, float *ret)
{
    if (form->bits) {
        if (!palette_values(form, ret))
            return false;
    } else if (form->integers == FORM_DATA) {
        if (!scale_integers(&form->quant, &form->type, form->type.dtype, form->data, ret))
            return false;
    } else {
        form_load(form->plain, form->type.dtype, 0, form->n, ret);
    }
    for (size_t i = 0; form->mask && i < form->n; i++)
        if (!form_kept(form, i))
            ret[i] = 0;
    return true;
}

bool form_score(struct weight_form *form)
{
    struct mls_arena *scratch = mls_arena_create_beside(form->arena);
    float *values = scratch ? MLS_NEW_ARRAY(scratch, form->n, float) : NULL;
    bool ok = values && form_values(form, values);
    double noise = 0;
    for (size_t i = 0; ok && i < form->n; i++) {
        float before;
        form_load(form->plain, form->type.dtype, i, 1, &before);
        double difference = (double)before - (double)values[i];
        noise += difference * difference;
    }
    mls_arena_free(scratch);
    form->noise = noise;
    return ok;
}
