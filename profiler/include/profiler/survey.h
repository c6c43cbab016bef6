/* survey.h: what the values of one prediction look like, step by step: ranges, and what is not finite or
 * lost. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"

/* Over the real outputs of a step, in all of its executions. */
struct mls_survey_step {
    uint64_t n_elems;
    uint64_t n_not_finite;
    uint64_t n_zero;
    uint64_t n_subnormal; /* of fp16, where the step's first output is fp16 */
    double max_abs;       /* largest finite absolute value */
};

struct mls_survey {
    const struct mls_survey_step *steps; /* parallel to the plan's */
    size_t n_steps;
};

/* mls_survey_run: one prediction, looked at. The caller frees. */
enum mls_status mls_survey_run(struct mls_run *run, const struct mls_plan *plan,
                               struct mls_survey **ret_survey, struct mls_error *reterr);
void mls_survey_free(struct mls_survey *survey);

/*
 * mls_survey_is_suspect: whether a closer look is worth its time: values that are not finite, or an output of
 * the plan's last steps that is all zero.
 */
bool mls_survey_is_suspect(const struct mls_survey *survey, const struct mls_run *run,
                           const struct mls_interface *interface);
