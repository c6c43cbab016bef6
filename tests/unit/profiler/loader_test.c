/* Loading and measuring the demo model in one go. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/loader.h"
#include "profiler/measure.h"
#include "profiler/reshape.h"

static const char demo[] = MLS_TEST_DATA "/../demo/digits.mlpackage";

static struct mls_loader *load(const struct mls_loader_options *options, enum mls_status expected)
{
    struct mls_loader *loader = mls_loader_create(options);
    assert_non_null(loader);
    struct mls_error error;
    enum mls_status status = mls_loader_run(loader, &error);
    if (status != expected)
        fail_msg("%s", status ? error.text : "success");
    assert_true(mls_loader_progress(loader).finished);
    return loader;
}

static void stages_add_up_to_the_load(void **state)
{
    (void)state;
    struct mls_loader *loader = load(&(struct mls_loader_options){.path = demo, .threads = 1}, MLS_OK);
    const struct mls_loaded *loaded = mls_loader_result(loader);
    uint64_t sum = 0;
    for (size_t i = 0; i < MLS_STAGE_COUNT; i++)
        sum += loaded->stages[i].ns;
    assert_int_equal(sum, loaded->total_ns);
    assert_true(loaded->stages[MLS_STAGE_OPEN].entered && loaded->stages[MLS_STAGE_PREPARE].entered);
    assert_false(loaded->stages[MLS_STAGE_DECRYPT].entered);
    assert_in_range(mls_loader_progress(loader).elapsed_ns, loaded->total_ns, loaded->total_ns + 1000000);
    mls_loader_free(loader);
}

static void a_goal_stops_the_load_there(void **state)
{
    (void)state;
    struct mls_loader *loader =
        load(&(struct mls_loader_options){.path = demo, .goal = MLS_LOAD_MODEL}, MLS_OK);
    assert_non_null(mls_loader_result(loader)->model);
    assert_null(mls_loader_result(loader)->session);
    mls_loader_free(loader);
}

static void a_failure_is_kept_with_what_was_opened(void **state)
{
    (void)state;
    struct mls_loader *loader =
        load(&(struct mls_loader_options){.path = demo, .function = "nothing"}, MLS_ERR_FUNCTION_NOT_FOUND);
    const struct mls_loaded *loaded = mls_loader_result(loader);
    assert_int_equal(loaded->error.status, MLS_ERR_FUNCTION_NOT_FOUND);
    assert_non_null(loaded->model);
    assert_null(loaded->interface);
    mls_loader_free(loader);
}

static void required_inputs_are_asked_for_by_name(void **state)
{
    (void)state;
    struct mls_loader *loader =
        load(&(struct mls_loader_options){.path = demo, .inputs_required = true}, MLS_ERR_USAGE);
    assert_non_null(strstr(mls_loader_result(loader)->error.hint, "--input image=FILE"));
    mls_loader_free(loader);
}

/* tests/data/flexible.npz holds x of 5x3, where the model's default is 2x3. */
static void an_archive_of_inputs_sets_flexible_shapes(void **state)
{
    (void)state;
    const char flexible[] = MLS_TEST_DATA "/../parity/cases/flexible/model.mlpackage";
    struct mls_loader *loader = load(&(struct mls_loader_options){.path = flexible,
                                                                  .inputs_npz = MLS_TEST_DATA "/flexible.npz",
                                                                  .inputs_required = true},
                                     MLS_OK);
    const struct mls_type *type = &mls_run_input(mls_loader_result(loader)->run, 0)->type;
    assert_int_equal(type->dims[0], 5);
    assert_int_equal(type->dims[1], 3);
    mls_loader_free(loader);
}

static void a_new_shape_is_measured_where_the_model_has_one(void **state)
{
    (void)state;
    const char flexible[] = MLS_TEST_DATA "/../parity/cases/flexible/model.mlpackage";
    struct mls_loader *loader = load(&(struct mls_loader_options){.path = flexible, .threads = 1}, MLS_OK);
    uint64_t total_ns = mls_loader_result(loader)->total_ns;
    struct mls_reshape_cost cost = mls_reshape_measure(loader);
    assert_true(cost.measured && cost.plan_ns && cost.first_ns && cost.next_ns);
    assert_string_equal(cost.shapes, "x 1x3");
    assert_int_equal(mls_loader_result(loader)->total_ns, total_ns); /* no part of the load */
    mls_loader_free(loader);
    loader = load(&(struct mls_loader_options){.path = demo, .threads = 1}, MLS_OK);
    assert_false(mls_reshape_measure(loader).measured);
    mls_loader_free(loader);
}

static void unknown_inputs_and_shapes_are_refused(void **state)
{
    (void)state;
    const struct mls_input_argument input = {.name = "nothing", .file = "nowhere"};
    const struct mls_shape_argument shape = {.name = "nothing", .shape = {.rank = 1, .dims = {1}}};
    mls_loader_free(load(&(struct mls_loader_options){.path = demo, .inputs = &input, .n_inputs = 1},
                         MLS_ERR_INPUT_INVALID));
    mls_loader_free(load(&(struct mls_loader_options){.path = demo, .shapes = &shape, .n_shapes = 1},
                         MLS_ERR_INPUT_INVALID));
}

