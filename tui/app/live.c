#include "app/live.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/baseline.h"
#include "app/engine.h"
#include "app/finder.h"
#include "app/live_data.h"
#include "app/live_report.h"
#include "core/clock.h"
#include "diagnostics/recorded.h"

enum { DYING_MAX = 8, STEPS_AT_ONCE = 64, LOOKS_PER_HOT = 5, FEW_RUNS = 64, STEPS_THAT_FIT = 512, EVENTS_A_LOOK = 2048 };

static const uint64_t memory_every_ns = 1000000000u;
static const uint64_t trend_every_ns = 500000000u;

struct mls_live {
    struct mls_live_options options;
    struct mls_loader_options loader; /* those of the options, with another path after a change of model */
    char *path;                       /* owned, or NULL: that of the options */
    struct mls_engine *engine;        /* NULL with a recording, and while there is no model */
    struct mls_recording *recording;
    struct mls_baseline baseline;
    struct mls_sweeper *sweeper; /* NULL: nobody asked */
    struct mls_duel *duel;       /* NULL: nobody asked */
    struct mls_finder *finder;
    struct mls_found *found; /* a copy for the snapshot */
    size_t found_capacity;
    struct mls_engine *dying[DYING_MAX];
    struct mls_snapshot snapshot;
    struct live_data data; /* what the snapshot points to */
    struct mls_history history;
    struct mls_log log;
    struct mls_profile *profile;
    struct mls_sampler *sampler; /* NULL: nobody asked */
    struct mls_hot *hot;         /* of the profile */
    struct live_report report;
    uint64_t begin_ns;
    uint64_t memory_at_ns; /* when it was read */
    uint64_t trend_at_ns;
    uint64_t runs_seen;  /* by the history */
    uint64_t n_looks;    /* at the steps */
    uint32_t probe_step; /* asked for last */
    uint64_t n_expected;
    bool kept_borrowed; /* the snapshot's kept predictions are the profile's own */
    enum mls_stage stage_seen;
    uint64_t stage_begin_ns;
};

static double seconds_since_start(const struct mls_live *live)
{
    return live->options.synthetic ? 0 : (double)(mls_clock_ns() - live->begin_ns) * 1e-9;
}

/* ---- Starting
 * --------------------------------------------------------------------------------------------------- */

/* A snapshot of nothing yet: what was said about the model before does not hold any more. */
static void clear_snapshot(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    uint32_t generation = snapshot->generation;
    enum mls_compute_units setting = snapshot->setting;
    memset(snapshot, 0, sizeof *snapshot);
    snapshot->generation = generation + 1;
    snapshot->setting = setting;
    snapshot->path = live->loader.path ? live->loader.path : live->loader.spec_file;
    snapshot->model.path = snapshot->path;
    snapshot->environment = live->options.environment;
    snapshot->probe.step = live->probe_step = MLS_PROBE_NO_STEP;
    snapshot->history = &live->history;
    snapshot->log = &live->log;
    live->stage_begin_ns = mls_clock_ns();
    live->stage_seen = MLS_STAGE_OPEN;
    live->memory_at_ns = live->runs_seen = 0;
    live->kept_borrowed = false;
}

struct mls_live *mls_live_start(const struct mls_live_options *options)
{
    static const struct mls_loader_options nothing;
    struct mls_live *live = calloc(1, sizeof *live);
    if (!live) {
        mls_recording_free(options->recording);
        return NULL;
    }
    live->options = *options;
    live->loader = options->loader ? *options->loader : nothing;
    live->begin_ns = mls_clock_ns();
    clear_snapshot(live);
    live->snapshot.setting = options->compute_units;
    bool ok = true;
    live->recording = options->recording;
    if (options->recording)
        ok = live_data_replay(&live->data, options->recording, options->recording_path, &live->snapshot);
    else if (options->folder) {
        live->snapshot.phase = MLS_PHASE_CHOOSING;
        mls_live_find(live, options->folder);
    } else
        ok = (live->engine = mls_engine_start(&live->loader, &live->options.settings, !options->synthetic)) !=
             NULL;
    if (ok)
        return live;
    mls_live_free(live);
    return NULL;
}

