/* baseline.h: what the model is compared with: a recording, a stored profile, or how it did itself before. */
#pragma once

#include "app/snapshot.h"
#include "profiler/compare.h"

struct mls_baseline {
    struct mls_side *side; /* NULL: there is none */
    struct mls_side *now;  /* the model at the last comparison */
    struct mls_comparison *comparison;
    char *label;
    uint64_t at_ns; /* when they were compared last */
    uint32_t generation;
};

/* mls_baseline_take: how the model does now, under a label that is copied; MEMORY when there is none. */
enum mls_status mls_baseline_take(struct mls_baseline *baseline, const struct mls_snapshot *snapshot,
                                  const char *label, struct mls_error *reterr);

/* mls_baseline_open: a recording or a stored profile. */
enum mls_status mls_baseline_open(struct mls_baseline *baseline, const char *path, struct mls_error *reterr);

/* mls_baseline_compare: compares again when the last time was a second ago, and gives the snapshot the
 * result. */
void mls_baseline_compare(struct mls_baseline *baseline, struct mls_snapshot *snapshot);

void mls_baseline_done(struct mls_baseline *baseline);
