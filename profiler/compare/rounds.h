/* rounds.h: the difference of two series whose samples were taken in turns: sample i of both belongs to round i. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * rounds_difference: the median of b - a over the rounds, and its standard error. What changes slowly disturbs both samples of
 * a round alike and cancels out; what disturbs many rounds in a row is one disturbance and not many, so the error comes from
 * how far the medians of some 16 blocks of rounds lie apart. False with fewer than 16 rounds, or when out of memory.
 */
bool rounds_difference(const uint64_t *a_ns, const uint64_t *b_ns, size_t n, double *ret_difference_ns, double *ret_error_ns);