/* The engine ends on its own time; its room is given back when it has. */
static void bury(struct mls_live *live, struct mls_engine *engine)
{
    if (!engine)
        return;
    mls_engine_stop(engine);
    for (unsigned i = 0; i < DYING_MAX; i++)
        if (!live->dying[i]) {
            live->dying[i] = engine;
            return;
        }
    mls_engine_free(engine); /* so many at once: this one is waited for */
}

/* What a model leaves between the blocks of its successor goes back to the system: a day of restarts is no
 * larger than one. */
static void reap(struct mls_live *live)
{
    for (unsigned i = 0; i < DYING_MAX; i++)
        if (live->dying[i] && mls_engine_stopped(live->dying[i])) {
            mls_engine_free(live->dying[i]);
            live->dying[i] = NULL;
#ifdef __GLIBC__
            malloc_trim(0);
#endif
        }
}

static void end_duel(struct mls_live *live)
{
    mls_duel_free(live->duel);
    live->duel = NULL;
    live->snapshot.duel = (struct mls_duel_view){.n_rounds = 0};
    live->snapshot.dueled = false;
    live->snapshot.comparison = NULL;
}

/* Whatever stood behind the screen goes; the engine ends on its own time. A sweep is about the model as it is
 * in the file. */
static void leave(struct mls_live *live, bool other_model)
{
    if (other_model) {
        mls_sweeper_free(live->sweeper);
        live->sweeper = NULL;
    }
    end_duel(live);
    mls_profile_free(live->profile);
    live->profile = NULL;
    mls_hot_free(live->hot);
    live->hot = NULL;
    live_report_clear(&live->report);
    bury(live, live->engine);
    live->engine = NULL;
    clear_snapshot(live);
    live_data_clear(&live->data);
    mls_recording_free(live->recording);
    live->recording = NULL;
}

/* A recording takes the place of what was there; false when it cannot be read: then nothing has changed. */
static bool switch_to_recording(struct mls_live *live, const char *path, struct mls_recording *recording)
{
    char *own_path = strdup(path);
    if (!own_path) {
        mls_recording_free(recording);
        return false;
    }
    leave(live, true);
    free(live->path);
    live->path = own_path;
    live->recording = recording;
    return live_data_replay(&live->data, recording, own_path, &live->snapshot);
}

bool mls_live_restart(struct mls_live *live, const struct mls_settings *settings, const char *path,
                      const char *why)
{
    struct mls_loader_options loader = live->loader;
    struct mls_recording *recording;
    if (path && mls_recording_open(path, &recording, NULL) == MLS_OK)
        return switch_to_recording(live, path, recording);
    char *own_path = path ? strdup(path) : NULL;
    if (path && !own_path)
        return false;
    if (own_path) {
        loader.path = own_path;
        loader.spec_file = NULL;
    }
    struct mls_engine *engine = loader.path || loader.spec_file
                                    ? mls_engine_start(&loader, settings, !live->options.synthetic)
                                    : NULL;
    if (!engine) {
        free(own_path);
        return false;
    }
    bool other_model = own_path || strcmp(settings->function, live->options.settings.function) != 0;
    if (own_path) {
        free(live->path);
        live->path = own_path;
    }
    live->loader = loader;
    live->options.settings = *settings;
    leave(live, other_model);
    live->engine = engine;
    mls_live_note(live, MLS_LOG_CHANGE, why);
    return true;
}

