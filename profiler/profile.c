#include "profiler/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "kept.h"
#include "ring.h"
#include "sampler/join.h"
#include "series.h"

enum {
    PREDICTION_SAMPLES = 1 << 16,
    SAMPLE_BYTES = 256 << 20,
    STEP_SAMPLES_MIN = 256,
    RECENT = 1024,
    RECORDERS_MAX = 256,
    TOGETHER = 16, /* predictions */
    STRIP = 32     /* events of each */
};

/* What is known of one step beyond its series. */
struct step_record {
    uint64_t start_ticks;   /* sum over predictions of the first execution's offset */
    uint64_t n_predictions; /* timed predictions in which it ran */
    uint64_t seen;          /* 1 + number of the fold that saw it last */
    uint32_t depth; /* of the plan's step, as is control: the plan's own table would be one more miss */
    bool control;
    struct series series;     /* own time */
    uint64_t inclusive_ticks; /* of a control step: with the steps that it ran */
};

struct recent {
    uint64_t begin_ns;
    uint64_t ns;
};

struct mls_profile {
    const struct mls_plan *plan;
    struct mls_profile_options options;
    struct mls_roofline roofline;
    struct mls_hot *hot;    /* or NULL */
    struct hot_span *spans; /* of the prediction at hand, for `hot` */
    size_t spans_capacity;
    const struct mls_clock *clock;
    struct step_record *steps;
    size_t n_steps;
    size_t max_step_samples;
    struct series predictions;
    uint64_t warmup;
    uint64_t dropped; /* events that this profile could not keep */
    uint64_t n_folds;
    uint64_t n_folded; /* timed predictions whose steps were looked at */
    uint64_t *nested_ticks; /* by depth: time of steps that a control step has yet to claim */
    uint32_t n_depths;
    struct mls_run_time sum; /* of the timed predictions; begin and end unused */
    uint64_t steps_ns;       /* own time of all steps in the timed predictions */
    uint64_t *scratch;       /* room to sort the longest series */
    size_t n_scratch;
    struct recent recent[RECENT];
    uint64_t n_recent;
    const struct mls_recorder *recorders[RECORDERS_MAX];
    uint64_t lost[RECORDERS_MAX];
    uint32_t n_recorders;
    struct mls_trace_event *trace;
    size_t n_trace;
    struct mls_trace_thread *trace_threads;
    size_t n_trace_threads;
    size_t trace_threads_capacity;
    struct mls_trace_prediction *trace_predictions;
    size_t n_trace_predictions;
    size_t trace_predictions_capacity;
    struct kept kept;
    bool nested; /* control steps: the events of one prediction must come in order */
};

static const char *const bound_names[] = {
#define X(id, name) [MLS_BOUND_##id] = name,
    MLS_BOUND_LIST(X)
#undef X
};

const char *mls_bound_name(enum mls_bound bound)
{
    return (unsigned)bound < MLS_BOUND_COUNT ? bound_names[bound] : NULL;
}

