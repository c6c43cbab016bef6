#include "kernels/dot16/dot16.h"

#include <math.h>
#include <string.h>

/* Weights of 10^15 times fp16 values, and many of them: sums stay far from the end of fp32. */
#define WEIGHT_SQUARES_MAX 1e30f

float mls_dot16_scale(const struct mls_dot16_measure *measure)
{
    if (measure->square <= 0)
        return 0;
    float by_value = MLS_DOT16_MAX / sqrtf(measure->square);
    float by_column = MLS_DOT16_COLUMN_NORM / sqrtf(measure->column_square);
    return by_value < by_column ? by_value : by_column;
}

/* Powers of two near the size of each term's weights: what B is multiplied by and A divided by. */
static bool choose_term_scales(const float *weights, struct mls_dot16_matrix *matrix)
{
    float *squares = matrix->term_scales; /* sums of squares first, then what is made of them */
    memset(squares, 0, matrix->k * sizeof *squares);
    for (size_t r = 0; r < matrix->m; r++)
        for (size_t k = 0; k < matrix->k; k++)
            squares[k] += weights[r * matrix->k + k] * weights[r * matrix->k + k];
    bool good = true;
    for (size_t k = 0; k < matrix->k; k++) {
        int exponent;
        good = good && squares[k] < WEIGHT_SQUARES_MAX;
        (void)frexpf(sqrtf(squares[k] / (float)matrix->m), &exponent);
        squares[k] = squares[k] > 0 ? ldexpf(1, exponent) : 0;
    }
    return good;
}

enum { LANES_OF_SUMS = 8 };

/* The factor for one row, already divided by the terms' scales: its greatest weight fits 16 bits, and no
 * block of it is too long. Blocks are filled up with zeros. */
static float scale_of_row(const float *row, size_t n)
{
    float greatest = 0, longest = 0;
    for (size_t k = 0; k < n; k += MLS_DOT16_BLOCK) {
        float squares[LANES_OF_SUMS] = {0}, most[LANES_OF_SUMS] = {0}, sum = 0;
        for (size_t i = 0; i < MLS_DOT16_BLOCK; i += LANES_OF_SUMS)
            for (size_t j = 0; j < LANES_OF_SUMS; j++) {
                float square = row[k + i + j] * row[k + i + j];
                squares[j] += square;
                most[j] = square > most[j] ? square : most[j];
            }
        for (size_t j = 0; j < LANES_OF_SUMS; j++) {
            sum += squares[j];
            greatest = most[j] > greatest ? most[j] : greatest;
        }
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

/* `inverses` of the terms' scales and `values`, which is scratch: k rounded up to whole blocks, zeros past k.
 */
static void pack_row(const float *row, size_t r, const float *inverses, float *values,
                     struct mls_dot16_matrix *matrix)
{
    size_t n_pairs = mls_dot16_pairs(matrix->k);
    for (size_t k = 0; k < matrix->k; k++)
        values[k] = row[k] * inverses[k];
    float scale = scale_of_row(values, matrix->k);
    int16_t *panel =
        matrix->panels + r / MLS_DOT16_ROWS * n_pairs * MLS_DOT16_ROWS * 2 + r % MLS_DOT16_ROWS * 2;
    for (size_t p = 0; p < n_pairs; p++) {
        panel[p * MLS_DOT16_ROWS * 2] = (int16_t)nearest(values[2 * p] * scale);
        panel[p * MLS_DOT16_ROWS * 2 + 1] = (int16_t)nearest(values[2 * p + 1] * scale);
    }
    matrix->row_scales[r] = scale > 0 ? 1 / scale : 0;
}

bool mls_dot16_pack(const float *weights, float *scratch, struct mls_dot16_matrix *ret)
{
    size_t padded = mls_dot16_scratch_floats(ret->k) / 2, rows = mls_dot16_rows(ret->m);
    if (!choose_term_scales(weights, ret))
        return false;
    memset(scratch, 0, 2 * padded * sizeof *scratch);
    memset(ret->panels, 0, rows * mls_dot16_pairs(ret->k) * 2 * sizeof *ret->panels);
    memset(ret->row_scales, 0, rows * sizeof *ret->row_scales);
    for (size_t k = 0; k < ret->k; k++)
        scratch[k] = ret->term_scales[k] > 0 ? 1 / ret->term_scales[k] : 0;
    for (size_t r = 0; r < ret->m; r++)
        pack_row(weights + r * ret->k, r, scratch, scratch + padded, ret);
    return true;
}
