/*
 * distinct.h: the distinct values of a set of elements, with their weights, and the way back from elements to
 * them. Elements of up to 16 bits are counted in a table; fp32 elements are sorted, and merged where there
 * are more distinct ones than clustering takes.
 */
#pragma once

#include "base/arena.h"
#include "core/dtype.h"

enum { DISTINCT_MAX = 65536 };

struct distinct {
    struct mls_arena *arena; /* of its own */
    enum mls_dtype dtype;
    double *values; /* ascending; -0 is 0 */
    double *weights;
    uint8_t *indices; /* what the caller gives every distinct value */
    size_t n;
    /* small elements */
    double *by_key;   /* weights by the key of an element, in order of value */
    uint32_t *counts; /* the same for elements of weight 1 */
    uint16_t *keys;   /* of every distinct value */
    uint8_t *index_by_key;
    /* fp32 */
    float *sorted; /* the elements added */
    double *sorted_weights;
    size_t n_sorted;
    size_t capacity;
    bool weighted;
};

/* distinct_create: false when out of memory; freed with distinct_done. As secret as `beside`. */
bool distinct_create(struct distinct *distinct, const struct mls_arena *beside);
void distinct_done(struct distinct *distinct);

/* distinct_begin: forgets what was added; up to n_max elements will be. fp16, fp32, and 4- and 8-bit integers
 * as bytes. */
void distinct_begin(struct distinct *distinct, enum mls_dtype dtype, size_t n_max);

/* distinct_add: elements [first, first + n) with weight 1; distinct_add_one: one with another weight. False
 * when out of memory. */
bool distinct_add(struct distinct *distinct, const void *elements, const uint8_t *mask, size_t first,
                  size_t n);
bool distinct_add_one(struct distinct *distinct, const void *elements, size_t index, double weight);

/* distinct_finish: fills values, weights and n. False when out of memory. */
bool distinct_finish(struct distinct *distinct);

/*
 * distinct_look_up: what `indices` has for elements [first, first + n) of up to 16 bits, after distinct_index
 * has noted it; elements that were not added give that of a neighbouring value.
 */
void distinct_index(struct distinct *distinct);
void distinct_look_up(const struct distinct *distinct, const void *elements, size_t first, size_t n,
                      uint8_t *ret);
