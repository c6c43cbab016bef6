#include "profiler/measure.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "profiler/memory.h"
#include "profiler/waiting.h"

enum { THREADS_MAX = 256 };

/* One thread that predicts. */
struct worker {
    const struct mls_measure_options *options;
    struct mls_run *run;
    struct mls_recorder *recorder;
    struct mls_profile *profile; /* collects after each prediction when it is this thread's own; else NULL */
    atomic_bool *failed;         /* shared: one failure ends all */
    bool first_done;
    struct mls_growth *growth; /* or NULL */
    enum mls_status status;
    struct mls_error error;
    pthread_t thread;
    bool started;
};

static void sleep_until(uint64_t when_ns)
{
    struct timespec when = {.tv_sec = (time_t)(when_ns / 1000000000u),
                            .tv_nsec = (long)(when_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        ;
}

static uint64_t seconds_to_ns(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * 1e9) : 0;
}

static enum mls_status predict(struct worker *worker, bool timed, struct mls_run_time *ret_time)
{
    const struct mls_measure_options *options = worker->options;
    if ((options->stop && atomic_load_explicit(options->stop, memory_order_relaxed)) ||
        atomic_load_explicit(worker->failed, memory_order_relaxed))
        return mls_fail(&worker->error, MLS_ERR_CANCELLED, "cannot finish the measurement: cancelled");
    enum mls_status status =
        mls_recorder_predict(worker->recorder, worker->run, timed, ret_time, &worker->error);
    if (!status && worker->profile && !mls_profile_collect(worker->profile, worker->recorder))
        status = mls_fail(&worker->error, MLS_ERR_MEMORY, "cannot keep the measurements: out of memory");
    return status;
}

/* Whether max_seconds have passed since `begin_ns`; warm-up counts. */
static bool is_over(const struct mls_measure_options *options, uint64_t begin_ns)
{
    return options->max_seconds > 0 && mls_clock_ns() - begin_ns >= seconds_to_ns(options->max_seconds);
}

static uint64_t cpu_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void growth_begin(struct mls_growth *growth)
{
    if (!growth)
        return;
    growth->rss_first_bytes = mls_memory_read(NULL, NULL).rss_bytes;
    growth->waits_known = mls_waiting_read(&growth->wait_ns);
    growth->wall_ns = mls_clock_ns();
    growth->cpu_ns = cpu_ns();
}

/* `waited`: there were pauses, so the wall time says nothing about how busy the threads were. */
static void growth_end(struct mls_growth *growth, uint64_t n, bool waited)
{
    if (!growth)
        return;
    growth->cpu_ns = cpu_ns() - growth->cpu_ns;
    growth->wall_ns = waited ? 0 : mls_clock_ns() - growth->wall_ns;
    uint64_t wait_ns = 0;
    growth->waits_known = mls_waiting_read(&wait_ns) && growth->waits_known;
    growth->wait_ns = growth->waits_known && wait_ns > growth->wait_ns ? wait_ns - growth->wait_ns : 0;
    growth->rss_last_bytes = mls_memory_read(NULL, NULL).rss_bytes;
    growth->n_predictions = n;
}

static enum mls_status predict_all(struct worker *worker)
{
    const struct mls_measure_options *options = worker->options;
    enum mls_status status = MLS_OK;
    uint64_t begin_ns = mls_clock_ns();
    for (uint64_t i = worker->first_done; !status && i < options->warmup && !is_over(options, begin_ns); i++)
        status = predict(worker, false, NULL);
    growth_begin(worker->growth);
    uint64_t timed_ns = mls_clock_ns();
    uint64_t least_ns = seconds_to_ns(options->min_seconds);
    uint64_t period_ns = options->rate_hz > 0 ? (uint64_t)(1e9 / options->rate_hz) : 0;
    /* Without warm-up the load's first prediction was the first timed one. */
    uint64_t n = worker->first_done && !options->warmup;
    while (!status && (n < options->runs || mls_clock_ns() - timed_ns < least_ns)) {
        if (n && is_over(options, begin_ns))
            break;
        if (period_ns)
            sleep_until(timed_ns + n * period_ns);
        status = predict(worker, true, NULL);
        if (!status && options->delay_ms > 0)
            sleep_until(mls_clock_ns() + (uint64_t)(options->delay_ms * 1e6));
        n++;
    }
    growth_end(worker->growth, n, options->delay_ms > 0 || options->rate_hz > 0);
    return status;
}

static void *work(void *user)
{
    struct worker *worker = user;
    worker->status = predict_all(worker);
    if (worker->status)
        atomic_store_explicit(worker->failed, true, memory_order_relaxed);
    return NULL;
}

static enum mls_status prepare(struct mls_loader *loader, struct worker *workers, uint32_t n,
                               const struct mls_measure_options *options, struct mls_profile *profile,
                               atomic_bool *failed, struct mls_error *reterr)
{
    for (uint32_t i = 0; i < n; i++) {
        workers[i] = (struct worker){.options = options,
                                     .profile = n == 1 ? profile : NULL,
                                     .growth = n == 1 ? options->ret_growth : NULL,
                                     .failed = failed,
                                     .recorder = mls_recorder_create(0)};
        if (!workers[i].recorder)
            return mls_fail(reterr, MLS_ERR_MEMORY, "cannot prepare the measurement: out of memory");
        mls_recorder_set_counters(workers[i].recorder, options->counters);
        if (options->watch_threads && !mls_recorder_watch_threads(workers[i].recorder, true))
            return mls_fail(reterr, MLS_ERR_MEMORY, "cannot prepare the measurement: out of memory");
        workers[i].run = mls_loader_result(loader)->run;
        if (!i)
            continue;
        enum mls_status status = mls_loader_another_run(loader, &workers[i].run, reterr);
        if (status) {
            workers[i].run = NULL;
            return status;
        }
    }
    return MLS_OK;
}

/* Threads of their own for all workers; this one collects, so that no ring runs over. */
static void run_together(struct worker *workers, uint32_t n, struct mls_profile *profile, atomic_bool *failed)
{
    for (uint32_t i = 0; i < n; i++) {
        workers[i].started = !pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        if (!workers[i].started) {
            workers[i].status = mls_fail(&workers[i].error, MLS_ERR_MEMORY, "cannot start thread %u", i);
            atomic_store_explicit(failed, true, memory_order_relaxed);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!workers[i].started)
            continue;
        struct timespec until;
        do {
            for (uint32_t j = 0; j < n; j++)
                mls_profile_collect(profile, workers[j].recorder);
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_nsec += 20000000;
            until.tv_sec += until.tv_nsec / 1000000000;
            until.tv_nsec %= 1000000000;
        } while (pthread_clockjoin_np(workers[i].thread, NULL, CLOCK_MONOTONIC, &until));
    }
    for (uint32_t i = 0; i < n; i++)
        mls_profile_collect(profile, workers[i].recorder);
}

/* The worker that failed first by itself; those that it cancelled say nothing new. */
static enum mls_status first_failure(const struct worker *workers, uint32_t n, struct mls_error *reterr)
{
    const struct worker *failed = NULL;
    for (uint32_t i = 0; i < n; i++)
        if (workers[i].status && (!failed || failed->status == MLS_ERR_CANCELLED))
            failed = &workers[i];
    if (!failed)
        return MLS_OK;
    if (reterr)
        *reterr = failed->error;
    return failed->status;
}

enum mls_status mls_measure(struct mls_loader *loader, const struct mls_measure_options *options,
                            struct mls_profile *profile, struct mls_error *reterr)
{
    uint32_t n = options->concurrency > 1 ? options->concurrency : 1;
    if (n > THREADS_MAX)
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot run %u predictions at once: the limit is %d", n,
                        THREADS_MAX);
    struct worker *workers = calloc(n, sizeof *workers);
    if (!workers)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot prepare the measurement: out of memory");
    atomic_bool failed = false;
    if (options->counters && n > 1) {
        free(workers);
        return mls_fail(reterr, MLS_ERR_USAGE,
                        "cannot count for each operation while several predictions run at once");
    }
    mls_session_allow_at_once(mls_loader_result(loader)->session, n);
    enum mls_status status = prepare(loader, workers, n, options, profile, &failed, reterr);
    if (!status) {
        struct mls_run_time time;
        uint64_t before_ns = 0, after_ns = 0;
        bool known = mls_waiting_read(&before_ns);
        workers[0].status = predict(&workers[0], !options->warmup, &time);
        workers[0].first_done = true;
        if (workers[0].growth && known && mls_waiting_read(&after_ns) && after_ns > before_ns)
            workers[0].growth->first_wait_ns = after_ns - before_ns;
        if (!workers[0].status) {
            mls_loader_first_run(loader,
                                 mls_clock_span_ns(mls_clock_get(), time.end_ticks - time.begin_ticks));
            if (n == 1)
                work(&workers[0]);
            else
                run_together(workers, n, profile, &failed);
        }
        status = first_failure(workers, n, reterr);
    }
    for (uint32_t i = 0; i < n; i++) {
        mls_recorder_free(workers[i].recorder);
        if (i)
            mls_run_free(workers[i].run);
    }
    free(workers);
    return status;
}
