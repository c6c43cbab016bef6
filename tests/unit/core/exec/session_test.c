/* session_test.c: what runs of one session share: plans, states, random numbers, and their limits. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/opened.h"

#include "base/fp16.h"
#include "base/limits.h"

static const struct mls_session_options one_thread = {.threads = 1};

static void predict(struct mls_run *run)
{
    struct mls_error error;
    if (mls_run_predict(run, NULL, NULL, &error))
        fail_msg("%s", error.text);
}

/* ---- Plans ---- */

static const struct mls_plan *plan_of(struct opened *opened, int64_t rows)
{
    const struct mls_plan *plan;
    const struct mls_shape shape = {.rank = 2, .dims = {rows, 3}};
    if (mls_session_plan(opened->session, &shape, &plan, &opened->error))
        fail_msg("%s", opened->error.text);
    return plan;
}

static void the_plan_unused_longest_makes_room_for_new_shapes(void **state)
{
    (void)state;
    struct opened opened = opened_create("flexible", &one_thread);
    const struct mls_plan *held = plan_of(&opened, 1);
    for (int round = 0; round < 3; round++)
        for (int64_t rows = 1; rows <= MLS_LIMIT_PLANS; rows++)
            mls_session_release_plan(opened.session, plan_of(&opened, rows));
    assert_ptr_equal(plan_of(&opened, 1), held);
    predict(opened.run); /* on a plan that was not asked for again */
    opened_close(&opened);
}

static void a_run_keeps_its_plan(void **state)
{
    (void)state;
    struct opened opened = opened_create("flexible", &one_thread);
    const struct mls_plan *plan = plan_of(&opened, 5);
    struct mls_run *run;
    assert_int_equal(mls_run_create(opened.session, plan, &run, &opened.error), MLS_OK);
    mls_session_release_plan(opened.session, plan);
    for (int64_t rows = 1; rows <= MLS_LIMIT_PLANS; rows++)
        if (rows != 5)
            mls_session_release_plan(opened.session, plan_of(&opened, rows));
    predict(run);
    mls_run_free(run);
    opened_close(&opened);
}

static void plans_for_frequent_reshapes_give_the_same_bits(void **state)
{
    (void)state;
    struct mls_session_options quick = {.threads = 1, .reshape = MLS_RESHAPE_FREQUENT};
    static const char *const cases[] = {"fusion", "fusion_fp16", "shared_memory"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct opened full = opened_create(cases[i], &one_thread), frequent = opened_create(cases[i], &quick);
        assert_true(mls_plan_step_count(full.plan) <= mls_plan_step_count(frequent.plan));
        predict(full.run);
        predict(frequent.run);
        const struct mls_tensor *a = mls_run_output(full.run, 0), *b = mls_run_output(frequent.run, 0);
        assert_memory_equal(a->data, b->data, mls_type_bytes(&a->type));
        opened_close(&full);
        opened_close(&frequent);
    }
}

/* ---- Random numbers ---- */

static void *draw(struct mls_run *run)
{
    predict(run);
    const struct mls_tensor *output = mls_run_output(run, 0);
    size_t bytes = mls_type_bytes(&output->type);
    void *copy = malloc(bytes);
    memcpy(copy, output->data, bytes);
    return copy;
}

static void random_numbers_depend_on_seed_and_number_of_the_prediction(void **state)
{
    (void)state;
    void *drawn[3][2];
    enum { BYTES = 4096 * 4 };
    for (unsigned i = 0; i < 3; i++) {
        const struct mls_session_options options = {.threads = 1, .random_seed = i == 2};
        struct opened opened = opened_create("random", &options);
        memset(mls_run_input(opened.run, 0)->data, 0, 4);
        drawn[i][0] = draw(opened.run);
        drawn[i][1] = draw(opened.run);
        opened_close(&opened);
    }
    assert_memory_equal(drawn[0][0], drawn[1][0], BYTES);
    assert_memory_equal(drawn[0][1], drawn[1][1], BYTES);
    assert_memory_not_equal(drawn[0][0], drawn[0][1], BYTES);
    assert_memory_not_equal(drawn[0][0], drawn[2][0], BYTES);
    for (unsigned i = 0; i < 3; i++) {
        free(drawn[i][0]);
        free(drawn[i][1]);
    }
}

/* ---- States ---- */

static void fill_ones(struct mls_run *run)
{
    struct mls_tensor *input = mls_run_input(run, 0);
    for (int64_t i = 0; i < mls_type_elems(&input->type); i++)
        ((uint16_t *)input->data)[i] = mls_fp32_to_fp16(1);
}

