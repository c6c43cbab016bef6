#include "kernels/dot16/dot16.h"

#include <math.h>
#include <string.h>

/* Weights of 10^15 times fp16 values, and many of them: sums stay far from the end of fp32. */
#define WEIGHT_SQUARES_MAX 1e30

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
    for (size_t k = 0; k < matrix->k; k++) {
        double squares = 0;
        for (size_t r = 0; r < matrix->m; r++)
            squares += (double)weights[r * matrix->k + k] * (double)weights[r * matrix->k + k];
        if (!(squares < WEIGHT_SQUARES_MAX))
            return false;
        int exponent;
        (void)frexp(sqrt(squares / (double)matrix->m), &exponent);
        matrix->term_scales[k] = squares > 0 ? (float)ldexp(1, exponent) : 0;
    }
    return true;
}

/* The factor for one row: its greatest weight fits 16 bits, and no block of it is too long. */
static double scale_of_row(const float *row, const struct mls_dot16_matrix *matrix)
{
    double greatest = 0, longest = 0;
    for (size_t k = 0; k < matrix->k;) {
        double squares = 0;
        for (size_t end = k + MLS_DOT16_BLOCK; k < end && k < matrix->k; k++) {
            double value = matrix->term_scales[k] > 0 ? (double)row[k] / (double)matrix->term_scales[k] : 0;
            squares += value * value;
            greatest = fmax(greatest, fabs(value));
        }
        longest = fmax(longest, sqrt(squares));
    }
    return greatest > 0 ? fmin(MLS_DOT16_MAX / greatest, MLS_DOT16_ROW_NORM / longest) : 0;
}

static void pack_row(const float *row, size_t r, struct mls_dot16_matrix *matrix)
{
    double scale = scale_of_row(row, matrix);
    size_t n_pairs = mls_dot16_pairs(matrix->k);
    int16_t *panel = matrix->panels + r / MLS_DOT16_ROWS * n_pairs * MLS_DOT16_ROWS * 2;
    panel += r % MLS_DOT16_ROWS * 2;
    for (size_t k = 0; k < matrix->k; k++) {
        double term = (double)matrix->term_scales[k];
        double value = term > 0 ? (double)row[k] / term * scale : 0;
        panel[k / 2 * MLS_DOT16_ROWS * 2 + k % 2] = (int16_t)lrint(value);
    }
    matrix->row_scales[r] = scale > 0 ? (float)(1 / scale) : 0;
}

bool mls_dot16_pack(const float *weights, struct mls_dot16_matrix *ret)
{
    if (!choose_term_scales(weights, ret))
        return false;
    size_t rows = mls_dot16_rows(ret->m);
    memset(ret->panels, 0, rows * mls_dot16_pairs(ret->k) * 2 * sizeof *ret->panels);
    memset(ret->row_scales, 0, rows * sizeof *ret->row_scales);
    for (size_t r = 0; r < ret->m; r++)
        pack_row(weights + r * ret->k, r, ret);
    return true;
}
