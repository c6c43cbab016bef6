#include "recording/sections.h"

#include <stdio.h>

enum { SERIES_NUMBERS = 12, RECENT_MAX = 1 << 16, THREADS_MAX = 1 << 12 };

static const size_t series_bytes = 2 + SERIES_NUMBERS * 8;

static void put_series(struct mls_bytes_out *out, const struct mls_series_stats *series)
{
    const uint64_t numbers[SERIES_NUMBERS] = {
        series->runs,   series->first_ns, series->last_ns, series->min_ns,  series->p50_ns, series->p90_ns,
        series->p95_ns, series->p99_ns,   series->max_ns,  series->mean_ns, series->std_ns, 0};
    mls_put_u8(out, series->has_first);
    mls_put_u8(out, series->approximate);
    for (unsigned i = 0; i < SERIES_NUMBERS; i++)
        mls_put_u64(out, numbers[i]);
}

static struct mls_series_stats take_series(struct mls_cursor *cursor)
{
    struct mls_series_stats series = {.has_first = mls_take_u8(cursor) != 0};
    series.approximate = mls_take_u8(cursor) != 0;
    uint64_t *const numbers[SERIES_NUMBERS] = {
        &series.runs,   &series.first_ns, &series.last_ns, &series.min_ns,  &series.p50_ns, &series.p90_ns,
        &series.p95_ns, &series.p99_ns,   &series.max_ns,  &series.mean_ns, &series.std_ns, NULL};
    for (unsigned i = 0; i < SERIES_NUMBERS; i++) {
        uint64_t number = mls_cursor_u64(cursor);
        if (numbers[i])
            *numbers[i] = number;
    }
    return series;
}

void put_memory(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_memory_use *use = &source->record->memory;
    const uint64_t numbers[] = {
        use->plan.weights_bytes,      use->plan.packed_bytes,      use->plan.arena_bytes,
        use->plan.planned_peak_bytes, use->plan.lower_bound_bytes, use->plan.scratch_bytes,
        use->plan.states_bytes,       use->dynamic_bytes,          use->rss_bytes,
        use->peak_rss_bytes};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        mls_put_u64(out, numbers[i]);
}

void take_memory(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_memory_use *use = &target->record->memory;
    uint64_t *const numbers[] = {
        &use->plan.weights_bytes,      &use->plan.packed_bytes,      &use->plan.arena_bytes,
        &use->plan.planned_peak_bytes, &use->plan.lower_bound_bytes, &use->plan.scratch_bytes,
        &use->plan.states_bytes,       &use->dynamic_bytes,          &use->rss_bytes,
        &use->peak_rss_bytes};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = mls_cursor_u64(cursor);
}

void put_statistics(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_record *record = source->record;
    put_series(out, &record->predictions);
    mls_put_u64(out, record->wall.ops_ns);
    mls_put_u64(out, record->wall.dispatch_ns);
    mls_put_u64(out, record->wall.hooks_ns);
    mls_put_u64(out, record->wall.other_ns);
    mls_put_f64(out, record->rate_hz);
    mls_put_u64(out, record->lost);
    mls_put_f64(out, record->roofline.gflops);
    mls_put_f64(out, record->roofline.gbytes_per_s);
    mls_put_u32(out, (uint32_t)record->n_steps);
    for (size_t i = 0; i < record->n_steps; i++) {
        const struct mls_step_stats *stats = &record->stats[i];
        put_series(out, &stats->time);
        mls_put_f64(out, stats->share);
        mls_put_u64(out, stats->mean_per_prediction_ns);
        mls_put_u64(out, stats->inclusive_mean_ns);
        mls_put_u64(out, stats->start_ns);
        mls_put_f64(out, stats->gflops);
        mls_put_f64(out, stats->gbytes_per_s);
        mls_put_u8(out, stats->bound);
    }
}

