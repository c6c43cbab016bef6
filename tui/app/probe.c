#include "app/probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "profiler/element.h"

enum { CHUNK = 1024 };

static void add_chunk(struct mls_probe_value *value, const double *elements, size_t n, double *sum,
                      double *squares)
{
    for (size_t i = 0; i < n; i++) {
        double element = elements[i];
        value->n_nan += isnan(element) != 0;
        value->n_infinite += isinf(element) != 0;
        value->n_zero += element == 0;
        if (!isfinite(element))
            continue;
        value->min = element < value->min ? element : value->min;
        value->max = element > value->max ? element : value->max;
        *sum += element;
        *squares += element * element;
    }
}

static void add_classes(struct mls_probe_value *value, const double *elements, size_t n)
{
    double range = value->max - value->min;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(elements[i]))
            continue;
        double at = range > 0 ? (elements[i] - value->min) / range * (MLS_PROBE_CLASSES - 1) : 0;
        value->classes[(size_t)(at + 0.5)]++;
    }
}

struct mls_probe_value mls_probe_value_of(const char *name, bool output, const struct mls_tensor *tensor)
{
    struct mls_probe_value value = {.output = output, .min = (double)INFINITY, .max = (double)-INFINITY};
    double elements[CHUNK], sum = 0, squares = 0;
    snprintf(value.name, sizeof value.name, "%s", name);
    value.n_elems = mls_element_count(tensor);
    for (size_t at = 0; at < value.n_elems; at += CHUNK) {
        size_t n = value.n_elems - at < CHUNK ? value.n_elems - at : CHUNK;
        mls_elements_load(tensor, at, n, elements);
        add_chunk(&value, elements, n, &sum, &squares);
    }
    size_t n_finite = value.n_elems - value.n_nan - value.n_infinite;
    if (!n_finite) {
        value.min = value.max = value.mean = (double)NAN;
        return value;
    }
    value.mean = sum / (double)n_finite;
    double variance = squares / (double)n_finite - value.mean * value.mean;
    value.std = variance > 0 ? sqrt(variance) : 0;
    for (size_t at = 0; at < value.n_elems; at += CHUNK) {
        size_t n = value.n_elems - at < CHUNK ? value.n_elems - at : CHUNK;
        mls_elements_load(tensor, at, n, elements);
        add_classes(&value, elements, n);
    }
    return value;
}

/* ---- One prediction
 * --------------------------------------------------------------------------------------------- */

struct watch {
    const struct mls_plan *plan;
    const struct mls_step *step;
    struct mls_probe *probe;
    bool seen; /* the step ran: what other steps make now is for later */
};

static void put(struct mls_probe *probe, const struct mls_probe_value *value)
{
    size_t at = 0; /* in a loop the last execution counts */
    while (at < probe->n_values &&
           (probe->values[at].output != value->output || strcmp(probe->values[at].name, value->name) != 0))
        at++;
    if (at == MLS_PROBE_VALUES)
        return;
    probe->values[at] = *value;
    probe->n_values += at == probe->n_values;
}

static bool is_input(const struct mls_step *step, const char *name)
{
    for (uint32_t i = 0; i < step->n_inputs; i++)
        if (!step->inputs[i].constant && strcmp(step->inputs[i].name, name) == 0)
            return true;
    return false;
}

static void look(void *user, uint32_t index, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    struct watch *watch = user;
    const struct mls_step *step = mls_plan_step(watch->plan, index);
    bool here = step == watch->step;
    for (uint32_t i = 0; i < n_outputs && i < step->n_outputs; i++) {
        const char *name = step->outputs[i].name;
        if (!outputs[i] || (!here && (watch->seen || !is_input(watch->step, name))))
            continue;
        struct mls_probe_value value = mls_probe_value_of(name, here, outputs[i]);
        put(watch->probe, &value);
    }
    watch->seen = watch->seen || here;
}

enum mls_status mls_probe_run(struct mls_run *run, const struct mls_plan *plan, uint32_t step,
                              struct mls_probe *ret_probe, struct mls_error *reterr)
{
    memset(ret_probe, 0, sizeof *ret_probe);
    ret_probe->step = step;
    if (step >= mls_plan_step_count(plan))
        return MLS_OK;
    struct watch watch = {.plan = plan, .step = mls_plan_step(plan, step), .probe = ret_probe};
    const struct mls_observer observer = {.user = &watch, .values = look};
    return mls_run_predict(run, &observer, NULL, reterr);
}
