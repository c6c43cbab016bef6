/* run_test.c: what the executor promises about predictions, apart from their numbers (tests/parity has
 * those). */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/opened.h"

#include "core/clock.h"

static const struct mls_session_options one_thread = {.threads = 1};

/* ---- Counting allocations (sanitizers bring an allocator of their own) ---- */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 1
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
static _Thread_local size_t n_allocations;

void *malloc(size_t size)
{
    n_allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    n_allocations++;
    return __libc_calloc(n, size);
}
#else
static size_t n_allocations;
#endif

static void steady_predictions_allocate_nothing(void **state)
{
    (void)state;
    if (!COUNTS_ALLOCATIONS)
        skip();
    static const char *const cases[] = {"shared_memory", "loop_counts", "loop_nested", "branch_true",
                                        "rounding"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened opened = opened_create(cases[i], &one_thread);
        assert_int_equal(mls_run_predict(opened.run, NULL, NULL, &opened.error), MLS_OK);
        size_t before = n_allocations;
        for (int round = 0; round < 5; round++)
            assert_int_equal(mls_run_predict(opened.run, NULL, NULL, &opened.error), MLS_OK);
        assert_int_equal(n_allocations - before, 0);
        opened_close(&opened);
    }
}

struct seen {
    const struct mls_plan *plan;
    uint32_t runs[64];
    uint64_t leaf_ticks;
    uint64_t last_end;
    bool in_order;
    struct mls_run *cancel;
};

static void see(void *user, uint32_t step, uint64_t begin_ticks, uint64_t end_ticks)
{
    struct seen *seen = user;
    seen->runs[step]++;
    if (!mls_plan_step(seen->plan, step)->control) {
        seen->leaf_ticks += end_ticks - begin_ticks;
        seen->in_order = seen->in_order && begin_ticks >= seen->last_end;
    }
    seen->in_order = seen->in_order && end_ticks >= begin_ticks;
    seen->last_end = end_ticks;
    if (seen->cancel)
        mls_run_cancel(seen->cancel);
}

static void the_parts_of_the_wall_time_sum_up_exactly(void **state)
{
    (void)state;
    struct opened opened = opened_create("loop_nested", &one_thread);
    struct seen seen = {.plan = opened.plan, .in_order = true};
    struct mls_observer observer = {.user = &seen, .step = see};
    struct mls_run_time time;
    for (int round = 0; round < 10; round++) {
        seen.leaf_ticks = 0;
        assert_int_equal(mls_run_predict(opened.run, &observer, &time, &opened.error), MLS_OK);
        assert_int_equal(time.ops_ticks, seen.leaf_ticks);
        assert_int_equal(time.ops_ticks + time.hooks_ticks + time.dispatch_ticks + time.other_ticks,
                         time.end_ticks - time.begin_ticks);
    }
    opened_close(&opened);
}

static void every_step_is_reported_as_often_as_it_runs(void **state)
{
    (void)state;
    struct opened opened = opened_create("loop_nested", &one_thread);
    struct seen seen = {.plan = opened.plan, .in_order = true};
    struct mls_observer observer = {.user = &seen, .step = see};
    assert_int_equal(mls_run_predict(opened.run, &observer, NULL, &opened.error), MLS_OK);
    assert_true(seen.in_order);
    for (size_t i = 0; i < mls_plan_step_count(opened.plan); i++) {
        const struct mls_step *step = mls_plan_step(opened.plan, i);
        /* three outer and six inner iterations; a condition is computed once more than its body runs */
        uint32_t body = step->depth == 0 ? 1 : step->depth == 1 ? 3 : 6;
        uint32_t condition = step->depth == 1 ? 4 : 9;
        bool is_condition = !strcmp(step->type, "less");
        assert_int_equal(seen.runs[i], is_condition ? condition : body);
    }
    opened_close(&opened);
}

static void read_values(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    struct seen *seen = user;
    const struct mls_step *info = mls_plan_step(seen->plan, step);
    seen->runs[step]++;
    seen->in_order = seen->in_order && n_outputs == info->n_outputs;
    for (uint32_t i = 0; i < n_outputs; i++)
        seen->in_order = seen->in_order && outputs[i]->data != NULL &&
                         outputs[i]->type.dtype == info->outputs[i].type.dtype;
}

static void the_values_of_every_step_can_be_read_without_timing_it(void **state)
{
    (void)state;
    struct opened opened = opened_create("loop_nested", &one_thread);
    struct seen seen = {.plan = opened.plan, .in_order = true};
    const struct mls_observer observer = {.user = &seen, .values = read_values};
    assert_int_equal(mls_run_predict(opened.run, &observer, NULL, &opened.error), MLS_OK);
    assert_true(seen.in_order);
    for (size_t i = 0; i < mls_plan_step_count(opened.plan); i++)
        assert_true(seen.runs[i] > 0);
    opened_close(&opened);
}

