/*
 * session.h: a function of a model made ready to run. A session holds what all predictions share (checked graph, packed
 * weights, thread pool, plans by shape); a run holds what one prediction needs (arena, scratch, outputs). One run is used
 * by one thread at a time; several runs of a session may predict at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/model.h"
#include "core/progress.h"
#include "core/thread_part.h"

enum mls_precision {
    MLS_PRECISION_DECLARED, /* round at operation boundaries as the program's types say */
    MLS_PRECISION_HIGH      /* fp32 throughout, whatever the program declares */
};

/* How constants that are stored compressed are used. */
enum mls_weights {
    MLS_WEIGHTS_AUTO,       /* as they are stored where reading them is what takes the time: products of a few rows */
    MLS_WEIGHTS_DENSE,      /* decompressed once, at load */
    MLS_WEIGHTS_COMPRESSED  /* as they are stored wherever a kernel takes them so: the least memory */
};

/* How often the input shapes change: what a plan for a new shape may cost. */
enum mls_reshape {
    MLS_RESHAPE_INFREQUENT, /* every plan fully optimised */
    MLS_RESHAPE_FREQUENT    /* plans are made quickly: operations are not fused; the results are the same */
};

struct mls_session_options {
    const char *function;               /* NULL: the default one */
    uint32_t threads;                   /* 0: mls_cpu_count() */
    bool cpu_capped;                    /* whether `cpu` holds a cap */
    enum mls_isa cpu;                   /* highest instruction set to use, when capped */
    enum mls_precision precision;
    enum mls_weights weights;
    bool no_fusion;                     /* a step for each operation: no optional pass; the results are the same but for
                                           roundings that passes leave out (mls_pass_keeps_bits) */
    uint64_t passes_off;                /* passes to do without, one bit each by number (pass.h) */
    enum mls_reshape reshape;
    uint32_t max_at_once;               /* predictions that run at once, others wait; 0: three */
    uint64_t random_seed;               /* of operations that draw random numbers without a seed of their own */
    uint64_t max_memory_bytes;          /* refuse plans above it; 0: three quarters of the machine's memory */
    const struct mls_progress *progress;
};

struct mls_session;
struct mls_plan;
struct mls_run;

/*
 * mls_session_create: verifies the function, folds constants, and packs weights. Borrows the model, which must outlive
 * the session. Refuses what cannot be computed rightly, with function, operation and reason.
 */
enum mls_status mls_session_create(const struct mls_model *model, const struct mls_session_options *options,
                                   struct mls_session **ret_session, struct mls_error *reterr);
void mls_session_free(struct mls_session *session);

const struct mls_interface *mls_session_interface(const struct mls_session *session);
enum mls_isa mls_session_isa(const struct mls_session *session);
uint32_t mls_session_threads(const struct mls_session *session);
uint32_t mls_session_max_at_once(struct mls_session *session);

/* mls_session_allow_at_once: lets at least n predictions run at once from now on. */
void mls_session_allow_at_once(struct mls_session *session, uint32_t n);

/* ---- Plans ------------------------------------------------------------------------------------------------------ */

/* Cost of one execution of an operation, computed from its shapes. bytes count each operand once, weights as stored. */
struct mls_cost {
    uint64_t flops;
    uint64_t bytes_read;
    uint64_t bytes_written;
};

/* An input or output of a step: name of the value, type in this plan (dims unknown before the run are -1). */
struct mls_step_operand {
    const char *name;       /* of the value */
    const char *parameter;  /* of the operation: "x", "weight"; outputs: "" */
    struct mls_type type;
    bool constant;
};

/*
 * One thing that the executor does, in run order; steps of nested blocks stand behind the control-flow step that runs
 * them. All pointers live as long as the plan.
 */
