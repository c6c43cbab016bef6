/* From recorded events to figures: the recorder's ring and the profile, on a run that the test writes. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fake_run.h"
#include "profiler/profile.h"

/* Rounding of ticks to nanoseconds. */
#define assert_near(a, b) assert_in_range((a) + 3, (b), (b) + 6)

struct fixture {
    struct mls_run run;
    struct mls_recorder *recorder;
    struct mls_profile *profile;
};

static void begin(struct fixture *fixture, size_t n_events, const struct mls_profile_options *options)
{
    fixture->run = (struct mls_run){.now = mls_clock_ticks()};
    fixture->recorder = mls_recorder_create(n_events);
    assert_non_null(fixture->recorder);
    assert_int_equal(mls_profile_create(NULL, options, &fixture->profile, NULL), MLS_OK);
}

static void end(struct fixture *fixture)
{
    mls_profile_free(fixture->profile);
    mls_recorder_free(fixture->recorder);
}

/* A leaf, then two rounds of a loop. */
static void write_prediction(struct mls_run *run)
{
    run->n_script = 0;
    fake_add(run, 0, 1000, 11000);
    fake_add(run, 2, 13000, 15000);
    fake_add(run, 3, 15000, 18000);
    fake_add(run, 2, 18000, 21000);
    fake_add(run, 3, 21000, 26000);
    fake_add(run, 1, 12000, 27000);
    run->time = (struct mls_run_time){.end_ticks = fake_ticks(30000),
                                      .ops_ticks = fake_ticks(23000),
                                      .hooks_ticks = fake_ticks(500),
                                      .dispatch_ticks = fake_ticks(3500),
                                      .other_ticks = fake_ticks(3000)};
}

static void predict(struct fixture *fixture, bool timed)
{
    assert_int_equal(mls_recorder_predict(fixture->recorder, &fixture->run, timed, NULL, NULL), MLS_OK);
}

static void control_steps_keep_only_their_own_time(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, NULL);
    write_prediction(&fixture.run);
    predict(&fixture, true);
    assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
    struct mls_step_stats loop = mls_profile_step(fixture.profile, 1);
    assert_near(loop.time.mean_ns, 2000);
    assert_near(loop.inclusive_mean_ns, 15000);
    struct mls_step_stats add = mls_profile_step(fixture.profile, 2);
    assert_int_equal(add.time.runs, 2);
    assert_near(add.time.mean_ns, 2500);
    assert_near(add.mean_per_prediction_ns, 5000);
    assert_near(add.start_ns, 13000);
    end(&fixture);
}

static void shares_add_up_to_one(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, NULL);
    write_prediction(&fixture.run);
    predict(&fixture, true);
    mls_profile_collect(fixture.profile, fixture.recorder);
    double sum = 0;
    for (size_t i = 0; i < FAKE_STEPS; i++)
        sum += mls_profile_step(fixture.profile, i).share;
    assert_true(sum > 0.999999 && sum < 1.000001);
    assert_true(mls_profile_step(fixture.profile, 0).share > 0.399);
    end(&fixture);
}

static void wall_adds_up_to_the_mean_exactly(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, NULL);
    write_prediction(&fixture.run);
    for (uint64_t i = 0; i < 7; i++) {
        fixture.run.time.end_ticks = fake_ticks(30000 + i * i * 13 + 1);
        predict(&fixture, true);
    }
    mls_profile_collect(fixture.profile, fixture.recorder);
    struct mls_wall wall = mls_profile_wall(fixture.profile);
    assert_int_equal(wall.ops_ns + wall.dispatch_ns + wall.hooks_ns + wall.other_ns,
                     mls_profile_predictions(fixture.profile).mean_ns);
    assert_near(wall.ops_ns, 23000);
    end(&fixture);
}

static void warm_up_shows_only_in_first(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, NULL);
    write_prediction(&fixture.run);
    fixture.run.time.end_ticks = fake_ticks(90000);
    predict(&fixture, false);
    fixture.run.time.end_ticks = fake_ticks(30000);
    predict(&fixture, true);
    mls_profile_collect(fixture.profile, fixture.recorder);
    struct mls_series_stats stats = mls_profile_predictions(fixture.profile);
    assert_int_equal(stats.runs, 1);
    assert_near(stats.first_ns, 90000);
    assert_near(stats.max_ns, 30000);
    assert_int_equal(mls_profile_warmup(fixture.profile), 1);
    size_t n;
    mls_profile_samples(fixture.profile, &n);
    assert_int_equal(n, 1);
    assert_int_equal(mls_profile_step(fixture.profile, 0).time.runs, 1);
    end(&fixture);
}

