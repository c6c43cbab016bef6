/* array.h: arrays on their way between files and a run, and the conversion of their elements. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/package.h"
#include "core/status.h"
#include "core/tensor.h"

/* A contiguous row-major array. `data` is owned, from malloc. */
struct array {
    struct mls_type type;
    void *data;
};

/* array_create: zeroed elements of a static type; false when out of memory or when the size overflows. */
bool array_create(const struct mls_type *type, struct array *ret_array);
void array_done(struct array *array);

/* How to treat a value that the target type does not hold. */
enum convert_rule {
    CONVERT_KEEP, /* rounding only: what would become infinite, leave the range or lose a fraction is refused
                   */
    CONVERT_NEAREST /* to the nearest value that the type has; NaN becomes 0 in integers */
};

/*
 * convert_elements: n elements from one type to another, each rounded once, to nearest even. On failure the
 * index of the element that does not fit goes to *ret_bad. Types are FP16, FP32, FP64, BOOL and the integers
 * of 8 to 64 bits.
 */
bool convert_elements(const void *from, enum mls_dtype from_dtype, void *to, enum mls_dtype to_dtype,
                      size_t n, enum convert_rule rule, size_t *ret_bad);

/* convert_has: whether convert_elements knows the type. */
bool convert_has(enum mls_dtype dtype);

/* convert_to_double: element `index` as a double, for messages and JSON. */
double convert_to_double(const void *data, enum mls_dtype dtype, size_t index);
