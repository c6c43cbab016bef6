#include "profiler/survey.h"

#include <math.h>
#include <stdlib.h>

#include "profiler/element.h"

enum { CHUNK = 1024 };
static const double FP16_NORMAL_MIN = 0x1p-14;

static bool is_real(enum mls_dtype dtype)
{
    return dtype == MLS_FP16 || dtype == MLS_FP32 || dtype == MLS_FP64;
}

static void look_at(struct mls_survey_step *step, const struct mls_tensor *tensor)
{
    double values[CHUNK];
    bool half = tensor->type.dtype == MLS_FP16;
    size_t n = mls_element_count(tensor);
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t n_here = n - at < CHUNK ? n - at : CHUNK;
        mls_elements_load(tensor, at, n_here, values);
        for (size_t i = 0; i < n_here; i++) {
            double size = fabs(values[i]);
            bool finite = isfinite(size);
            step->n_not_finite += !finite;
            step->n_zero += size == 0;
            step->n_subnormal += half && size > 0 && size < FP16_NORMAL_MIN;
            if (finite && size > step->max_abs)
                step->max_abs = size;
        }
    }
    step->n_elems += n;
}

static void values(void *user, uint32_t step, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    struct mls_survey_step *steps = user;
    for (uint32_t i = 0; i < n_outputs; i++)
        if (is_real(outputs[i]->type.dtype))
            look_at(&steps[step], outputs[i]);
}

enum mls_status mls_survey_run(struct mls_run *run, const struct mls_plan *plan,
                               struct mls_survey **ret_survey, struct mls_error *reterr)
{
    size_t n = mls_plan_step_count(plan);
    struct mls_survey *survey = calloc(1, sizeof *survey);
    struct mls_survey_step *steps = calloc(n ? n : 1, sizeof *steps);
    enum mls_status status = MLS_OK;
    if (!survey || !steps) {
        status = mls_fail(reterr, MLS_ERR_MEMORY, "cannot look at the values: out of memory");
    } else {
        *survey = (struct mls_survey){.steps = steps, .n_steps = n};
        const struct mls_observer observer = {.user = steps, .values = values};
        status = mls_run_predict(run, &observer, NULL, reterr);
    }
    if (status) {
        free(survey);
        free(steps);
        return status;
    }
    *ret_survey = survey;
    return MLS_OK;
}

void mls_survey_free(struct mls_survey *survey)
{
    if (!survey)
        return;
    free((void *)(uintptr_t)survey->steps); /* const for readers only */
    free(survey);
}

bool mls_survey_is_suspect(const struct mls_survey *survey, const struct mls_run *run,
                           const struct mls_interface *interface)
{
    for (size_t i = 0; i < survey->n_steps; i++)
        if (survey->steps[i].n_not_finite)
            return true;
    for (size_t i = 0; i < interface->n_outputs; i++) {
        const struct mls_tensor *output = mls_run_output(run, i);
        struct mls_survey_step whole = {0};
        if (output && is_real(output->type.dtype))
            look_at(&whole, output);
        if (whole.n_elems > 1 && whole.n_zero == whole.n_elems)
            return true;
    }
    return false;
}
