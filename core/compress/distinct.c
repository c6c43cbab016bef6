#include "compress/distinct.h"

#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"

enum { KEYS = 65536 };

/* fp16 in order of value: negative ones turned round, below the positive ones; -0 is 0. */
static inline uint16_t key_of_fp16(uint16_t half)
{
    return half & 0x8000u ? (uint16_t)(0x8000u - (half & 0x7fffu)) : (uint16_t)(half | 0x8000u);
}

static inline float value_of_fp16(uint16_t key)
{
    return mls_fp16_to_fp32(key & 0x8000u ? (uint16_t)(key & 0x7fffu)
                                          : (uint16_t)(0x8000u | (0x8000u - key)));
}

static inline uint16_t key_of(const struct distinct *distinct, const void *elements, size_t index)
{
    switch (distinct->dtype) {
    case MLS_FP16:
        return key_of_fp16(((const uint16_t *)elements)[index]);
    case MLS_INT8:
    case MLS_INT4:
        return (uint16_t)(0x8000 + ((const int8_t *)elements)[index]);
    default:
        return (uint16_t)(0x8000 + ((const uint8_t *)elements)[index]);
    }
}

static double value_of(const struct distinct *distinct, uint16_t key)
{
    return distinct->dtype == MLS_FP16 ? (double)value_of_fp16(key) : (double)(key - 0x8000);
}

bool distinct_create(struct distinct *distinct, const struct mls_arena *beside)
{
    *distinct = (struct distinct){.arena = mls_arena_create_beside(beside)};
    if (!distinct->arena)
        return false;
    distinct->values = MLS_NEW_ARRAY(distinct->arena, DISTINCT_MAX, double);
    distinct->weights = MLS_NEW_ARRAY(distinct->arena, DISTINCT_MAX, double);
    distinct->counts = MLS_NEW_ARRAY(distinct->arena, KEYS, uint32_t);
    distinct->keys = MLS_NEW_ARRAY(distinct->arena, DISTINCT_MAX, uint16_t);
    distinct->indices = mls_arena_alloc(distinct->arena, DISTINCT_MAX, 1);
    distinct->index_by_key = mls_arena_alloc(distinct->arena, KEYS, 1);
    if (distinct->values && distinct->weights && distinct->counts && distinct->keys && distinct->indices &&
        distinct->index_by_key)
        return true;
    distinct_done(distinct);
    return false;
}

void distinct_done(struct distinct *distinct)
{
    mls_arena_free(distinct->arena);
    *distinct = (struct distinct){0};
}

void distinct_begin(struct distinct *distinct, enum mls_dtype dtype, size_t n_max)
{
    distinct->dtype = dtype;
    distinct->n = distinct->n_sorted = 0;
    distinct->weighted = false;
    if (dtype == MLS_FP32 && n_max > distinct->capacity) {
        distinct->sorted = MLS_NEW_ARRAY(distinct->arena, n_max, float);
        distinct->sorted_weights = MLS_NEW_ARRAY(distinct->arena, n_max, double);
        distinct->capacity = distinct->sorted && distinct->sorted_weights ? n_max : 0;
    }
    memset(distinct->counts, 0, KEYS * sizeof *distinct->counts);
    if (distinct->by_key)
        memset(distinct->by_key, 0, KEYS * sizeof *distinct->by_key);
}

static bool add_fp32(struct distinct *distinct, const float *elements, const uint8_t *mask, size_t first,
                     size_t n)
{
    if (n > distinct->capacity - distinct->n_sorted)
        return false;
    for (size_t i = first; i < first + n; i++) {
        if (mask && !(mask[i / 8] >> i % 8 & 1))
            continue;
        distinct->sorted[distinct->n_sorted] = elements[i];
        distinct->sorted_weights[distinct->n_sorted++] = 1;
    }
    return true;
}

bool distinct_add(struct distinct *distinct, const void *elements, const uint8_t *mask, size_t first,
                  size_t n)
{
    if (distinct->dtype == MLS_FP32)
        return add_fp32(distinct, elements, mask, first, n);
    if (distinct->dtype == MLS_FP16) {
        const uint16_t *halves = elements;
        for (size_t i = first; i < first + n; i++)
            distinct->counts[key_of_fp16(halves[i])] += mask ? mask[i / 8] >> i % 8 & 1u : 1;
        return true;
    }
    for (size_t i = first; i < first + n; i++)
        distinct->counts[key_of(distinct, elements, i)] += mask ? mask[i / 8] >> i % 8 & 1u : 1;
    return true;
}