struct mls_step {
    uint32_t index;
    mls_op_id op;               /* the operation of the model that gives this step its name */
    const char *function;
    const char *path;           /* "main/while_loop_0.body/add_3": function, blocks and name */
    const char *type;
    const char *name;
    _Atomic(const char *) kernel; /* what ran it on this machine: "gemm_f16__avx512"; "view" when nothing is moved; NULL
                                     before the first prediction */
    uint32_t depth;             /* of block nesting, 0 at the top */
    bool control;               /* runs the deeper steps that follow it */
    bool dynamic;               /* shapes are computed at run time */
    struct mls_cost cost;       /* of one execution, zero for dynamic shapes */
    const struct mls_step_operand *inputs;
    uint32_t n_inputs;
    const struct mls_step_operand *outputs;
    uint32_t n_outputs;
    const mls_op_id *fused;     /* operations of the model that this step executes, in file order; at least `op` */
    uint32_t n_fused;
    uint64_t live_bytes_after;  /* planned bytes of the arena in use once the step is done */
    uint64_t scratch_bytes;
};

/* One block of the arena: whose it is, where it lies, and over which steps (inclusive) it lives. */
struct mls_buffer {
    const char *name;       /* of the first value in it */
    uint64_t offset_bytes;
    uint64_t size_bytes;
    uint32_t first_step;
    uint32_t last_step;
};

/* Memory, in bytes. Arena: where intermediate values lie. */
struct mls_memory {
    uint64_t weights_bytes;       /* constants as stored, used in place or not */
    uint64_t packed_bytes;        /* copies in another layout or type that kernels needed */
    uint64_t arena_bytes;         /* allocated for one run */
    uint64_t planned_peak_bytes;  /* highest offset in use */
    uint64_t lower_bound_bytes;   /* max over steps of live bytes: no plan can be smaller */
    uint64_t scratch_bytes;
    uint64_t states_bytes;
};

/*
 * mls_session_plan: the plan for these input shapes, made or taken from the cache. `shapes` is parallel to the
 * interface's inputs (images: {1, channels, height, width}); NULL: the default shapes. The plan lives until the caller
 * releases it, and at most as long as the session; a session keeps the last eight that nobody holds. Thread-safe.
 */
enum mls_status mls_session_plan(struct mls_session *session, const struct mls_shape *shapes, const struct mls_plan **ret_plan,
                                 struct mls_error *reterr);

/*
 * mls_session_settle: gives values of the model whose shapes the file leaves open the shapes that the session's first plan
 * found, unless an input of the function is of open shape. `model` is the one of the session; nobody else reads it meanwhile.
 */
enum mls_status mls_session_settle(const struct mls_session *session, struct mls_model *model, struct mls_error *reterr);

/* mls_session_release_plan: once for each mls_session_plan. A plan that was never released is never given up for others. */
void mls_session_release_plan(struct mls_session *session, const struct mls_plan *plan);

size_t mls_plan_step_count(const struct mls_plan *plan);
const struct mls_step *mls_plan_step(const struct mls_plan *plan, size_t index);
size_t mls_plan_buffer_count(const struct mls_plan *plan);
const struct mls_buffer *mls_plan_buffer(const struct mls_plan *plan, size_t index);
struct mls_memory mls_plan_memory(const struct mls_plan *plan);

/* ---- Runs ------------------------------------------------------------------------------------------------------- */

enum { MLS_THREAD_PARTS_MAX = 1 << 14 }; /* of one prediction and thread */

/*
 * Watches a run. `step` is called on the predicting thread after each step with its begin and end in clock ticks
 * (mls_clock_ticks); it must not block, allocate or call into the run. NULL members are not called. A control step is
 * reported after the steps that it ran, and its span includes theirs.
 * `values` is called just before `step`, with the values that the step made, while they are there: it may read them until
 * it returns, and what it takes counts as the step's time. Values inside a fused step do not exist: see no_fusion.
 * `thread` is called after the last step, once for each thread, with what it did, in order, of the steps that several shared;
 * thread 0 is the one that predicts. Not when that was more than MLS_THREAD_PARTS_MAX, and while several predictions of a
 * session run at once, for one of them only.
 */
struct mls_observer {
    void *user;
    void (*step)(void *user, uint32_t step, uint64_t begin_ticks, uint64_t end_ticks);
    void (*values)(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs);
    void (*thread)(void *user, uint32_t thread, const struct mls_thread_part *parts, size_t n);
};