static void a_cancelled_prediction_ends_and_the_next_one_works(void **state)
{
    (void)state;
    struct opened opened = opened_create("loop_counts", &one_thread);
    struct seen seen = {.plan = opened.plan, .in_order = true, .cancel = opened.run};
    struct mls_observer observer = {.user = &seen, .step = see};
    assert_int_equal(mls_run_predict(opened.run, &observer, NULL, &opened.error), MLS_ERR_CANCELLED);
    assert_int_equal(mls_run_predict(opened.run, NULL, NULL, &opened.error), MLS_OK);
    opened_close(&opened);
}

static void repeated_predictions_give_the_same_bits(void **state)
{
    (void)state;
    static const char *const cases[] = {"lists", "loop_grows", "loop_swaps", "data_dependent",
                                        "shared_memory"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened opened = opened_create(cases[i], &one_thread);
        assert_int_equal(mls_run_predict(opened.run, NULL, NULL, &opened.error), MLS_OK);
        const struct mls_tensor *output = mls_run_output(opened.run, 0);
        size_t bytes = mls_type_bytes(&output->type);
        void *first = malloc(bytes);
        memcpy(first, output->data, bytes);
        for (int round = 0; round < 3; round++)
            assert_int_equal(mls_run_predict(opened.run, NULL, NULL, &opened.error), MLS_OK);
        assert_memory_equal(first, mls_run_output(opened.run, 0)->data, bytes);
        free(first);
        opened_close(&opened);
    }
}

static void *predict_often(void *argument)
{
    struct mls_run *run = argument;
    for (int round = 0; round < 100; round++)
        if (mls_run_predict(run, NULL, NULL, NULL))
            return argument;
    return NULL;
}

static void two_runs_of_a_session_predict_at_once(void **state)
{
    (void)state;
    struct opened opened = opened_create("shared_memory", &(struct mls_session_options){.threads = 2});
    struct mls_run *other;
    assert_int_equal(mls_run_create(opened.session, opened.plan, &other, &opened.error), MLS_OK);
    assert_int_equal(mls_feature_random(other, 0, 1, &opened.error), MLS_OK);
    pthread_t thread;
    void *failed;
    assert_int_equal(pthread_create(&thread, NULL, predict_often, other), 0);
    assert_null(predict_often(opened.run));
    pthread_join(thread, &failed);
    assert_null(failed);
    const struct mls_tensor *a = mls_run_output(opened.run, 0), *b = mls_run_output(other, 0);
    assert_memory_equal(a->data, b->data, mls_type_bytes(&a->type));
    mls_run_free(other);
    opened_close(&opened);
}

static void high_precision_computes_in_fp32(void **state)
{
    (void)state;
    struct opened opened =
        opened_create("rounding", &(struct mls_session_options){.precision = MLS_PRECISION_HIGH});
    assert_int_equal(mls_run_input(opened.run, 0)->type.dtype, MLS_FP32);
    assert_int_equal(mls_run_predict(opened.run, NULL, NULL, &opened.error), MLS_OK);
    const float *x = mls_run_input(opened.run, 0)->data, *y = mls_run_output(opened.run, 0)->data;
    for (int i = 0; i < 64; i++)
        assert_float_equal(y[i], x[i] * 300.0f * 300.0f - x[i], 0.125f);
    opened_close(&opened);
}

static void a_plan_above_the_memory_limit_is_refused_with_the_number_needed(void **state)
{
    (void)state;
    struct opened opened = opened_create("shared_memory", &one_thread);
    struct mls_session *small;
    const struct mls_plan *plan;
    struct mls_session_options options = {.threads = 1, .max_memory_bytes = 100};
    assert_int_equal(mls_session_create(opened.model, &options, &small, &opened.error), MLS_OK);
    assert_int_equal(mls_session_plan(small, NULL, &plan, &opened.error), MLS_ERR_MEMORY);
    mls_session_free(small);
    opened_close(&opened);
}

static void plans_are_kept_by_shape(void **state)
{
    (void)state;
    struct opened opened = opened_create("flexible", &one_thread);
    struct mls_shape shape = {.rank = 2, .dims = {7, 3}};
    const struct mls_plan *a, *b;
    assert_int_equal(mls_session_plan(opened.session, &shape, &a, &opened.error), MLS_OK);
    assert_int_equal(mls_session_plan(opened.session, &shape, &b, &opened.error), MLS_OK);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, opened.plan);
    shape.dims[0] = 9;
    assert_int_equal(mls_session_plan(opened.session, &shape, &b, &opened.error), MLS_ERR_INPUT_INVALID);
    opened_close(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_predictions_allocate_nothing),
        cmocka_unit_test(the_parts_of_the_wall_time_sum_up_exactly),
        cmocka_unit_test(every_step_is_reported_as_often_as_it_runs),
        cmocka_unit_test(the_values_of_every_step_can_be_read_without_timing_it),
        cmocka_unit_test(a_cancelled_prediction_ends_and_the_next_one_works),
        cmocka_unit_test(repeated_predictions_give_the_same_bits),
        cmocka_unit_test(two_runs_of_a_session_predict_at_once),
        cmocka_unit_test(high_precision_computes_in_fp32),
        cmocka_unit_test(a_plan_above_the_memory_limit_is_refused_with_the_number_needed),
        cmocka_unit_test(plans_are_kept_by_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
