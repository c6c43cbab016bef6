/* plan.h: predicted placements, in the forms that `mlscope plan` writes. */
#pragma once

#include "cli/console.h"
#include "diagnostics/placement.h"
#include "profiler/loader.h"

struct planned {
    const struct mls_loaded *loaded;
    enum mls_compute_units setting; /* that is told in detail */
    const struct mls_placement_profile *hardware;
    const struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT];        /* NULL: not asked for */
    const struct mls_placement_remedies *remedies[MLS_COMPUTE_UNITS_COUNT]; /* parallel to placements */
};

void plan_write_json(struct console *console, const struct planned *planned);
void plan_write_text(struct console *console, const struct planned *planned);
