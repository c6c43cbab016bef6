/* difference.h: sums over pairs of elements, and what follows from them. */
#pragma once

#include <stdint.h>

#include "core/tensor.h"

struct difference {
    double signal; /* of squares of A */
    double noise;  /* of squares of the difference */
    double power_b, product;
    double max_a, max_b, max_error;
    uint64_t n_elems, n_not_finite_a, n_not_finite_b, n_lost;
};

/* difference_add: adds the elements of two tensors of the same count; false when they cannot be compared. */
bool difference_add(struct difference *sum, const struct mls_tensor *a, const struct mls_tensor *b);

/* difference_snr_db, _relative: INFINITY and 0 when equal. */
double difference_snr_db(const struct difference *sum);
double difference_relative(const struct difference *sum);
/* difference_cosine: NaN where one side is all zero. */
double difference_cosine(const struct difference *sum);
