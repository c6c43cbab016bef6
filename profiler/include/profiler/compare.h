/*
 * compare.h: two models, or two recorded profiles, side by side: structure, time and memory, in total and by
 * operation, each difference with the noise of the two. What they compute is compared by walk.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/loader.h"
#include "profiler/measure.h"
#include "profiler/memory.h"
#include "profiler/profile.h"

struct json_t; /* jansson */
struct mls_record; /* profiler/recording.h */

/* One operation of a side. Texts are borrowed. */
struct mls_side_op {
    const char *type;
    const char *name;
    const char *kernel; /* or NULL */
    uint64_t runs;
    uint64_t p50_ns;
    uint64_t p90_ns;
    uint64_t bytes; /* read and written; 0: not known */
    uint64_t flops;
};

/* One side: what a profile says, measured here or recorded. Zeros: not known. */
struct mls_side {
    const char *label; /* path of the model or the recording */
    uint64_t runs, p50_ns, p90_ns, p99_ns;
    uint64_t load_ns;
    uint64_t weights_bytes, arena_bytes, planned_peak_bytes, peak_rss_bytes, file_bytes;
    uint64_t flops;
    int32_t spec_version;
    uint32_t opset;
    const struct mls_side_op *ops;
    size_t n_ops;
    struct json_t *document; /* owner of the texts of a stored profile, or NULL */
    char *texts;             /* owner of the texts of a record, or NULL */
    /* What it was made from, borrowed, when its predictions were made in turns with those of the other side
     * (mls_measure_pair): rounds are compared then. Else NULL. */
    const struct mls_profile *rounds;
};

/* mls_side_from_profile: from a measurement. Borrows `loaded`; the caller frees. */
enum mls_status mls_side_from_profile(const struct mls_loaded *loaded, const struct mls_profile *profile,
                                      const struct mls_memory_use *memory, struct mls_side **ret_side,
                                      struct mls_error *reterr);

/* mls_side_from_record: from what the screen shows or a recording kept; texts are copied, `label` is borrowed. */
enum mls_status mls_side_from_record(const struct mls_record *record, const char *label, struct mls_side **ret_side,
                                     struct mls_error *reterr);

/* mls_side_from_file: from what `profile --json` or `record` wrote. USAGE when it is no such file. Borrows `path`. */
enum mls_status mls_side_from_file(const char *path, struct mls_side **ret_side, struct mls_error *reterr);

/* mls_side_is_recording: whether the file begins like a recording or a JSON document, and not like a model. */
bool mls_side_is_recording(const char *path);

/* mls_side_free: NULL is fine. */
void mls_side_free(struct mls_side *side);

/* A figure on both sides. `ratio` is b / a, NaN where a is 0 or one of the two is not known (NaN). */
struct mls_change {
    const char *name; /* "p50_ns" */
    double a, b;
    double ratio;
    double noise;     /* differences up to it are no differences; 0: the figure is exact */
    bool significant; /* the difference is larger than the noise */
};

/* An operation of either side or of both. */
struct mls_op_change {
    uint32_t a, b;          /* indices into the sides' ops, or MLS_NO_INDEX */
    struct mls_change time; /* p50_ns; NaN on the side that lacks it */
    double difference_ns;   /* b - a; of rounds their median; where one side lacks it, the other's time */
};

struct mls_comparison {
    const struct mls_side *a, *b; /* borrowed */
    const struct mls_change *totals;
    size_t n_totals;
    const struct mls_op_change *ops; /* largest difference in time first */
    size_t n_ops;
    size_t n_matched, n_only_a, n_only_b;
};

/* mls_compare: borrows both sides. Fails only with MEMORY; the caller frees. */
enum mls_status mls_compare(const struct mls_side *a, const struct mls_side *b,
                            struct mls_comparison **ret_comparison, struct mls_error *reterr);
void mls_comparison_free(struct mls_comparison *comparison);

/*
 * mls_measure_pair: predicts on both in turns (a b, b a, a b …), so that what disturbs the machine disturbs
 * both. The options are those of mls_measure but for concurrency and rate, which are not used.
 */
enum mls_status mls_measure_pair(struct mls_loader *a, struct mls_loader *b,
                                 const struct mls_measure_options *options, struct mls_profile *profile_a,
                                 struct mls_profile *profile_b, struct mls_error *reterr);
