/*
 * placement.h: where Core ML would place each operation of a model, predicted from the program alone by the
 * rules and formulas of a hardware profile. Nothing here was measured on the user's device: every answer
 * names its profile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "diagnostics/confidence.h"

/* Units that Core ML reports: id, name in JSON. */
#define MLS_UNIT_LIST(X) \
    X(CPU, "CPU")        \
    X(GPU, "GPU")        \
    X(ANE, "ANE")

enum mls_unit {
#define X(id, name) MLS_UNIT_##id,
    MLS_UNIT_LIST(X)
#undef X
        MLS_UNIT_COUNT
};

/* Back ends that the compiler estimates times for: id, name in JSON, the unit that it runs on. */
#define MLS_BACKEND_LIST(X)        \
    X(ANE, "ane", ANE)             \
    X(BNNS, "bnns", CPU)           \
    X(CLASSIC, "classic_cpu", CPU) \
    X(GPU, "gpu", GPU)

enum mls_backend {
#define X(id, name, unit) MLS_BACKEND_##id,
    MLS_BACKEND_LIST(X)
#undef X
        MLS_BACKEND_COUNT
};

/* Core ML's setting `computeUnits`: id, name on the command line and in JSON, allowed units. */
#define MLS_COMPUTE_UNITS_LIST(X)                                               \
    X(ALL, "all", 1u << MLS_UNIT_CPU | 1u << MLS_UNIT_GPU | 1u << MLS_UNIT_ANE) \
    X(CPU_ONLY, "cpuOnly", 1u << MLS_UNIT_CPU)                                  \
    X(CPU_AND_GPU, "cpuAndGPU", 1u << MLS_UNIT_CPU | 1u << MLS_UNIT_GPU)        \
    X(CPU_AND_ANE, "cpuAndNeuralEngine", 1u << MLS_UNIT_CPU | 1u << MLS_UNIT_ANE)

enum mls_compute_units {
#define X(id, name, units) MLS_COMPUTE_UNITS_##id,
    MLS_COMPUTE_UNITS_LIST(X)
#undef X
        MLS_COMPUTE_UNITS_COUNT
};

const char *mls_unit_name(enum mls_unit unit);
const char *mls_backend_name(enum mls_backend backend);
enum mls_unit mls_backend_unit(enum mls_backend backend);
const char *mls_compute_units_name(enum mls_compute_units setting);
/* mls_compute_units_parse: the setting with this name; false when there is none. */
bool mls_compute_units_parse(const char *name, enum mls_compute_units *ret_setting);

/* Whose hardware and which system a prediction is for. Static tables; the first one is the default. */
struct mls_placement_profile;
size_t mls_placement_profile_count(void);
const struct mls_placement_profile *mls_placement_profile_at(size_t index);
/* mls_placement_profile_find: the profile with this name ("M4, macOS 27"), or NULL. */
const struct mls_placement_profile *mls_placement_profile_find(const char *name);
const char *mls_placement_profile_name(const struct mls_placement_profile *profile);
/* mls_placement_profile_source: where its rules and constants come from, one sentence; static. */
const char *mls_placement_profile_source(const struct mls_placement_profile *profile);

/* Why units refuse an operation: id, words for a table. */
#define MLS_REFUSAL_LIST(X)                                     \
    X(NO_LAYER, "no such layer")                                \
    X(TYPE, "element type")                                     \
    X(DYNAMIC, "known only at run time")                        \
    X(DIMENSION, "dimension or rank over a limit")              \
    X(WINDOW, "kernel, window or inner dimension over a limit") \
    X(UNRECORDED, "assumed, no record")

enum mls_refusal {
#define X(id, name) MLS_REFUSAL_##id,
    MLS_REFUSAL_LIST(X)
#undef X
        MLS_REFUSAL_COUNT
};

const char *mls_refusal_name(enum mls_refusal refusal);

/* A set of refusals: bit i stands for enum value i. */
typedef uint32_t mls_refusal_set;

/* A set of units: bit i stands for enum value i. */
typedef uint32_t mls_unit_set;

