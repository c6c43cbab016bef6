/* annotate.h: what the diagnostics say about the steps of a plan, for reports. */
#pragma once

#include "cli/arguments.h"
#include "diagnostics/engine.h"
#include "profiler/export.h"

/* annotate_setting: --compute-units and --hardware; defaults where they were not given. */
enum mls_status annotate_setting(const struct arguments *arguments, enum mls_compute_units *ret_setting,
                                 const struct mls_placement_profile **ret_profile, struct mls_error *reterr);

/* annotate_notes: one note for each step of the plan; borrows the placement. NULL out of memory; the caller
 * frees. */
struct mls_step_note *annotate_notes(const struct mls_plan *plan, const struct mls_placement *placement);

/* annotate_findings: the findings as CONTRACT.md writes them: a JSON array (json_decref), NULL out of memory.
 */
struct json_t *annotate_findings(const struct mls_report *report, const struct mls_model *model);
