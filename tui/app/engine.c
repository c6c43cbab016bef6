#include "app/engine.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/attributes.h"
#include "app/load_options.h"
#include "core/clock.h"
#include "term/signals.h"

/* A tiny model makes a million events a second: the ring holds what comes between two looks. */
enum { RING_EVENTS = 1 << 18, PAUSE_MS = 20, EXAMINE_AFTER = 10 };

/* One thread that predicts, with its own run. */
struct worker {
    struct mls_engine *engine;
    struct mls_recorder *recorder;
    struct mls_run *run; /* the first worker's belongs to the loader */
    pthread_t thread;
    bool started;
};

struct mls_engine {
    struct mls_settings settings;
    struct mls_loader *loader;
    struct load_options load;
    struct worker workers[MLS_ENGINE_WORKERS_MAX];
    size_t n_workers;
    atomic_bool stop;
    atomic_bool stopped;
    atomic_bool paused;
    _Atomic(enum mls_phase) phase;
    atomic_uint_fast64_t n_done;
    atomic_bool failed;         /* a prediction failed: whoever sets it writes the error */
    struct mls_error run_error; /* written before phase is FAILED */
    struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT];
    struct mls_arena *arena; /* of the attributes */
    const struct mls_step_attribute *attributes;
    size_t n_attributes;
    bool examines;
    struct mls_roofline roofline;
    struct mls_memory_use loaded_memory; /* of the process, once the model was loaded */
    struct mls_survey *survey;         /* written before examined is SURVEYED */
    _Atomic(struct mls_twins *) twins; /* made before the thread that walks them, if there is any */
    struct mls_walk *walk;             /* written before examined is WALKED */
    pthread_t examiner;
    bool examiner_started;
    _Atomic(enum mls_examined) examined;
    _Atomic uint32_t asked; /* step to look into, or MLS_PROBE_NO_STEP */
    pthread_mutex_t lock;   /* over the answer */
    struct mls_probe answer;
    _Atomic(struct mls_run *) runs[MLS_ENGINE_WORKERS_MAX]; /* set while they may be cancelled */
};

/* ---- The engine's threads
 * --------------------------------------------------------------------------------------- */

static bool is_stopping(const struct mls_engine *engine)
{
    return atomic_load_explicit(&engine->stop, memory_order_relaxed);
}

static void place(struct mls_engine *engine, const struct mls_loaded *loaded)
{
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT && loaded->model && loaded->interface; i++)
        if (mls_placement_create(loaded->model, loaded->function, loaded->plan, mls_placement_profile_at(0),
                                 (enum mls_compute_units)i, &engine->placements[i], NULL) != MLS_OK)
            engine->placements[i] = NULL;
}

static void sleep_until(const struct mls_engine *engine, uint64_t goal_ns)
{
    for (uint64_t now_ns = mls_clock_ns(); now_ns < goal_ns && !is_stopping(engine);
         now_ns = mls_clock_ns()) {
        uint64_t part_ns = goal_ns - now_ns < PAUSE_MS * 1000000u ? goal_ns - now_ns : PAUSE_MS * 1000000u;
        nanosleep(&(struct timespec){.tv_nsec = (long)part_ns}, NULL);
    }
}

static bool predict(struct worker *worker, bool timed)
{
    struct mls_engine *engine = worker->engine;
    struct mls_error error;
    if (mls_recorder_predict(worker->recorder, worker->run, timed, NULL, &error) == MLS_OK) {
        atomic_fetch_add_explicit(&engine->n_done, 1, memory_order_relaxed);
        return true;
    }
    if (!is_stopping(engine) && !atomic_exchange(&engine->failed, true)) {
        engine->run_error = error;
        atomic_store(&engine->phase, MLS_PHASE_FAILED);
    }
    return false;
}

/* Looks into a step, if anyone asked. */
static void answer(struct worker *worker)
{
    struct mls_engine *engine = worker->engine;
    uint32_t step = atomic_exchange_explicit(&engine->asked, MLS_PROBE_NO_STEP, memory_order_relaxed);
    struct mls_probe probe;
    if (step == MLS_PROBE_NO_STEP ||
        mls_probe_run(worker->run, mls_loader_result(engine->loader)->plan, step, &probe, NULL) != MLS_OK)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->answer = probe;
    pthread_mutex_unlock(&engine->lock);
}

/* ---- A closer look, once
 * --------------------------------------------------------------------------------------- */

static void *walk_twins(void *argument)
{
    struct mls_engine *engine = argument;
    mls_signals_block_thread();
    if (mls_twins_walk(engine->twins, &engine->walk, NULL) != MLS_OK)
        engine->walk = NULL;
#ifdef __GLIBC__
    malloc_trim(0); /* two loads more: the memory that is shown is the model's again */
#endif
    atomic_store(&engine->examined, MLS_EXAMINED_WALKED);
    return NULL;
}

/* Values of one prediction between two others; where they look lost, the model is loaded in fp32 as well,
 * beside the one that runs. */
