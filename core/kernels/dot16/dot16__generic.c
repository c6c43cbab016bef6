/* dot16__generic.c: what every other instruction set has to compute, bit by bit. */
#include "kernels/dot16/dot16.h"

#include <math.h>
#include <string.h>

#include "base/fp16.h"

static float value_at(const struct mls_dot16_block *block, size_t plane, const struct mls_dot16_line *line,
                      size_t lane)
{
    if (plane >= block->n_planes || !block->planes[plane] || lane < line->first || lane >= line->end)
        return 0;
    return mls_fp16_to_fp32(block->planes[plane][line->at + (ptrdiff_t)(lane * block->step)]);
}

static float measure__generic(const struct mls_dot16_block *block, float *sums)
{
    const struct mls_dot16_line *last = &block->lines[block->n_lines - 1];
    size_t n = last->to + block->width;
    float greatest = 0;
    memset(sums, 0, n * sizeof *sums);
    for (size_t p = 0; p < block->n_planes; p++)
        for (size_t l = 0; l < block->n_lines; l++)
            for (size_t i = 0; i < block->width; i++) {
                float value = value_at(block, p, &block->lines[l], i) * block->scales[p];
                float *sum = &sums[block->lines[l].to + i];
                *sum = fmaf(value, value, *sum);
            }
    for (size_t i = 0; i < n; i++)
        if (!(sums[i] <= greatest)) /* a NaN stays */
            greatest = isnan(greatest) ? greatest : sums[i];
    return greatest;
}

static void quantize__generic(const struct mls_dot16_block *block, float scale, size_t stride, int16_t *ret)
{
    for (size_t p = 0; p < (block->n_planes + 1) / 2 * 2; p++) {
        float factor = p < block->n_planes ? block->scales[p] * scale : 0;
        for (size_t l = 0; l < block->n_lines; l++) {
            const struct mls_dot16_line *line = &block->lines[l];
            for (size_t i = 0; i < block->width; i++)
                ret[(p / 2 * stride + line->to + i) * 2 + p % 2] =
                    (int16_t)lrintf(value_at(block, p, line, i) * factor);
        }
    }
}

static int32_t dot(const struct mls_dot16_panel *panel, size_t row, size_t col)
{
    const int16_t *a = panel->a + row / MLS_DOT16_ROWS * panel->a_stride + row % MLS_DOT16_ROWS * 2;
    int32_t sum = 0;
    for (size_t e = 0; e < panel->n_elements; e++)
        for (size_t p = 0; p < panel->n_pairs; p++, a += MLS_DOT16_ROWS * 2) {
            const int16_t *b = panel->b + (p * panel->b_stride + panel->offsets[e] + col) * 2;
            /* unsigned: lanes that are no results may wrap around */
            sum = (int32_t)((uint32_t)sum + (uint32_t)(a[0] * b[0]) + (uint32_t)(a[1] * b[1]));
        }
    return sum;
}

static void multiply__generic(const struct mls_dot16_panel *panel)
{
    size_t width = panel->results.vectors * MLS_DOT16_LANES;
    for (size_t r = 0; r < (panel->results.n_rows + MLS_DOT16_ROWS - 1) / MLS_DOT16_ROWS * MLS_DOT16_ROWS; r++)
        for (size_t c = 0, at = 0; c < width; c++) {
            float value = (float)dot(panel, r, c), *sum = &panel->sums[r * width + c];
            *sum = panel->first ? value * panel->scale : fmaf(value, panel->scale, *sum);
            if (!panel->last)
                continue;
            const struct mls_dot16_place *place = &panel->results.places[c / MLS_DOT16_LANES];
            at = c % MLS_DOT16_LANES ? at : place->at;
            if (r < panel->results.n_rows && (place->lanes >> c % MLS_DOT16_LANES & 1))
                mls_dot16_store(&panel->results, r, at++, *sum);
        }
}

const struct mls_dot16_kernels mls_dot16__generic = {.name_conv = "conv_fp16_dot16__generic",
                                                     .name_pointwise = "conv_fp16_dot16_pointwise__generic",
                                                     .measure = measure__generic,
                                                     .quantize = quantize__generic,
                                                     .multiply = multiply__generic};
