/* ACC: what the values of a prediction show; and outputs of another shape than they were declared. */
#include "rule.h"

#include <inttypes.h>
#include <string.h>

#define OUTPUT_THAT_IS_WRONG_DB 20

/* The worst output, as the walk saw it; NULL when none was compared. */
static const struct mls_walk_output *worst_output(const struct mls_walk *walk)
{
    const struct mls_walk_output *worst = NULL;
    for (size_t i = 0; i < walk->n_outputs; i++) {
        const struct mls_walk_output *output = &walk->outputs[i];
        if (output->compared && (worst == NULL || output->snr_db < worst->snr_db))
            worst = output;
    }
    return worst;
}

static bool lost_in_fp16(struct rule_case *rule_case)
{
    enum { TOLD = 6 };
    const struct mls_walk *walk = rule_case->facts->walk;
    const struct mls_walk_output *worst = worst_output(walk);
    size_t n = 0;
    for (size_t i = 0; i < walk->n_keep; i++) {
        if (walk->keep[i].loss == MLS_WALK_PRECISION)
            continue;
        const struct mls_walk_op *op = &walk->ops[walk->keep[i].op];
        if (rule_case->facts->plan != NULL && n < TOLD)
            rule_evidence(rule_case,
                          "%s \"%s\": %s (largest %.4g in fp32; %" PRIu64 " of %" PRIu64
                          " elements not finite, %" PRIu64 " became zero)",
                          op->type, op->name, mls_walk_loss_text(walk->keep[i].loss), op->max_a,
                          op->n_not_finite_b, op->n_elems, op->n_lost);
        n++;
    }
    if (n == 0 || rule_case->facts->reference != NULL)
        return false;
    if (worst != NULL)
        rule_evidence(rule_case, "output \"%s\" is at %.1f dB of what fp32 gives%s", worst->name,
                      worst->snr_db,
                      rule_case->facts->inputs_given ? "" : ", with inputs that were drawn at random");
    if (worst != NULL && worst->snr_db < OUTPUT_THAT_IS_WRONG_DB)
        rule_case->finding.severity =
            rule_case->facts->inputs_given ? MLS_SEVERITY_ERROR : MLS_SEVERITY_WARNING;
    else
        rule_case->finding.severity = MLS_SEVERITY_INFO;
    if (!rule_case->facts->inputs_given)
        rule_case->finding.confidence = MLS_CONFIDENCE_MEDIUM;
    return true;
}

/* Not finite in fp32 either: then it is the model or the input, not the precision. */
static bool not_finite_at_all(struct rule_case *rule_case)
{
    const struct mls_walk *walk = rule_case->facts->walk;
    bool reaches_output = false;
    for (size_t i = 0; i < walk->n_outputs; i++)
        reaches_output = reaches_output || walk->outputs[i].n_not_finite_a > 0;
    if (!reaches_output || rule_case->facts->reference != NULL)
        return false;
    for (size_t i = 0; i < walk->n_ops; i++) {
        const struct mls_walk_op *op = &walk->ops[i];
        if (op->n_not_finite_a == 0)
            continue;
        rule_evidence(rule_case,
                      "the first is %s \"%s\": %" PRIu64 " of %" PRIu64 " elements, in fp32 as well",
                      op->type, op->name, op->n_not_finite_a, op->n_elems);
        break;
    }
    if (!rule_case->facts->inputs_given) {
        rule_evidence(rule_case,
                      "the inputs were drawn at random: they may be none that the model is made for");
        rule_case->finding.confidence = MLS_CONFIDENCE_LOW;
    } else {
        rule_case->finding.severity = MLS_SEVERITY_WARNING;
    }
    return true;
}

/* Outputs whose planned shape is not the declared one. */
static bool output_differs_from_declared(struct rule_case *rule_case)
{
    const struct mls_interface *interface = rule_case->interface;
    const struct mls_plan *plan = rule_case->facts->plan;
    for (size_t i = 0; i < interface->n_outputs; i++) {
        const struct mls_feature *declared = &interface->outputs[i];
        const struct mls_step_operand *made = NULL;
        for (size_t k = 0; k < mls_plan_step_count(plan); k++) {
            const struct mls_step *step = mls_plan_step(plan, k);
            for (uint32_t o = 0; o < step->n_outputs; o++) {
                if (step->depth == 0 && strcmp(step->outputs[o].name, declared->name) == 0)
                    made = &step->outputs[o];
            }
        }
        if (made == NULL || declared->kind != MLS_FEATURE_TENSOR || !mls_type_is_static(&declared->type) ||
            declared->type.rank == 0 || !mls_type_is_static(&made->type) || declared->n_ranges > 0 ||
            declared->n_enumerated > 0 || mls_type_elems(&declared->type) == mls_type_elems(&made->type))
            continue;
        char wanted[96];
        char got[96];
        rule_evidence(rule_case, "output \"%s\" is declared as %s and comes out as %s", declared->name,
                      mls_shape_format(&declared->type, wanted, sizeof(wanted)),
                      mls_shape_format(&made->type, got, sizeof(got)));
    }
    return rule_case->finding.n_evidence > 0;
}

static const struct mls_rule ROWS[] = {
    {.id = "ACC001",
     .title = "values are lost in fp16 that fp32 keeps",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_WALK,
     .assess = lost_in_fp16,
     .why = "fp16 ends at 65504 and has no values below 6e-8: a sum of squares overflows, a small product "
            "becomes "
            "zero, and everything that is computed from it is wrong.",
     .fix = "Keep these operations, and what reads their values, in fp32 (op_selector of "
            "FP16ComputePrecision), or scale "
            "the values down first; `mlscope compare MODEL --inputs FILE` shows the operations on your own "
            "inputs.",
     .source = "coremltools#2110, #2603, #1671; coreai-models PR 239"},
    {.id = "ACC002",
     .title = "an output is not finite, in fp32 either",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_WALK,
     .assess = not_finite_at_all,
     .why = "The precision is not to blame: the model computes it so from this input, as a logarithm of a "
            "negative "
            "number or a division by zero; or a converter changed the graph.",
     .fix =
         "Give inputs that the model is made for (--inputs); compare with the graph of an export that works.",
     .source = "coremltools#1932, #2223; whisper.cpp#979"},
    {.id = "LOAD043",
     .title = "an output has another shape than the description says",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL | RULE_NEEDS_PLAN,
     .assess = output_differs_from_declared,
     .patterns = "I/O contains unknown strides\nE5RT encountered an STL exception. msg = tensor_buffer has…",
     .why = "Enumerated or flexible shapes; from Python there may be no error at all, and a batch of 8 comes "
            "back as 1.",
     .fix = "Use fixed shapes, or one function for each shape; check the shape of the output.",
     .source = "coremltools#2730"},
};

RULE_FAMILY(values);
