/* complete.h: Tab on the command line. */
#pragma once

#include "app/state.h"

/* mls_complete: completes the word at the end of the prompt as far as it is clear, and says what could
 * follow. */
void mls_complete(struct mls_state *state);
