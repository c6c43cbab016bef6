/* wishes.h: what the state asked for, done to the model and the terminal. */
#pragma once

#include "app/live.h"
#include "app/state.h"

struct mls_terminal;

/* mls_wishes_fulfil: does what state->wishes says and clears them; what came of it is in the state's message.
 * `terminal` is NULL in scripts. */
void mls_wishes_fulfil(struct mls_state *state, struct mls_live *live, struct mls_terminal *terminal);
