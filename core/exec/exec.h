/* exec.h: the insides of sessions and runs. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "plan/plan.h"

struct mls_session {
    struct plan_shared shared;
    uint32_t threads;
    uint64_t random_seed;
    pthread_mutex_t planning; /* guards plans and the part of `shared` that planning fills */
    struct mls_plan *plans;   /* the one asked for last comes first */
    uint32_t n_plans;
    pthread_mutex_t gate; /* guards n_running */
    pthread_cond_t left;  /* a prediction ended */
    uint32_t n_running;
    uint32_t max_at_once;
};

struct mls_states {
    struct mls_session *session;
    const struct mls_plan *plan; /* held: its slots tell the types */
    unsigned char *memory;       /* laid out as the plan's kept memory */
    atomic_bool busy;
};

/* Memory of the caller for one output. */
struct backing {
    unsigned char *memory; /* NULL: none */
    size_t size_bytes;
    bool direct; /* the output's slot lies there; otherwise it is copied */
};

struct mls_run {
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_tensor *tensors; /* by slot; data resolved to this run's memory */
    struct mls_op_call *calls;  /* by step */
    struct mls_arena *tables;   /* owner of tensors and calls */
    unsigned char *arena;       /* intermediate values */
    unsigned char *kept;        /* inputs and states: keep their content between predictions */
    unsigned char *scratch;
    size_t scratch_bytes; /* grows for steps of dynamic shape */
    struct mls_heap heap;
    uint64_t n_predictions;
    uint64_t random_state;
    struct mls_states *states; /* borrowed; NULL: those in `kept` */
    struct backing *backings;  /* by output */
    struct mls_arena **input_arenas; /* by input: content of those that mls_run_open_input opened, or NULL */
    atomic_bool busy;
    atomic_bool cancelled;
    _Atomic uint64_t dynamic_bytes; /* peak of the heap in the last prediction; any thread may read it */
    struct mls_error *error;        /* of the prediction in progress */

    /* of the prediction in progress, on the predicting thread */
    const struct mls_observer *observer;
    struct mls_pool_watch *watch; /* made when an observer first asks for threads; or NULL */
    bool watches;
    uint64_t ops_ticks;
    uint64_t hooks_ticks;
};

/* session_enter, session_leave: around each prediction; entering waits while too many run (session.c). */
void session_enter(struct mls_session *session);
void session_leave(struct mls_session *session);

/* session_hold_plan: as mls_session_plan does for a plan that is held already (session.c). */
void session_hold_plan(struct mls_session *session, const struct mls_plan *plan);

/* run_move_slot: puts a slot, and the views of it, elsewhere (run.c). */
void run_move_slot(struct mls_run *run, uint32_t slot, void *data);

/* run_copy_backings: outputs that do not lie in the caller's memory are copied there (backing.c). */
enum mls_status run_copy_backings(struct mls_run *run);

/* run_map, run_unmap: zeroed pages; NULL out of memory (run.c). */
unsigned char *run_map(size_t size_bytes);
void run_unmap(unsigned char *memory, size_t size_bytes);

/* run_control: runs the blocks of a control step (control.c). */
enum mls_status run_control(struct mls_run *run, uint32_t index);

/* run_steps: runs the steps [first, end) of one block; nested steps are run by their control step (run.c). */
enum mls_status run_steps(struct mls_run *run, uint32_t first, uint32_t end);

/* run_clear: gives back the heap memory of a slot, if it has any. */
void run_clear(struct mls_run *run, uint32_t slot);
