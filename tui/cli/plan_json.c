#include <jansson.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/plan.h"
#include "profiler/json.h"

static json_t *op_json(const struct mls_placed_op *op)
{
    json_t *supported = json_array(), *estimates = json_object(), *reasons = json_array();
    for (enum mls_unit i = 0; i < MLS_UNIT_COUNT; i++)
        if (op->supported & 1u << i)
            json_array_append_new(supported, json_string(mls_unit_name(i)));
    for (enum mls_backend i = 0; i < MLS_BACKEND_COUNT; i++)
        json_object_set_new(estimates, mls_backend_name(i),
                            op->estimate_us[i] < 0 ? json_null() : mls_json_number(op->estimate_us[i]));
    for (uint32_t i = 0; i < op->n_reasons; i++)
        json_array_append_new(reasons, mls_json_text(op->reasons[i]));
    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:s}", "index", (json_int_t)op->index,
                     "name", mls_json_text(op->name), "type", mls_json_text(op->type), "supported", supported,
                     "preferred", mls_unit_name(op->preferred), "backend", mls_backend_name(op->backend),
                     "cost_share", mls_json_number(op->cost_share), "estimates_us", estimates, "reasons",
                     reasons, "confidence", mls_confidence_name(op->confidence));
}

static json_t *segments_json(const struct mls_placement *placement)
{
    json_t *segments = json_array();
    for (uint32_t i = 0; i < placement->n_segments; i++) {
        const struct mls_placed_segment *segment = &placement->segments[i];
        json_array_append_new(segments,
                              json_pack("{s:s, s:I, s:I, s:o}", "unit", mls_unit_name(segment->unit), "first",
                                        (json_int_t)segment->first, "last", (json_int_t)segment->last,
                                        "estimate_us", mls_json_number(segment->estimate_us)));
    }
    return segments;
}

/* What it would take to have more on the Neural Engine, and what that would gain. */
static json_t *remedies_json(const struct mls_placement *placement,
                             const struct mls_placement_remedies *remedies)
{
    json_t *list = json_array();
    for (uint32_t i = 0; remedies && i < remedies->n_remedies; i++) {
        const struct mls_placement_remedy *remedy = &remedies->remedies[i];
        json_t *ops = json_array();
        for (uint32_t k = 0; k < remedy->n_ops; k++)
            json_array_append_new(ops, mls_json_text(placement->ops[remedy->ops[k]].name));
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:s}", "scope",
                                              remedy->segment ? "segment" : "operations", "type",
                                              mls_json_text(placement->ops[remedy->ops[0]].type), "ops", ops,
                                              "change", mls_json_text(remedy->change), "gain_us",
                                              mls_json_number(remedy->gain_us), "confidence",
                                              mls_confidence_name(remedy->confidence)));
    }
    return json_pack("{s:o, s:o}", "total_us_if_all",
                     remedies ? mls_json_number(remedies->total_us) : json_null(), "list", list);
}

/* Where two settings put operations on different units. */
static json_t *difference_json(const struct mls_placement *a, const struct mls_placement *b)
{
    struct mls_placement_difference *runs = calloc(a->n_ops ? a->n_ops : 1, sizeof *runs);
    json_t *list = json_array();
    uint32_t n = runs ? mls_placement_differences(a, b, runs) : 0;
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:s}", "first", (json_int_t)runs[i].first,
                                              "last", (json_int_t)runs[i].last, "a", mls_unit_name(runs[i].a),
                                              "b", mls_unit_name(runs[i].b)));
    free(runs);
    return json_pack("{s:s, s:s, s:o, s:o}", "a", mls_compute_units_name(a->setting), "b",
                     mls_compute_units_name(b->setting), "total_us",
                     json_pack("[o, o]", mls_json_number(a->total_us), mls_json_number(b->total_us)), "runs",
                     list);
}

static json_t *summary_json(const struct mls_placement *placement)
{
    json_t *units = json_object(), *longest = json_null();
    for (enum mls_unit i = 0; i < MLS_UNIT_COUNT; i++) {
        const struct mls_unit_total *total = &placement->totals[i];
        json_object_set_new(units, mls_unit_name(i),
                            json_pack("{s:I, s:o, s:o}", "ops", (json_int_t)total->n_ops, "cost_share",
                                      mls_json_number(total->cost_share), "estimate_us",
                                      mls_json_number(total->estimate_us)));
    }
    if (placement->n_segments) {
        const struct mls_placed_segment *segment = &placement->segments[placement->longest_segment];
        longest = json_pack("{s:s, s:I, s:I, s:I, s:o}", "unit", mls_unit_name(segment->unit), "first",
                            (json_int_t)segment->first, "last", (json_int_t)segment->last, "ops",
                            (json_int_t)(segment->last - segment->first + 1), "estimate_us",
                            mls_json_number(segment->estimate_us));
    }
    return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:s}", "units", units, "unit_switches",
                     (json_int_t)placement->n_switches, "segments", (json_int_t)placement->n_segments,
                     "longest_segment", longest, "ops_us", mls_json_number(placement->ops_us), "switching_us",
                     mls_json_number(placement->switching_us), "estimated_total_us",
                     mls_json_number(placement->total_us), "confidence",
                     mls_confidence_name(placement->confidence));
}

static void set_placement(json_t *object, const struct mls_placement *placement,
                          const struct mls_placement_remedies *remedies)
{
    json_t *ops = json_array();
    for (uint32_t i = 0; i < placement->n_ops; i++)
        json_array_append_new(ops, op_json(&placement->ops[i]));
    json_object_set_new(object, "compute_units", json_string(mls_compute_units_name(placement->setting)));
    json_object_set_new(object, "ops", ops);
    json_object_set_new(object, "summary", summary_json(placement));
    json_object_set_new(object, "segments", segments_json(placement));
    json_object_set_new(object, "remedies", remedies_json(placement, remedies));
}

void plan_write_json(struct console *console, const struct planned *planned)
{
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    const struct mls_placement *told = planned->placements[planned->setting];
    json_t *root = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "schema", "mlscope.plan", "version", 1,
                             "environment", mls_document_environment(&environment, planned->loaded, NULL),
                             "model", mls_document_model(planned->loaded), "profile",
                             mls_json_text(mls_placement_profile_name(planned->hardware)), "profile_source",
                             mls_json_text(mls_placement_profile_source(planned->hardware)));
    set_placement(root, told, planned->remedies[planned->setting]);
    json_t *settings = json_array(), *differences = json_array();
    for (enum mls_compute_units i = 0; i < MLS_COMPUTE_UNITS_COUNT; i++) {
        if (!planned->placements[i])
            continue;
        json_t *setting = json_object();
        set_placement(setting, planned->placements[i], planned->remedies[i]);
        json_array_append_new(settings, setting);
        if (i != planned->setting)
            json_array_append_new(differences, difference_json(told, planned->placements[i]));
    }
    /* one setting alone was asked for: it stands above */
    bool several = json_array_size(differences) > 0;
    if (several)
        json_object_set(root, "settings", settings);
    if (several)
        json_object_set(root, "differences", differences);
    json_decref(settings);
    json_decref(differences);
    mls_json_write(root, &console->out);
    json_decref(root);
}
