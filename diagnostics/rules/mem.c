/* MEM: who owns the memory. */
#include "rule.h"

#include <inttypes.h>

#define MEMORY_THAT_MATTERS ((uint64_t)64 << 20)
#define MODEL_THAT_IS_LARGE ((uint64_t)1 << 30)

/* Step with the most planned bytes in use; the count of steps when there is none. */
static size_t peak_step(const struct mls_plan *plan)
{
    size_t peak = mls_plan_step_count(plan);
    uint64_t most = 0;
    for (size_t i = 0; i < mls_plan_step_count(plan); i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        uint64_t bytes = step->live_bytes_after + step->scratch_bytes;
        if (bytes > most) {
            most = bytes;
            peak = i;
        }
    }
    return peak;
}

static bool activations_dominate(struct rule_case *rule_case)
{
    const struct mls_plan *plan = rule_case->facts->plan;
    struct mls_memory memory = mls_plan_memory(plan);
    size_t at = peak_step(plan);
    if (memory.planned_peak_bytes < MEMORY_THAT_MATTERS ||
        memory.planned_peak_bytes < 2 * memory.weights_bytes || at == mls_plan_step_count(plan))
        return false;
    const struct mls_step *step = mls_plan_step(plan, at);
    rule_evidence(rule_case, "intermediate values take %.1f MB at the peak, weights %.1f MB",
                  rule_megabytes(memory.planned_peak_bytes), rule_megabytes(memory.weights_bytes));
    rule_evidence(rule_case, "the peak is at %s \"%s\"; %.1f MB of it are scratch", step->type, step->name,
                  rule_megabytes(step->scratch_bytes));
    rule_affects(rule_case, step->op);
    return true;
}

/* Whether a block lives across the peak, and for a quarter of the prediction at least. */
static bool outlives_peak(const struct mls_buffer *buffer, size_t peak, size_t n_steps)
{
    return buffer->first_step < peak && buffer->last_step > peak &&
           buffer->last_step - buffer->first_step >= n_steps / 4;
}

static bool values_kept_alive(struct rule_case *rule_case)
{
    const struct mls_plan *plan = rule_case->facts->plan;
    struct mls_memory memory = mls_plan_memory(plan);
    size_t at = peak_step(plan);
    size_t n_steps = mls_plan_step_count(plan);
    uint64_t kept_bytes = 0;
    for (size_t i = 0; i < mls_plan_buffer_count(plan); i++) {
        const struct mls_buffer *buffer = mls_plan_buffer(plan, i);
        kept_bytes += outlives_peak(buffer, at, n_steps) ? buffer->size_bytes : 0;
    }
    if (memory.planned_peak_bytes < MEMORY_THAT_MATTERS || at == n_steps ||
        kept_bytes < memory.planned_peak_bytes * 3 / 10)
        return false;
    rule_evidence(rule_case,
                  "%.1f of %.1f MB at the peak (step %zu of %zu, \"%s\"); no plan can be below %.1f MB",
                  rule_megabytes(kept_bytes), rule_megabytes(memory.planned_peak_bytes), at, n_steps,
                  mls_plan_step(plan, at)->name, rule_megabytes(memory.lower_bound_bytes));
    for (size_t i = 0; i < mls_plan_buffer_count(plan); i++) {
        const struct mls_buffer *buffer = mls_plan_buffer(plan, i);
        if (outlives_peak(buffer, at, n_steps))
            rule_evidence(rule_case, "\"%s\": %.1f MB from step %" PRIu32 " to step %" PRIu32, buffer->name,
                          rule_megabytes(buffer->size_bytes), buffer->first_step, buffer->last_step);
    }
    return true;
}

static bool model_is_large(struct rule_case *rule_case)
{
    struct mls_memory memory = mls_plan_memory(rule_case->facts->plan);
    if (memory.weights_bytes + memory.planned_peak_bytes < MODEL_THAT_IS_LARGE)
        return false;
    rule_evidence(rule_case, "weights %.1f MB, intermediate values %.1f MB, states %.1f MB",
                  rule_megabytes(memory.weights_bytes), rule_megabytes(memory.planned_peak_bytes),
                  rule_megabytes(memory.states_bytes));
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "MEM003",
     .title = "intermediate values, not weights, take the memory",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_PLAN,
     .assess = activations_dominate,
     .why = "Their size grows with the input's; seen are 1.4 GB that became 408 MB with a 512 x 512 input.",
     .fix = "Use a smaller input, or work in tiles. Compressing weights does not help here.",
     .source = "IOPaint#405; CoreMLaMa#1; torch2coreml#12"},
    {.id = "MEM005",
     .title = "values that live long hold much of the peak",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_PLAN,
     .assess = values_kept_alive,
     .why = "They are made early and read late, as skip connections are, and stay in memory while the "
            "largest operation runs.",
     .fix = "Split the model into parts, or compute the value again where it is used.",
     .source = "coremltools#1569; ml-stable-diffusion#96"},
    {.id = "MEM007",
     .title = "the model needs more memory than many devices give an application",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .statuses = {MLS_ERR_MEMORY},
     .needs = RULE_NEEDS_PLAN,
     .assess = model_is_large,
     .why = "Weights and intermediate values must fit at the same time.",
     .fix = "Compress the weights: 8 bits take half of fp16, 4 bits a quarter. Use smaller inputs.",
     .source = "ax-coreml guide; coreml guide"},
};

RULE_FAMILY(mem);
