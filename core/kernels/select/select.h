/* select.h: elements of a or of b by a condition. Elements are moved as bytes of 1, 2 or 4. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Steps of 0 repeat one element, steps of 1 walk. z is an operand of the same element size or overlaps none.
 */
struct mls_select_steps {
    uint8_t condition;
    uint8_t a;
    uint8_t b;
};

typedef void mls_select_run(const uint8_t *condition, const void *a, const void *b, void *z, size_t n,
                            struct mls_select_steps steps);

struct mls_select_kernel {
    mls_select_run *run;
    const char *name;
};

struct mls_select_kernels {
    struct mls_select_kernel by_bytes[5]; /* indexed by the bytes of an element: 1, 2, 4 */
};