static float first_output(struct mls_run *run)
{
    return mls_fp16_to_fp32(*(const uint16_t *)mls_run_output(run, 0)->data);
}

static void runs_of_several_shapes_add_to_one_state(void **state)
{
    (void)state;
    struct opened opened = opened_create("states_shapes", &one_thread);
    struct mls_states *states;
    struct mls_run *longer;
    assert_int_equal(mls_states_create(opened.session, &states, &opened.error), MLS_OK);
    assert_int_equal(mls_run_create(opened.session, plan_of(&opened, 5), &longer, &opened.error), MLS_OK);
    fill_ones(opened.run);
    fill_ones(longer);
    mls_run_use_states(opened.run, states);
    mls_run_use_states(longer, states);
    predict(opened.run); /* two rows of ones: 2 */
    predict(longer);     /* five more: 7; the output is twice the state */
    assert_float_equal(first_output(longer), 14, 0);
    predict(opened.run);
    assert_float_equal(first_output(opened.run), 18, 0);
    assert_ptr_equal(mls_run_state(opened.run, 0)->data, mls_run_state(longer, 0)->data);
    mls_run_use_states(longer, NULL);
    predict(longer);
    assert_float_equal(first_output(longer), 10, 0);
    mls_run_free(longer);
    mls_states_free(states);
    opened_close(&opened);
}

/* Calls back into the library in the middle of a prediction. */
struct meddler {
    struct mls_run *other;
    enum mls_status status;
};

static void meddle(void *user, uint32_t step, uint64_t begin_ticks, uint64_t end_ticks)
{
    (void)step;
    (void)begin_ticks;
    (void)end_ticks;
    struct meddler *meddler = user;
    meddler->status = mls_run_predict(meddler->other, NULL, NULL, NULL);
}

static void two_predictions_on_one_state_are_refused(void **state)
{
    (void)state;
    struct opened opened = opened_create("states", &one_thread);
    struct mls_run *other;
    struct mls_states *states;
    assert_int_equal(mls_run_create(opened.session, opened.plan, &other, &opened.error), MLS_OK);
    assert_int_equal(mls_states_create(opened.session, &states, &opened.error), MLS_OK);
    mls_run_use_states(opened.run, states);
    mls_run_use_states(other, states);
    struct meddler meddler = {.other = other};
    const struct mls_observer observer = {.user = &meddler, .step = meddle};
    assert_int_equal(mls_run_predict(opened.run, &observer, NULL, &opened.error), MLS_OK);
    assert_int_equal(meddler.status, MLS_ERR_STATE_BUSY);
    meddler.other = opened.run; /* the same run, which has one state */
    assert_int_equal(mls_run_predict(opened.run, &observer, NULL, &opened.error), MLS_OK);
    assert_int_equal(meddler.status, MLS_ERR_STATE_BUSY);
    predict(other); /* free again */
    mls_run_free(other);
    mls_states_free(states);
    opened_close(&opened);
}

/* ---- Output backings ---- */

static void outputs_go_to_the_callers_memory(void **state)
{
    (void)state;
    static const char *const cases[] = {"shared_memory", "loop_counts", "data_dependent", "branch_true",
                                        "folded"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t offset = 0; offset <= 4; offset += 4) { /* aligned: written there; not: copied */
            struct opened opened = opened_create(cases[i], &one_thread);
            predict(opened.run);
            const struct mls_tensor *output = mls_run_output(opened.run, 0);
            size_t bytes = mls_type_bytes(&output->type);
            void *wanted = malloc(bytes), *memory = aligned_alloc(64, (bytes + 4 + 63) / 64 * 64);
            unsigned char *backing = (unsigned char *)memory + offset;
            memcpy(wanted, output->data, bytes);
            memset(memory, 0xa5, bytes + 4);
            assert_int_equal(mls_run_back_output(opened.run, 0, backing, bytes, &opened.error), MLS_OK);
            predict(opened.run);
            assert_memory_equal(backing, wanted, bytes);
            memset(memory, 0xa5, bytes + 4);
            assert_int_equal(mls_run_back_output(opened.run, 0, NULL, 0, &opened.error), MLS_OK);
            predict(opened.run);
            assert_memory_equal(mls_run_output(opened.run, 0)->data, wanted, bytes);
            assert_int_equal(backing[0], 0xa5);
            free(wanted);
            free(memory);
            opened_close(&opened);
        }
    }
}

static void memory_too_small_for_an_output_is_refused(void **state)
{
    (void)state;
    struct opened opened = opened_create("shared_memory", &one_thread);
    char small[4];
    assert_int_equal(mls_run_back_output(opened.run, 0, small, sizeof small, &opened.error),
                     MLS_ERR_INPUT_INVALID);
    predict(opened.run);
    opened_close(&opened);
}