static uint32_t count_depths(const struct mls_plan *plan)
{
    uint32_t deepest = 0;
    for (size_t i = 0; i < mls_plan_step_count(plan); i++) {
        uint32_t depth = mls_plan_step(plan, i)->depth;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 2;
}

static void choose_limits(struct mls_profile *profile, const struct mls_profile_options *options)
{
    profile->options = *options;
    if (!options->max_prediction_samples)
        profile->options.max_prediction_samples = PREDICTION_SAMPLES;
    if (!options->max_sample_bytes)
        profile->options.max_sample_bytes = SAMPLE_BYTES;
    profile->max_step_samples =
        profile->options.max_sample_bytes / sizeof(uint64_t) / (profile->n_steps ? profile->n_steps : 1);
    if (profile->max_step_samples < STEP_SAMPLES_MIN)
        profile->max_step_samples = STEP_SAMPLES_MIN;
    if (options->live)
        profile->options.max_prediction_samples = profile->max_step_samples = 0;
}

enum mls_status mls_profile_create(const struct mls_plan *plan, const struct mls_profile_options *options,
                                   struct mls_profile **ret_profile, struct mls_error *reterr)
{
    static const struct mls_profile_options defaults;
    struct mls_profile *profile = calloc(1, sizeof *profile);
    if (!profile)
        goto out_of_memory;
    profile->plan = plan;
    profile->clock = mls_clock_get();
    profile->n_steps = mls_plan_step_count(plan);
    profile->n_depths = count_depths(plan);
    choose_limits(profile, options ? options : &defaults);
    profile->steps = calloc(profile->n_steps ? profile->n_steps : 1, sizeof *profile->steps);
    profile->nested_ticks = calloc(profile->n_depths, sizeof *profile->nested_ticks);
    for (size_t i = 0; profile->steps && i < profile->n_steps; i++) {
        profile->steps[i].depth = mls_plan_step(plan, i)->depth;
        profile->steps[i].control = mls_plan_step(plan, i)->control;
        profile->nested = profile->nested || profile->steps[i].control;
    }
    size_t n_trace = profile->options.max_trace_events;
    bool keeps = kept_create(&profile->kept, profile->options.keep_predictions);
    profile->trace = n_trace ? calloc(n_trace, sizeof *profile->trace) : NULL;
    if (!keeps || !profile->steps || !profile->nested_ticks || (n_trace && !profile->trace))
        goto out_of_memory;
    *ret_profile = profile;
    return MLS_OK;

out_of_memory:
    mls_profile_free(profile);
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot prepare the profile: out of memory");
}

void mls_profile_free(struct mls_profile *profile)
{
    if (!profile)
        return;
    for (size_t i = 0; profile->steps && i < profile->n_steps; i++)
        series_free(&profile->steps[i].series);
    series_free(&profile->predictions);
    free(profile->steps);
    free(profile->nested_ticks);
    free(profile->scratch);
    free(profile->trace);
    free(profile->trace_threads);
    free(profile->trace_predictions);
    free(profile->spans);
    kept_free(&profile->kept);
    free(profile);
}

/* Sorting for percentiles must not fail later, so its room is made when the samples come in. */
static bool reserve_scratch(struct mls_profile *profile, size_t n_samples)
{
    if (n_samples <= profile->n_scratch)
        return true;
    size_t n = n_samples < 64 ? 64 : n_samples * 2;
    uint64_t *scratch = realloc(profile->scratch, n * sizeof *scratch);
    if (!scratch)
        return false;
    profile->scratch = scratch;
    profile->n_scratch = n;
    return true;
}

static bool add_sample(struct mls_profile *profile, struct series *series, uint64_t ns, size_t max_samples)
{
    return (!max_samples || reserve_scratch(profile, series->n_samples + 1)) && series_add(series, ns, max_samples);
}

/* A step's own time, of `span_ns` in all: a control step is reported after the steps that it ran, whose time is theirs. */
static uint64_t own_ns(struct mls_profile *profile, const struct mls_event *event, uint64_t span_ns)
{
    struct step_record *step = &profile->steps[event->step];
    uint64_t span = event->end_ticks - event->begin_ticks;
    if (!profile->nested)
        return span_ns;
    profile->nested_ticks[step->depth] += span;
    if (!step->control)
        return span_ns;
    uint64_t nested = profile->nested_ticks[step->depth + 1];
    profile->nested_ticks[step->depth + 1] = 0;
    return mls_clock_span_ns(profile->clock, span > nested ? span - nested : 0);
}

/* `fold` is the number of the prediction among all that were folded. */
static bool fold_event(struct mls_profile *profile, const struct ring_prediction *prediction, bool first,
                       uint64_t fold, const struct mls_event *event, uint64_t span_ns)
{
    struct step_record *record = &profile->steps[event->step];
    uint64_t ns = own_ns(profile, event, span_ns);
    if (first)
        series_first(&record->series, ns);
    if (!prediction->timed)
        return true;
    if (!add_sample(profile, &record->series, ns, profile->max_step_samples))
        return false;
    profile->steps_ns += ns;
    if (record->control)
        record->inclusive_ticks += event->end_ticks - event->begin_ticks;
    if (record->seen != fold + 1) {
        record->seen = fold + 1;
        record->n_predictions++;
        record->start_ticks += event->begin_ticks - prediction->time.begin_ticks;
    }
    return true;
}

static bool fold_prediction(struct mls_profile *profile, const struct ring_prediction *prediction, bool first)
{
    const struct mls_run_time *time = &prediction->time;
    uint64_t ns = mls_clock_span_ns(profile->clock, time->end_ticks - time->begin_ticks);
    profile->recent[profile->n_recent++ % RECENT] =
        (struct recent){.begin_ns = mls_clock_to_ns(profile->clock, time->begin_ticks), .ns = ns};
    if (first)
        series_first(&profile->predictions, ns);
    if (!prediction->timed) {
        profile->warmup++;
        return true;
    }
    if (!add_sample(profile, &profile->predictions, ns, profile->options.max_prediction_samples))
        return false;
    profile->sum.ops_ticks += time->ops_ticks;
    profile->sum.dispatch_ticks += time->dispatch_ticks;
    profile->sum.hooks_ticks += time->hooks_ticks;
    profile->sum.other_ticks += time->other_ticks;
    return true;
}

static bool keep_trace_threads(struct mls_profile *profile, const struct mls_recorder *recorder,
                               const struct ring_prediction *prediction)
{
    size_t n = prediction->end_thread_event - prediction->first_thread_event;
    if (n > profile->options.max_trace_events - profile->n_trace_threads)
        return true; /* the events of the steps say what was dropped */
    if (profile->n_trace_threads + n > profile->trace_threads_capacity) {
        size_t capacity = (profile->n_trace_threads + n) * 2;
        struct mls_trace_thread *grown = realloc(profile->trace_threads, capacity * sizeof *grown);
        if (!grown)
            return false;
        profile->trace_threads = grown;
        profile->trace_threads_capacity = capacity;
    }
    for (size_t i = prediction->first_thread_event; i != prediction->end_thread_event; i++) {
        const struct mls_thread_event *event = ring_thread_event(recorder, i);
        profile->trace_threads[profile->n_trace_threads++] =
            (struct mls_trace_thread){.prediction = prediction->number,
                                      .step = event->part.step,
                                      .thread = event->thread,
                                      .begin_ns = mls_clock_to_ns(profile->clock, event->part.begin_ticks),
                                      .end_ns = mls_clock_to_ns(profile->clock, event->part.end_ticks)};
    }
    return true;
}

static bool keep_trace(struct mls_profile *profile, const struct mls_recorder *recorder, uint32_t index,
                       const struct ring_prediction *prediction)
{
    size_t n = prediction->end_event - prediction->first_event;
    if (!profile->options.max_trace_events || !prediction->complete)
        return true;
    if (n > profile->options.max_trace_events - profile->n_trace) {
        profile->dropped += n;
        return true;
    }
    if (profile->n_trace_predictions == profile->trace_predictions_capacity) {
        size_t capacity = profile->trace_predictions_capacity ? profile->trace_predictions_capacity * 2 : 64;
        struct mls_trace_prediction *grown =
            realloc(profile->trace_predictions, capacity * sizeof *profile->trace_predictions);
        if (!grown)
            return false;
        profile->trace_predictions = grown;
        profile->trace_predictions_capacity = capacity;
    }
    profile->trace_predictions[profile->n_trace_predictions++] = (struct mls_trace_prediction){
        .recorder = index,
        .thread = mls_recorder_thread(recorder),
        .prediction = prediction->number,
        .timed = prediction->timed,
        .begin_ns = mls_clock_to_ns(profile->clock, prediction->time.begin_ticks),
        .end_ns = mls_clock_to_ns(profile->clock, prediction->time.end_ticks)};
    for (size_t i = prediction->first_event; i != prediction->end_event; i++) {
        const struct mls_event *event = ring_event(recorder, i);
        profile->trace[profile->n_trace++] =
            (struct mls_trace_event){.recorder = index,
                                     .prediction = event->prediction,
                                     .step = event->step,
                                     .begin_ns = mls_clock_to_ns(profile->clock, event->begin_ticks),
                                     .end_ns = mls_clock_to_ns(profile->clock, event->end_ticks)};
    }
    return keep_trace_threads(profile, recorder, prediction);
}

static bool find_recorder(struct mls_profile *profile, const struct mls_recorder *recorder,
                          uint32_t *ret_index)
{
    uint32_t i = 0;
    while (i < profile->n_recorders && profile->recorders[i] != recorder)
        i++;
    if (i == RECORDERS_MAX)
        return false;
    profile->recorders[i] = recorder;
    if (i == profile->n_recorders)
        profile->n_recorders++;
    *ret_index = i;
    return true;
}

/* Samples of stacks find the steps in which they were taken. False when out of memory: they stay nobody's. */
static bool join_hot(struct mls_profile *profile, const struct mls_recorder *recorder,
                     const struct ring_prediction *prediction)
{
    size_t n = prediction->end_event - prediction->first_event;
    if (n > profile->spans_capacity) {
        struct hot_span *spans = reallocarray(profile->spans, n, sizeof *spans);
        if (!spans)
            return false;
        profile->spans = spans;
        profile->spans_capacity = n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct mls_event *event = ring_event(recorder, prediction->first_event + i);
        profile->spans[i] = (struct hot_span){.step = event->step,
                                              .begin_ns = mls_clock_to_ns(profile->clock, event->begin_ticks),
                                              .end_ns = mls_clock_to_ns(profile->clock, event->end_ticks)};
    }
    hot_join(profile->hot, &(struct hot_prediction){
                               .thread = mls_recorder_thread(recorder),
                               .timed = prediction->timed,
                               .alone = profile->n_recorders == 1,
                               .begin_ns = mls_clock_to_ns(profile->clock, prediction->time.begin_ticks),
                               .end_ns = mls_clock_to_ns(profile->clock, prediction->time.end_ticks),
                               .spans = profile->spans,
                               .n_spans = n});
    return true;
}

/* Has what an event will change fetched; returns its time. */
static uint64_t expect_event(const struct mls_profile *profile, const struct mls_event *event)
{
    uint64_t ns = mls_clock_span_ns(profile->clock, event->end_ticks - event->begin_ticks);
    series_expect(&profile->steps[event->step].series, ns);
    return ns;
}

/* The events of `n` predictions, a few steps of each in turn: what is known of thousands of steps fits no
 * cache, and is fetched once for all of them. */
static bool fold_events(struct mls_profile *profile, const struct mls_recorder *recorder,
                        const struct ring_prediction *const *predictions, size_t n, uint32_t index)
{
    bool ok = true, more = true;
    uint64_t spans_ns[STRIP];
    for (size_t begin = 0; more; begin += STRIP) {
        more = false;
        for (size_t k = 0; k < n; k++) {
            size_t n_events = predictions[k]->end_event - predictions[k]->first_event;
            bool first = !index && !predictions[k]->number;
            more = more || begin + STRIP < n_events;
            for (size_t i = begin; i < n_events && i < begin + STRIP; i++)
                spans_ns[i - begin] = expect_event(profile, ring_event(recorder, predictions[k]->first_event + i));
            for (size_t i = begin; i < n_events && i < begin + STRIP; i++)
                if (!fold_event(profile, predictions[k], first, profile->n_folds + k,
                                ring_event(recorder, predictions[k]->first_event + i), spans_ns[i - begin])) {
                    profile->dropped++;
                    ok = false;
                }
        }
    }
    return ok;
}

/* Those whose steps are not looked at. Which one was the slowest is seen all the same. */
static bool fold_whole(struct mls_profile *profile, const struct mls_recorder *recorder, uint32_t index)
{
    const struct ring_prediction *prediction = ring_next(recorder, 0);
    bool ok = fold_prediction(profile, prediction, false);
    return kept_add(&profile->kept, profile->clock, recorder, index, prediction, SIZE_MAX) && ok;
}

/* How many of the oldest predictions that wait are not looked into. */
static size_t count_whole(const struct mls_profile *profile, const struct mls_recorder *recorder)
{
    size_t most = profile->options.max_events_a_collect, n = ring_waiting(recorder, SIZE_MAX), n_events = 0;
    const struct ring_prediction *oldest = n ? ring_next(recorder, 0) : NULL;
    if (!most || profile->hot || !oldest || !oldest->timed || !oldest->number)
        return 0;
    for (size_t k = n; k-- > 0;) {
        const struct ring_prediction *prediction = ring_next(recorder, k);
        n_events += prediction->end_event - prediction->first_event;
        if (n_events > most && k + 1 < n)
            return k + 1;
    }
    return 0;
}

static bool fold_predictions(struct mls_profile *profile, const struct mls_recorder *recorder, uint32_t index,
                             size_t n)
{
    const struct ring_prediction *predictions[TOGETHER];
    bool ok = true;
    for (size_t k = 0; k < n; k++) {
        predictions[k] = ring_next(recorder, k);
        ok = fold_prediction(profile, predictions[k], !index && !predictions[k]->number) && ok;
        profile->n_folded += predictions[k]->timed && predictions[k]->complete;
    }
    memset(profile->nested_ticks, 0, profile->n_depths * sizeof *profile->nested_ticks);
    ok = fold_events(profile, recorder, predictions, n, index) && ok;
    for (size_t k = 0; k < n; k++) {
        ok = keep_trace(profile, recorder, index, predictions[k]) && ok;
        if (profile->hot)
            ok = join_hot(profile, recorder, predictions[k]) && ok;
        ok = kept_add(&profile->kept, profile->clock, recorder, index, predictions[k], n - 1 - k) && ok;
    }
    profile->n_folds += n;
    return ok;
}

bool mls_profile_collect(struct mls_profile *profile, struct mls_recorder *recorder)
{
    uint32_t index;
    if (!find_recorder(profile, recorder, &index))
        return false;
    bool ok = true;
    for (size_t n = count_whole(profile, recorder); n > 0; n--) {
        ok = fold_whole(profile, recorder, index) && ok;
        ring_release(recorder);
    }
    for (size_t n; (n = ring_waiting(recorder, profile->nested ? 1 : TOGETHER)) > 0;) {
        ok = fold_predictions(profile, recorder, index, n) && ok;
        for (size_t i = 0; i < n; i++)
            ring_release(recorder);
    }
    profile->lost[index] = mls_recorder_lost(recorder);
    return ok;
}

void mls_profile_set_hot(struct mls_profile *profile, struct mls_hot *hot)
{
    profile->hot = hot;
}

void mls_profile_set_roofline(struct mls_profile *profile, struct mls_roofline roofline)
{
    profile->roofline = roofline;
}

struct mls_roofline mls_profile_roofline(const struct mls_profile *profile)
{
    return profile->roofline;
}

void mls_profile_reset(struct mls_profile *profile)
{
    for (size_t i = 0; i < profile->n_steps; i++) {
        struct step_record *record = &profile->steps[i];
        series_clear(&record->series);
        *record = (struct step_record){
            .series = record->series, .depth = record->depth, .control = record->control};
    }
    series_clear(&profile->predictions);
    profile->sum = (struct mls_run_time){0};
    profile->steps_ns = 0;
    profile->n_folded = 0;
    profile->warmup = 0;
    profile->dropped = 0;
    profile->n_trace = 0;
    profile->n_trace_threads = 0;
    profile->n_trace_predictions = 0;
    kept_clear(&profile->kept);
}

const struct mls_plan *mls_profile_plan(const struct mls_profile *profile)
{
    return profile->plan;
}

size_t mls_profile_step_count(const struct mls_profile *profile)
{
    return profile->n_steps;
}

struct mls_series_stats mls_profile_predictions(const struct mls_profile *profile)
{
    return series_stats(&profile->predictions, profile->scratch);
}

/* Simple roofline: the limit that the step's own work would reach first. */
static enum mls_bound find_bound(const struct mls_roofline *roofline, const struct mls_cost *cost)
{
    double bytes = (double)(cost->bytes_read + cost->bytes_written);
    if (roofline->gflops <= 0 || roofline->gbytes_per_s <= 0 || (bytes <= 0 && !cost->flops))
        return MLS_BOUND_UNKNOWN;
    return (double)cost->flops / roofline->gflops > bytes / roofline->gbytes_per_s ? MLS_BOUND_COMPUTE
                                                                                   : MLS_BOUND_MEMORY;
}

static uint64_t divide(uint64_t sum, uint64_t n)
{
    return n ? (sum + n / 2) / n : 0;
}

struct mls_step_stats mls_profile_step(const struct mls_profile *profile, size_t index)
{
    const struct step_record *record = &profile->steps[index];
    const struct mls_step *step = mls_plan_step(profile->plan, index);
    struct mls_step_stats stats = {.time = series_stats(&record->series, profile->scratch),
                                   .gflops = (double)NAN,
                                   .gbytes_per_s = (double)NAN,
                                   .bound = find_bound(&profile->roofline, &step->cost)};
    stats.share = profile->steps_ns ? (double)record->series.sum_ns / (double)profile->steps_ns : 0;
    stats.mean_per_prediction_ns =
        divide(record->series.sum_ns, profile->options.max_events_a_collect ? profile->n_folded : profile->predictions.runs);
    stats.inclusive_mean_ns =
        record->control ? divide(mls_clock_span_ns(profile->clock, record->inclusive_ticks), record->series.runs)
                        : stats.time.mean_ns;
    stats.start_ns = divide(mls_clock_span_ns(profile->clock, record->start_ticks), record->n_predictions);
    double mean = record->series.runs ? (double)record->series.sum_ns / (double)record->series.runs : 0;
    uint64_t bytes = step->cost.bytes_read + step->cost.bytes_written;
    if (mean > 0 && !step->dynamic && !step->control) {
        stats.gflops = (double)step->cost.flops / mean;
        stats.gbytes_per_s = (double)bytes / mean;
    }
    return stats;
}

uint64_t mls_profile_step_last_ns(const struct mls_profile *profile, size_t index)
{
    return profile->steps[index].series.last_ns;
}

struct mls_wall mls_profile_wall(const struct mls_profile *profile)
{
    uint64_t n = profile->predictions.runs;
    if (!n)
        return (struct mls_wall){0};
    uint64_t left = divide(profile->predictions.sum_ns, n);
    struct mls_wall wall;
    /* Rounding is settled in `other`; each part takes no more than what is left, so that none can be
     * negative. */
    const struct {
        uint64_t ticks;
        uint64_t *ret_ns;
    } parts[] = {{profile->sum.ops_ticks, &wall.ops_ns},
                 {profile->sum.dispatch_ticks, &wall.dispatch_ns},
                 {profile->sum.hooks_ticks, &wall.hooks_ns}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint64_t ns = divide(mls_clock_span_ns(profile->clock, parts[i].ticks), n);
        *parts[i].ret_ns = ns < left ? ns : left;
        left -= *parts[i].ret_ns;
    }
    wall.other_ns = left;
    return wall;
}

uint64_t mls_profile_warmup(const struct mls_profile *profile)
{
    return profile->warmup;
}

uint64_t mls_profile_lost(const struct mls_profile *profile)
{
    uint64_t lost = profile->dropped;
    for (uint32_t i = 0; i < profile->n_recorders; i++)
        lost += profile->lost[i];
    return lost;
}

const uint64_t *mls_profile_samples(const struct mls_profile *profile, size_t *ret_n)
{
    *ret_n = profile->predictions.n_samples;
    return profile->predictions.samples;
}

const uint64_t *mls_profile_step_samples(const struct mls_profile *profile, size_t index, size_t *ret_n)
{
    *ret_n = profile->steps[index].series.n_samples;
    return profile->steps[index].series.samples;
}

size_t mls_profile_recent(const struct mls_profile *profile, uint64_t *ret_ns, size_t max)
{
    uint64_t kept = profile->n_recent < RECENT ? profile->n_recent : RECENT;
    size_t n = kept < max ? kept : max;
    for (size_t i = 0; i < n; i++)
        ret_ns[i] = profile->recent[(profile->n_recent - n + i) % RECENT].ns;
    return n;
}

double mls_profile_rate(const struct mls_profile *profile)
{
    uint64_t n = profile->n_recent < RECENT ? profile->n_recent : RECENT;
    if (n < 2)
        return 0;
    uint64_t first = profile->recent[(profile->n_recent - n) % RECENT].begin_ns;
    uint64_t last = profile->recent[(profile->n_recent - 1) % RECENT].begin_ns;
    return last > first ? (double)(n - 1) * 1e9 / (double)(last - first) : 0;
}

const struct mls_trace_event *mls_profile_trace(const struct mls_profile *profile, size_t *ret_n)
{
    *ret_n = profile->n_trace;
    return profile->trace;
}

const struct mls_trace_thread *mls_profile_trace_threads(const struct mls_profile *profile, size_t *ret_n)
{
    *ret_n = profile->n_trace_threads;
    return profile->trace_threads;
}

const struct mls_trace_prediction *mls_profile_trace_predictions(const struct mls_profile *profile,
                                                                 size_t *ret_n)
{
    *ret_n = profile->n_trace_predictions;
    return profile->trace_predictions;
}

size_t mls_profile_kept(const struct mls_profile *profile, struct mls_kept_prediction *ret_kept, size_t max)
{
    return kept_list(&profile->kept, ret_kept, max);
}