void take_statistics(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_record *record = target->record;
    record->predictions = take_series(cursor);
    record->wall.ops_ns = mls_cursor_u64(cursor);
    record->wall.dispatch_ns = mls_cursor_u64(cursor);
    record->wall.hooks_ns = mls_cursor_u64(cursor);
    record->wall.other_ns = mls_cursor_u64(cursor);
    record->rate_hz = mls_take_f64(cursor);
    record->lost = mls_cursor_u64(cursor);
    record->roofline.gflops = mls_take_f64(cursor);
    record->roofline.gbytes_per_s = mls_take_f64(cursor);
    uint32_t n = mls_take_count(cursor, series_bytes + 49);
    cursor->bad = cursor->bad || n != record->n_steps; /* steps come before */
    record->stats = mls_take_array(cursor, target->arena, n, sizeof *record->stats);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        struct mls_step_stats *stats = &record->stats[i];
        stats->time = take_series(cursor);
        stats->share = mls_take_f64(cursor);
        stats->mean_per_prediction_ns = mls_cursor_u64(cursor);
        stats->inclusive_mean_ns = mls_cursor_u64(cursor);
        stats->start_ns = mls_cursor_u64(cursor);
        stats->gflops = mls_take_f64(cursor);
        stats->gbytes_per_s = mls_take_f64(cursor);
        stats->bound = (enum mls_bound)mls_take_u8(cursor);
        cursor->bad = cursor->bad || stats->bound >= MLS_BOUND_COUNT;
    }
}

void put_recent(struct mls_bytes_out *out, const struct section_source *source)
{
    mls_put_u32(out, (uint32_t)source->record->n_recent);
    for (size_t i = 0; i < source->record->n_recent; i++)
        mls_put_f64(out, source->record->recent_ns[i]);
}

void take_recent(struct mls_cursor *cursor, const struct section_target *target)
{
    uint32_t n = mls_take_count(cursor, 8);
    cursor->bad = cursor->bad || n > RECENT_MAX;
    double *recent_ns = mls_take_array(cursor, target->arena, n, sizeof *recent_ns);
    for (uint32_t i = 0; i < n && recent_ns; i++)
        recent_ns[i] = mls_take_f64(cursor);
    target->record->recent_ns = recent_ns;
    target->record->n_recent = cursor->bad ? 0 : n;
}

void put_kept(struct mls_bytes_out *out, const struct section_source *source)
{
    mls_put_u32(out, (uint32_t)source->record->n_kept);
    for (size_t i = 0; i < source->record->n_kept; i++) {
        const struct mls_kept_prediction *kept = &source->record->kept[i];
        mls_put_u32(out, kept->recorder);
        mls_put_u64(out, kept->number);
        mls_put_u64(out, kept->ns);
        mls_put_u32(out, (uint32_t)kept->n_events);
        for (size_t k = 0; k < kept->n_events; k++) {
            mls_put_u32(out, kept->events[k].step);
            mls_put_u64(out, kept->events[k].begin_ns);
            mls_put_u64(out, kept->events[k].ns);
        }
    }
}

void take_kept(struct mls_cursor *cursor, const struct section_target *target)
{
    uint32_t n = mls_take_count(cursor, 24);
    struct mls_kept_prediction *kept = mls_take_array(cursor, target->arena, n, sizeof *kept);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        kept[i].recorder = mls_cursor_u32(cursor);
        kept[i].number = mls_cursor_u64(cursor);
        kept[i].ns = mls_cursor_u64(cursor);
        uint32_t n_events = mls_take_count(cursor, 20);
        struct mls_kept_event *events = mls_take_array(cursor, target->arena, n_events, sizeof *events);
        for (uint32_t k = 0; k < n_events && !cursor->bad; k++) {
            events[k].step = mls_cursor_u32(cursor);
            events[k].begin_ns = mls_cursor_u64(cursor);
            events[k].ns = mls_cursor_u64(cursor);
            cursor->bad = cursor->bad || events[k].step >= target->record->n_steps ||
                          events[k].ns > UINT64_MAX - events[k].begin_ns;
        }
        kept[i].events = events;
        kept[i].n_events = cursor->bad ? 0 : n_events;
    }
    target->record->kept = kept;
    target->record->n_kept = cursor->bad ? 0 : n;
}

/* Parallel to the kept predictions. */
void put_threads(struct mls_bytes_out *out, const struct section_source *source)
{
    mls_put_u32(out, (uint32_t)source->record->n_kept);
    for (size_t i = 0; i < source->record->n_kept; i++) {
        const struct mls_kept_prediction *kept = &source->record->kept[i];
        mls_put_u32(out, (uint32_t)kept->n_threads);
        for (size_t k = 0; k < kept->n_threads; k++) {
            mls_put_u32(out, kept->threads[k].step);
            mls_put_u32(out, kept->threads[k].thread);
            mls_put_u64(out, kept->threads[k].begin_ns);
            mls_put_u64(out, kept->threads[k].ns);
        }
    }
}

