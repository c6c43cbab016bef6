/* export.h: what the exporters share: one walk over the document, and the functions in exporters.def. */
#pragma once

#include "profiler/export.h"

/* One step with all that is known of it. */
struct export_row {
    const struct mls_step *step;
    struct mls_step_stats stats;
    const struct mls_step_note *note; /* never NULL */
    const char *kernel;               /* NULL: it did not run */
    double cum_share;                 /* over the rows so far */
};

struct export_rows {
    struct export_row *rows;
    size_t n_rows;
};

enum export_order { EXPORT_RUN_ORDER, EXPORT_HOTTEST_FIRST };

/* export_walk: all steps in this order. False when out of memory. The caller frees rows. */
bool export_walk(const struct mls_document *document, enum export_order order, struct export_rows *ret_rows);

/* export_cost_known: whether flops and bytes of the step mean anything. */
bool export_cost_known(const struct mls_step *step);

/* export_fused_name: the i-th operation of the model that the step executed. */
const char *export_fused_name(const struct mls_document *document, const struct mls_step *step, uint32_t i);

/*
 * One stack: function, blocks, type, name of an operation and, where stacks were sampled, the functions below
 * it. Without samples: `ns` is the operation's measured time in all predictions and `count` its runs; with
 * them: CPU time on all threads, and samples. Borrowed while it is taken.
 */
struct export_stack {
    const char *const *frames; /* outermost first */
    size_t depth;
    const struct mls_step *step;
    uint64_t count;
    uint64_t ns;
};

typedef bool export_take_stack(void *user, const struct export_stack *stack);

/* export_stacks: all stacks; false when out of memory or when `take` says so. */
bool export_stacks(const struct mls_document *document, export_take_stack *take, void *user);

#define X(name, help) \
    bool export_##name(const struct mls_document *document, const struct mls_writer *writer);
#include "exporters.def"
#undef X
