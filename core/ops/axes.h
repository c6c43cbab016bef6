/* axes.h: a tensor seen by the axes that an operation reduces over: neighbouring axes of the same kind are
 * one. */
#pragma once

#include "ops/op.h"

/*
 * The innermost group is either reduced ("rows": each result needs contiguous elements) or kept ("columns":
 * neighbouring results lie side by side). Strides are in elements. Groups but the innermost are enumerated in
 * row-major order.
 */
struct mls_axes {
    bool rows;
    int64_t inner;              /* elements of the innermost group */
    unsigned n_kept, n_reduced; /* other groups of each kind */
    int64_t kept_dims[MLS_RANK_MAX], kept_strides[MLS_RANK_MAX];
    int64_t reduced_dims[MLS_RANK_MAX], reduced_strides[MLS_RANK_MAX];
    int64_t kept;    /* product of kept_dims */
    int64_t reduced; /* product of reduced_dims */
};

/* mls_axes_plan: of a static type; `reduced` has bit i set when axis i is reduced. */
struct mls_axes mls_axes_plan(const struct mls_type *type, uint32_t reduced);

/* mls_axes_kept, _reduced: offset of an index below axes->kept or axes->reduced. */
int64_t mls_axes_kept(const struct mls_axes *axes, int64_t index);
int64_t mls_axes_reduced(const struct mls_axes *axes, int64_t index);

/* mls_axes_count: elements that one result is made of. */
int64_t mls_axes_count(const struct mls_axes *axes);

/*
 * mls_axes_param: the axes of a parameter ("axes") as bits; all of them when it was left out. False with an
 * error when one lies outside the rank or is named twice.
 */
enum mls_status mls_axes_param(const struct mls_op_call *call, unsigned param, unsigned rank,
                               uint32_t *ret_reduced, struct mls_error *reterr);

enum { MLS_COLUMN_BLOCK = 256 }; /* columns that are worked on together */

/* A task over results: of rows [first, last), or of `n` columns from `column` of the kept group `first`. */
typedef void mls_axes_rows(void *context, int64_t first, int64_t last, uint32_t thread);
typedef void mls_axes_columns(void *context, int64_t kept, int64_t column, int64_t n, uint32_t thread);

/* mls_axes_for: runs one of the two, by axes->rows, over all results on the pool. */
void mls_axes_for(const struct mls_axes *axes, struct mls_pool *pool, mls_axes_rows *rows,
                  mls_axes_columns *columns, void *context);
