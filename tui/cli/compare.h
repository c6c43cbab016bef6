/* compare.h: what `mlscope compare` found, in the forms that it is written in. */
#pragma once

#include "cli/console.h"
#include "diagnostics/engine.h"
#include "profiler/compare.h"
#include "profiler/walk.h"

struct compared {
    const struct mls_loaded *loaded_a, *loaded_b; /* NULL for recordings */
    const struct mls_side *a, *b;
    const char *label_a, *label_b;
    const struct mls_comparison *comparison;
    const struct mls_walk *walk;     /* NULL: values were not compared */
    const char *walk_refused;        /* why not, or "" */
    const struct mls_report *report; /* NULL: nothing could be asked */
    bool own_precision;              /* A is B's own model computed in fp32 */
    uint64_t random_seed;
};

void compare_write_text(struct console *console, const struct compared *compared, size_t top);
void compare_write_json(struct console *console, const struct compared *compared);
void compare_write_csv(struct console *console, const struct compared *compared);