static void a_cancelled_load_ends_with_cancelled(void **state)
{
    (void)state;
    struct mls_loader *loader = mls_loader_create(&(struct mls_loader_options){.path = demo});
    mls_loader_cancel(loader);
    assert_int_equal(mls_loader_run(loader, NULL), MLS_ERR_CANCELLED);
    mls_loader_free(loader);
}

static struct mls_series_stats measure(const struct mls_measure_options *options, enum mls_status expected,
                                       uint64_t *ret_warmup)
{
    struct mls_loader *loader = load(&(struct mls_loader_options){.path = demo, .threads = 1}, MLS_OK);
    struct mls_profile *profile;
    assert_int_equal(mls_profile_create(mls_loader_result(loader)->plan, NULL, &profile, NULL), MLS_OK);
    assert_int_equal(mls_measure(loader, options, profile, NULL), expected);
    struct mls_series_stats stats = mls_profile_predictions(profile);
    *ret_warmup = mls_profile_warmup(profile);
    assert_int_equal(mls_profile_lost(profile), 0);
    assert_true(mls_loader_result(loader)->stages[MLS_STAGE_FIRST_RUN].entered || expected);
    mls_profile_free(profile);
    mls_loader_free(loader);
    return stats;
}

static void as_many_predictions_are_timed_as_were_asked_for(void **state)
{
    (void)state;
    uint64_t warmup;
    struct mls_series_stats stats =
        measure(&(struct mls_measure_options){.runs = 5, .warmup = 2}, MLS_OK, &warmup);
    assert_int_equal(stats.runs, 5);
    assert_int_equal(warmup, 2);
    stats = measure(&(struct mls_measure_options){.runs = 3}, MLS_OK, &warmup);
    assert_int_equal(stats.runs, 3);
    assert_int_equal(warmup, 0);
}

static void each_thread_makes_its_own_predictions(void **state)
{
    (void)state;
    uint64_t warmup;
    struct mls_series_stats stats =
        measure(&(struct mls_measure_options){.runs = 4, .warmup = 1, .concurrency = 3}, MLS_OK, &warmup);
    assert_int_equal(stats.runs, 12);
    assert_int_equal(warmup, 3);
}

static void time_limits_end_the_measurement(void **state)
{
    (void)state;
    uint64_t warmup;
    struct mls_series_stats stats = measure(
        &(struct mls_measure_options){.runs = UINT64_MAX, .warmup = 1, .max_seconds = 0.05}, MLS_OK, &warmup);
    assert_true(stats.runs >= 1);
}

static void a_stop_from_elsewhere_cancels(void **state)
{
    (void)state;
    uint64_t warmup;
    const atomic_bool stop = true;
    measure(&(struct mls_measure_options){.runs = 5, .stop = &stop}, MLS_ERR_CANCELLED, &warmup);
}

static enum mls_status check_gate(const char *content, double ratio, uint64_t p50_ns, uint64_t peak_bytes)
{
    char path[] = P_tmpdir "/mlscope-gate-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    struct mls_gate gate;
    enum mls_status status = mls_gate_check(path, ratio, p50_ns, peak_bytes, &gate, NULL);
    unlink(path);
    return status;
}

static void the_gate_breaks_past_its_ratio(void **state)
{
    (void)state;
    static const char baseline[] = "{\"schema\":\"mlscope.profile\",\"predict\":{\"p50_ns\":1000},"
                                   "\"memory\":{\"peak_rss_bytes\":1000000}}";
    assert_int_equal(check_gate(baseline, 1.05, 1050, 1000000), MLS_OK);
    assert_int_equal(check_gate(baseline, 1.05, 1051, 1000000), MLS_ERR_GATE);
    assert_int_equal(check_gate(baseline, 1.05, 1000, 1050001), MLS_ERR_GATE);
    assert_int_equal(check_gate(baseline, 0, 1000, 1), MLS_ERR_USAGE);
}

static void a_baseline_that_is_no_profile_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{\"schema\":\"mlscope.profile\"}",
                                        "{\"schema\":7}",
                                        "{\"schema\":\"mlscope.profile\",\"predict\":{\"p50_ns\":0}}",
                                        "{\"schema\":\"other\",\"predict\":{\"p50_ns\":1000}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(check_gate(wrong[i], 1, 1, 1), MLS_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_add_up_to_the_load),
        cmocka_unit_test(a_goal_stops_the_load_there),
        cmocka_unit_test(a_failure_is_kept_with_what_was_opened),
        cmocka_unit_test(required_inputs_are_asked_for_by_name),
        cmocka_unit_test(an_archive_of_inputs_sets_flexible_shapes),
        cmocka_unit_test(a_new_shape_is_measured_where_the_model_has_one),
        cmocka_unit_test(unknown_inputs_and_shapes_are_refused),
        cmocka_unit_test(a_cancelled_load_ends_with_cancelled),
        cmocka_unit_test(as_many_predictions_are_timed_as_were_asked_for),
        cmocka_unit_test(each_thread_makes_its_own_predictions),
        cmocka_unit_test(time_limits_end_the_measurement),
        cmocka_unit_test(a_stop_from_elsewhere_cancels),
        cmocka_unit_test(the_gate_breaks_past_its_ratio),
        cmocka_unit_test(a_baseline_that_is_no_profile_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
