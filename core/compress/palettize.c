/* palettize.c: palettes and the indices into them. Palettes of single elements come from the histogram of the
 * distinct values: fp16 has no more than 65,536 of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "compress/distinct.h"
#include "compress/kmeans.h"
#include "compress/setting.h"

enum { ENTRIES_MAX = 256 };

/* What is clustered: elements of a weight, perhaps normalised or integers, group by group. */
struct source {
    const struct mls_compress_setting *setting;
    const struct compress_work *work;
    const struct weight_form *form;
    const void *elements;
    enum mls_dtype dtype; /* of `elements` */
    const double
        *importance; /* of element i: importance[i / importance_inner % importance_dim]; NULL: all alike */
    size_t importance_inner;
    size_t importance_dim;
    unsigned axis; /* of the groups */
    size_t n_groups;
    size_t n_outer; /* slices of a group: they lie `group_stride` apart */
    size_t slice;   /* consecutive elements of a group */
};

static size_t slice_start(const struct source *source, size_t group, size_t outer)
{
    return (outer * source->n_groups + group) * source->slice;
}

/* Elements between neighbours along an axis. */
static size_t inner_elems(const struct mls_type *type, unsigned axis)
{
    size_t inner = 1;
    for (unsigned i = axis + 1; i < type->rank; i++)
        inner *= (size_t)type->dims[i];
    return inner;
}

static bool collect(const struct source *source, size_t group, struct distinct *distinct)
{
    distinct_begin(distinct, source->dtype, source->n_outer * source->slice);
    for (size_t outer = 0; outer < source->n_outer; outer++) {
        size_t first = slice_start(source, group, outer);
        if (!source->importance) {
            if (!distinct_add(distinct, source->elements, source->form->mask, first, source->slice))
                return false;
            continue;
        }
        for (size_t i = first; i < first + source->slice; i++) {
            double weight = source->importance
                                ? source->importance[i / source->importance_inner % source->importance_dim]
                                : 1;
            if (form_kept(source->form, i) && !distinct_add_one(distinct, source->elements, i, weight))
                return false;
        }
    }
    return distinct_finish(distinct);
}

/* ---- One palette ----------------------------------------------------------------------------- */

/* Entries in ascending order, as they are stored. */
struct palette {
    float entries[ENTRIES_MAX];
    unsigned n;
};

static void store_entry(const struct source *source, struct palette *palette, double value)
{
    float entry = (float)value;
    if (source->dtype == MLS_FP16)
        entry = mls_fp16_to_fp32(mls_fp32_to_fp16(entry));
    else if (source->dtype != MLS_FP32)
        entry = rintf(entry);
    palette->entries[palette->n++] = entry;
}

static bool make_kmeans(const struct source *source, const struct distinct *distinct, unsigned bits,
                        struct kmeans_space *space, struct palette *palette)
{
    uint32_t first[ENTRIES_MAX];
    unsigned k;
    const struct kmeans_values values = {distinct->values, distinct->weights, distinct->n};
    if (!kmeans_line(&values, 1u << bits, source->work->kernels->compress, space, first, &k))
        return false;
    for (unsigned c = 0; c < k; c++) {
        size_t end = c + 1 < k ? first[c + 1] : distinct->n;
        double weight = 0, sum = 0;
        for (size_t i = first[c]; i < end; i++) {
            weight += distinct->weights[i];
            sum += distinct->weights[i] * distinct->values[i];
        }
        store_entry(source, palette, sum / weight);
    }
    return true;
}

/* As coremltools computes it: steps in the weight's arithmetic. */
static void make_uniform(const struct source *source, const struct distinct *distinct, unsigned bits,
                         struct palette *palette)
{
    unsigned n = 1u << bits;
    double low = distinct->values[0], high = distinct->values[distinct->n - 1];
    float step = (float)(high - low);
    bool half = source->dtype == MLS_FP16;
    step = half ? mls_fp16_to_fp32(mls_fp32_to_fp16(step)) : step;
    step = step / (float)(n - 1);
    step = half ? mls_fp16_to_fp32(mls_fp32_to_fp16(step)) : step;
    for (unsigned i = 0; i < n; i++)
        store_entry(source, palette, (double)i * (double)step + low);
}

