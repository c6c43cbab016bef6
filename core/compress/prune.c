/* prune.c: zeros in place of small elements. Thresholds and orders are those that coremltools gets from
 * NumPy. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "compress/setting.h"

static float round_to(enum mls_dtype dtype, float value)
{
    return dtype == MLS_FP16 ? mls_fp16_to_fp32(mls_fp32_to_fp16(value)) : value;
}

/* ---- Percentiles ----------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Element `rank` in ascending order (quickselect; reorders). */
static float select_rank(float *values, size_t n, size_t rank)
{
    size_t low = 0, high = n - 1;
    while (high - low > 16) {
        float a = values[low], b = values[low + (high - low) / 2], c = values[high];
        float pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        size_t i = low, j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            float swapped = values[i];
            values[i++] = values[j];
            values[j--] = swapped;
        }
        size_t split = values[j] > pivot ? j - 1 : j;
        if (rank <= split)
            high = split;
        else
            low = split + 1;
    }
    qsort(values + low, high - low + 1, sizeof *values, compare_floats);
    return values[rank];
}

enum { MAGNITUDES = 0x7c00 };

/* The place in the order of magnitudes: as select_rank. */
static float magnitude_at(const uint32_t *counts, size_t rank)
{
    size_t below = 0, magnitude = 0;
    while (magnitude + 1 < MAGNITUDES && below + counts[magnitude] <= rank)
        below += counts[magnitude++];
    return mls_fp16_to_fp32((uint16_t)magnitude);
}

/* Magnitudes to be taken in order: values, which are reordered, or the counts of fp16 magnitudes. */
struct order {
    float *values;
    const uint32_t *counts;
};

static float at_rank(const struct order *order, size_t n, size_t rank)
{
    return order->counts ? magnitude_at(order->counts, rank) : select_rank(order->values, n, rank);
}

/* a + (b - a) * t as NumPy's _lerp, each step rounded to the type. */
static float interpolate(enum mls_dtype dtype, float a, float b, float t)
{
    float difference = round_to(dtype, b - a);
    if (t >= 0.5f)
        return round_to(dtype, b - round_to(dtype, difference * round_to(dtype, 1 - t)));
    return round_to(dtype, a + round_to(dtype, difference * t));
}

/*
 * numpy.percentile(values, 100 * share), method "linear". NumPy computes the place in the order in the
 * array's own type; where fp16 cannot hold it (and NumPy gives NaN), it is computed in double. Reorders the
 * values.
 */
static double percentile(const struct order *order, size_t n, enum mls_dtype dtype, double share)
{
    float quantile = round_to(dtype, round_to(dtype, (float)(share * 100)) / 100),
          last = round_to(dtype, (float)(n - 1));
    if (isinf(last)) {
        double at = share * (double)(n - 1), whole = floor(at);
        size_t index = (size_t)whole;
        double low = (double)at_rank(order, n, index);
        double high = index + 1 < n ? (double)at_rank(order, n, index + 1) : low;
        return low + (high - low) * (at - whole);
    }
    float at = round_to(dtype, last * quantile), whole = floorf(at);
    if (at >= last)
        return (double)at_rank(order, n, n - 1);
    size_t index = (size_t)whole, next = (size_t)round_to(dtype, whole + 1);
    float low = at_rank(order, n, index), high = at_rank(order, n, next < n ? next : n - 1);
    return (double)interpolate(dtype, low, high, round_to(dtype, at - whole));
}

/* ---- Masks ----------------------------------------------------------------------------------- */

/* Keeps the elements whose value is not 0 of those that `keep` (or everything, if NULL) names. */
static const char *set_mask(struct weight_form *form, const float *values, const uint8_t *keep)
{
    uint8_t *mask = form_stored(form, (form->n + 7) / 8, 1);
    if (!mask)
        return compress_no_memory;
    size_t n_kept = 0;
    for (size_t i = 0; i < form->n; i++) {
        unsigned kept = values[i] != 0 && (!keep || keep[i]);
        mask[i / 8] |= (uint8_t)(kept << i % 8);
        n_kept += kept;
    }
    form->mask = mask;
    form->n_kept = n_kept;
    return form_score(form) ? NULL : compress_no_memory;
}

static float *values_of(const struct weight_form *form)
{
    float *values = MLS_NEW_ARRAY(form->arena, form->n, float);
    return values && form_values(form, values) ? values : NULL;
}

static const char *cannot_prune(const struct weight_form *form)
{
    if (form->vector_axis >= 0 && form->bits)
        return "palettes of vectors cannot be pruned";
    if (form->integers == FORM_THROUGH || form->channel.scales)
        return "it is compressed twice already";
    return form->mask ? "it is pruned already" : NULL;
}

/* ---- fp16 by magnitude: the histogram says it all --------------------------------------------- */

