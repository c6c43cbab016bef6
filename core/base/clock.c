#include "core/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

uint64_t mls_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
/* Invariant time-stamp counter: CPUID 0x80000007, EDX bit 8 (Intel SDM 18.17.1). */
static bool counter_is_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
}
static uint64_t read_counter(void)
{
    return __rdtsc();
}
#else /* no counter is used: AArch64's, at some 25 MHz, is too coarse for an operation */
static bool counter_is_invariant(void)
{
    return false;
}
static uint64_t read_counter(void)
{
    return mls_clock_ns();
}
#endif

static struct mls_clock calibration;
static pthread_once_t calibrated = PTHREAD_ONCE_INIT;
static bool use_counter;

uint64_t mls_clock_ticks(void)
{
    return use_counter ? read_counter() : mls_clock_ns();
}

/* One reading of both clocks, from the attempt with the narrowest window. */
static void read_both(uint64_t *ret_ticks, uint64_t *ret_ns)
{
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t before = read_counter();
        uint64_t ns = mls_clock_ns();
        uint64_t after = read_counter();
        if (after - before < narrowest) {
            narrowest = after - before;
            *ret_ticks = before + (after - before) / 2;
            *ret_ns = ns;
        }
    }
}

static void calibrate(void)
{
    calibration = (struct mls_clock){.name = "CLOCK_MONOTONIC", .multiplier = (uint64_t)1 << 32};
    if (!counter_is_invariant())
        return;
    uint64_t ticks_0 = 0, ns_0 = 0, ticks_1 = 0, ns_1 = 0;
    read_both(&ticks_0, &ns_0);
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
    read_both(&ticks_1, &ns_1);
    if (ticks_1 <= ticks_0 || ns_1 <= ns_0)
        return;
    uint64_t ratio = ((ns_1 - ns_0) << 32) / (ticks_1 - ticks_0);
    if (ns_1 - ns_0 >= (uint64_t)1 << 32 || ratio >= (uint64_t)1 << 32)
        return; /* a counter slower than 1 GHz, or a pause of seconds: not worth the arithmetic */
    calibration =
        (struct mls_clock){.name = "tsc", .base_ticks = ticks_0, .base_ns = ns_0, .multiplier = ratio};
    use_counter = true;
}

const struct mls_clock *mls_clock_get(void)
{
    pthread_once(&calibrated, calibrate);
    return &calibration;
}

uint64_t mls_clock_span_ns(const struct mls_clock *clock, uint64_t ticks)
{
    uint64_t high = ticks >> 32, low = ticks & UINT32_MAX;
    return high * clock->multiplier + ((low * clock->multiplier) >> 32);
}

uint64_t mls_clock_to_ns(const struct mls_clock *clock, uint64_t ticks)
{
    if (ticks >= clock->base_ticks)
        return clock->base_ns + mls_clock_span_ns(clock, ticks - clock->base_ticks);
    return clock->base_ns - mls_clock_span_ns(clock, clock->base_ticks - ticks);
}
