#include "diagnostics/recorded.h"

#include <stdio.h>

/* ---- Placement
 * -------------------------------------------------------------------------------------------------- */

static void put_texts(struct mls_bytes_out *out, const char *const *texts, size_t n)
{
    mls_put_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        mls_put_text(out, texts[i]);
}

static const char *const *take_texts(struct mls_cursor *cursor, struct mls_arena *arena, uint32_t *ret_n)
{
    uint32_t n = mls_take_count(cursor, 4);
    const char **texts = mls_take_array(cursor, arena, n, sizeof *texts);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        texts[i] = mls_take_text(cursor, arena);
        cursor->bad = cursor->bad || !texts[i];
    }
    *ret_n = cursor->bad ? 0 : n;
    return texts;
}

static void put_placed_op(struct mls_bytes_out *out, const struct mls_placed_op *op, bool redact)
{
    char number[32];
    snprintf(number, sizeof number, "op_%u", op->index);
    mls_put_u32(out, op->op.i);
    mls_put_text(out, op->type);
    mls_put_text(out, redact ? number : op->name);
    mls_put_u32(out, op->supported);
    mls_put_u8(out, op->backend);
    mls_put_u8(out, op->preferred);
    for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++)
        mls_put_f64(out, op->estimate_us[i]);
    mls_put_f64(out, op->cost_share);
    mls_put_u32(out, op->refusals);
    mls_put_u8(out, op->confidence);
    mls_put_u32(out, op->segment);
    put_texts(out, op->reasons, redact ? 0 : op->n_reasons);
}

static void take_placed_op(struct mls_cursor *cursor, struct mls_arena *arena, struct mls_placed_op *op,
                           uint32_t index)
{
    op->index = index;
    op->op.i = mls_cursor_u32(cursor);
    op->type = mls_take_text(cursor, arena);
    op->name = mls_take_text(cursor, arena);
    op->supported = mls_cursor_u32(cursor);
    op->backend = (enum mls_backend)mls_take_u8(cursor);
    op->preferred = (enum mls_unit)mls_take_u8(cursor);
    for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++)
        op->estimate_us[i] = mls_take_f64(cursor);
    op->cost_share = mls_take_f64(cursor);
    op->refusals = mls_cursor_u32(cursor);
    op->confidence = (enum mls_confidence)mls_take_u8(cursor);
    op->segment = mls_cursor_u32(cursor);
    op->reasons = take_texts(cursor, arena, &op->n_reasons);
    cursor->bad = cursor->bad || !op->type || !op->name || op->backend >= MLS_BACKEND_COUNT ||
                  op->preferred >= MLS_UNIT_COUNT || (unsigned)op->confidence >= MLS_CONFIDENCE_COUNT;
}

static void put_placement(struct mls_bytes_out *out, const struct mls_placement *placement, bool redact)
{
    mls_put_text(out, mls_placement_profile_name(placement->profile));
    mls_put_u32(out, placement->n_by_op);
    mls_put_u32(out, placement->n_ops);
    for (uint32_t i = 0; i < placement->n_ops; i++)
        put_placed_op(out, &placement->ops[i], redact);
    mls_put_u32(out, placement->n_segments);
    for (uint32_t i = 0; i < placement->n_segments; i++) {
        mls_put_u8(out, placement->segments[i].unit);
        mls_put_u32(out, placement->segments[i].first);
        mls_put_u32(out, placement->segments[i].last);
        mls_put_f64(out, placement->segments[i].estimate_us);
    }
    for (unsigned i = 0; i < MLS_UNIT_COUNT; i++) {
        mls_put_u32(out, placement->totals[i].n_ops);
        mls_put_f64(out, placement->totals[i].cost_share);
        mls_put_f64(out, placement->totals[i].estimate_us);
    }
    mls_put_u32(out, placement->n_switches);
    mls_put_u32(out, placement->longest_segment);
    mls_put_f64(out, placement->ops_us);
    mls_put_f64(out, placement->switching_us);
    mls_put_f64(out, placement->total_us);
    mls_put_u8(out, placement->confidence);
}

