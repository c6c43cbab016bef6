/*
 * profile.h: recorded events into statistics. A profile belongs to one thread (the screen's, or the one that
 * measures); it takes events from recorders whenever it likes and never makes the predicting thread wait.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "profiler/hot.h"
#include "profiler/recorder.h"
#include "profiler/roofline.h"

struct mls_profile_options {
    /*
     * Live profiles keep no samples: percentiles come from log-bucket histograms (within 2 %) and reading
     * statistics is cheap at any time. Otherwise samples are kept as far as the budget allows and percentiles
     * are exact.
     */
    bool live;
    size_t max_prediction_samples; /* 0: 65,536 */
    size_t max_sample_bytes;       /* for the samples of all steps together; 0: 256 MiB */
    /* Steps of at most so many events of the latest predictions are looked at by one collect, and the others count as a whole
     * only: what is known of thousands of steps fits no cache. 0: all. At least one prediction, and not while stacks are
     * sampled, which need all. */
    size_t max_events_a_collect;
    size_t max_trace_events;       /* events kept for mls_profile_trace; 0: none */
    size_t keep_predictions;       /* for mls_profile_kept; 0: none */
};

struct mls_profile;

/* mls_profile_create: an empty profile of a plan, which it borrows. The caller frees. */
enum mls_status mls_profile_create(const struct mls_plan *plan, const struct mls_profile_options *options,
                                   struct mls_profile **ret_profile, struct mls_error *reterr);
void mls_profile_free(struct mls_profile *profile);

/*
 * mls_profile_collect: takes what `recorder` has recorded since the last call. Returns false when out of
 * memory: what could not be kept is counted as lost. Several recorders of one plan may go into one profile.
 */
bool mls_profile_collect(struct mls_profile *profile, struct mls_recorder *recorder);

/* mls_profile_set_hot: from now on, collecting also joins the samples of `hot` to the steps; borrowed, NULL
 * ends it. */
void mls_profile_set_hot(struct mls_profile *profile, struct mls_hot *hot);

/* mls_profile_set_roofline: the limits from which `bound` is told; until then it is not known. */
void mls_profile_set_roofline(struct mls_profile *profile, struct mls_roofline roofline);
struct mls_roofline mls_profile_roofline(const struct mls_profile *profile);

/* mls_profile_reset: forgets all but the first prediction, for statistics that begin anew. */
void mls_profile_reset(struct mls_profile *profile);

/*
 * Statistics of a series of durations. Percentiles interpolate linearly between sorted samples; std is that
 * of the population. Warm-up counts nowhere but in first_ns: the first prediction on the recorder.
 */
struct mls_series_stats {
    uint64_t runs;
    bool has_first;
    bool approximate; /* percentiles come from a histogram */
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t min_ns;
    uint64_t p50_ns;
    uint64_t p90_ns;
    uint64_t p95_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
    uint64_t mean_ns;
    uint64_t std_ns;
};

/* What limits a step: id, name in JSON (NULL: not known). */
#define MLS_BOUND_LIST(X) \
    X(UNKNOWN, NULL)      \
    X(COMPUTE, "compute") \
    X(MEMORY, "memory")

enum mls_bound {
#define X(id, name) MLS_BOUND_##id,
    MLS_BOUND_LIST(X)
#undef X
        MLS_BOUND_COUNT
};

/* mls_bound_name: its name, or NULL when not known; static. */
const char *mls_bound_name(enum mls_bound bound);

/* Statistics of one step over its executions. Control steps: their own time, without that of the steps they
 * ran. */
struct mls_step_stats {
    struct mls_series_stats time;
    double share;                    /* of the summed time of all steps, 0 to 1 */
    uint64_t mean_per_prediction_ns; /* mean of all executions of one prediction together */
    uint64_t inclusive_mean_ns; /* of one execution, with the steps that it ran; equal to the mean unless a
                                   control step */
    uint64_t start_ns;          /* mean offset of its first execution from the prediction's begin */
    double gflops;              /* NaN: not known */
    double gbytes_per_s;        /* NaN: not known */
    enum mls_bound bound;
};

/* Means for one prediction; they sum exactly to the predictions' mean_ns. */
struct mls_wall {
    uint64_t ops_ns;
    uint64_t dispatch_ns;
    uint64_t hooks_ns;
    uint64_t other_ns;
};

