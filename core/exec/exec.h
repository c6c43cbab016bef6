/* exec.h: the insides of sessions and runs. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "plan/plan.h"

struct mls_session {
    struct plan_shared shared;
    uint32_t threads;
    pthread_mutex_t planning; /* guards plans and the part of `shared` that planning fills */
    struct mls_plan *plans;   /* newest first */
    uint32_t n_plans;
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
    uint64_t random_state;
    atomic_bool cancelled;
    _Atomic uint64_t dynamic_bytes; /* peak of the heap in the last prediction; any thread may read it */
    struct mls_error *error;        /* of the prediction in progress */

    /* of the prediction in progress, on the predicting thread */
    const struct mls_observer *observer;
    uint64_t ops_ticks;
    uint64_t hooks_ticks;
};

/* run_control: runs the blocks of a control step (control.c). */
enum mls_status run_control(struct mls_run *run, uint32_t index);

/* run_steps: runs the steps [first, end) of one block; nested steps are run by their control step (run.c). */
enum mls_status run_steps(struct mls_run *run, uint32_t first, uint32_t end);

/* run_clear: gives back the heap memory of a slot, if it has any. */
void run_clear(struct mls_run *run, uint32_t slot);