static void a_failed_prediction_leaves_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 0, NULL);
    write_prediction(&fixture.run);
    fixture.run.fails = true;
    assert_int_equal(mls_recorder_predict(fixture.recorder, &fixture.run, true, NULL, NULL),
                     MLS_ERR_CANCELLED);
    mls_profile_collect(fixture.profile, fixture.recorder);
    assert_int_equal(mls_profile_predictions(fixture.profile).runs, 0);
    end(&fixture);
}

static void a_full_ring_loses_whole_predictions_and_counts_them(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 8, NULL);
    write_prediction(&fixture.run);
    predict(&fixture, true);
    predict(&fixture, true); /* 6 events where 2 have room */
    mls_profile_collect(fixture.profile, fixture.recorder);
    assert_int_equal(mls_profile_predictions(fixture.profile).runs, 2);
    assert_int_equal(mls_profile_step(fixture.profile, 0).time.runs, 1);
    assert_int_equal(mls_profile_step(fixture.profile, 2).time.runs, 2);
    assert_int_equal(mls_profile_lost(fixture.profile), 6);
    end(&fixture);
}

static void a_ring_too_small_for_one_prediction_grows(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, 2, NULL);
    write_prediction(&fixture.run);
    for (int i = 0; i < 3; i++) {
        predict(&fixture, true);
        mls_profile_collect(fixture.profile, fixture.recorder);
    }
    assert_int_equal(mls_profile_lost(fixture.profile), 6);
    assert_int_equal(mls_profile_step(fixture.profile, 0).time.runs, 2);
    end(&fixture);
}

static void a_trace_keeps_whole_predictions_up_to_its_limit(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct mls_profile_options options = {.max_trace_events = 15};
    begin(&fixture, 0, &options);
    write_prediction(&fixture.run);
    for (int i = 0; i < 3; i++)
        predict(&fixture, true);
    mls_profile_collect(fixture.profile, fixture.recorder);
    size_t n_events, n_predictions;
    const struct mls_trace_event *events = mls_profile_trace(fixture.profile, &n_events);
    const struct mls_trace_prediction *predictions =
        mls_profile_trace_predictions(fixture.profile, &n_predictions);
    assert_int_equal(n_events, 12);
    assert_int_equal(n_predictions, 2);
    assert_true(events[0].begin_ns >= predictions[0].begin_ns && events[5].end_ns <= predictions[0].end_ns);
    assert_int_equal(events[6].prediction, 1);
    assert_int_equal(mls_profile_lost(fixture.profile), 6);
    end(&fixture);
}

static void recent_predictions_come_oldest_first(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct mls_profile_options options = {.live = true};
    begin(&fixture, 0, &options);
    write_prediction(&fixture.run);
    for (uint64_t i = 1; i <= 5; i++) {
        fixture.run.time.end_ticks = fake_ticks(i * 10000);
        predict(&fixture, true);
    }
    mls_profile_collect(fixture.profile, fixture.recorder);
    uint64_t recent[3];
    assert_int_equal(mls_profile_recent(fixture.profile, recent, 3), 3);
    assert_near(recent[0], 30000);
    assert_near(recent[2], 50000);
    assert_true(mls_profile_rate(fixture.profile) > 0);
    end(&fixture);
}

struct race {
    struct fixture *fixture;
    atomic_bool done;
};

static void *predict_many(void *user)
{
    struct race *race = user;
    for (int i = 0; i < 20000; i++)
        mls_recorder_predict(race->fixture->recorder, &race->fixture->run, true, NULL, NULL);
    atomic_store(&race->done, true);
    return NULL;
}

/* Collecting while another thread predicts: what arrives is whole, and nothing is counted twice. */
static void another_thread_sees_only_whole_predictions(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct mls_profile_options options = {.live = true};
    begin(&fixture, 64, &options);
    write_prediction(&fixture.run);
    struct race race = {.fixture = &fixture};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, predict_many, &race), 0);
    bool done;
    do {
        done = atomic_load(&race.done);
        assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
        uint64_t leaf = mls_profile_step(fixture.profile, 0).time.runs;
        assert_int_equal(mls_profile_step(fixture.profile, 2).time.runs, 2 * leaf);
    } while (!done);
    pthread_join(thread, NULL);
    uint64_t leaf = mls_profile_step(fixture.profile, 0).time.runs;
    assert_int_equal(leaf * 6 + mls_profile_lost(fixture.profile), 120000);
    end(&fixture);
}

