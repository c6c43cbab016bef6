/*
 * loader.h: from a path (and a key) to a run that can predict, in one call that a worker thread can make.
 * Stages are timed, another thread may watch and cancel, and what was opened before a failure stays for the
 * diagnosis.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/compress.h"
#include "core/package.h"
#include "core/session.h"

/* `--input NAME=FILE`. */
struct mls_input_argument {
    const char *name;
    const char *file;
};

/* `--shape NAME=1x3x224x224`. */
struct mls_shape_argument {
    const char *name;
    struct mls_shape shape;
};

/* Where a load stops; all the way by default. */
enum mls_loader_goal {
    MLS_LOAD_ALL,     /* ready to predict, inputs filled */
    MLS_LOAD_PACKAGE, /* after bytes to named files */
    MLS_LOAD_MODEL,   /* after interface and program */
    MLS_LOAD_PLAN     /* after session and plan: shapes, costs, memory */
};

struct mls_sweep_setting; /* profiler/sweep.h */

/* What to open and how to run it. Everything is borrowed until mls_loader_free. Zeros are the defaults. */
struct mls_loader_options {
    const char *path;                      /* MODEL, or NULL for the asset form */
    const char *spec_file;                 /* asset form: `--spec FILE` */
    const struct mls_blob_argument *blobs; /* asset form: `--blob KEY=FILE` */
    size_t n_blobs;
    const struct mls_key *key; /* NULL: none was given */
    const char *function;      /* NULL: the default one */
    uint32_t threads;          /* 0: the cores available */
    bool cpu_capped;           /* whether `cpu` holds a cap */
    enum mls_isa cpu;
    enum mls_precision precision;
    enum mls_weights weights;
    bool no_fusion;                          /* a step for each operation of the model */
    uint64_t passes_off;                     /* passes to do without, one bit each (core/pass.h) */
    enum mls_reshape reshape;
    uint64_t max_memory_bytes;               /* 0: three quarters of the machine's memory */
    const struct mls_shape_argument *shapes; /* other inputs: the shape of their file, else the default */
    size_t n_shapes;
    const struct mls_input_argument *inputs;
    size_t n_inputs;
    const char *inputs_npz; /* NULL: none */
    bool inputs_required;   /* refuse, rather than draw, inputs that are neither given nor optional */
    uint64_t random_seed;   /* for inputs that are drawn */
    const char *state_dir;  /* `--state-in DIR`, or NULL: states start at zero */
    enum mls_loader_goal goal;
    const struct mls_sweep_setting *compress;        /* the weights are compressed after they are read; NULL: not all */
    const struct mls_compress_rule *compress_rules;  /* and those of single operations */
    size_t n_compress_rules;
    bool unconfined; /* read files without the system call filter that keeps parsers from all but reading */
};

struct mls_loader;

/* mls_loader_create: prepares a load; nothing is read yet. NULL when out of memory. */
struct mls_loader *mls_loader_create(const struct mls_loader_options *options);

/*
 * mls_loader_run: loads, on a thread of its own behind a system call filter (unless `unconfined`), and returns when that is done.
 * Once for each loader. The error is also kept in the result.
 */
enum mls_status mls_loader_run(struct mls_loader *loader, struct mls_error *reterr);

/* mls_loader_cancel: makes mls_loader_run end with CANCELLED soon; from any thread and from signal handlers.
 */
void mls_loader_cancel(struct mls_loader *loader);

/* Where a load is. */
struct mls_loader_progress {
    bool finished; /* mls_loader_run is done, well or not: the result may be read */
    enum mls_stage stage;
    uint64_t done;       /* bytes for OPEN, DECRYPT, UNPACK; counts otherwise */
    uint64_t total;      /* 0: not known */
    uint64_t elapsed_ns; /* since mls_loader_run began */
};

/* mls_loader_progress: from any thread, at any time. */
struct mls_loader_progress mls_loader_progress(const struct mls_loader *loader);

/* Time spent in one stage of a load. */
struct mls_stage_time {
    bool entered;
    uint64_t ns;
};

/*
 * What a load made. Members past the point of failure, or past the goal, are NULL. Owned by the loader.
 */
struct mls_loaded {
    enum mls_status status;
    struct mls_error error; /* when status is not OK */
    bool confined;      /* the load, and the threads that it started, ran behind the system call filter */
    int confined_errno; /* why not */
    bool sealed; /* what was opened; a compressed copy of it does not know */
    struct mls_package *package;
    struct mls_model *model;
    mls_function_id function;
    const struct mls_interface *interface;
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run; /* inputs and states filled */
    uint64_t begin_ns;   /* CLOCK_MONOTONIC when the load began */
    struct mls_stage_time stages[MLS_STAGE_COUNT];
    uint64_t total_ns; /* sum of the stages */
};

/* mls_loader_result: what was made; after mls_loader_run returned. */
const struct mls_loaded *mls_loader_result(const struct mls_loader *loader);

/* mls_loader_first_run: adds the first prediction's time to the stages, as FIRST_RUN. On the thread that
 * loaded. */
void mls_loader_first_run(struct mls_loader *loader, uint64_t ns);

/* mls_loader_another_run: one more run on the same plan with the same inputs, for concurrent predictions. The
 * caller frees. */
enum mls_status mls_loader_another_run(const struct mls_loader *loader, struct mls_run **ret_run,
                                       struct mls_error *reterr);

/* mls_loader_free: run, session, model and package, in this order; NULL is fine. */
void mls_loader_free(struct mls_loader *loader);
