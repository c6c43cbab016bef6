/* recorded.h: predictions of placement and findings as sections of a recording. */
#pragma once

#include "diagnostics/finding.h"
#include "diagnostics/placement.h"
#include "profiler/recording.h"

/* Tags of the sections; PLACEMENTS holds those of all settings. */
#define MLS_RECORD_PLACEMENTS "PLAC"
#define MLS_RECORD_FINDINGS "FIND"

/* mls_placements_put: `placements` has MLS_COMPUTE_UNITS_COUNT members, NULL where there is none. With
 * `redact`, names become numbers and reasons, which may quote names, go. */
void mls_placements_put(struct mls_bytes_out *out, const struct mls_placement *const *placements,
                        bool redact);

/* mls_placements_take: members that were not recorded, or for hardware that this mlscope does not know, are
 * NULL. False when the bytes are wrong. Everything lies in the arena. */
bool mls_placements_take(struct mls_cursor *cursor, struct mls_arena *arena,
                         const struct mls_placement *ret_placements[MLS_COMPUTE_UNITS_COUNT]);

/* mls_report_put: NULL writes nothing. With `redact`, evidence and files go. */
void mls_report_put(struct mls_bytes_out *out, const struct mls_report *report, bool redact);

/* mls_report_take: NULL when the bytes are wrong or there are none. */
const struct mls_report *mls_report_take(struct mls_cursor *cursor, struct mls_arena *arena);
