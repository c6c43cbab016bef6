/* live_report.h: the findings about the model behind the screen, made anew now and then from what is known by
 * then. The facts are those of `mlscope diagnose`. */
#pragma once

#include "app/engine.h"
#include "app/snapshot.h"

struct live_report {
    struct mls_report *report; /* NULL: none yet */
    bool measured;             /* it knew measured times */
    enum mls_examined examined;
    enum mls_compute_units setting;
    uint64_t at_ns;          /* when it was made */
    struct mls_growth begin; /* where growth is counted from, with absolute times; wall_ns 0: not yet */
};

/* live_report_update: makes findings, or makes them anew when enough has changed or `now`; the snapshot shows
 * them. */
void live_report_update(struct live_report *live, const struct mls_engine *engine,
                        const struct mls_profile *profile, const struct mls_settings *settings,
                        bool inputs_given, bool now, struct mls_snapshot *snapshot);

/* live_report_reset: statistics began anew. */
void live_report_reset(struct live_report *live);

/* live_report_clear: another model comes. */
void live_report_clear(struct live_report *live);