enum mls_status mls_live_set_baseline(struct mls_live *live, const char *path, struct mls_error *reterr)
{
    char label[MLS_LOG_TEXT_BYTES];
    end_duel(live);
    live->snapshot.comparison = NULL; /* with the baseline that goes; the next look compares anew */
    if (path)
        return mls_baseline_open(&live->baseline, path, reterr);
    if (!live->snapshot.n_steps)
        return mls_fail(reterr, MLS_ERR_USAGE, "there is nothing to compare with yet: no model runs");
    snprintf(label, sizeof label, "%.120s at %.0f s", live->snapshot.path, seconds_since_start(live));
    enum mls_status status = mls_baseline_take(&live->baseline, &live->snapshot, label, reterr);
    if (!status)
        mls_live_reset(live, "baseline taken; statistics begin again");
    return status;
}

void mls_live_find(struct mls_live *live, const char *folder)
{
    char above[MLS_FOUND_PATH_BYTES] = ".";
    const char *path = live->snapshot.recording ? live->snapshot.recording : live->loader.path;
    const char *slash = path ? strrchr(path, '/') : NULL;
    while (slash && slash > path && slash[1] == '\0') /* "folder/" */
        for (slash--; slash > path && *slash != '/'; slash--)
            continue;
    if (slash && *slash == '/' && (size_t)(slash - path) < sizeof above)
        snprintf(above, sizeof above, "%.*s", slash > path ? (int)(slash - path) : 1, path);
    if (!live->finder)
        live->finder = mls_finder_start(folder ? folder : above);
}

void mls_live_set_units(struct mls_live *live, enum mls_compute_units setting)
{
    char text[MLS_LOG_TEXT_BYTES];
    live->snapshot.setting = setting;
    snprintf(text, sizeof text, "compute units: %s", mls_compute_units_name(setting));
    mls_live_note(live, MLS_LOG_CHANGE, text);
}

/* From here on the snapshot stays as it is while the profile goes on. */
static void keep_predictions(struct mls_live *live)
{
    live_data_keep_predictions(&live->data, &live->snapshot);
    live->kept_borrowed = false;
}

void mls_live_reset(struct mls_live *live, const char *why)
{
    if (!live->profile)
        return;
    if (live->kept_borrowed)
        keep_predictions(live); /* frozen, they are still shown */
    mls_profile_reset(live->profile);
    if (live->hot)
        mls_hot_clear(live->hot);
    live_report_reset(&live->report);
    live->runs_seen = 0;
    for (size_t i = 0; i < live->snapshot.n_steps; i++)
        live->snapshot.trends[i].n = 0;
    mls_live_note(live, MLS_LOG_CHANGE, why);
}

void mls_live_cancel(struct mls_live *live)
{
    if (live->engine && mls_engine_phase(live->engine) == MLS_PHASE_LOADING)
        mls_engine_stop(live->engine);
    if (live->sweeper)
        mls_sweeper_cancel(live->sweeper);
    if (live->duel)
        mls_duel_cancel(live->duel);
}

bool mls_live_duel(struct mls_live *live, const char *path, const struct mls_settings *settings, const char *label)
{
    struct mls_loader_options other = live->loader;
    char note[MLS_LOG_TEXT_BYTES];
    if (!live->engine || live->options.synthetic || live->snapshot.phase != MLS_PHASE_RUNNING)
        return false;
    end_duel(live);
    live->snapshot.dueled = live->snapshot.duel.busy = true;
    if (path) {
        other.path = path;
        other.spec_file = NULL;
    }
    const struct mls_duel_side here = {
        .loader = &live->loader, .settings = &live->options.settings, .label = live->snapshot.path};
    const struct mls_duel_side there = {
        .loader = &other, .settings = path ? &live->options.settings : settings, .label = label};
    live->duel = path ? mls_duel_start(&there, &here) : mls_duel_start(&here, &there);
    if (!live->duel) {
        end_duel(live);
        return false;
    }
    snprintf(note, sizeof note, "compared in turns with %.140s; the model pauses", label);
    mls_live_note(live, MLS_LOG_NOTE, note);
    mls_engine_pause(live->engine, true);
    return true;
}

