/* element.h: single elements of tensors as numbers, for reports. */
#pragma once

#include "core/tensor.h"

/* element_value: element i (below the count) as a double; NaN for types that are no number of at least 8
 * bits. */
double element_value(const struct mls_tensor *tensor, size_t i);

/* What a tensor holds. */
struct element_range {
    double min, max, mean; /* over the finite elements */
    size_t n_not_finite;
    size_t n_elems;
};

struct element_range element_range(const struct mls_tensor *tensor);
