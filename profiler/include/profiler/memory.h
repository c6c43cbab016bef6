/* memory.h: memory of a model and of the process. */
#pragma once

#include <stdint.h>

#include "core/session.h"

struct mls_memory_use {
    struct mls_memory plan;  /* weights, packed copies, arena, planned peak, lower bound, scratch, states */
    uint64_t dynamic_bytes;  /* values of unplanned size in the last prediction */
    uint64_t run_bytes;      /* allocated for one prediction at a time; each one at once has as much */
    uint32_t runs;           /* predictions at once that were measured; 0: not known */
    uint64_t rss_bytes;      /* resident now; 0: not known */
    uint64_t peak_rss_bytes; /* VmHWM; 0: not known */
};

/* mls_memory_read: plan and run may be NULL: their parts are zero then. Reads /proc/self/status: for any
 * thread but the measured one. */
struct mls_memory_use mls_memory_read(const struct mls_plan *plan, const struct mls_run *run);
