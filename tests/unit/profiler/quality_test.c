/* What calibration, budgets and int8 activations give on images of the demo model that they did not see. */
#include "support/test.h"

#include <math.h>

#include "profiler/calibrate.h"
#include "profiler/loader.h"
#include "profiler/mixed.h"

static const char demo[] = MLS_TEST_DATA "/../demo/digits.mlpackage";

struct bench {
    struct mls_loader *loader;
    const struct mls_loaded *loaded;
    struct mls_samples *seen;
    struct mls_samples *held_out;
    struct mls_calibration *calibration;
    struct mls_trial *trial; /* over the held-out images */
};

static int open_bench(void **state)
{
    static struct bench bench;
    struct mls_error error;
    bench.loader = mls_loader_create(&(struct mls_loader_options){.path = demo, .threads = 1});
    if (mls_loader_run(bench.loader, &error))
        return -1;
    bench.loaded = mls_loader_result(bench.loader);
    const struct mls_interface *interface = bench.loaded->interface;
    if (mls_samples_open(interface, MLS_TEST_DATA "/digits_calibration.npz", &bench.seen, &error) ||
        mls_samples_open(interface, MLS_TEST_DATA "/digits_labelled.npz", &bench.held_out, &error) ||
        mls_calibrate(bench.loaded, bench.seen, NULL, &bench.calibration, &error))
        return -1;
    *state = &bench;
    return mls_trial_create(bench.loaded, &(struct mls_trial_options){.samples = bench.held_out},
                            &bench.trial, &error);
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    mls_trial_free(bench->trial);
    mls_calibration_free(bench->calibration);
    mls_samples_free(bench->seen);
    mls_samples_free(bench->held_out);
    mls_loader_free(bench->loader);
    return 0;
}

static struct mls_trial_score score(const struct bench *bench, struct mls_package *package)
{
    struct mls_tried tried;
    struct mls_trial_score score;
    struct mls_error error;
    assert_int_equal(mls_trial_open(bench->trial, package, &tried, &error), MLS_OK);
    assert_int_equal(mls_trial_score(bench->trial, tried.run, 0, &score, &error), MLS_OK);
    mls_tried_close(&tried);
    return score;
}

/* One setting for all weights. */
static struct mls_trial_score try_setting(const struct bench *bench, struct mls_compress_setting setting,
                                          bool calibrated, bool activations, uint64_t *ret_bytes)
{
    const struct mls_compress_rule rule = {.scope = MLS_SCOPE_GLOBAL, .setting = setting};
    const struct mls_compress_pass pass = {&rule, 1};
    const struct mls_compress_options options = {.passes = &pass,
                                                 .n_passes = 1,
                                                 .calibration = calibrated ? bench->calibration : NULL,
                                                 .quantize_activations = activations,
                                                 .threads = 1};
    struct mls_compressed *compressed;
    struct mls_error error;
    assert_int_equal(mls_compress(bench->loaded->model, &options, &compressed, &error), MLS_OK);
    struct mls_trial_score found = score(bench, compressed->package);
    *ret_bytes = mls_package_info(compressed->package)->file_bytes;
    mls_compressed_free(compressed);
    return found;
}

static struct mls_compress_setting palettes(unsigned nbits)
{
    struct mls_compress_setting setting = mls_compress_default(MLS_COMPRESS_PALETTIZE);
    setting.nbits = nbits;
    return setting;
}

static struct mls_compress_setting integers(enum mls_dtype dtype)
{
    struct mls_compress_setting setting = mls_compress_default(MLS_COMPRESS_QUANTIZE);
    setting.dtype = dtype;
    return setting;
}

static void expect_better_when_calibrated(const struct bench *bench, struct mls_compress_setting setting)
{
    uint64_t bytes, calibrated_bytes;
    struct mls_trial_score blind = try_setting(bench, setting, false, false, &bytes),
                           calibrated = try_setting(bench, setting, true, false, &calibrated_bytes);
    assert_int_equal(bytes, calibrated_bytes);
    assert_true(calibrated.outputs_snr_db > blind.outputs_snr_db + 1);
}

static void palettes_with_calibration_are_nearer_at_the_same_size(void **state)
{
    expect_better_when_calibrated(*state, palettes(3));
}

static void integers_with_calibration_are_nearer_at_the_same_size(void **state)
{
    expect_better_when_calibrated(*state, integers(MLS_INT4));
}

static void a_size_is_kept_and_better_used_than_by_one_setting(void **state)
{
    const struct bench *bench = *state;
    uint64_t bytes;
    struct mls_trial_score uniform = try_setting(bench, palettes(3), false, false, &bytes);
    struct mls_mixed mixed;
    struct mls_error error;
    const struct mls_mixed_options options = {.target_bytes = bytes, .threads = 1};
    assert_int_equal(mls_mixed_choose(bench->loaded, bench->trial, &options, &mixed, &error), MLS_OK);
    assert_true(mls_package_info(mixed.compressed->package)->file_bytes <= bytes);
    assert_true(mixed.score.outputs_snr_db > uniform.outputs_snr_db);
    mls_mixed_done(&mixed);
}

static void a_quality_is_kept_by_less_than_one_setting_needs(void **state)
{
    enum { WANTED_DB = 20 };
    const struct bench *bench = *state;
    uint64_t bytes;
    struct mls_trial_score uniform = try_setting(bench, palettes(4), false, false, &bytes);
    struct mls_mixed mixed;
    struct mls_error error;
    const struct mls_mixed_options options = {.min_outputs_snr_db = WANTED_DB, .threads = 1};
    assert_true(uniform.outputs_snr_db >= WANTED_DB);
    assert_int_equal(mls_mixed_choose(bench->loaded, bench->trial, &options, &mixed, &error), MLS_OK);
    assert_true(mixed.score.outputs_snr_db >= WANTED_DB);
    assert_true(mls_package_info(mixed.compressed->package)->file_bytes < bytes);
    mls_mixed_done(&mixed);
}

static void a_size_that_nothing_reaches_is_refused(void **state)
{
    const struct bench *bench = *state;
    struct mls_mixed mixed;
    struct mls_error error;
    const struct mls_mixed_options options = {.target_bytes = 1000, .threads = 1};
    assert_int_equal(mls_mixed_choose(bench->loaded, bench->trial, &options, &mixed, &error), MLS_ERR_LIMIT);
}

static void int8_activations_classify_as_well(void **state)
{
    const struct bench *bench = *state;
    uint64_t bytes;
    struct mls_trial_score found = try_setting(bench, integers(MLS_INT8), true, true, &bytes);
    assert_true(found.outputs_snr_db > 15 && isfinite(found.outputs_snr_db));
    assert_true(found.accuracy >= mls_trial_reference(bench->trial) - 0.01);
}

static void labels_of_images_are_counted(void **state)
{
    const struct bench *bench = *state;
    assert_int_equal(mls_trial_count(bench->trial), 100);
    assert_true(mls_trial_reference(bench->trial) ==
                0.99); /* of these 100, the network that it was made from errs once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_of_images_are_counted),
        cmocka_unit_test(palettes_with_calibration_are_nearer_at_the_same_size),
        cmocka_unit_test(integers_with_calibration_are_nearer_at_the_same_size),
        cmocka_unit_test(a_size_is_kept_and_better_used_than_by_one_setting),
        cmocka_unit_test(a_quality_is_kept_by_less_than_one_setting_needs),
        cmocka_unit_test(a_size_that_nothing_reaches_is_refused),
        cmocka_unit_test(int8_activations_classify_as_well),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
