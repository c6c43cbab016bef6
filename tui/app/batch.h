/* batch.h: the screen as text on standard output, for pipes and logs. */
#pragma once

#include <stdatomic.h>

#include "app/live.h"
#include "app/state.h"

/*
 * mls_batch_play: waits for the load, then writes `n` looks, `interval_ms` between them: the overview and
 * every operation, or the models of a folder. A recording, a folder and a failure give one look. Ends early
 * when *stop is set (NULL: never). False when `out` cannot be written.
 */
bool mls_batch_play(struct mls_state *state, struct mls_live *live, unsigned n, unsigned interval_ms,
                    const atomic_bool *stop, FILE *out);