static void make_unique(const struct source *source, const struct distinct *distinct, struct palette *palette)
{
    for (size_t i = 0; i < distinct->n; i++)
        store_entry(source, palette, distinct->values[i]);
}

/* The index of the nearest entry for every distinct value. */
static void nearest(const struct distinct *distinct, const struct palette *palette, uint8_t *ret_indices)
{
    unsigned at = 0;
    for (size_t i = 0; i < distinct->n; i++) {
        double value = distinct->values[i];
        while (at + 1 < palette->n &&
               fabs((double)palette->entries[at + 1] - value) < fabs((double)palette->entries[at] - value))
            at++;
        ret_indices[i] = (uint8_t)at;
    }
}

static bool make_palette(const struct source *source, const struct distinct *distinct, unsigned bits,
                         struct kmeans_space *space, struct palette *palette)
{
    palette->n = 0;
    if (!distinct->n)
        return true;
    switch (source->setting->mode) {
    case MLS_MODE_UNIFORM:
        make_uniform(source, distinct, bits, palette);
        return true;
    case MLS_MODE_UNIQUE:
        make_unique(source, distinct, palette);
        return true;
    default:
        return make_kmeans(source, distinct, bits, space, palette);
    }
}

static void put_entries(const struct source *source, struct weight_form *form, size_t group,
                        const struct palette *palette)
{
    size_t first = group << form->bits;
    if (source->dtype == MLS_FP16 || source->dtype == MLS_FP32)
        form_store(form->table, source->dtype, first, palette->n, palette->entries);
    else
        for (unsigned i = 0; i < palette->n; i++)
            ((uint8_t *)form->table)[first + i] = (uint8_t)(int)palette->entries[i];
}

/* fp32 elements find the nearest entry by themselves: distinct ones may have been merged. Returns the noise.
 */
static double assign_fp32(const float *elements, size_t n, const struct palette *palette,
                          uint8_t *ret_indices)
{
    float bounds[ENTRIES_MAX];
    double noise = 0;
    for (unsigned i = 0; i + 1 < palette->n; i++)
        bounds[i] = palette->entries[i] + (palette->entries[i + 1] - palette->entries[i]) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned low = 0, high = palette->n ? palette->n - 1 : 0;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (bounds[middle] < elements[i])
                low = middle + 1;
            else
                high = middle;
        }
        double difference = (double)elements[i] - (double)palette->entries[low];
        noise += difference * difference;
        ret_indices[i] = (uint8_t)low;
    }
    return noise;
}

/* Indices of a group's elements. Returns the noise. */
static double assign_group(const struct source *source, size_t group, struct distinct *distinct,
                           const struct palette *palette, uint8_t *ret_indices)
{
    double noise = 0;
    if (source->dtype != MLS_FP32) {
        nearest(distinct, palette, distinct->indices);
        distinct_index(distinct);
        for (size_t i = 0; i < distinct->n; i++) {
            double difference = distinct->values[i] - (double)palette->entries[distinct->indices[i]];
            noise += distinct->weights[i] * difference * difference;
        }
    }
    for (size_t outer = 0; outer < source->n_outer; outer++) {
        size_t first = slice_start(source, group, outer);
        if (source->dtype == MLS_FP32)
            noise += assign_fp32((const float *)source->elements + first, source->slice, palette,
                                 ret_indices + first);
        else
            distinct_look_up(distinct, source->elements, first, source->slice, ret_indices + first);
    }
    return noise;
}