/* Which row tells about each operation of the model. */
static void take_index(struct mls_cursor *cursor, struct mls_arena *arena, struct mls_placement *placement,
                       uint32_t n_by_op)
{
    enum { OPS_MAX = 1 << 22 };
    cursor->bad = cursor->bad || n_by_op > OPS_MAX;
    uint32_t *by_op = mls_take_array(cursor, arena, cursor->bad ? 0 : n_by_op, sizeof *by_op);
    for (uint32_t i = 0; by_op && i < n_by_op; i++)
        by_op[i] = MLS_NO_INDEX;
    for (uint32_t i = 0; by_op && i < placement->n_ops; i++)
        if (placement->ops[i].op.i < n_by_op)
            by_op[placement->ops[i].op.i] = i;
    placement->by_op = by_op;
    placement->n_by_op = by_op ? n_by_op : 0;
}

static void take_segments(struct mls_cursor *cursor, struct mls_arena *arena, struct mls_placement *placement)
{
    uint32_t n = mls_take_count(cursor, 17);
    struct mls_placed_segment *segments = mls_take_array(cursor, arena, n, sizeof *segments);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        segments[i].unit = (enum mls_unit)mls_take_u8(cursor);
        segments[i].first = mls_cursor_u32(cursor);
        segments[i].last = mls_cursor_u32(cursor);
        segments[i].estimate_us = mls_take_f64(cursor);
        cursor->bad = cursor->bad || segments[i].unit >= MLS_UNIT_COUNT ||
                      segments[i].last < segments[i].first || segments[i].last >= placement->n_ops;
    }
    placement->segments = segments;
    placement->n_segments = cursor->bad ? 0 : n;
}

static struct mls_placement *take_placement(struct mls_cursor *cursor, struct mls_arena *arena)
{
    struct mls_placement *placement = mls_take_array(cursor, arena, 1, sizeof *placement);
    const char *profile = mls_take_text(cursor, arena);
    uint32_t n_by_op = mls_cursor_u32(cursor);
    uint32_t n = mls_take_count(cursor, 70);
    struct mls_placed_op *ops = mls_take_array(cursor, arena, n, sizeof *ops);
    for (uint32_t i = 0; i < n && !cursor->bad; i++)
        take_placed_op(cursor, arena, &ops[i], i);
    if (cursor->bad || !profile)
        return NULL;
    placement->ops = ops;
    placement->n_ops = n;
    placement->profile = mls_placement_profile_find(profile);
    take_index(cursor, arena, placement, n_by_op);
    take_segments(cursor, arena, placement);
    for (unsigned i = 0; i < MLS_UNIT_COUNT; i++) {
        placement->totals[i].n_ops = mls_cursor_u32(cursor);
        placement->totals[i].cost_share = mls_take_f64(cursor);
        placement->totals[i].estimate_us = mls_take_f64(cursor);
    }
    placement->n_switches = mls_cursor_u32(cursor);
    placement->longest_segment = mls_cursor_u32(cursor);
    placement->ops_us = mls_take_f64(cursor);
    placement->switching_us = mls_take_f64(cursor);
    placement->total_us = mls_take_f64(cursor);
    placement->confidence = (enum mls_confidence)mls_take_u8(cursor);
    cursor->bad = cursor->bad || (unsigned)placement->confidence >= MLS_CONFIDENCE_COUNT ||
                  (placement->n_segments && placement->longest_segment >= placement->n_segments);
    return cursor->bad ? NULL : placement;
}

void mls_placements_put(struct mls_bytes_out *out, const struct mls_placement *const *placements, bool redact)
{
    mls_put_u32(out, MLS_COMPUTE_UNITS_COUNT);
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        mls_put_text(out, mls_compute_units_name((enum mls_compute_units)i));
        mls_put_u8(out, placements[i] != NULL);
        if (placements[i])
            put_placement(out, placements[i], redact);
    }
}

bool mls_placements_take(struct mls_cursor *cursor, struct mls_arena *arena,
                         const struct mls_placement *ret_placements[MLS_COMPUTE_UNITS_COUNT])
{
    uint32_t n = mls_take_count(cursor, 5);
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        ret_placements[i] = NULL;
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        enum mls_compute_units setting;
        const char *name = mls_take_text(cursor, arena);
        if (!mls_take_u8(cursor))
            continue;
        struct mls_placement *placement = take_placement(cursor, arena);
        if (!placement || !placement->profile || !name || !mls_compute_units_parse(name, &setting))
            continue;
        placement->setting = setting;
        ret_placements[setting] = placement;
    }
    return !cursor->bad;
}