/* A thread that predicts into memory of its own, two buffers in turn, and what it should find there. */
struct backed {
    struct mls_run *run;
    void *buffers[2];
    void *wanted;
    size_t bytes;
};

static void *predict_into_buffers(void *argument)
{
    struct backed *backed = argument;
    for (int i = 0; i < 200; i++) {
        void *buffer = backed->buffers[i % 2];
        memset(buffer, 0xa5, backed->bytes);
        if (mls_run_back_output(backed->run, 0, buffer, backed->bytes, NULL) ||
            mls_run_predict(backed->run, NULL, NULL, NULL) || memcmp(buffer, backed->wanted, backed->bytes) != 0)
            return argument;
    }
    return NULL;
}

static void threads_fill_the_memory_that_each_gave(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    const struct mls_session_options options = {.threads = 2, .max_at_once = 3};
    struct opened opened = opened_create("shared_memory", &options);
    struct backed backed[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        struct backed *b = &backed[i];
        assert_int_equal(mls_run_create(opened.session, opened.plan, &b->run, &opened.error), MLS_OK);
        assert_int_equal(mls_feature_random(b->run, 0, (uint64_t)i + 1, &opened.error), MLS_OK);
        predict(b->run);
        const struct mls_tensor *output = mls_run_output(b->run, 0);
        b->bytes = mls_type_bytes(&output->type);
        size_t room = (b->bytes + 63) / 64 * 64;
        b->wanted = malloc(b->bytes);
        b->buffers[0] = aligned_alloc(64, room);
        b->buffers[1] = aligned_alloc(64, room);
        memcpy(b->wanted, output->data, b->bytes);
        assert_true(i == 0 || memcmp(b->wanted, backed[0].wanted, b->bytes) != 0); /* inputs of its own */
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, predict_into_buffers, &backed[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
        mls_run_free(backed[i].run);
        free(backed[i].wanted);
        free(backed[i].buffers[0]);
        free(backed[i].buffers[1]);
    }
    opened_close(&opened);
}

/* ---- How many at once ---- */

struct crowd {
    struct mls_run *run;
    atomic_int *inside;
    atomic_int *most;
};

static void count_inside(void *user, uint32_t step, uint64_t begin_ticks, uint64_t end_ticks)
{
    (void)begin_ticks;
    (void)end_ticks;
    struct crowd *crowd = user;
    if (step == 0) {
        int inside = atomic_fetch_add(crowd->inside, 1) + 1, most = atomic_load(crowd->most);
        while (inside > most && !atomic_compare_exchange_weak(crowd->most, &most, inside))
            continue;
    }
    if (step + 1 == 2)
        atomic_fetch_sub(crowd->inside, 1);
}

static void *predict_often(void *argument)
{
    struct crowd *crowd = argument;
    const struct mls_observer observer = {.user = crowd, .step = count_inside};
    for (int i = 0; i < 200; i++)
        if (mls_run_predict(crowd->run, &observer, NULL, NULL))
            return argument;
    return NULL;
}

static void no_more_predictions_run_at_once_than_the_session_allows(void **state)
{
    (void)state;
    enum { THREADS = 5 };
    const struct mls_session_options options = {.threads = 1, .max_at_once = 2};
    struct opened opened = opened_create("flexible", &options);
    assert_true(mls_plan_step_count(opened.plan) >= 2);
    atomic_int inside = 0, most = 0;
    struct crowd crowd[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){.inside = &inside, .most = &most};
        assert_int_equal(mls_run_create(opened.session, opened.plan, &crowd[i].run, &opened.error), MLS_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, predict_often, &crowd[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
        mls_run_free(crowd[i].run);
    }
    assert_in_range(atomic_load(&most), 1, 2);
    assert_int_equal(mls_session_max_at_once(opened.session), 2);
    opened_close(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_unused_longest_makes_room_for_new_shapes),
        cmocka_unit_test(a_run_keeps_its_plan),
        cmocka_unit_test(plans_for_frequent_reshapes_give_the_same_bits),
        cmocka_unit_test(random_numbers_depend_on_seed_and_number_of_the_prediction),
        cmocka_unit_test(runs_of_several_shapes_add_to_one_state),
        cmocka_unit_test(two_predictions_on_one_state_are_refused),
        cmocka_unit_test(outputs_go_to_the_callers_memory),
        cmocka_unit_test(memory_too_small_for_an_output_is_refused),
        cmocka_unit_test(threads_fill_the_memory_that_each_gave),
        cmocka_unit_test(no_more_predictions_run_at_once_than_the_session_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
