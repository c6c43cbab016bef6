/* states.c: states that outlive a run, and that runs of different input shapes take turns with. */
#include "exec/exec.h"

#include <stdlib.h>

enum mls_status mls_states_create(struct mls_session *session, struct mls_states **ret_states,
                                  struct mls_error *reterr)
{
    const struct mls_plan *plan;
    enum mls_status status = mls_session_plan(session, NULL, &plan, reterr);
    if (status)
        return status;
    struct mls_states *states = calloc(1, sizeof *states);
    unsigned char *memory = run_map(plan->kept_bytes);
    if (!states || !memory) {
        run_unmap(memory, plan->kept_bytes);
        free(states);
        mls_session_release_plan(session, plan);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot create the states: %llu MiB are not to be had",
                        (unsigned long long)(plan->kept_bytes >> 20));
    }
    *states = (struct mls_states){.session = session, .plan = plan, .memory = memory};
    *ret_states = states;
    return MLS_OK;
}

void mls_states_free(struct mls_states *states)
{
    if (!states)
        return;
    run_unmap(states->memory, states->plan->kept_bytes);
    mls_session_release_plan(states->session, states->plan);
    free(states);
}

void mls_run_use_states(struct mls_run *run, struct mls_states *states)
{
    run->states = states;
    for (size_t i = 0; i < run->session->shared.interface->n_states; i++) {
        uint32_t slot = run->plan->states[i];
        unsigned char *data = states
                                  ? states->memory + states->plan->slots[states->plan->states[i]].offset_bytes
                                  : run->kept + run->plan->slots[slot].offset_bytes;
        run_move_slot(run, slot, data);
    }
}
