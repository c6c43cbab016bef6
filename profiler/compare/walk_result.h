/* walk_result.h: from the sums of a walk to what is said about it. */
#pragma once

#include "compare/difference.h"
#include "profiler/walk.h"

/* What a walk has found; by step of A. Everything is borrowed. */
struct walk_sums {
    const struct mls_loaded *a, *b;
    const uint32_t *b_of_a;
    const struct difference *sums;
    const bool *not_compared;
    double limit_db;
};

/* walk_conclude: the result, or NULL when out of memory. */
struct mls_walk *walk_conclude(const struct walk_sums *sums);
