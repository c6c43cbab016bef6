/*
 * engine.h: recorded facts in, ranked findings out. Nothing is run and nothing is printed; a fact that was
 * not recorded is NULL, and the rules that need it do not apply.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/package.h"
#include "core/session.h"
#include "diagnostics/finding.h"
#include "diagnostics/placement.h"
#include "profiler/compare.h"
#include "profiler/survey.h"
#include "profiler/walk.h"

/* What a profile says that a rule can use. Zeros: not known. */
struct mls_measurement {
    uint64_t load_ns;
    uint64_t first_ns; /* first prediction */
    uint64_t p50_ns;   /* of the later ones */
    uint64_t p99_ns;
    uint64_t n_runs;              /* later ones */
    /* what a step takes of one prediction, parallel to the plan's steps: the median, or the mean of a step that
     * does not run once in each; or NULL */
    const uint64_t *step_ns;
    size_t n_steps;
    const uint64_t *samples_ns; /* of the later ones, in order; or NULL */
    size_t n_samples;
    struct mls_wall wall;
    uint64_t stage_ns[MLS_STAGE_COUNT];
    struct mls_growth growth;
    uint32_t threads;
    struct mls_roofline roofline;
    uint64_t load_rss_bytes;      /* resident once the model was loaded */
    uint64_t load_peak_rss_bytes; /* the most until then */
    uint64_t dynamic_bytes;       /* taken anew by every prediction */
};

/* Everything that is known. All members are borrowed for the call and may be NULL. */
struct mls_facts {
    const struct mls_package *package;
    const struct mls_model *model;         /* NULL when loading failed */
    const struct mls_error *error;         /* the failure of a load or a run */
    const struct mls_interface *interface; /* of the function looked at; NULL: the model's first */
    const struct mls_plan *plan;
    const struct mls_measurement *measurement;
    const struct mls_placement *placement;       /* for the setting asked for: `all`, best */
    const struct mls_placement *const *settings; /* one for each setting of enum mls_compute_units */
    const struct mls_survey *survey;             /* of the plan */
    const struct mls_walk *walk;       /* the model (B) against itself in fp32, or against `reference` */
    const struct mls_model *reference; /* what it is compared with: A */
    const struct mls_comparison *comparison; /* of `reference` (A) and the model (B) */
    bool inputs_given;                       /* values come from the user, and are not drawn */
    bool comparison_only;                    /* ask only the rules about `walk` and `reference` */
    int32_t system_version; /* highest specification version of the system asked for; 0: none was named */
};

/* mls_facts_read: what a load gives, as far as it came, and its placements, one for each setting. The caller
 * adds the rest. Borrows both. */
struct mls_facts mls_facts_read(const struct mls_loaded *loaded,
                                const struct mls_placement *const *placements,
                                enum mls_compute_units setting);

/* mls_diagnose: findings from the facts. Fails only with MEMORY. The caller frees the report; it borrows the
 * model. */
enum mls_status mls_diagnose(const struct mls_facts *facts, struct mls_report **ret_report,
                             struct mls_error *reterr);

/*
 * mls_diagnose_log: findings from a pasted log: any bytes; lines end at \n. `facts` of the model that the log
 * is about, or NULL: they add to the evidence. Fails with MEMORY or LIMIT.
 */
enum mls_status mls_diagnose_log(const char *text, size_t length_bytes, const struct mls_facts *facts,
                                 struct mls_report **ret_report, struct mls_error *reterr);

/* mls_measurement_read: what the rules use of a profile. Borrows the profile; the caller gives it back to
 * _done. */
enum mls_status mls_measurement_read(const struct mls_loaded *loaded, const struct mls_profile *profile,
                                     struct mls_measurement *ret_measurement, struct mls_error *reterr);
void mls_measurement_done(struct mls_measurement *measurement);

/* A rule, for documentation and tests. Static. */
struct mls_rule_info {
    const char *id;
    enum mls_layer layer;
    const char *title;
    const char *source;
};

size_t mls_rule_count(void);
struct mls_rule_info mls_rule_at(size_t index);