/* The prediction for one operation. Constants do not appear; operations in the body of a loop count once. */
struct mls_placed_op {
    uint32_t index; /* among the operations that are not constants, in file order */
    mls_op_id op;
    const char *type; /* "conv" */
    const char
        *name; /* of its first output, as Apple's MLComputePlan names operations; its own when it has none */
    mls_unit_set supported;                  /* within the units that the setting allows; never empty */
    enum mls_backend backend;                /* chosen back end */
    enum mls_unit preferred;                 /* its unit */
    double estimate_us[MLS_BACKEND_COUNT];   /* estimated time by back end; negative where there is none */
    double would_take_us[MLS_BACKEND_COUNT]; /* the same, as if every allowed back end supported it */
    const char *change;         /* smallest known change that would let it on the Neural Engine, or NULL */
    uint32_t n_outputs;         /* outputs of the function that it makes */
    double cost_share;          /* of the summed estimates on the chosen back ends, 0 to 1 */
    const char *const *reasons; /* why it is refused by a unit, or why it is not preferred there */
    uint32_t n_reasons;
    mls_refusal_set refusals; /* of all units that the setting allows */
    enum mls_confidence confidence;
    uint32_t segment; /* index of the segment that it belongs to */
};

/* A maximal run of neighbouring operations on one unit. */
struct mls_placed_segment {
    enum mls_unit unit;
    uint32_t first; /* indices into the operations, inclusive */
    uint32_t last;
    double estimate_us; /* sum over its operations, without switching */
};

struct mls_unit_total {
    uint32_t n_ops;
    double cost_share;
    double estimate_us;
};

/* A prediction for one function, one profile and one setting. All pointers live as long as the placement and
 * its model. */
struct mls_placement {
    const struct mls_placement_profile *profile;
    enum mls_compute_units setting;
    const struct mls_placed_op *ops;
    uint32_t n_ops;
    const uint32_t *by_op; /* index into ops for each operation of the model, or MLS_NO_INDEX */
    uint32_t n_by_op;
    const struct mls_placed_segment *segments;
    uint32_t n_segments;
    struct mls_unit_total totals[MLS_UNIT_COUNT];
    uint32_t n_switches;            /* changes of unit between neighbouring operations */
    uint32_t longest_segment;       /* index into segments; 0 when there are none */
    double ops_us;                  /* sum of the estimates on the chosen back ends */
    double switching_us;            /* launches, changes and outputs */
    double total_us;                /* both */
    enum mls_confidence confidence; /* the lowest that matters: 5 % of the estimated time are no surer */
    struct mls_store *store;        /* owner of everything above */
};

/*
 * mls_placement_create: predicts for one function. `plan` gives the shapes of values whose declared shape is
 * flexible; NULL: the default shapes of the interface where the declared ones are unknown. Borrows the model.
 * The caller frees.
 */
enum mls_status mls_placement_create(const struct mls_model *model, mls_function_id function,
                                     const struct mls_plan *plan, const struct mls_placement_profile *profile,
                                     enum mls_compute_units setting, struct mls_placement **ret_placement,
                                     struct mls_error *reterr);

/* mls_placement_total_if: the estimated total if these operations were supported on the Neural Engine;
 * negative when out of memory. `ops` are indices into the placement's operations. */
double mls_placement_total_if(const struct mls_placement *placement, const uint32_t *ops, uint32_t n_ops);

/* What it would take to have more on the Neural Engine. */
struct mls_placement_remedy {
    const uint32_t *ops; /* indices into the placement's operations */
    uint32_t n_ops;
    bool segment; /* all refused operations of one neighbourhood; else all of one type with one reason */
    const char *change; /* what to do to them, or NULL: no change is known */
    double gain_us;     /* of the estimated total, by the same estimates */
    enum mls_confidence confidence;
};

struct mls_placement_remedies {
    const struct mls_placement_remedy *remedies; /* largest gain first; only those with a gain */
    uint32_t n_remedies;
    double total_us; /* if every refused operation were supported */
    struct mls_store *store;
};

/* mls_placement_remedies_create: for a setting that allows the Neural Engine; empty otherwise. The caller
 * frees. */
enum mls_status mls_placement_remedies_create(const struct mls_placement *placement,
                                              struct mls_placement_remedies **ret_remedies,
                                              struct mls_error *reterr);
void mls_placement_remedies_free(struct mls_placement_remedies *remedies);

/* An operation on which two settings differ. */
struct mls_placement_difference {
    uint32_t first, last; /* neighbouring operations that differ in the same way, inclusive */
    enum mls_unit a, b;
};

/*
 * mls_placement_differences: runs of operations that two placements of the same function put on different
 * units, into ret_differences[a->n_ops]; returns how many.
 */
uint32_t mls_placement_differences(const struct mls_placement *a, const struct mls_placement *b,
                                   struct mls_placement_difference *ret_differences);

/* mls_placement_free: NULL is fine. */
void mls_placement_free(struct mls_placement *placement);

/* mls_placement_find: the prediction for an operation of the model, or NULL (constants, other functions). */
const struct mls_placed_op *mls_placement_find(const struct mls_placement *placement, mls_op_id op);
