/* measure.h: timed predictions, by count or by time, alone or several at once; and the gate over two
 * profiles. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/loader.h"
#include "profiler/profile.h"

/*
 * When to predict. The loop ends after `runs` timed predictions, but not before min_seconds and not after
 * max_seconds. With several threads the counts and the rate hold for each of them.
 */
struct mls_measure_options {
    uint64_t runs;
    uint64_t warmup;
    double min_seconds;   /* 0: none */
    double max_seconds;   /* 0: none */
    double delay_ms;      /* pause after each prediction */
    double rate_hz;       /* predictions begin at this rate, or at once when late; 0: as fast as they can */
    uint32_t concurrency; /* runs that predict at the same time; 0 and 1: one */
    bool watch_threads;            /* record which thread did what, for traces */
    struct mls_counters *counters; /* read for each step, or NULL; with one prediction at a time only */
    const atomic_bool *stop;       /* set from elsewhere: ends the loop with CANCELLED; or NULL */
    struct mls_growth *ret_growth; /* filled when one predicts at a time; or NULL */
};

/* What the process used over the timed predictions. */
struct mls_growth {
    uint64_t n_predictions;
    uint64_t rss_first_bytes; /* resident before the first of them; 0: not known */
    uint64_t rss_last_bytes;  /* and after the last */
    uint64_t wall_ns;         /* 0: there were pauses between them */
    uint64_t cpu_ns;          /* of all threads together */
    bool waits_known;         /* whether the two below were counted */
    uint64_t wait_ns;         /* for which threads could have worked and had no processor, all together */
    uint64_t first_wait_ns;   /* the same during the very first prediction */
};

/*
 * mls_measure: predicts on what `loader` made and fills `profile`. The very first prediction is timed as the
 * load's stage FIRST_RUN; it counts as warm-up where there is any.
 */
enum mls_status mls_measure(struct mls_loader *loader, const struct mls_measure_options *options,
                            struct mls_profile *profile, struct mls_error *reterr);

/* The figures that the gate compares, and how they relate. */
struct mls_gate {
    uint64_t baseline_p50_ns;
    uint64_t measured_p50_ns;
    uint64_t baseline_peak_rss_bytes; /* 0: the baseline does not say */
    uint64_t measured_peak_rss_bytes;
    double latency_ratio;
    double memory_ratio; /* 0 when the baseline does not say */
    bool broken;
};

/*
 * mls_gate_check: compares with a profile stored by `--json`. GATE when measured > max_ratio x baseline in
 * latency (P50) or peak memory, with both figures in the message; USAGE when the file is no such profile.
 * *ret_gate is filled for OK and GATE.
 */
enum mls_status mls_gate_check(const char *baseline_path, double max_ratio, uint64_t measured_p50_ns,
                               uint64_t measured_peak_rss_bytes, struct mls_gate *ret_gate,
                               struct mls_error *reterr);
