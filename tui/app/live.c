#include "app/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "profiler/recorder.h"
#include "term/signals.h"

/* A tiny model makes a million events a second: the ring holds what comes between two snapshots. */
enum { RING_EVENTS = 1 << 18, FIRST_REPORT_RUNS = 20 };

static const uint64_t report_every_ns = 10000000000u;
static const uint64_t memory_every_ns = 1000000000u;
static const uint64_t trend_every_ns = 250000000u;

struct mls_live {
    struct mls_live_options options;
    struct mls_loader *loader;
    struct mls_recorder *recorder;
    pthread_t thread;
    atomic_bool stop;
    _Atomic(enum mls_phase) phase; /* LOADING until the first prediction is done */
    atomic_uint_fast64_t n_done;
    _Atomic(struct mls_run *) run; /* set while it may be cancelled */
    struct mls_error run_error;    /* the worker's until phase is FAILED */
    bool run_failed;
    struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT]; /* the worker's until phase is RUNNING */

    /* The screen's thread only. */
    struct mls_snapshot snapshot;
    struct mls_profile *profile;
    struct mls_report *report;
    uint64_t report_at_ns; /* when it was made */
    uint64_t memory_at_ns; /* when it was read */
    uint64_t trend_at_ns;
    bool report_measured; /* it knew measured times */
    uint64_t n_expected;
    enum mls_stage stage_seen;
    uint64_t stage_begin_ns;
};

/* ---- The worker
 * ------------------------------------------------------------------------------------------------- */

static void place(struct mls_live *live, const struct mls_loaded *loaded)
{
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT && loaded->model && loaded->interface; i++)
        if (mls_placement_create(loaded->model, loaded->function, loaded->plan, mls_placement_profile_at(0),
                                 (enum mls_compute_units)i, &live->placements[i], NULL) != MLS_OK)
            live->placements[i] = NULL;
}

static void pause_between(struct mls_live *live)
{
    uint32_t left_ms = live->options.delay_ms;
    while (left_ms > 0 && !atomic_load_explicit(&live->stop, memory_order_relaxed)) {
        uint32_t part_ms = left_ms < 20 ? left_ms : 20;
        nanosleep(&(struct timespec){.tv_nsec = (long)part_ms * 1000000}, NULL);
        left_ms -= part_ms;
    }
}

static bool predict(struct mls_live *live, struct mls_run *run, bool timed)
{
    if (mls_recorder_predict(live->recorder, run, timed, NULL, &live->run_error) == MLS_OK) {
        atomic_fetch_add_explicit(&live->n_done, 1, memory_order_relaxed);
        return true;
    }
    live->run_failed = true;
    return false;
}

static void *work(void *argument)
{
    struct mls_live *live = argument;
    mls_signals_block_thread();
    if (mls_loader_run(live->loader, NULL) != MLS_OK) {
        place(live, mls_loader_result(live->loader)); /* what can be said without running */
        atomic_store(&live->phase, MLS_PHASE_FAILED);
        return NULL;
    }
    const struct mls_loaded *loaded = mls_loader_result(live->loader);
    atomic_store(&live->run, loaded->run);
    place(live, loaded);
    uint64_t begin_ns = mls_clock_ns();
    bool ok = !atomic_load(&live->stop) && predict(live, loaded->run, false);
    mls_loader_first_run(live->loader, mls_clock_ns() - begin_ns);
    atomic_store(&live->phase, ok ? MLS_PHASE_RUNNING : MLS_PHASE_FAILED);
    while (ok && !atomic_load_explicit(&live->stop, memory_order_relaxed)) {
        ok = predict(live, loaded->run, true);
        pause_between(live);
    }
    if (!ok)
        atomic_store(&live->phase, MLS_PHASE_FAILED);
    return NULL;
}

/* ---- The screen's side
 * ------------------------------------------------------------------------------------------ */

struct mls_live *mls_live_start(const struct mls_live_options *options)
{
    struct mls_live *live = calloc(1, sizeof *live);
    if (!live)
        return NULL;
    live->options = *options;
    live->snapshot.path = options->loader->path ? options->loader->path : options->loader->spec_file;
    live->snapshot.precision = options->loader->precision;
    live->snapshot.setting = options->compute_units;
    live->loader = mls_loader_create(options->loader);
    live->recorder = mls_recorder_create(RING_EVENTS);
    live->stage_begin_ns = mls_clock_ns();
    if (live->loader && live->recorder && pthread_create(&live->thread, NULL, work, live) == 0)
        return live;
    mls_recorder_free(live->recorder);
    mls_loader_free(live->loader);
    free(live);
    return NULL;
}

static void update_load(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    snapshot->progress = mls_loader_progress(live->loader);
    if (snapshot->progress.finished)
        snapshot->progress.stage = MLS_STAGE_FIRST_RUN;
    if (snapshot->progress.stage != live->stage_seen) {
        live->stage_seen = snapshot->progress.stage;
        live->stage_begin_ns = mls_clock_ns();
    }
    snapshot->stage_elapsed_ns = mls_clock_ns() - live->stage_begin_ns;
}

static void replace_report(struct mls_live *live, const struct mls_facts *facts)
{
    struct mls_report *report;
    if (mls_diagnose(facts, &report, NULL) != MLS_OK)
        return;
    mls_report_free(live->report);
    live->report = report;
    live->snapshot.report = report;
    live->report_at_ns = mls_clock_ns();
}