static void update_duel(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    bool was_busy = snapshot->duel.busy;
    if (!live->duel)
        return;
    mls_duel_look(live->duel, &snapshot->duel);
    snapshot->dueled = true;
    snapshot->comparison = snapshot->duel.comparison;
    if (live->engine && was_busy && !snapshot->duel.busy)
        mls_engine_pause(live->engine, false);
}

bool mls_live_sweep(struct mls_live *live)
{
    if (!live->engine || live->options.synthetic || live->snapshot.phase != MLS_PHASE_RUNNING ||
        live->snapshot.sweep.busy)
        return false;
    mls_sweeper_free(live->sweeper);
    live->sweeper = mls_sweeper_start(&live->loader, &live->options.settings, live->snapshot.setting);
    mls_live_note(live, MLS_LOG_NOTE,
                  "sweep of compression settings began: it shares the processor with the model");
    return live->sweeper != NULL;
}

void mls_live_note(struct mls_live *live, enum mls_log_kind kind, const char *text)
{
    if (!live->recording)
        mls_log_add(&live->log, seconds_since_start(live), kind, "%s", text);
}

/* ---- Updating
 * --------------------------------------------------------------------------------------------------- */

static void update_load(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    snapshot->progress = mls_engine_progress(live->engine);
    if (snapshot->progress.finished)
        snapshot->progress.stage = MLS_STAGE_FIRST_RUN;
    if (snapshot->progress.stage != live->stage_seen) {
        live->stage_seen = snapshot->progress.stage;
        live->stage_begin_ns = mls_clock_ns();
    }
    snapshot->stage_elapsed_ns = mls_clock_ns() - live->stage_begin_ns;
}

/* What the engine has made becomes visible, once. */
static void adopt(struct mls_live *live, enum mls_phase phase)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    const struct mls_loaded *loaded = mls_engine_loaded(live->engine);
    snapshot->loaded = loaded;
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++)
        snapshot->stages[i] = loaded->stages[i];
    snapshot->load_ns = loaded->total_ns;
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        snapshot->placements[i] = mls_engine_placement(live->engine, (enum mls_compute_units)i);
    live_data_describe(loaded, &live->options.settings, snapshot);
    if (phase != MLS_PHASE_RUNNING || !loaded->plan)
        return;
    size_t n_steps = mls_plan_step_count(loaded->plan);
    struct mls_profile_options options = {.live = true,
                                          .keep_predictions = MLS_KEPT_LATEST,
                                          .max_events_a_collect = n_steps > STEPS_THAT_FIT ? EVENTS_A_LOOK : 0};
    if (!live_data_fill(&live->data, loaded, snapshot) ||
        mls_profile_create(loaded->plan, &options, &live->profile, NULL) != MLS_OK)
        return;
    snapshot->attributes = mls_engine_attributes(live->engine, &snapshot->n_attributes);
    snapshot->roofline = mls_engine_roofline(live->engine);
    mls_profile_set_roofline(live->profile, snapshot->roofline);
    char text[MLS_LOG_TEXT_BYTES];
    snprintf(text, sizeof text, "loaded in %.3g ms: %zu operations, %s, %u thread%s",
             live->options.synthetic ? 0 : (double)snapshot->load_ns * 1e-6, snapshot->n_steps,
             snapshot->model.isa, snapshot->model.threads, snapshot->model.threads == 1 ? "" : "s");
    mls_live_note(live, MLS_LOG_NOTE, text);
}

static void update_history(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    uint64_t runs = snapshot->predictions.runs - live->runs_seen;
    struct mls_history_point point = {
        .at_s = seconds_since_start(live), .rss_bytes = snapshot->memory.rss_bytes, .runs = runs};
    size_t n = runs < snapshot->n_recent ? (size_t)runs : snapshot->n_recent;
    for (size_t i = 0; i < n; i++) {
        double ns = snapshot->recent_ns[snapshot->n_recent - 1 - i];
        point.mean_ns += ns / (double)n;
        point.worst_ns = ns > point.worst_ns ? ns : point.worst_ns;
    }
    live->runs_seen = snapshot->predictions.runs;
    mls_history_add(&live->history, &point);
}

