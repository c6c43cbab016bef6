/* checked.h: size arithmetic that says when it overflows. Each returns false then, and leaves *ret alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool mls_add_size(size_t a, size_t b, size_t *ret)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

static inline bool mls_mul_size(size_t a, size_t b, size_t *ret)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

static inline bool mls_mul_i64(int64_t a, int64_t b, int64_t *ret)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

/* mls_align_up: `value` rounded up to a multiple of `align` (a power of two); false on overflow. */
static inline bool mls_align_up(size_t value, size_t align, size_t *ret)
{
    size_t sum;
    if (!mls_add_size(value, align - 1, &sum))
        return false;
    *ret = sum & ~(align - 1);
    return true;
}
