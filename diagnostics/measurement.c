#include <stdlib.h>

#include "diagnostics/engine.h"

struct mls_facts mls_facts_read(const struct mls_loaded *loaded,
                                const struct mls_placement *const *placements, enum mls_compute_units setting)
{
    return (struct mls_facts){.package = loaded->package,
                              .model = loaded->model,
                              .interface = loaded->interface,
                              .plan = loaded->plan,
                              .placement = placements[setting],
                              .settings = loaded->interface ? placements : NULL};
}

enum mls_status mls_measurement_read(const struct mls_loaded *loaded, const struct mls_profile *profile,
                                     struct mls_measurement *ret_measurement, struct mls_error *reterr)
{
    size_t n = mls_profile_step_count(profile);
    uint64_t *times_ns = calloc(n ? n : 1, sizeof *times_ns);
    if (times_ns == NULL)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot diagnose the profile: out of memory");
    struct mls_series_stats predictions = mls_profile_predictions(profile);
    for (size_t i = 0; i < n; i++) {
        struct mls_step_stats step = mls_profile_step(profile, i);
        times_ns[i] = step.time.runs == predictions.runs ? step.time.p50_ns : step.mean_per_prediction_ns;
    }
    struct mls_measurement measurement = {.load_ns = loaded->total_ns,
                                          .first_ns = predictions.first_ns,
                                          .p50_ns = predictions.p50_ns,
                                          .p99_ns = predictions.p99_ns,
                                          .n_runs = predictions.runs,
                                          .step_ns = times_ns,
                                          .n_steps = n,
                                          .wall = mls_profile_wall(profile),
                                          .threads = mls_session_threads(loaded->session),
                                          .roofline = mls_profile_roofline(profile),
                                          .dynamic_bytes = mls_run_dynamic_bytes(loaded->run)};
    measurement.samples_ns = mls_profile_samples(profile, &measurement.n_samples);
    for (unsigned i = 0; i < MLS_STAGE_COUNT; i++)
        measurement.stage_ns[i] = loaded->stages[i].ns;
    *ret_measurement = measurement;
    return MLS_OK;
}

void mls_measurement_done(struct mls_measurement *measurement)
{
    free((void *)(uintptr_t)measurement->step_ns); /* const for readers only */
    measurement->step_ns = NULL;
}
