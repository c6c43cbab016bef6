#include "core/clock.h"
#include "profiler/compare.h"

/* One of the two. */
struct turn {
    struct mls_loader *loader;
    struct mls_profile *profile;
    struct mls_recorder *recorder;
};

static enum mls_status predict(struct turn *turn, bool timed, const struct mls_measure_options *options,
                               struct mls_run_time *ret_time, struct mls_error *reterr)
{
    if (options->stop && atomic_load_explicit(options->stop, memory_order_relaxed))
        return mls_fail(reterr, MLS_ERR_CANCELLED, "cannot finish the measurement: cancelled");
    enum mls_status status =
        mls_recorder_predict(turn->recorder, mls_loader_result(turn->loader)->run, timed, ret_time, reterr);
    if (!status && !mls_profile_collect(turn->profile, turn->recorder))
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot keep the measurements: out of memory");
    return status;
}

static enum mls_status predict_first(struct turn *turn, const struct mls_measure_options *options,
                                     struct mls_error *reterr)
{
    struct mls_run_time time;
    enum mls_status status = predict(turn, false, options, &time, reterr);
    if (!status)
        mls_loader_first_run(turn->loader,
                             mls_clock_span_ns(mls_clock_get(), time.end_ticks - time.begin_ticks));
    return status;
}

static bool is_over(double seconds, uint64_t begin_ns)
{
    return seconds > 0 && (double)(mls_clock_ns() - begin_ns) >= seconds * 1e9;
}

static enum mls_status predict_in_turns(struct turn turns[2], const struct mls_measure_options *options,
                                        struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    uint64_t begin_ns = mls_clock_ns();
    for (unsigned i = 0; !status && i < 2; i++)
        status = predict_first(&turns[i], options, reterr);
    for (uint64_t i = 1; !status && i < options->warmup && !is_over(options->max_seconds, begin_ns); i++)
        for (unsigned k = 0; !status && k < 2; k++)
            status = predict(&turns[k], false, options, NULL, reterr);
    uint64_t timed_ns = mls_clock_ns();
    for (uint64_t n = 0; !status; n++) {
        bool enough =
            n >= options->runs && (options->min_seconds <= 0 || is_over(options->min_seconds, timed_ns));
        if (enough || (n > 1 && is_over(options->max_seconds, begin_ns)))
            break;
        /* whoever is second runs with what the first left in the caches: both take turns in that as well */
        for (unsigned k = 0; !status && k < 2; k++)
            status = predict(&turns[k ^ (n & 1)], true, options, NULL, reterr);
    }
    return status;
}

enum mls_status mls_measure_pair(struct mls_loader *a, struct mls_loader *b,
                                 const struct mls_measure_options *options, struct mls_profile *profile_a,
                                 struct mls_profile *profile_b, struct mls_error *reterr)
{
    struct turn turns[2] = {{.loader = a, .profile = profile_a, .recorder = mls_recorder_create(0)},
                            {.loader = b, .profile = profile_b, .recorder = mls_recorder_create(0)}};
    enum mls_status status = turns[0].recorder && turns[1].recorder
                                 ? predict_in_turns(turns, options, reterr)
                                 : mls_fail(reterr, MLS_ERR_MEMORY, "cannot measure: out of memory");
    mls_recorder_free(turns[0].recorder);
    mls_recorder_free(turns[1].recorder);
    return status;
}
