#include "kernels/dot16/dot16.h"

#include <math.h>
#include <string.h>

#include "base/fp16.h"

/* Weights of 10^15 times fp16 values, and many of them: sums stay far from the end of fp32. */
#define WEIGHT_SQUARES_MAX 1e30f

struct mls_dot16_cut mls_dot16_cut_of(size_t channels, size_t elements)
{
    struct mls_dot16_cut cut = {.channels = channels, .elements = elements};
    cut.n_blocks = (channels + MLS_DOT16_BLOCK - 1) / MLS_DOT16_BLOCK;
    cut.n_pairs = ((channels + cut.n_blocks - 1) / cut.n_blocks + 1) / 2;
    cut.group_elements = MLS_DOT16_GROUP / (2 * cut.n_pairs);
    if (cut.group_elements > elements)
        cut.group_elements = elements;
    return cut;
}

float mls_dot16_scale(float square, const struct mls_dot16_cut *cut)
{
    if (square <= 0)
        return 0;
    float most = MLS_DOT16_COLUMN_NORM / sqrtf((float)cut->group_elements);
    return (most < MLS_DOT16_MAX ? most : MLS_DOT16_MAX) / sqrtf(square); /* no value is above the sum */
}

void mls_dot16_store(const struct mls_dot16_results *to, size_t row, size_t at, float sum)
{
    float value = fmaf(sum, to->row_scales[row], to->bias[row]);
    at += row * to->y_stride;
    if (to->added)
        value = mls_fp16_to_fp32(mls_fp32_to_fp16(value)) + mls_fp16_to_fp32(to->added[at]);
    value = value > to->low ? value : to->low;
    value = value < to->high ? value : to->high;
    to->y[at] = mls_fp32_to_fp16(value);
}

enum { LANES = 8 };

/* In several chains, which a compiler may make vectors of. */
static float sum_of_squares(const float *values, size_t n)
{
    float sums[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            sums[l] += values[i + l] * values[i + l];
    for (; i < n; i++)
        sum += values[i] * values[i];
    for (size_t l = 0; l < LANES; l++)
        sum += sums[l];
    return sum;
}

static float greatest_square(const float *values, size_t n)
{
    float most[LANES] = {0}, greatest = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float square = values[i + l] * values[i + l];
            most[l] = square > most[l] ? square : most[l];
        }
    for (; i < n; i++)
        greatest = values[i] * values[i] > greatest ? values[i] * values[i] : greatest;
    for (size_t l = 0; l < LANES; l++)
        greatest = most[l] > greatest ? most[l] : greatest;
    return greatest;
}

/* Powers of two near the size of each channel's weights: what the input is multiplied by and they are divided
 * by. */
static bool choose_plane_scales(const float *weights, struct mls_dot16_matrix *matrix)
{
    size_t channels = matrix->cut.channels, elements = matrix->cut.elements;
    float *squares = matrix->plane_scales; /* sums of squares first, then what is made of them */
    memset(squares, 0, matrix->cut.n_blocks * matrix->cut.n_pairs * 2 * sizeof *squares);
    for (size_t r = 0; r < matrix->m && elements == 1; r++, weights += channels)
        for (size_t c = 0; c < channels; c++)
            squares[c] += weights[c] * weights[c];
    for (size_t r = 0; r < matrix->m && elements > 1; r++)
        for (size_t c = 0; c < channels; c++, weights += elements)
            squares[c] += sum_of_squares(weights, elements);
    bool good = true;
    for (size_t c = 0; c < channels; c++) {
        int exponent;
        good = good && squares[c] < WEIGHT_SQUARES_MAX;
        (void)frexpf(sqrtf(squares[c] / (float)(matrix->m * elements)), &exponent);
        squares[c] = squares[c] > 0 ? ldexpf(1, exponent) : 0;
    }
    return good;
}

/* The factor for one row, already divided by the planes' scales: its greatest weight fits 16 bits, and no
 * group of it is too long. */
