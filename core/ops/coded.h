/* coded.h: compressed constants as weights in their stored form (matvec.h). */
#pragma once

#include "kernels/matvec/matvec.h"
#include "ops/op.h"

/*
 * mls_code_scaled: a matrix of integers of 4 or 8 bits with scales and offsets for blocks of rows and terms,
 * by NumPy's shape rules; offset may be NULL. False when it is no such matrix. Memory from `arena`.
 */
bool mls_code_scaled(const struct mls_tensor *data, const struct mls_type *scale_shape,
                     const struct mls_tensor *scale, const struct mls_tensor *offset, struct mls_arena *arena,
                     struct mls_coded *ret_coded);

/* mls_code_palette: a matrix of codes of 1, 2, 3 or 4 bits into one table of numbers for each block of rows.
 */
bool mls_code_palette(const struct mls_type *dense, const void *codes, unsigned bits,
                      const struct mls_tensor *tables, int64_t n_tables, struct mls_arena *arena,
                      struct mls_coded *ret_coded);