/* Where the wall time of one prediction went, in ticks; wall = ops + dispatch + hooks + other, exactly. */
struct mls_run_time {
    uint64_t begin_ticks;
    uint64_t end_ticks;
    uint64_t ops_ticks;       /* inside operations, nested ones counted once */
    uint64_t hooks_ticks;     /* the observer's callbacks and clock readings */
    uint64_t dispatch_ticks;  /* between operations */
    uint64_t other_ticks;     /* before the first and after the last: copies of inputs and outputs, states */
};

/* mls_run_create: memory for one prediction at a time on this plan. Borrows the session, holds the plan. */
enum mls_status mls_run_create(struct mls_session *session, const struct mls_plan *plan, struct mls_run **ret_run,
                               struct mls_error *reterr);
void mls_run_free(struct mls_run *run);

/*
 * mls_run_input: the tensor that input `index` of the interface is read from; the caller fills `data` (owned by the
 * run; images: {1, channels, height, width} in the program's dtype, values 0…255).
 */
struct mls_tensor *mls_run_input(struct mls_run *run, size_t index);

/*
 * mls_run_open_input: room in an input whose length the caller decides: n numbers in the tensor's `data` and n keys in its
 * `keys` for a dictionary, n elements for a sequence. Texts, that of a string input too, point to bytes that the caller
 * takes from *ret_arena. What was given before goes. All of it is the run's.
 */
enum mls_status mls_run_open_input(struct mls_run *run, size_t index, int64_t n, struct mls_arena **ret_arena,
                                   struct mls_error *reterr);

/*
 * mls_run_predict: one prediction. observer and ret_time may be NULL. Waits while as many predictions of the session run
 * as it allows at once. STATE_BUSY: the run, or the states that it uses, are predicting already. Random numbers depend
 * on the session's seed and on how many predictions the run has made, and on nothing else.
 */
enum mls_status mls_run_predict(struct mls_run *run, const struct mls_observer *observer, struct mls_run_time *ret_time,
                                struct mls_error *reterr);

/* mls_run_output: output `index` of the interface, valid until the next prediction; owned by the run. */
const struct mls_tensor *mls_run_output(const struct mls_run *run, size_t index);

/*
 * mls_run_back_output: output `index` of predictions to come is also left in the caller's memory, which has room for
 * size_bytes and outlives the run or the next call for this output; NULL ends it. Where the plan allows it, and the
 * memory is aligned to 64 bytes, the operation writes there itself. An output that has no room fails the prediction.
 */
enum mls_status mls_run_back_output(struct mls_run *run, size_t index, void *memory, size_t size_bytes,
                                    struct mls_error *reterr);

/* mls_run_state: state `index` of the interface, zero after mls_run_create; owned by the run or the states it uses. */
struct mls_tensor *mls_run_state(struct mls_run *run, size_t index);

/* ---- States that several runs use, as a cache that grows while the input shapes change ---- */

struct mls_states;

/* mls_states_create: all states of the session's function, zero. The caller frees them after the runs that use them. */
enum mls_status mls_states_create(struct mls_session *session, struct mls_states **ret_states, struct mls_error *reterr);
void mls_states_free(struct mls_states *states);

/* mls_run_use_states: predictions to come read and change these; NULL: the run's own. Not during a prediction. */
void mls_run_use_states(struct mls_run *run, struct mls_states *states);

/* mls_run_cancel: makes a prediction in progress end with CANCELLED at its next operation; from any thread. */
void mls_run_cancel(struct mls_run *run);

/* mls_run_dynamic_bytes: highest bytes that values of unplanned size took in the last finished prediction; from any
 * thread. */
uint64_t mls_run_dynamic_bytes(const struct mls_run *run);

/* mls_run_memory_bytes: what this run has allocated for itself: arena, inputs, states, scratch; not what it shares. */
uint64_t mls_run_memory_bytes(const struct mls_run *run);
