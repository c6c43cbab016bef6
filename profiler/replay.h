/* replay.h: the events that a profile kept, joined to samples that came later. */
#pragma once

#include "profiler/profile.h"

/* profile_replay: every kept prediction, in order, through hot_join. False when out of memory. */
bool profile_replay(const struct mls_profile *profile, struct mls_hot *hot);
