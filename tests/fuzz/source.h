/* source.h: the bytes of an input as choices: numbers, element types and texts for operations. Bytes that are used up are
 * zeros. */
#pragma once

#include <math.h>
#include <stdint.h>

#include "ops/op.h"

/* Every text that an operation compares with, and some equations. */
static const char *const texts[] = {"valid",
                                    "same",
                                    "same_lower",
                                    "custom",
                                    "constant",
                                    "reflect",
                                    "replicate",
                                    "fp16",
                                    "fp32",
                                    "int32",
                                    "int8",
                                    "uint8",
                                    "int16",
                                    "uint16",
                                    "bool",
                                    "STRICT_ALIGN_CORNERS",
                                    "ALIGN_CORNERS",
                                    "UNALIGN_CORNERS",
                                    "DEFAULT",
                                    "OFFSET_CORNERS",
                                    "CORNERS_HEIGHT_FIRST",
                                    "CORNERS_WIDTH_FIRST",
                                    "CENTER_SIZE_HEIGHT_FIRST",
                                    "CENTER_SIZE_WIDTH_FIRST",
                                    "add",
                                    "sub",
                                    "mul",
                                    "div",
                                    "max",
                                    "min",
                                    "update",
                                    "forward",
                                    "reverse",
                                    "bidirectional",
                                    "tanh",
                                    "sigmoid",
                                    "relu",
                                    "linear",
                                    "scaled_tanh",
                                    "sigmoid_hard",
                                    "hard_sigmoid",
                                    "EXACT",
                                    "TANH_APPROXIMATION",
                                    "SIGMOID_APPROXIMATION",
                                    "nearest",
                                    "bilinear",
                                    "zeros",
                                    "border",
                                    "symmetric",
                                    "normalized_minus_one_to_one",
                                    "normalized_zero_to_one",
                                    "unnormalized",
                                    "probs",
                                    "logits",
                                    "LINEAR",
                                    "NEAREST_NEIGHBOR",
                                    "PIXEL",
                                    "ij,jk->ik",
                                    "nchw,nwhu->nchu",
                                    "bij,bjk->bik",
                                    "ii->i",
                                    "abc,cd->abd",
                                    "a,b->ab"};
enum { N_TEXTS = sizeof texts / sizeof texts[0] };

/* The bytes, and how many of them are used up. */
struct source {
    const uint8_t *data;
    size_t size_bytes, at;
};

/* take: the next byte, below n. */
static inline unsigned take(struct source *source, unsigned n)
{
    return source->at < source->size_bytes ? source->data[source->at++] % n : 0;
}

/* Mostly small multiples of 1/8; now and then what breaks arithmetic. */
static inline double take_number(struct source *source)
{
    static const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e30, -1e30, 1e-40,
                                 65504,       2147483647};
    unsigned byte = take(source, 256);
    return byte < 248 ? ((int)byte - 124) / 8.0 : odd[byte - 248];
}

static inline int64_t take_integer(struct source *source)
{
    static const int64_t odd[] = {INT32_MAX, INT32_MIN, 1000, -1000};
    unsigned byte = take(source, 64);
    return byte < 60 ? (int64_t)(byte % 12) - 3 : odd[byte - 60];
}

/* take_dtype: one of the set. */
static inline enum mls_dtype take_dtype(struct source *source, mls_dtype_set types)
{
    enum mls_dtype allowed[MLS_DTYPE_COUNT];
    unsigned n = 0;
    for (unsigned dtype = MLS_FP16; dtype < MLS_DTYPE_COUNT; dtype++)
        if (types & MLS_DTYPE_BIT(dtype))
            allowed[n++] = (enum mls_dtype)dtype;
    return n ? allowed[take(source, n)] : MLS_FP32;
}
