/*
 * engine.h: one load of a model and the threads that run it. The screen's thread starts it, looks at it, and
 * asks it to end; it never waits for it.
 */
#pragma once

#include <stdatomic.h>

#include "app/probe.h"
#include "app/settings.h"
#include "app/snapshot.h"
#include "profiler/recorder.h"
#include "profiler/survey.h"
#include "profiler/twins.h"

enum { MLS_ENGINE_WORKERS_MAX = 64 };

struct mls_engine;

/* How far the closer look at the values has come. */
enum mls_examined { MLS_EXAMINED_NOTHING, MLS_EXAMINED_SURVEYED, MLS_EXAMINED_WALKED };

/* What it found; owned by the engine. */
struct mls_engine_examination {
    enum mls_examined state;
    struct mls_memory_use memory;    /* of the process, once the model was loaded */
    const struct mls_survey *survey; /* or NULL */
    bool walking;                    /* beside the model, which is slower meanwhile */
    const struct mls_walk *walk;     /* the model against itself in fp32; NULL unless the survey is suspect */
};

/* mls_engine_start: loads and runs, on threads of its own. `base` is what the command line says and is
 * borrowed until mls_engine_free; settings are copied and win. `examines`: the machine's limits are measured,
 * which takes some 50 ms the first time, and after some predictions the values are looked at. NULL when out
 * of memory or threads. */
struct mls_engine *mls_engine_start(const struct mls_loader_options *base,
                                    const struct mls_settings *settings, bool examines);

/* mls_engine_phase: LOADING until the first prediction is done. */
enum mls_phase mls_engine_phase(const struct mls_engine *engine);

/* Only once the phase is not LOADING: what was made. The error is NULL unless the phase is FAILED. */
const struct mls_loaded *mls_engine_loaded(const struct mls_engine *engine);
const struct mls_error *mls_engine_error(const struct mls_engine *engine);
const struct mls_placement *mls_engine_placement(const struct mls_engine *engine,
                                                 enum mls_compute_units setting);
/* mls_engine_attributes: in order of step. */
const struct mls_step_attribute *mls_engine_attributes(const struct mls_engine *engine, size_t *ret_n);
struct mls_roofline mls_engine_roofline(const struct mls_engine *engine);

/* mls_engine_examination: only once the phase is RUNNING. */
struct mls_engine_examination mls_engine_examination(const struct mls_engine *engine);

struct mls_loader_progress mls_engine_progress(const struct mls_engine *engine);

/* mls_engine_recorder: of worker `index`, below the count. */
size_t mls_engine_worker_count(const struct mls_engine *engine);
struct mls_recorder *mls_engine_recorder(const struct mls_engine *engine, size_t index);

/* mls_engine_done: predictions that were finished. */
uint64_t mls_engine_done(const struct mls_engine *engine);

/* mls_engine_pause: no prediction begins until it goes on, which takes 20 ms at most. */
void mls_engine_pause(struct mls_engine *engine, bool on);

/* mls_engine_ask: between two predictions the engine looks at what flows through this step, once.
 * mls_engine_answer: the latest answer, into *ret_probe; false when there is none. */
void mls_engine_ask(struct mls_engine *engine, uint32_t step);
bool mls_engine_answer(struct mls_engine *engine, struct mls_probe *ret_probe);

/* mls_engine_stop: asks for an end; mls_engine_stopped: whether it came; mls_engine_free: waits for it,
 * frees. */
void mls_engine_stop(struct mls_engine *engine);
bool mls_engine_stopped(const struct mls_engine *engine);
void mls_engine_free(struct mls_engine *engine);
