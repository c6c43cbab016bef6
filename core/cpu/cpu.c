#include "core/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

static const char *const isa_names[MLS_ISA_COUNT] = {
#define X(id, name) [MLS_ISA_##id] = name,
    MLS_ISA_LIST(X)
#undef X
};

struct facts {
    bool has[MLS_ISA_COUNT];
    char name[64];
};

static struct facts facts;
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

const char *mls_isa_name(enum mls_isa isa)
{
    return (unsigned)isa < MLS_ISA_COUNT ? isa_names[isa] : "unknown";
}

bool mls_isa_parse(const char *name, enum mls_isa *ret_isa)
{
    for (unsigned i = 0; i < MLS_ISA_COUNT; i++) {
        if (!strcmp(name, isa_names[i])) {
            *ret_isa = (enum mls_isa)i;
            return true;
        }
    }
    return false;
}

#if defined(__x86_64__)
/* Feature bits: Intel SDM volume 2, CPUID leaves 1 and 7; volume 1, 13.3 for XCR0. */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_AMX = 0x60000 };
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

static bool bit(unsigned word, unsigned index)
{
    return (word >> index) & 1u;
}

/* What the operating system saves on a context switch; only readable where OSXSAVE is set. */
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void find_isas(void)
{
    unsigned a, b, c, d, b7, c7, d7, a1 = 0, unused;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
        return;
    __get_cpuid_count(7, 1, &a1, &unused, &unused, &unused);
    if (!bit(c, 27))
        return;
    uint64_t saved = read_xcr0();
    bool avx_saved = (saved & XCR0_AVX) == XCR0_AVX;
    bool avx512_saved = (saved & XCR0_AVX512) == XCR0_AVX512;
    bool avx2 = avx_saved && bit(c, 12) && bit(c, 28) && bit(c, 29) && bit(b7, 5) && bit(b7, 8);
    bool avx512 = avx2 && avx512_saved && bit(b7, 16) && bit(b7, 17) && bit(b7, 30) && bit(b7, 31);
    facts.has[MLS_ISA_AVX2] = avx2;
    facts.has[MLS_ISA_AVX512] = avx512;
    facts.has[MLS_ISA_AVX512_VNNI] = avx512 && bit(c7, 11);
    facts.has[MLS_ISA_AVX512_FP16] = avx512 && bit(d7, 23);
    facts.has[MLS_ISA_AMX] = avx512 && (saved & XCR0_AMX) == XCR0_AMX && bit(d7, 22) && bit(d7, 24) &&
                             !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}

static void find_name(void)
{
    unsigned words[12] = {0};
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
    char brand[sizeof words + 1] = {0};
    memcpy(brand, words, sizeof words);
    const char *start = brand + strspn(brand, " ");
    snprintf(facts.name, sizeof facts.name, "%s", *start ? start : "x86-64");
}
#else
static void find_isas(void)
{
#if defined(__aarch64__)
    facts.has[MLS_ISA_NEON] = true; /* part of the architecture: Arm ARM, A1.5 */
#endif
}

static void find_name(void)
{
    snprintf(facts.name, sizeof facts.name, "unknown processor");
}
#endif

static void find_facts(void)
{
    facts.has[MLS_ISA_GENERIC] = true;
    find_isas();
    find_name();
}

bool mls_cpu_has(enum mls_isa isa)
{
    pthread_once(&facts_once, find_facts);
    return (unsigned)isa < MLS_ISA_COUNT && facts.has[isa];
}

enum mls_isa mls_cpu_best(void)
{
    unsigned best = MLS_ISA_GENERIC;
    for (unsigned i = 0; i < MLS_ISA_COUNT; i++)
        if (mls_cpu_has((enum mls_isa)i))
            best = i;
    return (enum mls_isa)best;
}

const char *mls_cpu_name(void)
{
    pthread_once(&facts_once, find_facts);
    return facts.name;
}

uint32_t mls_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}