/* Percentiles of thousands of steps take time: of many steps, one in `parts` is looked at anew each time, but for the first
 * predictions, when there is little to look at. */
static void update_steps(struct mls_live *live, size_t parts)
{
    live->n_looks++;
    for (size_t i = live->n_looks % parts; i < live->snapshot.n_steps; i += parts)
        live->snapshot.steps[i] = mls_profile_step(live->profile, i);
}

static void update_hot(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    snapshot->hot = mls_hot_totals(live->hot);
    size_t n = mls_hot_functions(live->hot, MLS_HOT_ALL_STEPS, snapshot->functions, MLS_SNAPSHOT_FUNCTIONS);
    snapshot->n_functions = n < MLS_SNAPSHOT_FUNCTIONS ? n : MLS_SNAPSHOT_FUNCTIONS;
    snapshot->n_step_functions = 0;
    if (live->probe_step == MLS_PROBE_NO_STEP)
        return;
    n = mls_hot_functions(live->hot, live->probe_step, snapshot->step_functions, MLS_STEP_FUNCTIONS);
    snapshot->n_step_functions = n < MLS_STEP_FUNCTIONS ? n : MLS_STEP_FUNCTIONS;
}

static void update_measurements(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    uint64_t recent_ns[MLS_SNAPSHOT_RECENT];
    uint64_t now_ns = mls_clock_ns();
    if (!live->memory_at_ns || now_ns - live->memory_at_ns > memory_every_ns) {
        live->memory_at_ns = now_ns;
        snapshot->memory = mls_memory_read(snapshot->loaded->plan, snapshot->loaded->run);
    }
    snapshot->predictions = mls_profile_predictions(live->profile);
    snapshot->wall = mls_profile_wall(live->profile);
    snapshot->rate_hz = mls_profile_rate(live->profile);
    snapshot->lost = mls_profile_lost(live->profile);
    snapshot->n_recent = mls_profile_recent(live->profile, recent_ns, MLS_SNAPSHOT_RECENT);
    for (size_t i = 0; i < snapshot->n_recent; i++)
        snapshot->recent_ns[i] = (double)recent_ns[i];
    update_steps(live, snapshot->predictions.runs < FEW_RUNS ? 1 : snapshot->n_steps / STEPS_AT_ONCE + 1);
    snapshot->n_kept = mls_profile_kept(live->profile, snapshot->kept, MLS_KEPT_MAX);
    live->kept_borrowed = true;
    if (live->hot && live->n_looks % LOOKS_PER_HOT == 0)
        update_hot(live);
    if (!live->options.synthetic)
        update_history(live);
    if (now_ns - live->trend_at_ns < trend_every_ns || !snapshot->predictions.runs)
        return;
    live->trend_at_ns = now_ns;
    for (size_t i = 0; i < snapshot->n_steps; i++)
        mls_trend_add(&snapshot->trends[i], (double)mls_profile_step_last_ns(live->profile, i));
}

static void note_failure(struct mls_live *live)
{
    char text[MLS_LOG_TEXT_BYTES];
    snprintf(text, sizeof text, "%.190s", live->snapshot.error->text);
    mls_live_note(live, MLS_LOG_ERROR, text);
}

/* What goes on beside the model: a sweep, and the search for models. */
static void update_beside(struct mls_live *live)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    if (live->sweeper)
        mls_sweeper_copy(live->sweeper, &snapshot->sweep);
    update_duel(live);
    if (!live->finder || (snapshot->found_root && !snapshot->finding))
        return;
    snapshot->n_found =
        mls_finder_copy(live->finder, &live->found, &live->found_capacity, &snapshot->finding);
    snapshot->found = live->found;
    snapshot->found_root = mls_finder_root(live->finder);
}

