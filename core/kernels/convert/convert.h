/* convert.h: elements of one type to another. fp16 and fp32 are converted in blocks by every kernel that
 * takes fp16. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"

/* Round to nearest even, NaNs stay NaNs. Source and destination do not overlap. Any alignment of the
 * elements. */
struct mls_convert_kernels {
    void (*fp16_to_fp32)(const uint16_t *source, float *ret, size_t n);
    void (*fp32_to_fp16)(const float *source, uint16_t *ret, size_t n);
    const char *fp16_to_fp32_name; /* static */
    const char *fp32_to_fp16_name;
};

/* mls_cast_can: whether mls_cast converts this pair: whole-byte numbers and BOOL, but not UINT64 and not to
 * BF16. */
bool mls_cast_can(enum mls_dtype from, enum mls_dtype to);

/*
 * mls_cast: n elements of type `from` as type `to`. Floats become integers by truncation, out of range by
 * saturation and NaN as 0 (as Arm's FCVTZS does); wider integers wrap; floats are rounded once, to nearest
 * even; BOOL is 0 or 1, and everything but 0 is true. The two may lie exactly on each other when their
 * elements have the same size.
 */
void mls_cast(enum mls_dtype from, const void *source, enum mls_dtype to, void *ret, size_t n);