/* Keeps what is above `magnitude` (as bits), and what is not 0. */
static const char *mask_fp16(struct weight_form *form, const uint32_t *counts, uint32_t magnitude)
{
    const uint16_t *halves = form->plain;
    form->mask = form_stored(form, (form->n + 7) / 8, 1);
    if (!form->mask)
        return compress_no_memory;
    for (size_t i = 0; i < form->n; i += 8) {
        size_t part = form->n - i < 8 ? form->n - i : 8;
        unsigned bits = 0;
        for (size_t j = 0; j < part; j++)
            bits |= (unsigned)((halves[i + j] & 0x7fffu) > magnitude) << j;
        form->mask[i / 8] = (uint8_t)bits;
    }
    form->n_kept = form->n;
    form->noise = 0;
    for (uint32_t i = 0; i <= magnitude && i < MAGNITUDES; i++) {
        double value = (double)mls_fp16_to_fp32((uint16_t)i);
        form->n_kept -= counts[i];
        form->noise += counts[i] * value * value;
    }
    return NULL;
}

/* ---- Magnitude ------------------------------------------------------------------------------- */

enum { PAIRWISE_LANES = 8, PAIRWISE_MAX = 128 };

/* NumPy's sum of elements that lie side by side: eight sums, halves of what is longer. */
static float pairwise_sum(const float *values, size_t n)
{
    if (n > PAIRWISE_MAX) {
        size_t half = n / 2 - n / 2 % PAIRWISE_LANES;
        return pairwise_sum(values, half) + pairwise_sum(values + half, n - half);
    }
    float lanes[PAIRWISE_LANES] = {0}, sum = 0;
    size_t whole = n < PAIRWISE_LANES ? 0 : n - n % PAIRWISE_LANES;
    for (size_t i = 0; i < whole; i++)
        lanes[i % PAIRWISE_LANES] += values[i];
    if (whole)
        sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    for (size_t i = whole; i < n; i++)
        sum += values[i];
    return sum;
}

/*
 * Whether NumPy adds up a block where its elements lie side by side, in one go, and not slice by slice: it walks in the
 * order of memory. Axis 1 is transposed to the front: a copy that pads it has that order, too.
 */
static bool sums_at_once(const struct mls_type *type, size_t axis, size_t block)
{
    bool copied = axis == 1 && (size_t)type->dims[axis] % block;
    int64_t between = copied ? type->dims[0] : 1;
    for (size_t i = copied ? 2 : axis + 1; i < type->rank; i++)
        between *= type->dims[i];
    return between == 1;
}

/* Sum of the squares of n elements `stride` apart, padded with zeros to `block`, each step rounded as NumPy rounds. */
static float block_energy(enum mls_dtype dtype, const float *values, size_t n, size_t stride, size_t block,
                          bool at_once, float *scratch)
{
    float sum = 0;
    memset(scratch, 0, block * sizeof *scratch);
    for (size_t i = 0; i < n; i++)
        scratch[i] = round_to(dtype, values[i * stride] * values[i * stride]);
    if (at_once)
        return round_to(dtype, pairwise_sum(scratch, block));
    for (size_t i = 0; i < n; i++)
        sum = round_to(dtype, sum + scratch[i]);
    return sum;
}

/* The size of blocks along an axis, of every element of one: sqrt of the sum of squares. `scratch` has a block. */
static void block_magnitudes(const struct weight_form *form, size_t axis, size_t block, const float *values,
                             float *scratch, float *ret_magnitudes)
{
    size_t inner = 1, channels = (size_t)form->type.dims[axis];
    for (size_t i = axis + 1; i < form->type.rank; i++)
        inner *= (size_t)form->type.dims[i];
    enum mls_dtype dtype = form->type.dtype;
    bool at_once = sums_at_once(&form->type, axis, block);
    for (size_t outer = 0; outer < form->n; outer += channels * inner) {
        for (size_t first = 0; first < channels; first += block) {
            size_t n = first + block < channels ? block : channels - first;
            for (size_t i = 0; i < inner; i++) {
                size_t at = outer + first * inner + i;
                float energy = block_energy(dtype, values + at, n, inner, block, at_once, scratch);
                float magnitude = round_to(dtype, sqrtf(energy));
                for (size_t c = 0; c < n; c++)
                    ret_magnitudes[at + c * inner] = magnitude;
            }
        }
    }
}

/* Of every m elements along an axis the n smallest go; equal ones in their order. Missing ones at the end
 * count as 0. */
static const char *keep_n_of_m(const struct weight_form *form, size_t axis, size_t n, size_t m,
                               const float *values, uint8_t *keep)
{
    size_t inner = 1, channels = (size_t)form->type.dims[axis];
    if (2 * m > channels)
        return "m is more than half of its channels";
    for (size_t i = axis + 1; i < form->type.rank; i++)
        inner *= (size_t)form->type.dims[i];
    for (size_t outer = 0; outer < form->n; outer += channels * inner) {
        for (size_t i = 0; i < inner; i++) {
            for (size_t first = 0; first < channels; first += m) {
                size_t end = first + m < channels ? first + m : channels;
                for (size_t c = first; c < end; c++) {
                    float magnitude = fabsf(values[outer + c * inner + i]);
                    size_t smaller =
                        magnitude > 0 ? m - (end - first) : 0; /* the padding stands at the end */
                    for (size_t d = first; d < end; d++) {
                        float other = fabsf(values[outer + d * inner + i]);
                        smaller += other < magnitude || (other == magnitude && d < c);
                    }
                    keep[outer + c * inner + i] = smaller >= n;
                }
            }
        }
    }
    return NULL;
}

