/* cpu.h: what the processor and the operating system allow. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Instruction sets in ascending order; each includes those before it that its architecture has. id, name for --cpu. */
#define MLS_ISA_LIST(X)                  \
    X(GENERIC, "generic")                \
    X(NEON, "neon")                      \
    X(AVX2, "avx2")                      \
    X(AVX512, "avx512")                  \
    X(AVX512_VNNI, "avx512vnni")         \
    X(AVX512_FP16, "avx512fp16")         \
    X(AMX, "amx")

enum mls_isa {
#define X(id, name) MLS_ISA_##id,
    MLS_ISA_LIST(X)
#undef X
        MLS_ISA_COUNT
};

const char *mls_isa_name(enum mls_isa isa);
/* mls_isa_parse: the set with this name; false when there is none. */
bool mls_isa_parse(const char *name, enum mls_isa *ret_isa);

/*
 * mls_cpu_best: the highest set that processor and operating system both allow (CPUID, XGETBV; for AMX also the
 * kernel's permission). AVX2 means AVX2+FMA+F16C+BMI2; AVX512 means F+BW+DQ+VL;
 * NEON is AArch64's Advanced SIMD.
 */
enum mls_isa mls_cpu_best(void);

/* mls_cpu_has: whether this very set is there (AVX512_FP16 does not imply AVX512_VNNI on every processor). */
bool mls_cpu_has(enum mls_isa isa);

/* mls_cpu_name: the processor's brand string; static after the first call. Thread-safe. */
const char *mls_cpu_name(void);

/* mls_cpu_count: processors that this process may run on. */
uint32_t mls_cpu_count(void);