/* Ten predictions wait, and one collect looks into the latest two: six events each. */
static void a_collect_looks_into_the_latest_predictions_only(void **state)
{
    (void)state;
    struct fixture fixture;
    struct mls_kept_prediction kept[2];
    begin(&fixture, 0,
          &(struct mls_profile_options){.live = true, .max_events_a_collect = 12, .keep_predictions = 1});
    write_prediction(&fixture.run);
    predict(&fixture, false);
    assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
    uint64_t end_ticks = fixture.run.time.end_ticks;
    for (int i = 0; i < 10; i++) {
        fixture.run.time.end_ticks = i == 4 ? 2 * end_ticks : end_ticks;
        predict(&fixture, true);
    }
    assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
    assert_int_equal(mls_profile_predictions(fixture.profile).runs, 10);
    assert_int_equal(mls_profile_step(fixture.profile, 0).time.runs, 2);
    assert_int_equal(mls_profile_step(fixture.profile, 2).time.runs, 4);
    assert_near(mls_profile_step(fixture.profile, 0).mean_per_prediction_ns, 10000);
    assert_int_equal(mls_profile_kept(fixture.profile, kept, 2), 2);
    assert_int_equal(kept[0].number, 5); /* the slowest was seen all the same; 0 was warm-up */
    assert_int_equal(kept[1].number, 10);
    end(&fixture);
}

/* Step 0 is done by two threads, by the second for half of the time. */
static void threads_are_kept_while_somebody_watches(void **state)
{
    (void)state;
    struct fixture fixture;
    struct mls_kept_prediction kept[2];
    size_t n;
    begin(&fixture, 0, &(struct mls_profile_options){.keep_predictions = 1, .max_trace_events = 100});
    write_prediction(&fixture.run);
    fixture.run.script[0].n_threads = 2;
    predict(&fixture, true);
    assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
    assert_int_equal(mls_profile_kept(fixture.profile, kept, 2), 2);
    assert_int_equal(kept[1].n_threads, 0);

    assert_true(mls_recorder_watch_threads(fixture.recorder, true));
    predict(&fixture, true);
    assert_true(mls_recorder_watch_threads(fixture.recorder, false));
    predict(&fixture, true);
    assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
    const struct mls_trace_thread *threads = mls_profile_trace_threads(fixture.profile, &n);
    assert_int_equal(n, 2);
    assert_int_equal(threads[1].prediction, 1);
    assert_int_equal(threads[1].thread, 1);
    assert_int_equal(threads[1].step, 0);
    assert_near(threads[1].end_ns - threads[1].begin_ns, 5000);
    assert_int_equal(mls_profile_kept(fixture.profile, kept, 2), 2);
    assert_int_equal(kept[1].n_threads, 0); /* the latest was not watched */
    end(&fixture);
}

static void a_kept_prediction_has_its_threads(void **state)
{
    (void)state;
    struct fixture fixture;
    struct mls_kept_prediction kept[2];
    begin(&fixture, 0, &(struct mls_profile_options){.keep_predictions = 1});
    write_prediction(&fixture.run);
    fixture.run.script[0].n_threads = 2;
    assert_true(mls_recorder_watch_threads(fixture.recorder, true));
    predict(&fixture, true);
    assert_true(mls_profile_collect(fixture.profile, fixture.recorder));
    assert_int_equal(mls_profile_kept(fixture.profile, kept, 2), 2);
    assert_int_equal(kept[0].n_threads, 2);
    assert_int_equal(kept[0].threads[1].thread, 1);
    assert_near(kept[0].threads[1].begin_ns, 1000);
    assert_near(kept[0].threads[1].ns, 5000);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_collect_looks_into_the_latest_predictions_only),
        cmocka_unit_test(threads_are_kept_while_somebody_watches),
        cmocka_unit_test(a_kept_prediction_has_its_threads),
        cmocka_unit_test(control_steps_keep_only_their_own_time),
        cmocka_unit_test(shares_add_up_to_one),
        cmocka_unit_test(wall_adds_up_to_the_mean_exactly),
        cmocka_unit_test(warm_up_shows_only_in_first),
        cmocka_unit_test(a_failed_prediction_leaves_nothing),
        cmocka_unit_test(a_full_ring_loses_whole_predictions_and_counts_them),
        cmocka_unit_test(a_ring_too_small_for_one_prediction_grows),
        cmocka_unit_test(a_trace_keeps_whole_predictions_up_to_its_limit),
        cmocka_unit_test(recent_predictions_come_oldest_first),
        cmocka_unit_test(another_thread_sees_only_whole_predictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
