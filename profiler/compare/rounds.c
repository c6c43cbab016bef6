#include "compare/rounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 16, BLOCK_ROUNDS_MIN = 4, ROUNDS_MIN = 16 };
#define MEDIAN_ERROR 1.2533     /* of a normal series, beside that of its mean */
#define DEVIATIONS_IN_MEDIAN 1.4826 /* of the absolute deviations of a normal series */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sorts them. */
static double median(double *numbers, size_t n)
{
    qsort(numbers, n, sizeof *numbers, by_size);
    return n % 2 ? numbers[n / 2] : (numbers[n / 2 - 1] + numbers[n / 2]) / 2;
}

bool rounds_difference(const uint64_t *a_ns, const uint64_t *b_ns, size_t n, double *ret_difference_ns, double *ret_error_ns)
{
    double blocks[BLOCKS_MAX];
    double *differences = n >= ROUNDS_MIN ? calloc(n, sizeof *differences) : NULL;
    if (!differences)
        return false;
    for (size_t i = 0; i < n; i++)
        differences[i] = (double)b_ns[i] - (double)a_ns[i];
    size_t n_blocks = n / BLOCK_ROUNDS_MIN < BLOCKS_MAX ? n / BLOCK_ROUNDS_MIN : BLOCKS_MAX;
    for (size_t k = 0; k < n_blocks; k++) { /* sorting inside a block leaves the others alone */
        size_t first = k * n / n_blocks, end = (k + 1) * n / n_blocks;
        blocks[k] = median(differences + first, end - first);
    }
    *ret_difference_ns = median(differences, n);
    double middle = median(blocks, n_blocks);
    for (size_t k = 0; k < n_blocks; k++)
        blocks[k] = fabs(blocks[k] - middle);
    *ret_error_ns = MEDIAN_ERROR * DEVIATIONS_IN_MEDIAN * median(blocks, n_blocks) / sqrt((double)n_blocks);
    free(differences);
    return true;
}