/* ---- Findings
 * --------------------------------------------------------------------------------------------------- */

static void put_finding(struct mls_bytes_out *out, const struct mls_finding *finding, bool redact)
{
    mls_put_text(out, finding->id);
    mls_put_u8(out, finding->severity);
    mls_put_u8(out, finding->layer);
    mls_put_text(out, finding->title);
    put_texts(out, finding->evidence, redact ? 0 : finding->n_evidence);
    mls_put_text(out, finding->why);
    mls_put_text(out, finding->fix);
    mls_put_u8(out, finding->confidence);
    mls_put_text(out, finding->source);
    mls_put_u32(out, (uint32_t)finding->n_ops);
    for (size_t i = 0; i < finding->n_ops; i++)
        mls_put_u32(out, finding->ops[i].i);
    mls_put_u64(out, finding->gain_ns);
    mls_put_text(out, redact ? "" : finding->file);
    mls_put_u64(out, (uint64_t)(redact ? -1 : finding->byte_offset));
}

static void take_finding(struct mls_cursor *cursor, struct mls_arena *arena, struct mls_finding *finding)
{
    uint32_t n_evidence;
    finding->id = mls_take_text(cursor, arena);
    finding->severity = (enum mls_severity)mls_take_u8(cursor);
    finding->layer = (enum mls_layer)mls_take_u8(cursor);
    finding->title = mls_take_text(cursor, arena);
    finding->evidence = take_texts(cursor, arena, &n_evidence);
    finding->n_evidence = n_evidence;
    finding->why = mls_take_text(cursor, arena);
    finding->fix = mls_take_text(cursor, arena);
    finding->confidence = (enum mls_confidence)mls_take_u8(cursor);
    finding->source = mls_take_text(cursor, arena);
    uint32_t n_ops = mls_take_count(cursor, 4);
    mls_op_id *ops = mls_take_array(cursor, arena, n_ops, sizeof *ops);
    for (uint32_t i = 0; i < n_ops && ops; i++)
        ops[i].i = mls_cursor_u32(cursor);
    finding->ops = ops;
    finding->n_ops = ops ? n_ops : 0;
    finding->gain_ns = mls_cursor_u64(cursor);
    finding->file = mls_take_text(cursor, arena);
    finding->byte_offset = (int64_t)mls_cursor_u64(cursor);
    finding->matched_text = "";
    cursor->bad = cursor->bad || !finding->id || !finding->title || !finding->why || !finding->fix ||
                  finding->severity >= MLS_SEVERITY_COUNT || finding->layer >= MLS_LAYER_COUNT ||
                  (unsigned)finding->confidence >= MLS_CONFIDENCE_COUNT;
}

void mls_report_put(struct mls_bytes_out *out, const struct mls_report *report, bool redact)
{
    if (!report)
        return;
    mls_put_text(out, report->summary);
    mls_put_u64(out, report->n_rules);
    mls_put_u64(out, report->n_rules_applied);
    mls_put_u32(out, (uint32_t)report->n_findings);
    for (size_t i = 0; i < report->n_findings; i++)
        put_finding(out, &report->findings[i], redact);
}

const struct mls_report *mls_report_take(struct mls_cursor *cursor, struct mls_arena *arena)
{
    struct mls_report *report = mls_take_array(cursor, arena, 1, sizeof *report);
    const char *summary = mls_take_text(cursor, arena);
    uint64_t n_rules = mls_cursor_u64(cursor);
    uint64_t n_applied = mls_cursor_u64(cursor);
    uint32_t n = mls_take_count(cursor, 51);
    struct mls_finding *findings = mls_take_array(cursor, arena, n, sizeof *findings);
    for (uint32_t i = 0; i < n && !cursor->bad; i++)
        take_finding(cursor, arena, &findings[i]);
    if (cursor->bad || !summary)
        return NULL;
    *report = (struct mls_report){.findings = findings,
                                  .n_findings = n,
                                  .summary = summary,
                                  .n_rules = (size_t)n_rules,
                                  .n_rules_applied = (size_t)n_applied};
    return report;
}