/* Palettes of all groups and the indices of their elements; adds up the noise. */
static const char *palettize_elements(const struct source *source, struct distinct *distinct,
                                      struct weight_form *form)
{
    struct mls_arena *arena = mls_arena_create_beside(form->arena);
    struct kmeans_space space = {.arena = arena};
    struct palette palette;
    double noise = 0;
    bool ok = arena != NULL;
    for (size_t group = 0; ok && group < source->n_groups; group++) {
        ok = collect(source, group, distinct) && make_palette(source, distinct, form->bits, &space, &palette);
        if (!ok)
            break;
        put_entries(source, form, group, &palette);
        noise += assign_group(source, group, distinct, &palette, form->indices);
    }
    mls_arena_free(arena);
    form->noise = noise;
    return ok ? NULL : compress_no_memory;
}

/* The bits that the richest group needs; 0 when that is too many. */
static const char *count_unique(const struct source *source, struct distinct *distinct, unsigned *ret_bits)
{
    size_t most = 1;
    for (size_t group = 0; group < source->n_groups; group++) {
        if (!collect(source, group, distinct))
            return compress_no_memory;
        most = distinct->n > most ? distinct->n : most;
    }
    *ret_bits = setting_bits_for(most);
    return *ret_bits ? NULL : "it has more than 256 distinct values";
}

/* ---- Vectors --------------------------------------------------------------------------------- */

/* Vectors of cluster_dim channels: of a group, gathered in the order of their indices. */
static void gather(const struct source *source, size_t group, size_t n_vector, size_t inner,
                   float *ret_vectors)
{
    size_t at = 0;
    for (size_t outer = 0; outer < source->n_outer; outer++) {
        size_t first = slice_start(source, group, outer);
        for (size_t row = 0; row < source->slice; row += inner * n_vector)
            for (size_t i = 0; i < inner; i++)
                for (size_t v = 0; v < n_vector; v++)
                    form_load(source->elements, source->dtype, first + row + v * inner + i, 1,
                              &ret_vectors[at++]);
    }
}

static int compare_vectors(const void *a, const void *b, void *dim)
{
    const float *x = *(const float *const *)a, *y = *(const float *const *)b;
    for (size_t i = 0; i < *(const size_t *)dim; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* Distinct vectors as centers; false when there are more than k (or memory is out: *ret_n is SIZE_MAX then).
 */
static bool unique_vectors(const float *vectors, size_t n, size_t dim, unsigned k, struct mls_arena *arena,
                           float *ret_centers, uint8_t *ret_indices, size_t *ret_n)
{
    const float **order = MLS_NEW_ARRAY(arena, n, const float *);
    *ret_n = SIZE_MAX;
    if (!order)
        return false;
    for (size_t i = 0; i < n; i++)
        order[i] = vectors + i * dim;
    qsort_r(order, n, sizeof *order, compare_vectors, &dim);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || compare_vectors(&order[i - 1], &order[i], &dim)) {
            if (++*ret_n > k)
                continue;
            memcpy(ret_centers + (*ret_n - 1) * dim, order[i], dim * sizeof **order);
        }
        ret_indices[(size_t)(order[i] - vectors) / dim] = (uint8_t)(*ret_n - 1);
    }
    return *ret_n <= k;
}

static const char *palettize_vectors(const struct source *source, struct weight_form *form)
{
    size_t dim = (size_t)source->setting->cluster_dim, n = source->n_outer * source->slice / dim;
    size_t inner = inner_elems(&form->type, source->axis);
    unsigned k = 1u << form->bits;
    bool unique = source->setting->mode == MLS_MODE_UNIQUE;
    for (size_t group = 0; group < source->n_groups; group++) {
        struct mls_arena *arena = mls_arena_create_beside(form->arena);
        float *vectors = arena ? MLS_NEW_ARRAY(arena, n * dim, float) : NULL;
        float *centers = arena ? MLS_NEW_ARRAY(arena, k * dim, float) : NULL;
        uint8_t *indices = arena ? mls_arena_alloc(arena, n, 1) : NULL;
        const char *reason = compress_no_memory;
        size_t n_unique;
        if (vectors && centers && indices) {
            gather(source, group, dim, inner, vectors);
            if (unique && unique_vectors(vectors, n, dim, k, arena, centers, indices, &n_unique))
                reason = NULL;
            else if (unique && n_unique != SIZE_MAX)
                reason = "it has more than 256 distinct vectors";
            else if (!unique && kmeans_vectors(vectors, NULL, n, dim, k, arena, centers, indices))
                reason = NULL;
        }
        if (!reason) {
            form_store(form->table, source->dtype, group * k * dim, k * dim, centers);
            size_t slice = source->slice / dim;
            for (size_t outer = 0; outer < source->n_outer; outer++)
                memcpy(form->indices + (outer * source->n_groups + group) * slice, indices + outer * slice,
                       slice);
        }
        mls_arena_free(arena);
        if (reason)
            return reason;
    }
    return NULL;
}

