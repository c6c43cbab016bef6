/* record.h: a model runs without a screen and what the screen would show goes into a file. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/settings.h"
#include "diagnostics/placement.h"
#include "profiler/environment.h"

struct mls_record_options {
    const struct mls_loader_options *loader;
    struct mls_settings settings;
    struct mls_environment environment;
    enum mls_compute_units compute_units;
    const char *path;
    bool redact;             /* names are replaced */
    bool keep_names;         /* even those of a sealed model */
    uint64_t runs;           /* 0: as many as there is time for */
    double seconds;          /* at most; 0: until `runs` are done */
    const atomic_bool *stop; /* set from elsewhere: what there is is written; or NULL */
};

/* What came of it, for a message. */
struct mls_record_outcome {
    uint64_t runs;
    uint64_t p50_ns;
    size_t n_steps;
    bool redacted;
};

/*
 * mls_record_run: loads, runs and writes: first after a second, then each time that twice as long has passed,
 * so that a kill loses half at most, and at the end. The file is whole at any time. A model that does not
 * load is recorded with its diagnosis, and its error is returned.
 */
enum mls_status mls_record_run(const struct mls_record_options *options,
                               struct mls_record_outcome *ret_outcome, struct mls_error *reterr);
