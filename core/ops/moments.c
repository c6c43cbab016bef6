#include "ops/moments.h"

/* Rows whose fp32 sums join the doubles. */
enum { BLOCK_ROWS = 128 };

struct mls_reduce_source mls_reduce_source_of(const struct mls_tensor *x, const struct mls_axes *axes,
                                              const struct mls_kernels *kernels)
{
    bool half = x->type.dtype == MLS_FP16;
    return (struct mls_reduce_source){.x = x->data,
                                      .elem_bytes = half ? 2 : 4,
                                      .axes = axes,
                                      .kernels = half ? kernels->reduce->fp16 : kernels->reduce->fp32};
}

double mls_reduce_one(const struct mls_reduce_source *source, enum mls_reduce reduce, int64_t row,
                      float shift)
{
    const struct mls_axes *axes = source->axes;
    int64_t base = mls_axes_kept(axes, row);
    double total = mls_reduce_identity(reduce);
    for (int64_t r = 0; axes->inner && r < axes->reduced; r++) {
        const char *from = source->x + (size_t)(base + mls_axes_reduced(axes, r)) * source->elem_bytes;
        total = mls_reduce_join(reduce, total, source->kernels[reduce].row(from, (size_t)axes->inner, shift));
    }
    return total;
}

void mls_reduce_block(const struct mls_reduce_source *source, enum mls_reduce reduce, int64_t kept,
                      int64_t column, int64_t n, const float *shifts, double *ret)
{
    const struct mls_axes *axes = source->axes;
    int64_t base = mls_axes_kept(axes, kept) + column;
    double identity = mls_reduce_identity(reduce);
    int64_t rows_at_once =
        reduce == MLS_REDUCE_PROD ? 1 : BLOCK_ROWS; /* partial products might overflow fp32 */
    float partial[MLS_COLUMN_BLOCK];
    for (int64_t i = 0; i < n; i++)
        ret[i] = identity;
    for (int64_t first = 0; first < axes->reduced; first += rows_at_once) {
        int64_t last = first + rows_at_once < axes->reduced ? first + rows_at_once : axes->reduced;
        for (int64_t i = 0; i < n; i++)
            partial[i] = (float)identity;
        for (int64_t r = first; r < last; r++) {
            const char *from = source->x + (size_t)(base + mls_axes_reduced(axes, r)) * source->elem_bytes;
            source->kernels[reduce].columns(from, partial, (size_t)n, shifts);
        }
        for (int64_t i = 0; i < n; i++)
            ret[i] = mls_reduce_join(reduce, ret[i], (double)partial[i]);
    }
}
