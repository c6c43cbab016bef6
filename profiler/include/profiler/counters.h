/*
 * counters.h: the processor's and the kernel's counters for each operation, by perf_event_open(2). A counter
 * that this machine or this user does not have is "n/a", with the reason. Counted is user mode only, on the
 * thread that opens and on all threads that it starts later: open before the model is loaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* id, name in JSON, heading, perf type, perf config: kernel ABI, linux/perf_event.h. */
#define MLS_COUNTER_LIST(X)                                                              \
    X(CYCLES, "cycles", "cycles", HARDWARE, HW_CPU_CYCLES)                               \
    X(INSTRUCTIONS, "instructions", "instr", HARDWARE, HW_INSTRUCTIONS)                  \
    X(CACHE_REFERENCES, "cache_references", "cache refs", HARDWARE, HW_CACHE_REFERENCES) \
    X(CACHE_MISSES, "cache_misses", "cache misses", HARDWARE, HW_CACHE_MISSES)           \
    X(BRANCH_MISSES, "branch_misses", "branch misses", HARDWARE, HW_BRANCH_MISSES)       \
    X(CPU_NS, "cpu_ns", "CPU", SOFTWARE, SW_TASK_CLOCK)                                  \
    X(PAGE_FAULTS, "page_faults", "page faults", SOFTWARE, SW_PAGE_FAULTS)               \
    X(CONTEXT_SWITCHES, "context_switches", "switches", SOFTWARE, SW_CONTEXT_SWITCHES)

enum mls_counter {
#define X(id, name, heading, type, config) MLS_COUNTER_##id,
    MLS_COUNTER_LIST(X)
#undef X
        MLS_COUNTER_COUNT
};

/* mls_counter_name, mls_counter_heading: "cache_misses", "cache misses"; static. */
const char *mls_counter_name(enum mls_counter counter);
const char *mls_counter_heading(enum mls_counter counter);

struct mls_counters;

/* mls_counters_open: starts counting. The caller closes. NULL when out of memory; counters that cannot be had
 * are n/a. */
struct mls_counters *mls_counters_open(void);
void mls_counters_close(struct mls_counters *counters);

/* mls_counters_missing: why a counter is not there, or NULL when it counts. Lives as long as the counters. */
const char *mls_counters_missing(const struct mls_counters *counters, enum mls_counter counter);

/* mls_counters_reserve: room for the sums of this many steps, all zero. False when out of memory. */
bool mls_counters_reserve(struct mls_counters *counters, size_t n_steps);

/* mls_counters_begin, mls_counters_step: on the predicting thread: from now on; what was counted since the
 * last call belongs to `step`. A call costs a system call for each counter that is there. */
void mls_counters_begin(struct mls_counters *counters);
void mls_counters_step(struct mls_counters *counters, uint32_t step);

/* mls_counters_sum: what a step counted in all its executions; after the predictions, or between them. */
uint64_t mls_counters_sum(const struct mls_counters *counters, uint32_t step, enum mls_counter counter);