/* ---- Forms ----------------------------------------------------------------------------------- */

static const char *choose_groups(const struct mls_compress_setting *setting, const struct compress_work *work,
                                 const struct mls_type *type, struct source *source)
{
    bool grouped = setting->granularity == MLS_PER_GROUPED_CHANNEL;
    int64_t axis =
        grouped && setting->channel_axis != MLS_AXIS_AUTO ? setting->channel_axis : work->output_axis;
    axis += axis < 0 ? type->rank : 0;
    if (axis < 0 || axis >= type->rank)
        return "it has no such channel axis";
    int64_t channels = type->dims[axis];
    int64_t size = grouped && setting->group_size ? setting->group_size : channels;
    if (channels % size && setting->fall_back)
        size = channels;
    if (channels % size)
        return "its channels are no multiple of group_size";
    if (size % setting->cluster_dim || channels / work->channels_divisor % setting->cluster_dim)
        return "its channels are no multiple of cluster_dim";
    source->axis = (unsigned)axis;
    source->n_groups = (size_t)(channels / size);
    source->slice = (size_t)size * inner_elems(type, source->axis);
    source->n_outer = (size_t)mls_type_elems(type) / ((size_t)channels * inner_elems(type, source->axis));
    return NULL;
}

/* Divides every element by the largest along the channel axis, as coremltools does; the scales become the
 * form's. */
static const char *normalise(struct source *source, struct weight_form *form)
{
    size_t channels = (size_t)form->type.dims[source->axis], inner = inner_elems(&form->type, source->axis);
    size_t n_scales = form->n / channels;
    enum mls_dtype dtype = form->type.dtype;
    float *largest = MLS_NEW_ARRAY(form->arena, n_scales, float);
    void *elements = mls_arena_array(form->arena, form->n, sizeof(float), 4);
    form->channel.scales = form_stored(form, n_scales, sizeof(float));
    if (!largest || !elements || !form->channel.scales)
        return compress_no_memory;
    float value;
    for (size_t i = 0; i < form->n; i++) {
        size_t scale = i / (channels * inner) * inner + i % inner;
        form_load(form->plain, dtype, i, 1, &value);
        largest[scale] = fabsf(value) > largest[scale] ? fabsf(value) : largest[scale];
    }
    for (size_t i = 0; i < n_scales; i++)
        largest[i] = largest[i] > 0 ? largest[i] : 1;
    form_store(form->channel.scales, dtype, 0, n_scales, largest);
    for (size_t i = 0; i < form->n; i++) {
        form_load(form->plain, dtype, i, 1, &value);
        value /= largest[i / (channels * inner) * inner + i % inner];
        form_store(elements, dtype, i, 1, &value);
    }
    form->channel.type = form->type;
    form->channel.type.dims[source->axis] = 1;
    source->elements = elements;
    /* errors count by what they are after multiplication */
    source->importance_inner = source->axis == 0 ? 1 : channels;
    source->importance_dim = n_scales;
    double *importance =
        source->axis == 0 || inner == 1 ? MLS_NEW_ARRAY(form->arena, n_scales, double) : NULL;
    for (size_t i = 0; importance && i < n_scales; i++)
        importance[i] = (double)largest[i] * (double)largest[i];
    source->importance = importance;
    return NULL;
}

