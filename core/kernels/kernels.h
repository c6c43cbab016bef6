/*
 * kernels.h: the kernel table. One family is one struct of function pointers (<family>/<family>.h) that each
 * instruction set fills (<family>__<isa>.c: `const struct mls_<family>_kernels mls_<family>__<isa>`);
 * families.def lists them, one line per family and instruction set. Kernels take pointers, counts and
 * parameter structs: they never see a graph, never allocate, never fail.
 */
#pragma once

#include "core/cpu.h"

#define MLS_KERNEL_FAMILY(family) struct mls_##family##_kernels;
#define MLS_KERNEL(family, isa_id, isa)
#include "kernels/families.def"
#undef MLS_KERNEL_FAMILY
#undef MLS_KERNEL

/* The chosen kernels, and for each family the instruction set that it was chosen from. */
struct mls_kernels {
    enum mls_isa isa; /* the cap in force */
#define MLS_KERNEL_FAMILY(family)                \
    const struct mls_##family##_kernels *family; \
    enum mls_isa family##_isa;
#define MLS_KERNEL(family, isa_id, isa)
#include "kernels/families.def"
#undef MLS_KERNEL_FAMILY
#undef MLS_KERNEL
};

/* mls_kernels_pick: the best kernels that this processor has, none above `cap`. */
struct mls_kernels mls_kernels_pick(enum mls_isa cap);
