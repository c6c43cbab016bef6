/* Sound third-party packages give no alarm, with every compute-unit setting; skipped where they are not at
 * hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "diagnostics/engine.h"

enum { SKIPPED = 77 };

static const char *const PACKAGES[] = {
    "AristidesAI__VisionEmoji/yolo26n.mlpackage",
    "piyushmundhra__AutoNeRF/superpoint.mlpackage",
    "piyushmundhra__AutoNeRF/model.mlpackage",
    "spotify__basic-pitch/basic_pitch/saved_models/icassp_2022/nmp.mlpackage",
    "spotify__basic-pitch/hist-5d575a38/basic_pitch/saved_models/icassp_2022/nmp.mlpackage",
    "adamsro__dtln-aec-coreml/Sources/DTLNAecCoreML/Resources/DTLN_AEC_128_Part1.mlpackage",
    "adamsro__dtln-aec-coreml/Sources/DTLNAecCoreML/Resources/DTLN_AEC_128_Part2.mlpackage",
    "dhruvweaver__DrawMNIST/MNIST.mlpackage",
    "dhruvweaver__DrawMNIST/ios-app/DrawMNIST/DrawMNIST/MNIST.mlpackage",
    "rishabh01solanki__Forecasting-using-RNN/MyModel.mlpackage",
    "pfgurus__coreML_grid_sample/GridSampleModel.mlpackage",
    "mathletema__coreml_vs_c/model.mlpackage",
    "mathletema__coreml_vs_c/coreml_impl/model.mlpackage",
    "minilm/minilm_l6_v2.mlpackage",
};

static void assert_placement_is_whole(const struct mls_placement *placement)
{
    double share = 0;
    for (uint32_t i = 0; i < placement->n_ops; i++) {
        assert_int_equal(placement->ops[i].index, i);
        assert_true((placement->ops[i].supported & 1u << placement->ops[i].preferred) != 0);
        assert_true(placement->ops[i].estimate_us[placement->ops[i].backend] >= 0);
        share += placement->ops[i].cost_share;
    }
    if (!(fabs(share - 1) < 1e-6))
        fail_msg("the cost shares add up to %g", share);
}

static void assert_no_alarm(const struct mls_facts *facts, const char *path)
{
    struct mls_report *report = NULL;
    assert_int_equal(mls_diagnose(facts, &report, NULL), MLS_OK);
    for (size_t i = 0; i < report->n_findings; i++) {
        if (report->findings[i].severity != MLS_SEVERITY_INFO)
            fail_msg("%s: %s %s: %s", path, report->findings[i].id, report->findings[i].title,
                     report->findings[i].evidence[0]);
    }
    mls_report_free(report);
}

static void sound_packages_give_no_alarm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(PACKAGES) / sizeof(PACKAGES[0]); i++) {
        char path[1024];
        struct mls_package_options options = {0};
        struct mls_package *package = NULL;
        struct mls_model *model = NULL;
        struct mls_session *session = NULL;
        struct mls_session_options session_options = {.threads = 1};
        const struct mls_plan *plan = NULL;
        struct mls_error error;
        snprintf(path, sizeof(path), "%s/models/%s", MLS_SHARED, PACKAGES[i]);
        if (mls_package_open(path, &options, &package, &error) != MLS_OK ||
            mls_model_load(package, NULL, &model, &error) != MLS_OK)
            fail_msg("%s", error.text);
        /* a model that cannot be run here yet is judged without a plan */
        if (mls_session_create(model, &session_options, &session, NULL) == MLS_OK &&
            mls_session_plan(session, NULL, &plan, NULL) != MLS_OK)
            plan = NULL;
        for (unsigned setting = 0; setting < MLS_COMPUTE_UNITS_COUNT; setting++) {
            struct mls_placement *placement = NULL;
            assert_int_equal(mls_placement_create(model, (mls_function_id){0}, plan,
                                                  mls_placement_profile_at(0), setting, &placement, &error),
                             MLS_OK);
            assert_placement_is_whole(placement);
            assert_no_alarm(
                &(struct mls_facts){.package = package, .model = model, .plan = plan, .placement = placement},
                path);
            mls_placement_free(placement);
        }
        mls_session_free(session);
        mls_model_free(model);
        mls_package_release(package);
    }
}

int main(void)
{
    if (access(MLS_SHARED "/models", R_OK) != 0)
        return SKIPPED;
    const struct CMUnitTest tests[] = {cmocka_unit_test(sound_packages_give_no_alarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