static void examine(struct mls_engine *engine, struct mls_run *run)
{
    const struct mls_loaded *loaded = mls_loader_result(engine->loader);
    if (mls_survey_run(run, loaded->plan, &engine->survey, NULL) != MLS_OK) {
        engine->survey = NULL;
        atomic_store(&engine->examined, MLS_EXAMINED_WALKED);
        return;
    }
    atomic_store(&engine->examined, MLS_EXAMINED_SURVEYED);
    if (!mls_survey_is_suspect(engine->survey, run, loaded->interface))
        return;
    struct mls_twins *twins = mls_twins_create(&engine->load.options, &engine->stop);
    atomic_store(&engine->twins, twins);
    engine->examiner_started = twins && pthread_create(&engine->examiner, NULL, walk_twins, engine) == 0;
}

static void predict_on(struct worker *worker)
{
    struct mls_engine *engine = worker->engine;
    const struct mls_settings *settings = &engine->settings;
    uint64_t next_ns = mls_clock_ns();
    while (!is_stopping(engine) && predict(worker, true)) {
        if (worker == &engine->workers[0]) {
            answer(worker);
            if (engine->examines && engine->examined == MLS_EXAMINED_NOTHING &&
                atomic_load_explicit(&engine->n_done, memory_order_relaxed) >= EXAMINE_AFTER)
                examine(engine, worker->run);
        }
        while (atomic_load_explicit(&engine->paused, memory_order_relaxed) && !is_stopping(engine))
            sleep_until(engine, mls_clock_ns() + PAUSE_MS * 1000000u);
        if (settings->delay_ms)
            sleep_until(engine, mls_clock_ns() + settings->delay_ms * 1000000ull);
        if (settings->rate_hz > 0) {
            next_ns += (uint64_t)(1e9 / settings->rate_hz);
            uint64_t now_ns = mls_clock_ns();
            next_ns = next_ns < now_ns ? now_ns : next_ns; /* late: at once, and no hurry afterwards */
            sleep_until(engine, next_ns);
        }
    }
}

static void *work_beside(void *argument)
{
    mls_signals_block_thread();
    predict_on(argument);
    return NULL;
}

/* The other workers; those that get no memory or thread are left out. */
static void start_workers(struct mls_engine *engine)
{
    mls_session_allow_at_once(mls_engine_loaded(engine)->session, (uint32_t)engine->n_workers);
    for (size_t i = 1; i < engine->n_workers && !is_stopping(engine); i++) {
        struct worker *worker = &engine->workers[i];
        if (mls_loader_another_run(engine->loader, &worker->run, NULL) != MLS_OK)
            return;
        atomic_store(&engine->runs[i], worker->run);
        worker->started = pthread_create(&worker->thread, NULL, work_beside, worker) == 0;
    }
}

static void run_model(struct mls_engine *engine, const struct mls_loaded *loaded)
{
    struct worker *first = &engine->workers[0];
    engine->loaded_memory = mls_memory_read(NULL, NULL);
    first->run = loaded->run;
    atomic_store(&engine->runs[0], loaded->run);
    place(engine, loaded);
    engine->attributes =
        mls_attributes_make(loaded->model, loaded->plan, engine->arena, &engine->n_attributes);
    engine->n_attributes = engine->attributes ? engine->n_attributes : 0;
    if (engine->examines)
        engine->roofline = mls_roofline_get(mls_session_isa(loaded->session),
                                            mls_session_threads(loaded->session), !loaded->sealed);
    uint64_t begin_ns = mls_clock_ns();
    bool ok = !is_stopping(engine) && predict(first, false);
    mls_loader_first_run(engine->loader, mls_clock_ns() - begin_ns);
    if (!ok)
        return;
    atomic_store(&engine->phase, MLS_PHASE_RUNNING);
    start_workers(engine);
    predict_on(first);
    for (size_t i = 1; i < engine->n_workers; i++)
        if (engine->workers[i].started)
            pthread_join(engine->workers[i].thread, NULL);
    if (engine->examiner_started) {
        mls_twins_cancel(engine->twins); /* they may have been made after the engine was asked to end */
        pthread_join(engine->examiner, NULL);
    }
}

static void *work(void *argument)
{
    struct mls_engine *engine = argument;
    mls_signals_block_thread();
    if (mls_loader_run(engine->loader, NULL) == MLS_OK) {
        run_model(engine, mls_loader_result(engine->loader));
    } else {
        place(engine, mls_loader_result(engine->loader)); /* what can be said without running */
        atomic_store(&engine->phase, MLS_PHASE_FAILED);
    }
    atomic_store(&engine->stopped, true);
    return NULL;
}

/* ---- Seen from the screen
 * --------------------------------------------------------------------------------------- */

