#include "app/record.h"

#include <time.h>

#include "app/live.h"
#include "core/clock.h"

enum { LOOK_MS = 20 };

static bool is_stopped(const struct mls_record_options *options)
{
    return options->stop && atomic_load(options->stop);
}

static bool is_over(const struct mls_record_options *options, const struct mls_snapshot *snapshot,
                    double seconds)
{
    if (snapshot->phase == MLS_PHASE_FAILED || is_stopped(options))
        return true;
    if (snapshot->phase == MLS_PHASE_LOADING)
        return false;
    return (options->runs && snapshot->predictions.runs >= options->runs) ||
           (options->seconds > 0 && seconds >= options->seconds);
}

static enum mls_status watch(const struct mls_record_options *options, struct mls_live *live,
                             struct mls_error *reterr)
{
    const struct mls_snapshot *snapshot = mls_live_snapshot(live);
    enum mls_status status = MLS_OK;
    uint64_t begin_ns = 0;
    double next_s = 1, seconds = 0;
    while (!status && !is_over(options, snapshot, seconds)) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
        mls_live_update(live, false);
        if (snapshot->phase != MLS_PHASE_RUNNING)
            continue;
        begin_ns = begin_ns ? begin_ns : mls_clock_ns();
        seconds = (double)(mls_clock_ns() - begin_ns) * 1e-9;
        if (seconds < next_s)
            continue;
        next_s *= 2;
        status = mls_live_save(live, options->path, options->redact, reterr);
    }
    return status;
}

enum mls_status mls_record_run(const struct mls_record_options *options,
                               struct mls_record_outcome *ret_outcome, struct mls_error *reterr)
{
    struct mls_record_options how = *options;
    struct mls_live *live = mls_live_start(&(struct mls_live_options){.loader = options->loader,
                                                                      .settings = options->settings,
                                                                      .compute_units = options->compute_units,
                                                                      .environment = options->environment});
    if (!live)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot record: out of memory or threads");
    const struct mls_snapshot *snapshot = mls_live_snapshot(live);
    while (snapshot->phase == MLS_PHASE_LOADING && !is_stopped(options)) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
        mls_live_update(live, false);
    }
    how.redact = options->redact || (snapshot->model.sealed && !options->keep_names);
    enum mls_status status = watch(&how, live, reterr);
    mls_live_update(live, false);
    if (!status)
        status = mls_live_save(live, how.path, how.redact, reterr);
    if (!status && snapshot->error) {
        *reterr = *snapshot->error;
        status = snapshot->error->status;
    }
    *ret_outcome = (struct mls_record_outcome){.runs = snapshot->predictions.runs,
                                               .p50_ns = snapshot->predictions.p50_ns,
                                               .n_steps = snapshot->n_steps,
                                               .redacted = how.redact};
    mls_live_free(live);
    return status;
}