static void diagnose(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    const struct mls_loaded *loaded = snapshot->loaded;
    struct mls_facts facts = {.package = loaded->package,
                              .model = loaded->model,
                              .error = snapshot->error,
                              .interface = loaded->interface,
                              .plan = loaded->plan,
                              .placement = snapshot->placements[MLS_COMPUTE_UNITS_ALL]};
    bool measured = snapshot->predictions.runs >= FIRST_REPORT_RUNS && !snapshot->synthetic;
    struct mls_measurement measurement = {.load_ns = snapshot->load_ns,
                                          .first_ns = snapshot->predictions.first_ns,
                                          .p50_ns = snapshot->predictions.p50_ns,
                                          .p99_ns = snapshot->predictions.p99_ns,
                                          .n_runs = snapshot->predictions.runs,
                                          .n_steps = snapshot->n_steps};
    uint64_t *means = measured && snapshot->n_steps ? calloc(snapshot->n_steps, sizeof *means) : NULL;
    for (size_t i = 0; means && i < snapshot->n_steps; i++)
        means[i] = snapshot->steps[i].mean_per_prediction_ns;
    measurement.step_mean_ns = means;
    facts.measurement = measured && means ? &measurement : NULL;
    replace_report(live, &facts);
    live->report_measured = facts.measurement != NULL;
    free(means);
}

/* What the worker has made becomes visible, once. */
static void adopt(struct mls_live *live, enum mls_phase phase)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    const struct mls_loaded *loaded = mls_loader_result(live->loader);
    snapshot->loaded = loaded;
    snapshot->package = loaded->package ? mls_package_info(loaded->package) : NULL;
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++)
        snapshot->stages[i] = loaded->stages[i];
    snapshot->load_ns = loaded->total_ns;
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        snapshot->placements[i] = live->placements[i];
    if (phase != MLS_PHASE_RUNNING || !loaded->plan)
        return;
    struct mls_profile_options options = {.live = true};
    size_t n_steps = mls_plan_step_count(loaded->plan);
    if (mls_profile_create(loaded->plan, &options, &live->profile, NULL) != MLS_OK)
        return;
    snapshot->steps = calloc(n_steps ? n_steps : 1, sizeof *snapshot->steps);
    snapshot->trends = calloc(n_steps ? n_steps : 1, sizeof *snapshot->trends);
    snapshot->n_steps = snapshot->steps && snapshot->trends ? n_steps : 0;
}

static void update_measurements(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    uint64_t recent_ns[MLS_SNAPSHOT_RECENT];
    if (!live->memory_at_ns || mls_clock_ns() - live->memory_at_ns > memory_every_ns) {
        live->memory_at_ns = mls_clock_ns();
        snapshot->memory = mls_memory_read(snapshot->loaded->plan, snapshot->loaded->run);
    }
    snapshot->predictions = mls_profile_predictions(live->profile);
    snapshot->wall = mls_profile_wall(live->profile);
    snapshot->rate_hz = mls_profile_rate(live->profile);
    snapshot->lost = mls_profile_lost(live->profile);
    snapshot->n_recent = mls_profile_recent(live->profile, recent_ns, MLS_SNAPSHOT_RECENT);
    for (size_t i = 0; i < snapshot->n_recent; i++)
        snapshot->recent_ns[i] = (double)recent_ns[i];
    for (size_t i = 0; i < snapshot->n_steps; i++)
        snapshot->steps[i] = mls_profile_step(live->profile, i);
    if (mls_clock_ns() - live->trend_at_ns < trend_every_ns || !snapshot->predictions.runs)
        return;
    live->trend_at_ns = mls_clock_ns();
    for (size_t i = 0; i < snapshot->n_steps; i++)
        mls_trend_add(&snapshot->trends[i], (double)snapshot->steps[i].time.last_ns);
}

void mls_live_update(struct mls_live *live, bool collect_only)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    enum mls_phase phase = atomic_load(&live->phase);
    if (live->profile)
        mls_profile_collect(live->profile, live->recorder);
    if (collect_only)
        return;
    if (phase == MLS_PHASE_LOADING) {
        update_load(live);
        return;
    }
    if (!snapshot->loaded)
        adopt(live, phase);
    if (live->profile)
        update_measurements(live);
    if (live->options.synthetic)
        mls_snapshot_synthesize(snapshot, live->n_expected);
    bool failed_now = phase == MLS_PHASE_FAILED && snapshot->phase != MLS_PHASE_FAILED;
    if (failed_now)
        snapshot->error = live->run_failed ? &live->run_error : &snapshot->loaded->error;
    bool first_measured =
        !live->report_measured && snapshot->predictions.runs >= FIRST_REPORT_RUNS && !snapshot->synthetic;
    bool old = live->report_measured && mls_clock_ns() - live->report_at_ns > report_every_ns;
    if (failed_now || !live->report || first_measured || (old && phase == MLS_PHASE_RUNNING))
        diagnose(live);
    snapshot->phase = phase;
}

const struct mls_snapshot *mls_live_snapshot(const struct mls_live *live)
{
    return &live->snapshot;
}

void mls_live_expect(struct mls_live *live, uint64_t n_predictions)
{
    live->n_expected += n_predictions;
}

uint64_t mls_live_done(const struct mls_live *live)
{
    return atomic_load_explicit(&live->n_done, memory_order_relaxed);
}

void mls_live_free(struct mls_live *live)
{
    if (!live)
        return;
    atomic_store(&live->stop, true);
    mls_loader_cancel(live->loader);
    struct mls_run *run = atomic_load(&live->run);
    if (run)
        mls_run_cancel(run);
    pthread_join(live->thread, NULL);
    mls_report_free(live->report);
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_free(live->placements[i]);
    mls_profile_free(live->profile);
    mls_recorder_free(live->recorder);
    mls_loader_free(live->loader);
    free(live->snapshot.steps);
    free(live->snapshot.trends);
    free(live);
}