static float scale_of_row(const float *row, const struct mls_dot16_cut *cut)
{
    size_t block = 2 * cut->n_pairs * cut->elements, group = 2 * cut->n_pairs * cut->group_elements;
    float greatest = 0, longest = 0;
    for (size_t b = 0; b < cut->n_blocks; b++, row += block)
        for (size_t g = 0; g < block; g += group) {
            size_t n = block - g < group ? block - g : group;
            float sum = sum_of_squares(row + g, n), square = greatest_square(row + g, n);
            greatest = square > greatest ? square : greatest;
            longest = sum > longest ? sum : longest;
        }
    if (!(greatest > 0))
        return 0;
    float by_value = MLS_DOT16_MAX / sqrtf(greatest), by_length = MLS_DOT16_ROW_NORM / sqrtf(longest);
    return by_value < by_length ? by_value : by_length;
}

/* The nearest integer, halves to even, of a number below 2^22: adding 1.5 * 2^23 leaves no bits below 1. */
static inline int32_t nearest(float value)
{
    float shifted = value + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4b400000;
}

/* One row [channels][elements]; `values`: 2 * mls_dot16_row_pairs() floats, zero where there is no channel.
 */
static void pack_row(const float *weights, size_t r, float *values, struct mls_dot16_matrix *matrix)
{
    const struct mls_dot16_cut *cut = &matrix->cut;
    size_t block = 2 * cut->n_pairs, n_pairs = mls_dot16_row_pairs(cut);
    for (size_t c = 0; c < cut->channels && cut->elements == 1; c++) /* channels follow each other there too */
        values[c] = matrix->plane_scales[c] > 0 ? weights[c] / matrix->plane_scales[c] : 0;
    for (size_t c = 0; c < cut->channels && cut->elements > 1; c++) {
        float scale = matrix->plane_scales[c], inverse = scale > 0 ? 1 / scale : 0;
        float *to = values + c / block * block * cut->elements + c % block;
        for (size_t e = 0; e < cut->elements; e++)
            to[e * block] = weights[c * cut->elements + e] * inverse;
    }
    float scale = scale_of_row(values, cut);
    int16_t *panel =
        matrix->panels + (r / MLS_DOT16_ROWS * n_pairs * MLS_DOT16_ROWS + r % MLS_DOT16_ROWS) * 2;
    for (size_t p = 0; p < n_pairs; p++, panel += MLS_DOT16_ROWS * 2) {
        panel[0] = (int16_t)nearest(values[2 * p] * scale);
        panel[1] = (int16_t)nearest(values[2 * p + 1] * scale);
    }
    matrix->row_scales[r] = scale > 0 ? 1 / scale : 0;
}

bool mls_dot16_pack_scales(const float *weights, struct mls_dot16_matrix *ret)
{
    return choose_plane_scales(weights, ret);
}

void mls_dot16_pack_panel(const float *weights, size_t panel, float *scratch, struct mls_dot16_matrix *ret)
{
    size_t n_pairs = mls_dot16_row_pairs(&ret->cut), first = panel * MLS_DOT16_ROWS, end = first + MLS_DOT16_ROWS;
    memset(scratch, 0, 2 * n_pairs * sizeof *scratch);
    if (end > ret->m) { /* rows that do not exist */
        end = ret->m;
        memset(ret->panels + first * n_pairs * 2, 0, MLS_DOT16_ROWS * n_pairs * 2 * sizeof *ret->panels);
        memset(ret->row_scales + first, 0, MLS_DOT16_ROWS * sizeof *ret->row_scales);
    }
    for (size_t r = first; r < end; r++)
        pack_row(weights + r * ret->cut.channels * ret->cut.elements, r, scratch, ret);
}

bool mls_dot16_pack(const float *weights, float *scratch, struct mls_dot16_matrix *ret)
{
    if (!mls_dot16_pack_scales(weights, ret))
        return false;
    for (size_t panel = 0; panel < mls_dot16_rows(ret->m) / MLS_DOT16_ROWS; panel++)
        mls_dot16_pack_panel(weights, panel, scratch, ret);
    return true;
}
