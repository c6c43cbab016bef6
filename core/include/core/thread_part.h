/* thread_part.h: what one thread did of something that several share. */
#pragma once

#include <stdint.h>

/* Without a pause, in clock ticks (core/clock.h). */
struct mls_thread_part {
    uint32_t step;
    uint64_t begin_ticks;
    uint64_t end_ticks;
};