static bool make_room(const struct source *source, unsigned bits, struct weight_form *form)
{
    int64_t cluster_dim = source->setting->cluster_dim;
    unsigned rank = form->type.rank;
    form->bits = bits;
    form->tables =
        (struct mls_type){.kind = MLS_KIND_TENSOR, .dtype = source->dtype, .rank = (uint8_t)(rank + 2)};
    for (unsigned i = 0; i < rank; i++)
        form->tables.dims[i] = i == source->axis ? (int64_t)source->n_groups : 1;
    form->tables.dims[rank] = (int64_t)1 << bits;
    form->tables.dims[rank + 1] = cluster_dim;
    static const enum mls_dtype dtypes[] = {
        [1] = MLS_UINT1, [2] = MLS_UINT2, [3] = MLS_UINT3, [4] = MLS_UINT4, [6] = MLS_UINT6, [8] = MLS_UINT8};
    form->indices_type = form->type;
    form->indices_type.dtype = dtypes[bits];
    form->indices_type.dims[source->axis] /= cluster_dim;
    form->vector_axis = cluster_dim > 1 ? (int)source->axis : -1;
    form->table = form_stored(form, (size_t)mls_type_elems(&form->tables), sizeof(float));
    form->indices = mls_arena_alloc(form->arena, (size_t)mls_type_elems(&form->indices_type), 1);
    return form->table && form->indices;
}

static const char *palettize(struct source *source, struct weight_form *form)
{
    struct distinct distinct;
    if (!distinct_create(&distinct, form->arena))
        return compress_no_memory;
    unsigned bits = source->setting->nbits;
    const char *reason = NULL;
    if (!bits && source->setting->cluster_dim == 1)
        reason = count_unique(source, &distinct, &bits);
    else if (!bits)
        bits = 8;
    if (!reason && !make_room(source, bits, form))
        reason = compress_no_memory;
    if (!reason)
        reason = source->setting->cluster_dim > 1 ? palettize_vectors(source, form)
                                                  : palettize_elements(source, &distinct, form);
    distinct_done(&distinct);
    if (reason)
        form->bits = 0;
    return reason;
}

const char *apply_palettize(const struct mls_compress_setting *setting, const struct compress_work *work,
                            struct weight_form *form)
{
    struct source source = {
        .setting = setting, .work = work, .form = form, .elements = form->plain, .dtype = form->type.dtype};
    if (form->bits)
        return "it is palettized already";
    if (form->type.rank + 2 > MLS_RANK_MAX)
        return "it has too many dimensions for palettes";
    const char *reason = choose_groups(setting, work, &form->type, &source);
    if (reason)
        return reason;
    if (form->mask && setting->cluster_dim > 1)
        return "vectors of a pruned weight cannot be palettized";
    bool through = form->integers == FORM_DATA;
    if (through && setting->per_channel_scale)
        return "it is quantized: its integers have scales already";
    if (through) {
        source.elements = form->data;
        source.dtype = form->quant.dtype;
    } else if (setting->per_channel_scale) {
        reason = normalise(&source, form);
    } else if (work->importance && setting->cluster_dim == 1) {
        source.importance = work->importance;
        source.importance_inner = inner_elems(&form->type, work->input_axis);
        source.importance_dim = (size_t)form->type.dims[work->input_axis];
    }
    double pruned = form->mask ? form->noise : 0; /* what is not kept adds nothing to what follows */
    if (!reason)
        reason = palettize(&source, form);
    if (reason)
        return reason;
    form->noise += pruned;
    form->integers = through ? FORM_THROUGH : FORM_NO_INTEGERS;
    bool scored = !through && !source.importance && setting->cluster_dim == 1 &&
                  (!form->mask || source.dtype == MLS_FP16);
    return scored || form_score(form) ? NULL : compress_no_memory;
}