static const char *keep_largest(const struct mls_compress_setting *setting, const struct weight_form *form,
                                const float *values, uint8_t *keep)
{
    float *magnitudes = MLS_NEW_ARRAY(form->arena, form->n, float);
    float *ordered = MLS_NEW_ARRAY(form->arena, form->n, float);
    if (!magnitudes || !ordered)
        return compress_no_memory;
    for (size_t i = 0; i < form->n; i++)
        magnitudes[i] = fabsf(values[i]);
    if (setting->block_size) {
        size_t axis = setting->dim == MLS_AXIS_AUTO ? 0 : (size_t)setting->dim;
        if (axis >= form->type.rank || 2 * setting->block_size > form->type.dims[axis])
            return "block_size is more than half of its channels";
        float *scratch = MLS_NEW_ARRAY(form->arena, (size_t)setting->block_size, float);
        if (!scratch)
            return compress_no_memory;
        block_magnitudes(form, axis, (size_t)setting->block_size, values, scratch, magnitudes);
    }
    memcpy(ordered, magnitudes, form->n * sizeof *ordered);
    const struct order order = {.values = ordered};
    double threshold = setting->target_sparsity <= 0 ? -1
                       : setting->target_sparsity >= 1
                           ? (double)INFINITY
                           : percentile(&order, form->n, form->type.dtype, setting->target_sparsity);
    for (size_t i = 0; i < form->n; i++)
        keep[i] = (double)magnitudes[i] > threshold;
    return NULL;
}

/* Elements of a plain fp16 weight by their size alone: no copies of it are needed. */
static const char *prune_fp16(const struct mls_compress_setting *setting, struct weight_form *form)
{
    uint32_t *counts = MLS_NEW_ARRAY(form->arena, MAGNITUDES, uint32_t);
    const uint16_t *halves = form->plain;
    if (!counts)
        return compress_no_memory;
    for (size_t i = 0; i < form->n; i++)
        counts[halves[i] & 0x7fffu]++;
    const struct order order = {.counts = counts};
    uint32_t magnitude = MAGNITUDES;
    if (setting->target_sparsity < 1) {
        double threshold = setting->target_sparsity <= 0
                               ? 0
                               : percentile(&order, form->n, MLS_FP16, setting->target_sparsity);
        magnitude = 0;
        while (magnitude + 1 < MAGNITUDES && (double)mls_fp16_to_fp32((uint16_t)(magnitude + 1)) <= threshold)
            magnitude++;
    }
    return mask_fp16(form, counts, magnitude);
}

const char *apply_magnitude(const struct mls_compress_setting *setting, const struct compress_work *work,
                            struct weight_form *form)
{
    const char *reason = cannot_prune(form);
    if (reason)
        return reason;
    bool n_of_m = setting->n_of_m[1] != 0;
    if ((n_of_m || setting->block_size) && (!work->structured || form->type.rank < 2 || form->type.rank > 5))
        return "blocks and n:m are for weights of conv and linear only";
    if (!n_of_m && !setting->block_size && form_is_plain(form) && form->type.dtype == MLS_FP16)
        return prune_fp16(setting, form);
    float *values = values_of(form);
    uint8_t *keep = mls_arena_alloc(form->arena, form->n, 1);
    if (!values || !keep)
        return compress_no_memory;
    size_t axis = setting->dim == MLS_AXIS_AUTO ? 1 : (size_t)setting->dim;
    reason =
        n_of_m ? keep_n_of_m(form, axis, (size_t)setting->n_of_m[0], (size_t)setting->n_of_m[1], values, keep)
               : keep_largest(setting, form, values, keep);
    return reason ? reason : set_mask(form, values, keep);
}

/* ---- Threshold ------------------------------------------------------------------------------- */

const char *apply_threshold(const struct mls_compress_setting *setting, const struct compress_work *work,
                            struct weight_form *form)
{
    (void)work;
    const char *reason = cannot_prune(form);
    if (reason)
        return reason;
    float *values = values_of(form);
    if (!values)
        return compress_no_memory;
    /* NumPy compares an array with a number in the array's type */
    float threshold = round_to(form->type.dtype, (float)setting->threshold);
    size_t n_zero = 0;
    for (size_t i = 0; i < form->n; i++) {
        if (fabsf(values[i]) <= threshold)
            values[i] = 0;
        n_zero += values[i] == 0;
    }
    if ((double)n_zero / (double)form->n < setting->minimum_sparsity)
        return "it has fewer zeros than minimum_sparsity_percentile";
    return set_mask(form, values, NULL);
}
