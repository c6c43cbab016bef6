/* attributes.h: the constant arguments of operations, as texts for people: what a convolution's strides are,
 * how its weights are stored. */
#pragma once

#include "profiler/recording.h"

/* mls_attributes_make: of all steps of a plan, in order of step, in the arena; NULL when out of memory. */
const struct mls_step_attribute *mls_attributes_make(const struct mls_model *model,
                                                     const struct mls_plan *plan, struct mls_arena *arena,
                                                     size_t *ret_n);
