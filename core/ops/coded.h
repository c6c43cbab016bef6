/* coded.h: compressed constants as matrices in their stored form (kernels/coded/coded.h). */
#pragma once

#include "kernels/coded/coded.h"
#include "ops/op.h"

/* mls_code_values: a matrix of the shape of `dense` of fp16 numbers; false when it is none. */
bool mls_code_values(const struct mls_type *dense, const struct mls_tensor *values, struct mls_coded *ret_coded);

/* mls_code_integers: a matrix of the shape of `dense` of integers of 4 or 8 bits; false when it is none. */
bool mls_code_integers(const struct mls_type *dense, const struct mls_tensor *data, struct mls_coded *ret_coded);

/*
 * mls_code_scale: scales and offsets for blocks of rows and columns, by the shape of `blocks`; offset may be NULL,
 * or one number. False when it is coded with scales already, or they are no fp16. Memory from `arena`.
 */
bool mls_code_scale(const struct mls_type *blocks, const struct mls_tensor *scale, const struct mls_tensor *offset,
                    struct mls_arena *arena, struct mls_coded *coded);

/* Indices into tables: [n_rows tables][n_cols tables][1 << bits][n_vector]; the axis of vectors is 0 or 1. */
struct mls_code_indices {
    const void *indices;
    unsigned bits;
    const struct mls_tensor *tables;
    int64_t table_rows, table_cols, n_vector;
    unsigned vector_axis;
};

/* mls_code_indices: a matrix of indices of the shape of `dense`; false when it is none. */
bool mls_code_indices(const struct mls_type *dense, const struct mls_code_indices *indices,
                      struct mls_coded *ret_coded);

/* mls_code_mask: of `coded`, only the elements of the mask are stored. Memory from `arena`. */
bool mls_code_mask(const uint8_t *mask, struct mls_arena *arena, struct mls_coded *coded);
