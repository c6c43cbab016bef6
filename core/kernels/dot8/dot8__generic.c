/* dot8__generic.c: what every other instruction set has to compute, bit by bit. */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "kernels/dot8/dot8.h"

static uint8_t byte_of(uint16_t half, const struct mls_dot8_rounding *rounding)
{
    const float bound = 1024; /* beyond it the result saturates whatever zero is */
    float value = mls_fp16_to_fp32(half) / rounding->scale;
    value = value == value ? value : 0;
    value = fminf(fmaxf(value, -bound), bound);
    int32_t integer = (int32_t)lrintf(value) + rounding->zero;
    return (uint8_t)(integer < 0 ? 0 : integer > 255 ? 255 : integer);
}

static void quantize__generic(const struct mls_dot8_block *block, const struct mls_dot8_rounding *rounding, size_t stride,
                              uint8_t *ret)
{
    for (size_t p = 0; p < block->n_planes; p++)
        for (size_t l = 0; l < block->n_lines; l++) {
            const struct mls_dot16_line *line = &block->lines[l];
            for (size_t i = 0; i < block->width; i++) {
                bool exists = block->planes[p] && i >= line->first && i < line->end;
                uint16_t half = exists ? block->planes[p][line->at + (ptrdiff_t)(i * block->step)] : 0;
                ret[(p / MLS_DOT8_FOUR * stride + line->to + i) * MLS_DOT8_FOUR + p % MLS_DOT8_FOUR] = byte_of(half, rounding);
            }
        }
}

static void line__generic(const uint16_t *x, size_t n, const struct mls_dot8_rounding *rounding, uint8_t *ret)
{
    for (size_t i = 0; i < (n + MLS_DOT8_FOUR - 1) / MLS_DOT8_FOUR * MLS_DOT8_FOUR; i++)
        ret[i] = byte_of(i < n ? x[i] : 0, rounding);
}

/* One word; sums of lanes that are no results may wrap around. */
static uint32_t dot(const uint8_t *u, const int8_t *w)
{
    return (uint32_t)(u[0] * w[0] + u[1] * w[1] + u[2] * w[2] + u[3] * w[3]);
}

/* One row of weights, from `a` on, by one position. */
static uint32_t sum_of(const struct mls_dot8_panel *panel, const int8_t *a, size_t a_step, size_t col)
{
    uint32_t sum = 0;
    for (size_t e = 0; e < panel->n_elements; e++)
        for (size_t w = 0; w < panel->n_words; w++, a += a_step)
            sum += dot(panel->b + (w * panel->b_stride + panel->offsets[e] + col) * MLS_DOT8_FOUR, a);
    return sum;
}

static void store(const struct mls_dot8_panel *panel, size_t row)
{
    const struct mls_dot16_results *to = &panel->results;
    for (size_t v = 0; v < to->vectors; v++)
        for (size_t i = 0, at = to->places[v].at; i < MLS_DOT16_LANES; i++) {
            size_t col = v * MLS_DOT16_LANES + i;
            if (!(to->places[v].lanes >> i & 1))
                continue;
            uint32_t sum = (uint32_t)panel->sums[row * to->vectors * MLS_DOT16_LANES + col] + (uint32_t)panel->starts[row];
            if (panel->zeros)
                sum -= (uint32_t)panel->zeros[row] * (uint32_t)panel->inputs[col];
            mls_dot16_store(to, row, at++, (float)(int32_t)sum);
        }
}

static void multiply__generic(const struct mls_dot8_panel *panel)
{
    size_t width = panel->results.vectors * MLS_DOT16_LANES, rows = mls_dot16_rows(panel->results.n_rows);
    for (size_t c = 0; panel->zeros && c < width; c++)
        panel->inputs[c] = (int32_t)((panel->first ? 0 : (uint32_t)panel->inputs[c]) + sum_of(panel, panel->ones, MLS_DOT8_FOUR, c));
    for (size_t r = 0; r < rows; r++) {
        const int8_t *a = panel->a + r / MLS_DOT16_ROWS * panel->a_stride + r % MLS_DOT16_ROWS * MLS_DOT8_FOUR;
        for (size_t c = 0; c < width; c++) {
            int32_t *sum = &panel->sums[r * width + c];
            *sum = (int32_t)((panel->first ? 0 : (uint32_t)*sum) + sum_of(panel, a, MLS_DOT16_ROWS * MLS_DOT8_FOUR, c));
        }
        if (panel->last && r < panel->results.n_rows)
            store(panel, r);
    }
}

static void tile__generic(const struct mls_dot8_tile *tile)
{
    size_t width = tile->vectors * MLS_DOT16_LANES;
    for (size_t r = 0; r < tile->n_rows; r++)
        for (size_t c = 0; c < tile->n_cols; c++) {
            uint32_t sum = (uint32_t)tile->starts[c];
            for (size_t w = 0; w < tile->n_words; w++)
                sum += dot(tile->a + r * tile->a_stride + w * MLS_DOT8_FOUR, tile->b + (w * width + c) * MLS_DOT8_FOUR);
            if (tile->zeros)
                sum -= (uint32_t)tile->zeros[c] * (uint32_t)tile->inputs[r];
            tile->y[r * tile->y_stride + c] = mls_fp32_to_fp16(fmaf((float)(int32_t)sum, tile->scales[c], tile->bias[c]));
        }
}

const struct mls_dot8_kernels mls_dot8__generic = {.name_conv = "conv_int8_dot8__generic",
                                                   .name_pointwise = "conv_int8_dot8_pointwise__generic",
                                                   .name_product = "linear_int8_dot8__generic",
                                                   .quantize = quantize__generic,
                                                   .multiply = multiply__generic,
                                                   .line = line__generic,
                                                   .tile = tile__generic};