static void take_shares(struct mls_cursor *cursor, const struct section_target *target,
                        struct mls_kept_prediction *kept)
{
    uint32_t n = mls_take_count(cursor, 24);
    struct mls_kept_thread *threads = mls_take_array(cursor, target->arena, n, sizeof *threads);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        struct mls_kept_thread *thread = &threads[i];
        thread->step = mls_cursor_u32(cursor);
        thread->thread = mls_cursor_u32(cursor);
        thread->begin_ns = mls_cursor_u64(cursor);
        thread->ns = mls_cursor_u64(cursor);
        cursor->bad = cursor->bad || thread->step >= target->record->n_steps || thread->thread >= THREADS_MAX ||
                      thread->ns > UINT64_MAX - thread->begin_ns;
    }
    kept->threads = threads;
    kept->n_threads = cursor->bad ? 0 : n;
}

void take_threads(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_record *record = target->record;
    uint32_t n = mls_take_count(cursor, 4);
    cursor->bad = cursor->bad || n != record->n_kept;
    struct mls_kept_prediction *kept = mls_take_array(cursor, target->arena, n, sizeof *kept);
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        kept[i] = record->kept[i];
        take_shares(cursor, target, &kept[i]);
    }
    if (!cursor->bad)
        record->kept = kept;
}

void put_history(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_history *history = source->record->history;
    mls_put_f64(out, history ? history->stretch_s : 0);
    mls_put_u32(out, history ? (uint32_t)history->n_points : 0);
    for (size_t i = 0; history && i < history->n_points; i++) {
        const struct mls_history_point *point = &history->points[i];
        mls_put_f64(out, point->at_s);
        mls_put_f64(out, point->mean_ns);
        mls_put_f64(out, point->worst_ns);
        mls_put_u64(out, point->rss_bytes);
        mls_put_u64(out, point->runs);
    }
}

void take_history(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_history *history = mls_take_array(cursor, target->arena, 1, sizeof *history);
    double stretch_s = mls_take_f64(cursor);
    uint32_t n = mls_take_count(cursor, 40);
    cursor->bad = cursor->bad || n > MLS_HISTORY_POINTS;
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        struct mls_history_point *point = &history->points[i];
        point->at_s = mls_take_f64(cursor);
        point->mean_ns = mls_take_f64(cursor);
        point->worst_ns = mls_take_f64(cursor);
        point->rss_bytes = mls_cursor_u64(cursor);
        point->runs = mls_cursor_u64(cursor);
    }
    if (cursor->bad)
        return;
    history->n_points = n;
    history->stretch_s = stretch_s;
    target->record->history = history;
}

/* Lines may name operations and files: with redaction there are none. */
void put_log(struct mls_bytes_out *out, const struct section_source *source)
{
    const struct mls_log *log = source->redact ? NULL : source->record->log;
    mls_put_u64(out, log ? log->n_dropped : 0);
    mls_put_u32(out, log ? (uint32_t)log->n_lines : 0);
    for (size_t i = 0; log && i < log->n_lines; i++) {
        mls_put_f64(out, log->lines[i].at_s);
        mls_put_u8(out, log->lines[i].kind);
        mls_put_text(out, log->lines[i].text);
    }
}

void take_log(struct mls_cursor *cursor, const struct section_target *target)
{
    struct mls_log *log = mls_take_array(cursor, target->arena, 1, sizeof *log);
    uint64_t n_dropped = mls_cursor_u64(cursor);
    uint32_t n = mls_take_count(cursor, 13);
    cursor->bad = cursor->bad || n > MLS_LOG_LINES;
    for (uint32_t i = 0; i < n && !cursor->bad; i++) {
        double at_s = mls_take_f64(cursor);
        unsigned kind = mls_take_u8(cursor);
        const char *text = mls_take_text(cursor, target->arena);
        cursor->bad = cursor->bad || kind >= MLS_LOG_KIND_COUNT || !text;
        if (!cursor->bad)
            mls_log_add(log, at_s, (enum mls_log_kind)kind, "%s", text);
    }
    if (cursor->bad)
        return;
    log->n_dropped = n_dropped;
    target->record->log = log;
}
