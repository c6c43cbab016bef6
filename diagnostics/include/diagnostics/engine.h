/*
 * engine.h: recorded facts in, ranked findings out. Nothing is run and nothing is printed; a fact that was
 * not recorded is NULL, and the rules that need it do not apply.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/package.h"
#include "core/session.h"
#include "diagnostics/finding.h"
#include "diagnostics/placement.h"

/* What a profile says that a rule can use. */
struct mls_measurement {
    uint64_t load_ns;
    uint64_t first_ns; /* first prediction */
    uint64_t p50_ns;   /* of the later ones */
    uint64_t p99_ns;
    uint64_t n_runs;              /* later ones */
    const uint64_t *step_mean_ns; /* for one prediction, parallel to the plan's steps; or NULL */
    size_t n_steps;
};

/* Everything that is known. All members are borrowed for the call and may be NULL. */
struct mls_facts {
    const struct mls_package *package;
    const struct mls_model *model;         /* NULL when loading failed */
    const struct mls_error *error;         /* the failure of a load or a run */
    const struct mls_interface *interface; /* of the function looked at; NULL: the model's first */
    const struct mls_plan *plan;
    const struct mls_measurement *measurement;
    const struct mls_placement *placement; /* for the setting `all`, best */
};

/* mls_diagnose: findings from the facts. Fails only with MEMORY. The caller frees the report; it borrows the
 * model. */
enum mls_status mls_diagnose(const struct mls_facts *facts, struct mls_report **ret_report,
                             struct mls_error *reterr);

/* mls_diagnose_log: findings from a pasted log: any bytes; lines end at \n. Fails with MEMORY or LIMIT. */
enum mls_status mls_diagnose_log(const char *text, size_t length_bytes, struct mls_report **ret_report,
                                 struct mls_error *reterr);

/* A rule, for documentation and tests. Static. */
struct mls_rule_info {
    const char *id;
    enum mls_layer layer;
    const char *title;
    const char *source;
};

size_t mls_rule_count(void);
struct mls_rule_info mls_rule_at(size_t index);
