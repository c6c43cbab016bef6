/*
 * vectors.h: what models over feature vectors share. A vector arrives as one or several values, numbers or
 * arrays of them, whose elements follow one another; it is computed with in double precision, as Core ML
 * does.
 */
#pragma once

#include "ops/op.h"

#define MLS_T_FEATURE                                                                 \
    (MLS_T_NUMBER | MLS_T_BOOL | MLS_DTYPE_BIT(MLS_FP64) | MLS_DTYPE_BIT(MLS_INT64) | \
     MLS_DTYPE_BIT(MLS_UINT64))
#define MLS_T_LABEL (MLS_T_TEXT | MLS_DTYPE_BIT(MLS_INT64))

/* vector_length: elements of all values of a parameter; -1 when a shape is not known. */
int64_t vector_length(const struct mls_op_call *call, unsigned param);

/* vector_read: all elements of a parameter into out[vector_length()]. */
void vector_read(const struct mls_op_call *call, unsigned param, double *out);

/* vector_scratch: scratch_bytes of rows that read parameter 0 into scratch. */
size_t vector_scratch(const struct mls_op_call *call, const struct mls_op_env *env);

/* constant_length: elements of a constant parameter; 0 when it was left out. */
int64_t constant_length(const struct mls_op_call *call, unsigned param);

/* constant_doubles, _ints, _bytes: the data of a constant parameter whose type the row's parameters fix. */
const double *constant_doubles(const struct mls_op_call *call, unsigned param);
const int32_t *constant_ints(const struct mls_op_call *call, unsigned param);
const uint8_t *constant_bytes(const struct mls_op_call *call, unsigned param);

/*
 * vector_infer_numbers: output 0 is fp64: a scalar when there is one number and the program declares a
 * scalar, else a vector of n.
 */
enum mls_status vector_infer_numbers(const struct mls_op_call *call, int64_t n, struct mls_error *reterr);

/* labels_infer: output 0 is the label, output 1 the scores by label, of constant labels in a parameter. */
enum mls_status labels_infer(const struct mls_op_call *call, unsigned labels, struct mls_error *reterr);

/* labels_put: the label at `best`, and the scores of all. */
void labels_put(const struct mls_op_call *call, unsigned labels, size_t best, const double *scores);

/* labels_best: index of the greatest of n scores, the first of equals; NaN is never the greatest. */
size_t labels_best(const double *scores, size_t n);

/* vector_softmax: of n numbers in place. */
void vector_softmax(double *values, size_t n);
