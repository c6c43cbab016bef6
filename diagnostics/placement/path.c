#include "placement/path.h"

#include <math.h>

/* In order of preference between equal costs. */
static const enum mls_backend ORDER[MLS_BACKEND_COUNT] = {MLS_BACKEND_BNNS, MLS_BACKEND_CLASSIC,
                                                          MLS_BACKEND_ANE, MLS_BACKEND_GPU};

double path_step_us(const struct mls_placement_profile *profile, enum mls_backend from, enum mls_backend to,
                    uint32_t n_outputs)
{
    enum mls_unit unit = mls_backend_unit(to);
    double us = n_outputs * profile->output_us[unit];
    if (from == to)
        return us;
    us += profile->launch_us[unit];
    return from == MLS_BACKEND_COUNT ? us : us + profile->change_us;
}

/* Cheapest way to reach `to` at a node, from the costs of the node before it. */
static double cheapest_step(const struct mls_placement_profile *profile,
                            const double before[MLS_BACKEND_COUNT], enum mls_backend to, uint32_t n_outputs,
                            enum mls_backend *ret_from)
{
    double best_us = HUGE_VAL;
    for (unsigned i = 0; i < MLS_BACKEND_COUNT; i++) {
        double us = before[ORDER[i]] + path_step_us(profile, ORDER[i], to, n_outputs);
        if (us < best_us) {
            best_us = us;
            *ret_from = ORDER[i];
        }
    }
    return best_us;
}

bool path_choose(const struct mls_placement_profile *profile, const struct path_node *nodes, uint32_t n_nodes,
                 struct mls_store *store, enum mls_backend *ret_backends)
{
    if (n_nodes == 0)
        return true;
    enum mls_backend(*came_from)[MLS_BACKEND_COUNT] = mls_store_array(store, n_nodes, sizeof(*came_from));
    if (came_from == NULL)
        return false;
    double cost[MLS_BACKEND_COUNT];
    for (unsigned to = 0; to < MLS_BACKEND_COUNT; to++)
        cost[to] = nodes[0].us[to] < 0
                       ? HUGE_VAL
                       : nodes[0].us[to] + path_step_us(profile, MLS_BACKEND_COUNT, to, nodes[0].n_outputs);
    for (uint32_t node = 1; node < n_nodes; node++) {
        double reached[MLS_BACKEND_COUNT];
        for (unsigned to = 0; to < MLS_BACKEND_COUNT; to++) {
            enum mls_backend from = MLS_BACKEND_BNNS;
            double us = cheapest_step(profile, cost, to, nodes[node].n_outputs, &from);
            came_from[node][to] = from;
            reached[to] = nodes[node].us[to] < 0 ? HUGE_VAL : us + nodes[node].us[to];
        }
        for (unsigned to = 0; to < MLS_BACKEND_COUNT; to++)
            cost[to] = reached[to];
    }
    enum mls_backend best = ORDER[0];
    for (unsigned i = 1; i < MLS_BACKEND_COUNT; i++) {
        if (cost[ORDER[i]] < cost[best])
            best = ORDER[i];
    }
    for (uint32_t node = n_nodes; node-- > 0; best = came_from[node][best])
        ret_backends[node] = best;
    return true;
}
