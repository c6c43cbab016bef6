/* plan_test.c: the layout of memory and what is left to do at run time. */
#include <stdio.h>
#include <string.h>

#include "support/opened.h"

static const struct mls_session_options one_thread = {.threads = 1};

/* Buffers that live at the same time must not overlap, for every case. */
static void living_buffers_never_overlap(void **state)
{
    (void)state;
    static const char *const cases[] = {"shared_memory", "loop_nested", "loop_swaps",
                                        "branch_true",   "lists",       "loop_grows"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened opened = opened_create(cases[i], &one_thread);
        size_t n = mls_plan_buffer_count(opened.plan);
        uint64_t arena_bytes = mls_plan_memory(opened.plan).arena_bytes;
        for (size_t a = 0; a < n; a++) {
            const struct mls_buffer *x = mls_plan_buffer(opened.plan, a);
            assert_true(x->first_step <= x->last_step);
            assert_true(x->offset_bytes + x->size_bytes <= arena_bytes);
            assert_int_equal(x->offset_bytes % 64, 0);
            for (size_t b = 0; b < a; b++) {
                const struct mls_buffer *y = mls_plan_buffer(opened.plan, b);
                bool together = x->first_step <= y->last_step && y->first_step <= x->last_step;
                bool apart = x->offset_bytes + x->size_bytes <= y->offset_bytes ||
                             y->offset_bytes + y->size_bytes <= x->offset_bytes;
                assert_true(!together || apart);
            }
        }
        opened_close(&opened);
    }
}

static void the_planned_peak_is_at_least_the_lower_bound(void **state)
{
    (void)state;
    struct opened opened = opened_create("shared_memory", &one_thread);
    struct mls_memory memory = mls_plan_memory(opened.plan);
    assert_true(memory.planned_peak_bytes >= memory.lower_bound_bytes);
    assert_true(memory.lower_bound_bytes > 0);
    opened_close(&opened);
}

static void what_depends_on_constants_only_is_no_step(void **state)
{
    (void)state;
    struct opened opened = opened_create("folded", &one_thread);
    assert_int_equal(mls_plan_step_count(opened.plan), 2);
    assert_string_equal(mls_plan_step(opened.plan, 0)->type, "reshape");
    assert_string_equal(mls_plan_step(opened.plan, 0)->kernel, "view");
    assert_string_equal(mls_plan_step(opened.plan, 1)->type, "reduce_max");
    opened_close(&opened);
}

static void steps_of_blocks_stand_behind_their_control_step(void **state)
{
    (void)state;
    struct opened opened = opened_create("loop_nested", &one_thread);
    uint32_t depth = 0;
    for (size_t i = 0; i < mls_plan_step_count(opened.plan); i++) {
        const struct mls_step *step = mls_plan_step(opened.plan, i);
        assert_int_equal(step->index, i);
        if (step->depth > depth)
            assert_true(mls_plan_step(opened.plan, i - 1)->control || step->depth == depth);
        assert_non_null(strstr(step->path, step->name));
        depth = step->depth;
    }
    opened_close(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(living_buffers_never_overlap),
        cmocka_unit_test(the_planned_peak_is_at_least_the_lower_bound),
        cmocka_unit_test(what_depends_on_constants_only_is_no_step),
        cmocka_unit_test(steps_of_blocks_stand_behind_their_control_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
