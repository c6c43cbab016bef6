/* path.h: the cheapest choice of back ends for a chain of operations in file order. */
#pragma once

#include "placement/profile.h"

struct path_node {
    double us[MLS_BACKEND_COUNT]; /* estimated time; negative: this back end is not to be had */
    uint32_t n_outputs;           /* of the function, that this operation makes */
};

/* path_step_us: what comes on top of the estimate when `to` follows `from` (MLS_BACKEND_COUNT: nothing before
 * it). */
double path_step_us(const struct mls_placement_profile *profile, enum mls_backend from, enum mls_backend to,
                    uint32_t n_outputs);

/*
 * path_choose: back ends with the smallest sum of estimates, launches, changes and outputs. Every node must
 * have one back end. Ties go to the CPU. false: out of memory.
 */
bool path_choose(const struct mls_placement_profile *profile, const struct path_node *nodes, uint32_t n_nodes,
                 struct mls_store *store, enum mls_backend *ret_backends);
