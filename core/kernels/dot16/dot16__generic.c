/* dot16__generic.c: what every other instruction set has to compute, bit by bit. */
#include "kernels/dot16/dot16.h"

#include <math.h>

#include "base/fp16.h"

static float value_at(const struct mls_dot16_source *source, size_t term, size_t col)
{
    size_t at = term * source->stride + col;
    float value = source->fp16 ? mls_fp16_to_fp32(((const uint16_t *)source->data)[at])
                               : ((const float *)source->data)[at];
    return value * source->term_scales[term];
}

static void measure__generic(const struct mls_dot16_source *source, struct mls_dot16_measure *ret)
{
    *ret = (struct mls_dot16_measure){0};
    for (size_t c = 0; c < source->n_cols; c++) {
        float sum = 0;
        for (size_t t = 0; t < source->n_terms; t++) {
            float square = value_at(source, t, c) * value_at(source, t, c);
            ret->square = square > ret->square ? square : ret->square;
            sum += square;
        }
        if (!(sum <= ret->column_square)) /* a NaN stays */
            ret->column_square = isnan(ret->column_square) ? ret->column_square : sum;
    }
}

static void quantize__generic(const struct mls_dot16_source *source, float scale, size_t vectors,
                              int16_t *ret)
{
    size_t width = vectors * MLS_DOT16_LANES;
    for (size_t t = 0; t < (source->n_terms + 1) / 2 * 2; t++)
        for (size_t c = 0; c < width; c++) {
            bool exists = t < source->n_terms && c < source->n_cols;
            ret[(t / 2 * width + c) * 2 + t % 2] =
                (int16_t)(exists ? lrintf(value_at(source, t, c) * scale) : 0);
        }
}

static int32_t dot(const struct mls_dot16_tile *tile, size_t row, size_t col)
{
    size_t width = tile->vectors * MLS_DOT16_LANES;
    int32_t sum = 0;
    for (size_t p = 0; p < tile->n_pairs; p++) {
        const int16_t *a = tile->a + (p * MLS_DOT16_ROWS + row) * 2, *b = tile->b + (p * width + col) * 2;
        sum += a[0] * b[0] + a[1] * b[1];
    }
    return sum;
}

static void finish(const struct mls_dot16_tile *tile, size_t row, size_t col, float sum)
{
    float value = fmaf(sum, tile->row_scales[row], tile->bias[row]);
    size_t at = row * tile->y_stride + col;
    if (tile->added)
        value = mls_fp16_to_fp32(mls_fp32_to_fp16(value)) + mls_fp16_to_fp32(tile->added[at]);
    value = value > tile->low ? value : tile->low;
    value = value < tile->high ? value : tile->high;
    if (tile->fp16)
        ((uint16_t *)tile->y)[at] = mls_fp32_to_fp16(value);
    else
        ((float *)tile->y)[at] = value;
}

static void tile__generic(const struct mls_dot16_tile *tile)
{
    size_t width = tile->vectors * MLS_DOT16_LANES;
    for (size_t r = 0; r < MLS_DOT16_ROWS; r++)
        for (size_t c = 0; c < width; c++) {
            float value = (float)dot(tile, r, c);
            float sum =
                tile->first ? value * tile->scale : fmaf(value, tile->scale, tile->sums[r * width + c]);
            if (!tile->last)
                tile->sums[r * width + c] = sum;
            else if (r < tile->n_rows && c < tile->n_cols)
                finish(tile, r, c, sum);
        }
}

const struct mls_dot16_kernels mls_dot16__generic = {.name_conv = "conv_fp16_dot16__generic",
                                                     .name_pointwise = "conv_fp16_dot16_pointwise__generic",
                                                     .name_winograd = "conv_fp16_dot16_winograd_2x2__generic",
                                                     .measure = measure__generic,
                                                     .quantize = quantize__generic,
                                                     .tile = tile__generic};
