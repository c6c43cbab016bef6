/*
 * profile.h: what a hardware profile says: which unit refuses what, and how long an operation is estimated to
 * take. Tables only; the functions that rows point to read one operation and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "diagnostics/placement.h"
#include "placement/view.h"

/* Limits of the Neural Engine; 0: no such limit known. */
struct placement_limits {
    int64_t width, height, depth, channels, batch; /* of any tensor */
    int64_t rank;
    int64_t matmul_inner_bytes;
    int64_t conv_square, conv_width, conv_height; /* kernel: square, else each side */
    int64_t max_pool_width, max_pool_width_also;  /* up to the first, or exactly the second */
    int64_t state_multiple;                       /* dimensions of states */
};

enum { REASON_BYTES = 256 };

/*
 * A reason for which units refuse an operation. `holds` decides it for one operation and may write numbers
 * into detail[REASON_BYTES]; NULL: always, for the operations named.
 */
struct support_rule {
    const char *ops; /* words; NULL: every operation */
    mls_unit_set refused_by;
    enum mls_refusal refusal;
    bool (*holds)(const struct op_view *view, const struct placement_limits *limits, char *detail);
    bool last;           /* which of the later rows hold does not matter then */
    const char *reason;
    const char *message; /* what Apple's compiler says, or NULL */
    const char *change;  /* what would let the operation on the Neural Engine, or NULL */
    enum mls_confidence confidence;
};

enum { COST_BANDS_MAX = 3 };

/* Rates for work below an intensity; a rate of 0: the memory formula. In units of work for each microsecond.
 */
struct cost_band {
    double below;
    double rate[MLS_BACKEND_COUNT];
};

/* How the time of some operations is estimated: work / rate, the rate chosen by intensity where there is one.
 */
struct cost_rule {
    const char *ops;
    bool (*applies)(const struct op_view *view); /* NULL: always */
    double (*work)(const struct op_view *view);
    double (*intensity)(const struct op_view *view); /* NULL: the first band */
    struct cost_band bands[COST_BANDS_MAX];
    enum mls_confidence confidence;
};

/* FLOPs of an operation that the memory formula compares with the peak rate. */
struct flops_rule {
    const char *ops;
    double (*flops)(const struct op_view *view);
    enum mls_confidence confidence;
};

/* Bytes that the memory formula counts in another way than "all arguments and the first output". */
struct bytes_rule {
    const char *ops;
    double (*bytes)(const struct op_view *view);
};

struct placement_costs {
    const struct cost_rule *rules;
    size_t n_rules;
    const struct flops_rule *flops;
    size_t n_flops;
    const struct bytes_rule *bytes;
    size_t n_bytes;
    double bytes_per_us[MLS_BACKEND_COUNT];
    double flops_per_us[MLS_BACKEND_COUNT]; /* 0: never reached */
    const char *recorded;                   /* operations for which the memory formula was checked */
    const char *free;                       /* operations that cost nothing: done before the run */
    const char *gpu_never;                  /* operations that stayed off the GPU however slow the CPU was */
};

struct mls_placement_profile {
    const char *name;
    const char *source;
    struct placement_limits limits;
    const struct support_rule *support; /* beyond the rows that all profiles share */
    size_t n_support;
    const struct placement_costs *costs;
    double launch_us[MLS_UNIT_COUNT]; /* to start a run of operations */
    double change_us;                 /* between two back ends */
    double output_us[MLS_UNIT_COUNT]; /* for each output of the function that lies there */
    enum mls_confidence ceiling;      /* no answer of this profile is surer than this */
};

/* The segmenter's estimates on an M4. Static. */
extern const struct placement_costs PLACEMENT_M4_COSTS;

/* What the rules say of one operation. Reasons are texts of the store, for the units in `asked`. */
struct placement_support {
    mls_unit_set units;
    mls_refusal_set refusals;
    const char **reasons;
    uint32_t n_reasons;
    const char *change; /* of the first rule that keeps it off the Neural Engine, or NULL */
    enum mls_confidence confidence;
};

/* placement_support_of: units out of `asked` that take the operation (the CPU always does); false: out of
 * memory. */
bool placement_support_of(const struct mls_placement_profile *profile, const struct op_view *view,
                          mls_unit_set asked, struct mls_store *store, struct placement_support *ret_support);

/* placement_estimate: estimated time by back end in microseconds, whatever it supports; negative: none. */
enum mls_confidence placement_estimate(const struct mls_placement_profile *profile,
                                       const struct op_view *view, double ret_us[MLS_BACKEND_COUNT]);
