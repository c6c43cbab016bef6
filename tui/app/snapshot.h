/*
 * snapshot.h: all that a view may show, at one moment. Plain data of the screen's thread; views only read it.
 * What `loaded` points to does not change any more once it is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/duel.h"
#include "app/probe.h"
#include "app/sweeper.h"
#include "diagnostics/engine.h"
#include "diagnostics/placement.h"
#include "profiler/hot.h"
#include "profiler/loader.h"
#include "profiler/memory.h"
#include "profiler/profile.h"
#include "profiler/recording.h"

struct mls_found;      /* app/finder.h */

/* Phases of a screen's life: id, word shown. */
#define MLS_PHASE_LIST(X)       \
    X(LOADING, "loading")       \
    X(CHOOSING, "no model yet") \
    X(RUNNING, "running")       \
    X(FAILED, "failed")

enum mls_phase {
#define X(id, text) MLS_PHASE_##id,
    MLS_PHASE_LIST(X)
#undef X
        MLS_PHASE_COUNT
};

enum { MLS_SNAPSHOT_RECENT = 1024, MLS_TREND = 32 };

/* Durations of one step at the latest looks, the oldest first. */
struct mls_trend {
    float ns[MLS_TREND];
    unsigned n;
};

enum { MLS_SNAPSHOT_FUNCTIONS = 200, MLS_STEP_FUNCTIONS = 6 };
enum { MLS_KEPT_LATEST = 7, MLS_KEPT_MAX = MLS_KEPT_LATEST + 1 };

/*
 * Everything is the same whether a model runs behind it or a recording was opened; `loaded` is only there
 * with the former.
 */
struct mls_snapshot {
    enum mls_phase phase;
    bool synthetic;                      /* measured numbers are replaced by fixed ones */
    const char *recording;               /* read-only: the file that this came from; NULL: a model runs */
    bool incomplete;                     /* the recording ends early */
    uint32_t generation;                 /* changes when the steps are others */
    const char *path;                    /* MODEL as given */
    struct mls_loader_progress progress; /* while loading */
    uint64_t stage_elapsed_ns;           /* in the stage of `progress`, as far as the screen saw it */
    const struct mls_loaded *loaded;     /* NULL while loading; after a failure, what was made before it */
    const struct mls_error *error;       /* of the load or of a prediction, or NULL */
    struct mls_environment environment;
    struct mls_record_model model;
    char precision[96];                            /* of the model */
    struct mls_stage_time stages[MLS_STAGE_COUNT]; /* once loaded */
    uint64_t load_ns;
    struct mls_series_stats predictions;
    struct mls_wall wall;
    struct mls_roofline roofline;
    double rate_hz;
    uint64_t lost;                         /* events */
    double recent_ns[MLS_SNAPSHOT_RECENT]; /* durations of the latest predictions, oldest first */
    size_t n_recent;
    struct mls_memory_use memory;
    const struct mls_step *const *step_table;     /* NULL until there is a plan */
    struct mls_step_stats *steps;                 /* parallel to it */
    struct mls_trend *trends;                     /* parallel to it */
    size_t n_steps;                               /* 0 until there is a plan */
    const struct mls_buffer *const *buffer_table; /* of the arena */
    size_t n_buffers;
    const struct mls_op_label *ops; /* by mls_op_id */
    size_t n_ops;
    const struct mls_step_attribute *attributes; /* in order of step */
    size_t n_attributes;
    struct mls_kept_prediction kept[MLS_KEPT_MAX]; /* the slowest, then the latest */
    size_t n_kept;
    const struct mls_history *history;
    const struct mls_log *log;
    const struct mls_placement *placements[MLS_COMPUTE_UNITS_COUNT]; /* NULL where none could be made */
    enum mls_compute_units setting;  /* whose units are shown beside operations */
    const struct mls_report *report; /* or NULL */
    struct mls_hot_totals hot;       /* source NULL: nothing is sampled */
    struct mls_hot_function functions[MLS_SNAPSHOT_FUNCTIONS];
    size_t n_functions;
    struct mls_hot_function step_functions[MLS_STEP_FUNCTIONS]; /* of the step in `probe`, while sampling */
    size_t n_step_functions;
    struct mls_probe probe;                  /* of the step whose detail was opened last */
    struct mls_sweep_view sweep;             /* n 0: nobody asked for one */
    const struct mls_comparison *comparison; /* with the baseline, or of the duel; or NULL */
    bool dueled;                             /* the comparison, if there is one, is that of the duel */
    struct mls_duel_view duel;
    const struct mls_found *found;           /* models below a folder */
    size_t n_found;
    const char *found_root; /* NULL: nobody asked for them */
    bool finding;           /* more may come */
};

/* mls_snapshot_op_name: of an operation of the model; "" when it is not known. */
const char *mls_snapshot_op_name(const struct mls_snapshot *snapshot, mls_op_id op);
const char *mls_snapshot_op_type(const struct mls_snapshot *snapshot, mls_op_id op);

/* mls_snapshot_record: the same as a record; borrows from the snapshot. */
struct mls_record mls_snapshot_record(const struct mls_snapshot *snapshot);

/* mls_snapshot_step: the plan's step with this index; below n_steps. */
const struct mls_step *mls_snapshot_step(const struct mls_snapshot *snapshot, size_t index);

/* mls_snapshot_placement: the prediction for the snapshot's setting, or NULL. */
const struct mls_placement *mls_snapshot_placement(const struct mls_snapshot *snapshot);

/* mls_trend_add: one more number; the oldest goes when there is no room. */
void mls_trend_add(struct mls_trend *trend, double ns);

/* mls_snapshot_synthesize: replaces what was measured by numbers made from the plan's costs, for screens that
 * can be compared. */
void mls_snapshot_synthesize(struct mls_snapshot *snapshot, uint64_t n_predictions);

/* mls_snapshot_hottest: the `n` steps with the largest shares, in descending order, into ret_steps; returns
 * how many. */
size_t mls_snapshot_hottest(const struct mls_snapshot *snapshot, size_t *ret_steps, size_t n);
