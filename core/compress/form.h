/*
 * form.h: a weight in compressed form: a mask of its nonzero elements, indices into palettes, integers with
 * scales, or a joint of them. What goes into the package as it is lies in `stored`, which outlives the work on
 * a weight; everything else in `arena`, which ends with it. No two threads share either.
 */
#pragma once

#include "base/arena.h"
#include "core/model.h"
#include "core/tensor.h"
#include "kernels/kernels.h"

/* What the integers of a form stand for. */
enum form_integers {
    FORM_NO_INTEGERS,
    FORM_DATA,   /* one for each element */
    FORM_TABLES, /* entries of the palettes: palettized, then quantized */
    FORM_THROUGH /* one for each element, which the palettes give: quantized, then palettized */
};

/* Scales and offsets for blocks of a tensor, as constexpr_blockwise_shift_scale takes them. */
struct form_scales {
    struct mls_type type; /* of the scales: one for each block */
    void *scales;         /* elements of the weight's type */
    enum mls_dtype dtype; /* of the integers */
    uint8_t *offsets;     /* integers as bytes, one for each block, or NULL: 0 */
};

struct weight_form {
    struct mls_arena *arena;
    struct mls_arena *stored;
    struct mls_type type; /* of the dense weight: fp16 or fp32 */
    const void *plain;    /* the weight before, borrowed */
    size_t n;             /* elements */

    uint8_t *mask; /* packed bits, set where the element is kept; NULL: all are */
    size_t n_kept;

    unsigned bits;          /* of an index; 0: no palettes */
    struct mls_type tables; /* rank + 2: palettes by group, entries, elements of an entry */
    void *table;            /* elements of the weight's type; with TABLES and THROUGH: integers as bytes */
    struct mls_type indices_type; /* the weight's dims, the vector axis divided; dtype UINT<bits> */
    uint8_t *indices;             /* one byte each; in `arena` */
    int vector_axis;              /* -1 for palettes of single elements */
    struct form_scales channel;   /* per-channel scale over palettes; scales NULL: none */

    enum form_integers integers;
    uint8_t *data; /* DATA: integers as bytes; of 4 bits in `arena`: they are packed anew */
    struct form_scales quant;

    double signal; /* sum of squares of `plain` */
    double noise;  /* sum of squares of the differences to it */
};

/* What compressors may use for one weight. */
struct compress_work {
    const struct mls_kernels *kernels;
    unsigned input_axis; /* of channels, by the operations that use the weight */
    unsigned output_axis;
    bool structured;          /* used as weight of conv and linear only: blocks and n:m may be pruned */
    int64_t channels_divisor; /* cluster_dim divides dims[output_axis] / channels_divisor: groups of
                                 convolutions */
    const double *importance; /* of the elements along input_axis, or NULL: all alike */
};

/* Returned by compressors: there was not enough memory. */
extern const char compress_no_memory[];

/* form_values: the dense weight that the form stands for, into ret[n], rounded as it is when it is
 * decompressed. False when out of memory. */
bool form_values(const struct weight_form *form, float *ret);

/* form_score: computes `noise`. False when out of memory. */
bool form_score(struct weight_form *form);

/* form_is_plain: nothing was compressed. */
static inline bool form_is_plain(const struct weight_form *form)
{
    return !form->mask && !form->bits && form->integers == FORM_NO_INTEGERS;
}

/* form_stored: zeroed memory for n elements of what goes into the package; NULL when out of it. */
void *form_stored(const struct weight_form *form, size_t n, size_t element_bytes);

/* form_load: n elements of a weight's type from index `first` on as fp32. */
void form_load(const void *elements, enum mls_dtype dtype, size_t first, size_t n, float *ret);

/* form_store: the same back, rounded to nearest even. */
void form_store(void *elements, enum mls_dtype dtype, size_t first, size_t n, const float *values);

/* form_integer: an integer of a form by its byte. */
static inline int form_integer(enum mls_dtype dtype, uint8_t byte)
{
    return dtype == MLS_INT8 || dtype == MLS_INT4 ? (int8_t)byte : byte;
}

static inline bool form_kept(const struct weight_form *form, size_t index)
{
    return !form->mask || form->mask[index / 8] >> index % 8 & 1;
}
