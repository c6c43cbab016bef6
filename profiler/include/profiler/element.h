/* element.h: elements of tensors as numbers, for reports and comparisons. */
#pragma once

#include <stddef.h>

#include "core/tensor.h"

/*
 * mls_elements_load: elements [first, first + n) as doubles; NaN for types that are no number of at least 8
 * bits. Exact but for integers of 64 bits.
 */
void mls_elements_load(const struct mls_tensor *tensor, size_t first, size_t n, double *ret_values);

/* mls_element_value: element i (below the count) as a double, in the same way. */
double mls_element_value(const struct mls_tensor *tensor, size_t i);

/* mls_element_count: elements that can be read: 0 without data, for lists, and for shapes that are not known.
 */
size_t mls_element_count(const struct mls_tensor *tensor);

/* What a tensor holds. */
struct mls_element_range {
    double min, max, mean; /* over the finite elements */
    size_t n_not_finite;
    size_t n_elems;
};

struct mls_element_range mls_element_range(const struct mls_tensor *tensor);
