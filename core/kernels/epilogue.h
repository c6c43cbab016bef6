/* epilogue.h: what a kernel does to its results while they are still in the cache: the hook behind fused
 * steps. */
#pragma once

#include <stddef.h>

/*
 * Applied once to every element of the output, after it was rounded to the output's type, so that the bits
 * are those of the separate operations. `apply` gets n neighbouring elements of the output (in the output's
 * type, to be changed in place) and the index of the first one in the whole output; it is called from several
 * threads at a time, for ranges that do not overlap. `context` is borrowed.
 */
struct mls_epilogue {
    void (*apply)(const void *context, void *values, size_t first_elem, size_t n);
    const void *context;
};