bool distinct_add_one(struct distinct *distinct, const void *elements, size_t index, double weight)
{
    distinct->weighted = true;
    if (distinct->dtype == MLS_FP32) {
        if (distinct->n_sorted == distinct->capacity)
            return false;
        distinct->sorted[distinct->n_sorted] = ((const float *)elements)[index];
        distinct->sorted_weights[distinct->n_sorted++] = weight;
        return true;
    }
    if (!distinct->by_key && !(distinct->by_key = MLS_NEW_ARRAY(distinct->arena, KEYS, double)))
        return false;
    distinct->by_key[key_of(distinct, elements, index)] += weight;
    return true;
}

/* ---- fp32: sorted ---------------------------------------------------------------------------- */

struct weighted {
    float value;
    double weight;
};

static int compare_values(const void *a, const void *b)
{
    float x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;
    return (x > y) - (x < y);
}

/* Sorts the elements with their weights. */
static bool sort(struct distinct *distinct)
{
    struct mls_arena *arena = mls_arena_create_beside(distinct->arena);
    struct weighted *pairs = arena ? MLS_NEW_ARRAY(arena, distinct->n_sorted, struct weighted) : NULL;
    if (pairs) {
        for (size_t i = 0; i < distinct->n_sorted; i++)
            pairs[i] = (struct weighted){distinct->sorted[i] + 0.0f, distinct->sorted_weights[i]};
        qsort(pairs, distinct->n_sorted, sizeof *pairs, compare_values);
        for (size_t i = 0; i < distinct->n_sorted; i++) {
            distinct->sorted[i] = pairs[i].value;
            distinct->sorted_weights[i] = pairs[i].weight;
        }
    }
    mls_arena_free(arena);
    return pairs != NULL;
}

static size_t count_distinct(const struct distinct *distinct)
{
    size_t n = distinct->n_sorted > 0;
    for (size_t i = 1; i < distinct->n_sorted; i++)
        n += distinct->sorted[i] != distinct->sorted[i - 1];
    return n;
}

/* Merges runs of as many elements each as it takes, equal ones together; a merged value is their mean. */
static void merge(struct distinct *distinct)
{
    bool all = count_distinct(distinct) <= DISTINCT_MAX;
    size_t each = all ? 1 : distinct->n_sorted / (DISTINCT_MAX / 2) + 1;
    for (size_t i = 0; i < distinct->n_sorted;) {
        size_t end = i + each < distinct->n_sorted ? i + each : distinct->n_sorted;
        while (end < distinct->n_sorted && distinct->sorted[end] == distinct->sorted[end - 1])
            end++;
        double weight = 0, sum = 0;
        for (size_t j = i; j < end; j++) {
            weight += distinct->sorted_weights[j];
            sum += distinct->sorted_weights[j] * (double)distinct->sorted[j];
        }
        if (weight > 0) {
            distinct->values[distinct->n] = sum / weight;
            distinct->weights[distinct->n++] = weight;
        }
        i = end;
    }
}

bool distinct_finish(struct distinct *distinct)
{
    if (distinct->dtype == MLS_FP32) {
        if (!sort(distinct))
            return false;
        merge(distinct);
        return true;
    }
    for (size_t key = 0; key < KEYS; key++) {
        double weight = distinct->weighted ? distinct->by_key[key] : (double)distinct->counts[key];
        if (!(weight > 0))
            continue;
        distinct->values[distinct->n] = value_of(distinct, (uint16_t)key);
        distinct->weights[distinct->n] = weight;
        distinct->keys[distinct->n++] = (uint16_t)key;
    }
    return true;
}

/* ---- The way back ---------------------------------------------------------------------------- */

void distinct_index(struct distinct *distinct)
{
    size_t key = 0;
    for (size_t i = 0; i < distinct->n; i++) {
        size_t end = i + 1 < distinct->n ? (size_t)distinct->keys[i] + 1 : KEYS;
        memset(distinct->index_by_key + key, distinct->indices[i], end - key);
        key = end;
    }
}

void distinct_look_up(const struct distinct *distinct, const void *elements, size_t first, size_t n,
                      uint8_t *ret)
{
    if (distinct->dtype == MLS_FP16) {
        const uint16_t *halves = (const uint16_t *)elements + first;
        for (size_t i = 0; i < n; i++)
            ret[i] = distinct->index_by_key[key_of_fp16(halves[i])];
        return;
    }
    for (size_t i = 0; i < n; i++)
        ret[i] = distinct->index_by_key[key_of(distinct, elements, first + i)];
}
