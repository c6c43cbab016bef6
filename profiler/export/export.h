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

#define X(name, help) \
    bool export_##name(const struct mls_document *document, const struct mls_writer *writer);
#include "exporters.def"
#undef X
