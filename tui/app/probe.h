/* probe.h: what flows through one operation: statistics of its inputs and outputs in one prediction. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"

enum {
    MLS_PROBE_VALUES = 8,
    MLS_PROBE_CLASSES = 32,
    MLS_PROBE_NAME_BYTES = 96
};
#define MLS_PROBE_NO_STEP UINT32_MAX

/* One value. */
struct mls_probe_value {
    char name[MLS_PROBE_NAME_BYTES];
    bool output;                /* of the operation; otherwise an input */
    double min, max, mean, std; /* over the finite elements */
    size_t n_elems, n_nan, n_infinite, n_zero;
    uint32_t classes[MLS_PROBE_CLASSES]; /* histogram of the finite elements, from min to max */
};

struct mls_probe {
    uint32_t step; /* or MLS_PROBE_NO_STEP */
    struct mls_probe_value values[MLS_PROBE_VALUES];
    size_t n_values;
};

/* mls_probe_run: one prediction, unrecorded, whose values around the step are looked at. */
enum mls_status mls_probe_run(struct mls_run *run, const struct mls_plan *plan, uint32_t step,
                              struct mls_probe *ret_probe, struct mls_error *reterr);

/* mls_probe_value_of: the statistics of one tensor. */
struct mls_probe_value mls_probe_value_of(const char *name, bool output, const struct mls_tensor *tensor);
