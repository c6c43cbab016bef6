/* quantize.c: linear quantization, step by step as coremltools' quantize_weight_by_dtype does it with NumPy.
 */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "compress/setting.h"
#include "kernels/compress/compress.h"
#include "ops/blocks.h"

static float to_fp16(float value)
{
    return mls_fp16_to_fp32(mls_fp32_to_fp16(value));
}

static float keep(float value)
{
    return value;
}

/* The integers' range: NumPy's arithmetic on it is that of the weight's type. */
struct range {
    float low;
    float high;
};

static struct range integer_range(const struct mls_compress_setting *setting)
{
    bool wide = setting->dtype == MLS_INT8 || setting->dtype == MLS_UINT8;
    bool is_signed = setting->dtype == MLS_INT8 || setting->dtype == MLS_INT4;
    bool symmetric = setting->mode == MLS_MODE_LINEAR_SYMMETRIC;
    float n = wide ? 256 : 16;
    return is_signed ? (struct range){-n / 2 + (symmetric ? 1 : 0), n / 2 - 1}
                     : (struct range){0, n - 1 - (symmetric ? 1 : 0)};
}

/* Scale and zero point of a block whose elements lie in [low, high]. */
static struct mls_quantizing solve_block(const struct mls_compress_setting *setting, enum mls_dtype dtype,
                                         float low, float high)
{
    float (*r)(float) = dtype == MLS_FP16 ? to_fp16 : keep;
    struct range range = integer_range(setting);
    struct mls_quantizing quantizing = {.low = range.low, .high = range.high};
    bool symmetric = setting->mode == MLS_MODE_LINEAR_SYMMETRIC;
    if (symmetric) {
        high = fabsf(low) > fabsf(high) ? fabsf(low) : fabsf(high);
        low = -high;
    } else {
        low = low < 0 ? low : 0;
        high = high > 0 ? high : 0;
    }
    float width = r(high - low);
    quantizing.scale = r(width / (range.high - range.low));
    if (symmetric && (setting->dtype == MLS_UINT8 || setting->dtype == MLS_UINT4)) {
        quantizing.zero = floorf(range.high / 2);
    } else if (!symmetric) {
        float zero = rintf(r(r(r(range.low * high) - r(range.high * low)) / width));
        zero = zero < range.low ? range.low : zero > range.high ? range.high : zero;
        quantizing.zero = zero == zero ? zero : 0; /* all elements 0 */
    }
    return quantizing;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Blocks along every axis, as infer_block_sizes chooses them; or why not. */
static const char *choose_blocks(const struct mls_compress_setting *setting, const struct compress_work *work,
                                 const struct mls_type *type, struct mls_type *ret_entries)
{
    int64_t sizes[MLS_RANK_MAX] = {0};
    if (setting->granularity == MLS_PER_BLOCK && setting->n_block_sizes) {
        if (setting->n_block_sizes != type->rank)
            return "block_size has not one number for each axis";
        memcpy(sizes, setting->block_sizes, type->rank * sizeof *sizes);
    } else if (setting->granularity != MLS_PER_TENSOR) {
        bool blocks = setting->granularity == MLS_PER_BLOCK;
        if (work->input_axis < type->rank && blocks)
            sizes[work->input_axis] = setting->block_size;
        if (work->output_axis < type->rank)
            sizes[work->output_axis] = 1;
    }
    struct mls_type entries = *type;
    for (unsigned i = 0; i < type->rank; i++) {
        if (setting->fall_back && sizes[i] && type->dims[i] % sizes[i])
            sizes[i] = 0;
        if (sizes[i] && type->dims[i] % sizes[i])
            return "an axis is no multiple of its block size";
        entries.dims[i] = sizes[i] ? type->dims[i] / sizes[i] : 1;
    }
    *ret_entries = entries;
    return NULL;
}

/* Elements of a tensor in a form that is being quantized. */
struct source {
    const struct mls_compress_kernels *kernels;
    const void *elements;
    enum mls_dtype dtype;
};

/* The run from `first` on, which ends the one before: most often it is the next block, whole. */
static struct mls_blocks_run next_run(const struct mls_blocks *blocks, const struct mls_blocks_run *before,
                                      int64_t first, int64_t n)
{
    if (first && blocks->rank == 1 && !before->step)
        return (struct mls_blocks_run){.n = blocks->sizes[0], .entry = before->entry + 1};
    return mls_blocks_run(blocks, first, n);
}

static void widen(float low, float high, struct range *range)
{
    range->low = low < range->low ? low : range->low;
    range->high = high > range->high ? high : range->high;
}

static void find_ranges(const struct source *source, const struct mls_blocks *blocks, int64_t n,
                        struct range *ranges)
{
    for (int64_t i = 0; i < blocks->n_entries; i++)
        ranges[i] = (struct range){INFINITY, -INFINITY};
    struct mls_blocks_run run = {0};
    for (int64_t i = 0; i < n;) {
        run = next_run(blocks, &run, i, n);
        float low, high;
        for (int64_t j = 0; j < (run.step ? run.n : 1); j++) {
            size_t count = run.step ? 1 : (size_t)run.n;
            if (source->dtype == MLS_FP16)
                source->kernels->range_fp16((const uint16_t *)source->elements + i + j, count, &low, &high);
            else
                source->kernels->range_fp32((const float *)source->elements + i + j, count, &low, &high);
            widen(low, high, &ranges[run.entry + j]);
        }
        i += run.n;
    }
}

static double quantize_runs(const struct source *source, const struct mls_blocks *blocks, int64_t n,
                            const struct mls_quantizing *quantizing, uint8_t *ret_q)
{
    double noise = 0;
    struct mls_blocks_run run = {0};
    for (int64_t i = 0; i < n;) {
        run = next_run(blocks, &run, i, n);
        for (int64_t j = 0; j < (run.step ? run.n : 1); j++) {
            size_t count = run.step ? 1 : (size_t)run.n;
            const struct mls_quantizing *block = &quantizing[run.entry + j];
            noise += source->dtype == MLS_FP16
                         ? source->kernels->quantize_fp16((const uint16_t *)source->elements + i + j, count,
                                                          block, ret_q + i + j)
                         : source->kernels->quantize_fp32((const float *)source->elements + i + j, count,
                                                          block, ret_q + i + j);
        }
        i += run.n;
    }
    return noise;
}

/* Quantizes a tensor into `quant` and *ret_q. */
static const char *quantize_tensor(const struct mls_compress_setting *setting, const struct source *source,
                                   const struct mls_type *type, const struct mls_type *entries,
                                   const struct weight_form *form, struct form_scales *quant,
                                   uint8_t **ret_q, double *ret_noise)
{
    struct mls_blocks blocks;
    if (!mls_blocks_solve(type, entries->dims, &blocks))
        return "it has no elements";
    size_t n_entries = (size_t)blocks.n_entries;
    struct mls_arena *scratch = mls_arena_create_beside(form->arena);
    struct range *ranges = scratch ? MLS_NEW_ARRAY(scratch, n_entries, struct range) : NULL;
    struct mls_quantizing *quantizing =
        scratch ? MLS_NEW_ARRAY(scratch, n_entries, struct mls_quantizing) : NULL;
    bool offsets =
        setting->mode == MLS_MODE_LINEAR || setting->dtype == MLS_UINT8 || setting->dtype == MLS_UINT4;
    quant->type = *entries;
    quant->dtype = setting->dtype;
    quant->scales = form_stored(form, n_entries, sizeof(float));
    quant->offsets = offsets ? form_stored(form, n_entries, 1) : NULL;
    size_t n = (size_t)mls_type_elems(type);
    bool wide = mls_dtype_bits(setting->dtype) == 8;
    *ret_q = wide ? form_stored(form, n, 1) : mls_arena_alloc(form->arena, n, 1);
    const char *reason = NULL;
    if (!ranges || !quantizing || !quant->scales || !*ret_q || (offsets && !quant->offsets)) {
        reason = compress_no_memory;
    } else {
        find_ranges(source, &blocks, mls_type_elems(type), ranges);
        for (size_t i = 0; i < n_entries; i++) {
            quantizing[i] = solve_block(setting, source->dtype, ranges[i].low, ranges[i].high);
            if (!isfinite(quantizing[i].scale))
                reason = "its values span more than its element type can hold";
            form_store(quant->scales, source->dtype, i, 1, &quantizing[i].scale);
            if (offsets)
                quant->offsets[i] = (uint8_t)(int)quantizing[i].zero;
        }
        if (!reason)
            *ret_noise = quantize_runs(source, &blocks, mls_type_elems(type), quantizing, *ret_q);
    }
    mls_arena_free(scratch);
    return reason;
}

/* ---- Forms ----------------------------------------------------------------------------------- */

/* The elements to quantize: those of the weight, zeros where they are pruned. */
static const void *masked_elements(const struct weight_form *form)
{
    if (!form->mask)
        return form->plain;
    size_t element_bytes = mls_dtype_bits(form->type.dtype) / 8;
    uint8_t *elements = mls_arena_array(form->arena, form->n, element_bytes, 4);
    for (size_t i = 0; elements && i < form->n; i++)
        if (form_kept(form, i))
            memcpy(elements + i * element_bytes, (const uint8_t *)form->plain + i * element_bytes,
                   element_bytes);
    return elements;
}

/* Each table as a whole: its entries have no channels. */
static const char *quantize_tables(const struct mls_compress_setting *setting, const struct source *source,
                                   struct weight_form *form)
{
    if (setting->granularity != MLS_PER_TENSOR)
        return "palettes can be quantized per tensor only";
    struct mls_type entries = form->tables;
    for (unsigned i = 0; i < entries.rank; i++)
        entries.dims[i] = 1;
    uint8_t *q;
    double noise;
    const char *reason =
        quantize_tensor(setting, source, &form->tables, &entries, form, &form->quant, &q, &noise);
    if (reason)
        return reason;
    form->table = q;
    form->integers = FORM_TABLES;
    return form_score(form) ? NULL : compress_no_memory;
}

const char *apply_quantize(const struct mls_compress_setting *setting, const struct compress_work *work,
                           struct weight_form *form)
{
    struct source source = {.kernels = work->kernels->compress, .dtype = form->type.dtype};
    if (form->integers != FORM_NO_INTEGERS)
        return "it is quantized already";
    if (form->bits) {
        source.elements = form->table;
        return quantize_tables(setting, &source, form);
    }
    struct mls_type entries;
    const char *reason = choose_blocks(setting, work, &form->type, &entries);
    if (reason)
        return reason;
    source.elements = masked_elements(form);
    if (!source.elements)
        return compress_no_memory;
    double noise = 0;
    reason = quantize_tensor(setting, &source, &form->type, &entries, form, &form->quant, &form->data,
                             &noise);
    if (reason)
        return reason;
    form->integers = FORM_DATA;
    form->noise = noise + (form->mask ? form->noise : 0); /* zeros stay zeros */
    return NULL;
}
