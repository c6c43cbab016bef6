/* The cheapest path: chains written by hand, with the launch and switch costs of the first profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "placement/path.h"

enum { BNNS = MLS_BACKEND_BNNS, CLASSIC = MLS_BACKEND_CLASSIC, ANE = MLS_BACKEND_ANE, CHAIN_MAX = 8 };

static struct path_node node(double cpu_us, double ane_us)
{
    return (struct path_node){.us = {[MLS_BACKEND_ANE] = ane_us,
                                     [MLS_BACKEND_BNNS] = cpu_us,
                                     [MLS_BACKEND_CLASSIC] = cpu_us * 1.15,
                                     [MLS_BACKEND_GPU] = -1}};
}

static void assert_path(const struct path_node *nodes, uint32_t n_nodes, const int *expected)
{
    struct mls_store *store = mls_store_create();
    enum mls_backend chosen[CHAIN_MAX];
    assert_true(path_choose(mls_placement_profile_at(0), nodes, n_nodes, store, chosen));
    for (uint32_t i = 0; i < n_nodes; i++)
        assert_int_equal((int)chosen[i], expected[i]);
    mls_store_free(store);
}

static void an_empty_chain_has_no_path(void **state)
{
    (void)state;
    assert_path(NULL, 0, NULL);
}

static void a_whole_graph_must_save_250_us(void **state)
{
    (void)state;
    struct path_node below = node(258, 9);
    struct path_node above = node(260, 9);
    below.n_outputs = above.n_outputs = 1;
    assert_path(&below, 1, (int[]){BNNS});
    assert_path(&above, 1, (int[]){ANE});
}

static void a_run_at_the_start_must_save_250_us(void **state)
{
    (void)state;
    assert_path((struct path_node[]){node(249, 0), node(1, -1)}, 2, (int[]){BNNS, BNNS});
    assert_path((struct path_node[]){node(251, 0), node(1, -1)}, 2, (int[]){ANE, BNNS});
}

static void a_run_in_the_middle_must_save_375_us(void **state)
{
    (void)state;
    assert_path((struct path_node[]){node(1, -1), node(374, 0), node(1, -1)}, 3, (int[]){BNNS, BNNS, BNNS});
    assert_path((struct path_node[]){node(1, -1), node(376, 0), node(1, -1)}, 3, (int[]){BNNS, ANE, BNNS});
}

static void a_dear_operation_carries_its_cheap_neighbour(void **state)
{
    (void)state;
    struct path_node nodes[] = {node(1000, 1), node(2, 3), node(1000, 1)};
    nodes[2].n_outputs = 1;
    assert_path(nodes, 3, (int[]){ANE, ANE, ANE});
}

static void a_refused_operation_cuts_the_run(void **state)
{
    (void)state;
    struct path_node nodes[] = {node(1000, 1), node(2, -1), node(1000, 1)};
    nodes[2].n_outputs = 1;
    assert_path(nodes, 3, (int[]){ANE, BNNS, ANE});
}

static void what_bnns_refuses_runs_on_the_classic_cpu(void **state)
{
    (void)state;
    struct path_node only_classic = node(10, -1);
    only_classic.us[MLS_BACKEND_BNNS] = -1;
    assert_path(&only_classic, 1, (int[]){CLASSIC});
    /* 0.125 ms for each change of back end is more than what bnns saves */
    assert_path((struct path_node[]){node(10, -1), only_classic}, 2, (int[]){CLASSIC, CLASSIC});
}

static void outputs_on_the_neural_engine_cost_each(void **state)
{
    (void)state;
    const struct mls_placement_profile *profile = mls_placement_profile_at(0);
    assert_true(fabs(path_step_us(profile, MLS_BACKEND_COUNT, MLS_BACKEND_ANE, 2) - 375) < 1e-9);
    assert_true(fabs(path_step_us(profile, MLS_BACKEND_ANE, MLS_BACKEND_ANE, 1) - 125) < 1e-9);
    assert_true(fabs(path_step_us(profile, MLS_BACKEND_COUNT, MLS_BACKEND_BNNS, 2)) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_has_no_path),
        cmocka_unit_test(a_whole_graph_must_save_250_us),
        cmocka_unit_test(a_run_at_the_start_must_save_250_us),
        cmocka_unit_test(a_run_in_the_middle_must_save_375_us),
        cmocka_unit_test(a_dear_operation_carries_its_cheap_neighbour),
        cmocka_unit_test(a_refused_operation_cuts_the_run),
        cmocka_unit_test(what_bnns_refuses_runs_on_the_classic_cpu),
        cmocka_unit_test(outputs_on_the_neural_engine_cost_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