const struct mls_plan *mls_profile_plan(const struct mls_profile *profile);
size_t mls_profile_step_count(const struct mls_profile *profile);

/* mls_profile_predictions: statistics of whole predictions. */
struct mls_series_stats mls_profile_predictions(const struct mls_profile *profile);
/* mls_profile_step: statistics of the step with this index. */
struct mls_step_stats mls_profile_step(const struct mls_profile *profile, size_t index);
/* mls_profile_step_last_ns: the time of its latest execution; costs next to nothing. */
uint64_t mls_profile_step_last_ns(const struct mls_profile *profile, size_t index);
struct mls_wall mls_profile_wall(const struct mls_profile *profile);
uint64_t mls_profile_warmup(const struct mls_profile *profile);
/* mls_profile_lost: events lost by the recorders or dropped by the profile. */
uint64_t mls_profile_lost(const struct mls_profile *profile);

/* mls_profile_samples: durations of the timed predictions in order, as many as were kept (live profiles:
 * none). Borrowed. */
const uint64_t *mls_profile_samples(const struct mls_profile *profile, size_t *ret_n);

/* mls_profile_step_samples: the same of one step's own time, in order of its executions. */
const uint64_t *mls_profile_step_samples(const struct mls_profile *profile, size_t index, size_t *ret_n);

/* mls_profile_recent: the latest durations of predictions, oldest first, at most `max` (and 1,024); returns
 * how many. */
size_t mls_profile_recent(const struct mls_profile *profile, uint64_t *ret_ns, size_t max);

/* mls_profile_rate: predictions per second over the recent ones, begin to begin; 0 when there are too few. */
double mls_profile_rate(const struct mls_profile *profile);

/* One kept prediction and one kept event of the trace, in nanoseconds of CLOCK_MONOTONIC. */
struct mls_trace_prediction {
    uint32_t recorder; /* index in order of first collection */
    uint32_t thread;   /* the kernel's id of the thread that predicted */
    uint32_t prediction;
    bool timed;
    uint64_t begin_ns;
    uint64_t end_ns;
};

struct mls_trace_event {
    uint32_t recorder;
    uint32_t prediction;
    uint32_t step;
    uint64_t begin_ns;
    uint64_t end_ns;
};

/* What one thread did of an execution in the trace that several threads shared. */
struct mls_trace_thread {
    uint32_t prediction;
    uint32_t step;
    uint32_t thread; /* 0: the one that predicts */
    uint64_t begin_ns;
    uint64_t end_ns;
};

/* mls_profile_trace_threads: as far as they were recorded (mls_recorder_watch_threads); borrowed until the next collect. */
const struct mls_trace_thread *mls_profile_trace_threads(const struct mls_profile *profile, size_t *ret_n);

/* mls_profile_trace: what was kept for a trace; borrowed until the next collect. */
const struct mls_trace_event *mls_profile_trace(const struct mls_profile *profile, size_t *ret_n);
const struct mls_trace_prediction *mls_profile_trace_predictions(const struct mls_profile *profile,
                                                                 size_t *ret_n);

/* ---- Whole predictions, kept to be looked at ---- */

/* One execution of a step, from the begin of its prediction. */
struct mls_kept_event {
    uint32_t step;
    uint64_t begin_ns;
    uint64_t ns;
};

/* What one thread did of an execution that several shared, from the begin of the prediction; a step may have several. */
struct mls_kept_thread {
    uint32_t step;
    uint32_t thread; /* 0: the one that predicts */
    uint64_t begin_ns;
    uint64_t ns;
};

struct mls_kept_prediction {
    uint32_t recorder;
    uint64_t number;
    uint64_t ns;
    const struct mls_kept_event *events; /* in order of their ends */
    size_t n_events;
    const struct mls_kept_thread *threads; /* as far as they were recorded: by thread, in order of time */
    size_t n_threads;
};

/*
 * mls_profile_kept: the slowest prediction since the statistics began, then the latest ones, the newest first; at
 * most `max` and keep_predictions + 1. Borrowed until the next collect. Returns how many.
 */
size_t mls_profile_kept(const struct mls_profile *profile, struct mls_kept_prediction *ret_kept, size_t max);