void mls_live_update(struct mls_live *live, bool collect_only)
{
    struct mls_snapshot *snapshot = &live->snapshot;
    reap(live);
    if (!collect_only)
        update_beside(live);
    if (!live->engine) {
        mls_baseline_compare(&live->baseline, snapshot);
        return;
    }
    enum mls_phase phase = mls_engine_phase(live->engine);
    if (collect_only && live->kept_borrowed)
        keep_predictions(live);
    for (size_t i = 0; live->profile && i < mls_engine_worker_count(live->engine); i++)
        mls_profile_collect(live->profile, mls_engine_recorder(live->engine, i));
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
    if (live->options.synthetic) {
        mls_snapshot_synthesize(snapshot, live->n_expected);
        live_data_synthesize_predictions(&live->data, snapshot);
        live->history = (struct mls_history){.n_points = 3,
                                             .stretch_s = 1,
                                             .points = {{1, 1.2e6, 1.9e6, 40u << 20, 700},
                                                        {2, 1.3e6, 1.6e6, 60u << 20, 760},
                                                        {3, 1.3e6, 1.5e6, 64u << 20, 770}}};
    }
    bool failed_now = phase == MLS_PHASE_FAILED && snapshot->phase != MLS_PHASE_FAILED;
    if (failed_now) {
        snapshot->error = mls_engine_error(live->engine);
        note_failure(live);
    }
    const struct mls_settings *settings = &live->options.settings;
    bool given = live->loader.n_inputs || live->loader.inputs_npz || settings->n_inputs;
    live_report_update(&live->report, live->engine, live->profile, settings, given, failed_now, snapshot);
    if (!live->duel)
        mls_baseline_compare(&live->baseline, snapshot);
    if (snapshot->probe.step != live->probe_step && live->probe_step != MLS_PROBE_NO_STEP)
        mls_engine_answer(live->engine, &snapshot->probe);
    snapshot->phase = phase;
}

bool mls_live_sample(struct mls_live *live, struct mls_error *reterr)
{
    if (!live->profile || live->options.synthetic)
        return true; /* nothing to sample */
    if (!live->sampler && mls_sampler_start(MLS_SAMPLER_RATE_HZ, &live->sampler, reterr) != MLS_OK)
        return false;
    if (live->hot)
        return true;
    live->hot = mls_hot_create(live->sampler);
    mls_profile_set_hot(live->profile, live->hot);
    return live->hot || mls_fail(reterr, MLS_ERR_MEMORY, "cannot sample: out of memory") == MLS_OK;
}

void mls_live_probe(struct mls_live *live, uint32_t step)
{
    if (!live->engine || live->options.synthetic || step == live->probe_step)
        return;
    live->probe_step = step;
    mls_engine_ask(live->engine, step);
}

void mls_live_watch_threads(struct mls_live *live, bool on)
{
    for (size_t i = 0; live->engine && !live->options.synthetic && i < mls_engine_worker_count(live->engine); i++)
        mls_recorder_watch_threads(mls_engine_recorder(live->engine, i), on);
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
    return live->engine ? mls_engine_done(live->engine) : UINT64_MAX;
}

enum mls_status mls_live_save(struct mls_live *live, const char *path, bool redact, struct mls_error *reterr)
{
    if (live->profile && !live->snapshot.synthetic)
        update_steps(live, 1);
    return live_data_save(&live->snapshot, path, redact, reterr);
}

void mls_live_free(struct mls_live *live)
{
    if (!live)
        return;
    mls_sweeper_free(live->sweeper);
    mls_duel_free(live->duel);
    live_report_clear(&live->report);
    mls_profile_free(live->profile);
    mls_engine_free(live->engine);
    for (unsigned i = 0; i < DYING_MAX; i++)
        mls_engine_free(live->dying[i]);
    mls_hot_free(live->hot);
    mls_sampler_free(live->sampler); /* the threads that it sampled have ended */
    live_data_done(&live->data);
    mls_recording_free(live->recording);
    mls_baseline_done(&live->baseline);
    mls_finder_free(live->finder);
    free(live->found);
    free(live->path);
    free(live);
}