struct mls_engine *mls_engine_start(const struct mls_loader_options *base,
                                    const struct mls_settings *settings, bool examines)
{
    struct mls_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return NULL;
    engine->settings = *settings;
    engine->examines = examines;
    engine->answer.step = MLS_PROBE_NO_STEP;
    atomic_init(&engine->asked, MLS_PROBE_NO_STEP);
    pthread_mutex_init(&engine->lock, NULL);
    engine->arena = mls_arena_create(0);
    bool ok = load_options_make(&engine->load, base, settings) && engine->arena;
    engine->loader = ok ? mls_loader_create(&engine->load.options) : NULL;
    ok = ok && engine->loader;
    size_t n = settings->concurrency ? settings->concurrency : 1;
    engine->n_workers = n < MLS_ENGINE_WORKERS_MAX ? n : MLS_ENGINE_WORKERS_MAX;
    for (size_t i = 0; i < engine->n_workers && ok; i++) {
        engine->workers[i] = (struct worker){.engine = engine, .recorder = mls_recorder_create(RING_EVENTS)};
        ok = engine->workers[i].recorder != NULL;
    }
    if (ok && pthread_create(&engine->workers[0].thread, NULL, work, engine) == 0) {
        engine->workers[0].started = true;
        return engine;
    }
    mls_engine_free(engine);
    return NULL;
}

enum mls_phase mls_engine_phase(const struct mls_engine *engine)
{
    return atomic_load(&engine->phase);
}

const struct mls_loaded *mls_engine_loaded(const struct mls_engine *engine)
{
    return mls_loader_result(engine->loader);
}

const struct mls_error *mls_engine_error(const struct mls_engine *engine)
{
    if (mls_engine_phase(engine) != MLS_PHASE_FAILED)
        return NULL;
    return atomic_load(&engine->failed) ? &engine->run_error : &mls_engine_loaded(engine)->error;
}

const struct mls_placement *mls_engine_placement(const struct mls_engine *engine,
                                                 enum mls_compute_units setting)
{
    return engine->placements[setting];
}

const struct mls_step_attribute *mls_engine_attributes(const struct mls_engine *engine, size_t *ret_n)
{
    *ret_n = engine->n_attributes;
    return engine->attributes;
}

struct mls_roofline mls_engine_roofline(const struct mls_engine *engine)
{
    return engine->roofline;
}

struct mls_engine_examination mls_engine_examination(const struct mls_engine *engine)
{
    struct mls_engine_examination examination = {.state = atomic_load(&engine->examined),
                                                 .memory = engine->loaded_memory};
    if (examination.state >= MLS_EXAMINED_SURVEYED)
        examination.survey = engine->survey;
    if (examination.state == MLS_EXAMINED_WALKED)
        examination.walk = engine->walk;
    examination.walking = examination.state == MLS_EXAMINED_SURVEYED && atomic_load(&engine->twins) != NULL;
    return examination;
}

struct mls_loader_progress mls_engine_progress(const struct mls_engine *engine)
{
    return mls_loader_progress(engine->loader);
}

size_t mls_engine_worker_count(const struct mls_engine *engine)
{
    return engine->n_workers;
}

struct mls_recorder *mls_engine_recorder(const struct mls_engine *engine, size_t index)
{
    return engine->workers[index].recorder;
}

uint64_t mls_engine_done(const struct mls_engine *engine)
{
    return atomic_load_explicit(&engine->n_done, memory_order_relaxed);
}

void mls_engine_pause(struct mls_engine *engine, bool on)
{
    atomic_store_explicit(&engine->paused, on, memory_order_relaxed);
}

void mls_engine_ask(struct mls_engine *engine, uint32_t step)
{
    atomic_store_explicit(&engine->asked, step, memory_order_relaxed);
}

bool mls_engine_answer(struct mls_engine *engine, struct mls_probe *ret_probe)
{
    pthread_mutex_lock(&engine->lock);
    *ret_probe = engine->answer;
    pthread_mutex_unlock(&engine->lock);
    return ret_probe->step != MLS_PROBE_NO_STEP;
}

void mls_engine_stop(struct mls_engine *engine)
{
    struct mls_twins *twins = atomic_load(&engine->twins);
    atomic_store(&engine->stop, true);
    mls_loader_cancel(engine->loader);
    if (twins)
        mls_twins_cancel(twins);
    for (size_t i = 0; i < engine->n_workers; i++) {
        struct mls_run *run = atomic_load(&engine->runs[i]);
        if (run)
            mls_run_cancel(run);
    }
}

bool mls_engine_stopped(const struct mls_engine *engine)
{
    return atomic_load(&engine->stopped);
}

void mls_engine_free(struct mls_engine *engine)
{
    if (!engine)
        return;
    if (engine->workers[0].started) {
        mls_engine_stop(engine);
        pthread_join(engine->workers[0].thread, NULL);
    }
    mls_walk_free(engine->walk);
    mls_survey_free(engine->survey);
    mls_twins_free(engine->twins);
    for (size_t i = 0; i < engine->n_workers; i++) {
        if (i > 0)
            mls_run_free(engine->workers[i].run);
        mls_recorder_free(engine->workers[i].recorder);
    }
    for (unsigned i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++)
        mls_placement_free(engine->placements[i]);
    mls_loader_free(engine->loader);
    mls_arena_free(engine->arena);
    pthread_mutex_destroy(&engine->lock);
    load_options_done(&engine->load);
    free(engine);
}
