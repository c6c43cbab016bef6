/* roofline.h: the two limits that a machine sets to every operation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"

/* How fast the machine is at best; zeros: not known. */
struct mls_roofline {
    double gflops;       /* fp32 multiply-adds in registers, two operations each */
    double gbytes_per_s; /* reading memory that no cache holds */
};

/*
 * mls_roofline_measure: measures both with this instruction set on n_threads threads. Takes some 50 ms and 64
 * MiB of memory, so not while something else is measured. Zeros where threads or memory are not to be had.
 */
struct mls_roofline mls_roofline_measure(enum mls_isa isa, uint32_t n_threads);

/*
 * mls_roofline_get: the same, from a file below $XDG_CACHE_HOME (~/.cache) where this processor was measured with the
 * same instruction set and threads within 30 days; otherwise measured and, with may_write, kept there. A cache that
 * cannot be read or written is none.
 */
struct mls_roofline mls_roofline_get(enum mls_isa isa, uint32_t n_threads, bool may_write);
