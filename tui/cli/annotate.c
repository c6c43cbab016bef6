#include "cli/annotate.h"

#include <jansson.h>
#include <stdlib.h>

#include "profiler/json.h"

enum mls_status annotate_setting(const struct arguments *arguments, enum mls_compute_units *ret_setting,
                                 const struct mls_placement_profile **ret_profile, struct mls_error *reterr)
{
    const char *units = arguments_text(arguments, OPTION_COMPUTE_UNITS);
    const char *hardware = arguments_text(arguments, OPTION_HARDWARE);
    enum mls_compute_units setting = MLS_COMPUTE_UNITS_ALL;
    if (units && !mls_compute_units_parse(units, &setting)) {
        mls_fail(reterr, MLS_ERR_USAGE, "option --compute-units: there is no setting '%s'", units);
        mls_error_hint(reterr, "one of: all cpuOnly cpuAndGPU cpuAndNeuralEngine");
        return MLS_ERR_USAGE;
    }
    const struct mls_placement_profile *profile =
        hardware ? mls_placement_profile_find(hardware) : mls_placement_profile_at(0);
    if (!profile) {
        mls_fail(reterr, MLS_ERR_USAGE, "option --hardware: there is no profile '%s'", hardware);
        mls_error_hint(reterr, "the first of %zu is: %s", mls_placement_profile_count(),
                       mls_placement_profile_name(mls_placement_profile_at(0)));
        return MLS_ERR_USAGE;
    }
    *ret_setting = setting;
    *ret_profile = profile;
    return MLS_OK;
}

struct mls_step_note *annotate_notes(const struct mls_plan *plan, const struct mls_placement *placement)
{
    size_t n = mls_plan_step_count(plan);
    struct mls_step_note *notes = calloc(n ? n : 1, sizeof *notes);
    for (size_t i = 0; notes && i < n; i++) {
        const struct mls_placed_op *op = mls_placement_find(placement, mls_plan_step(plan, i)->op);
        if (op)
            notes[i] = (struct mls_step_note){.predicted_unit = mls_unit_name(op->preferred),
                                              .unit_confidence = mls_confidence_name(op->confidence),
                                              .reasons = op->reasons,
                                              .n_reasons = op->n_reasons};
    }
    return notes;
}

static json_t *texts(const char *const *lines, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, mls_json_text(lines[i]));
    return array;
}

static json_t *one_finding(const struct mls_finding *finding, const struct mls_model *model)
{
    json_t *object = json_object();
    json_object_set_new(object, "id", mls_json_text(finding->id));
    json_object_set_new(object, "severity", json_string(mls_severity_name(finding->severity)));
    json_object_set_new(object, "layer", json_string(mls_layer_name(finding->layer)));
    json_object_set_new(object, "title", mls_json_text(finding->title));
    json_object_set_new(object, "evidence", texts(finding->evidence, finding->n_evidence));
    json_object_set_new(object, "why", mls_json_text(finding->why));
    json_object_set_new(object, "fix", mls_json_text(finding->fix));
    json_object_set_new(object, "confidence", json_string(mls_confidence_name(finding->confidence)));
    json_object_set_new(object, "source", mls_json_text(finding->source));
    json_t *ops = json_array();
    for (size_t i = 0; model && i < finding->n_ops; i++)
        json_array_append_new(ops, mls_json_text(model->program.ops[finding->ops[i].i].name));
    json_object_set_new(object, "ops", ops);
    json_object_set_new(object, "gain_ns",
                        finding->gain_ns ? json_integer((json_int_t)finding->gain_ns) : json_null());
    json_object_set_new(object, "file", *finding->file ? mls_json_text(finding->file) : json_null());
    json_object_set_new(object, "byte_offset",
                        finding->byte_offset >= 0 ? json_integer(finding->byte_offset) : json_null());
    json_object_set_new(object, "matched_text",
                        *finding->matched_text ? mls_json_text(finding->matched_text) : json_null());
    json_object_set_new(object, "matched_line",
                        finding->matched_line ? json_integer((json_int_t)finding->matched_line)
                                              : json_null());
    return object;
}

json_t *annotate_findings(const struct mls_report *report, const struct mls_model *model)
{
    json_t *findings = json_array();
    for (size_t i = 0; i < report->n_findings; i++)
        json_array_append_new(findings, one_finding(&report->findings[i], model));
    return findings;
}
