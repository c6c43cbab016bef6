/* MEM: memory over a load and over predictions, and bytes that are stored or held more than once. */
#include "rule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)

static bool grows_here(struct rule_case *rule_case)
{
    enum { PREDICTIONS_MIN = 8 };
    const uint64_t each_that_matters = 64 << 10;
    const struct mls_growth *growth = &rule_case->facts->measurement->growth;
    if (growth->rss_first_bytes == 0 || growth->rss_last_bytes <= growth->rss_first_bytes ||
        growth->n_predictions < PREDICTIONS_MIN)
        return false;
    uint64_t grown = growth->rss_last_bytes - growth->rss_first_bytes;
    if (grown < 16 * MIB || grown / growth->n_predictions < each_that_matters)
        return false;
    rule_evidence(rule_case, "%.1f MB more after %" PRIu64 " predictions: %.3f MB each",
                  rule_megabytes(grown), growth->n_predictions,
                  rule_megabytes(grown / growth->n_predictions));
    return true;
}

/* Elements of a shape; 0 when it does not fit a number. */
static uint64_t shape_elems(const struct mls_shape *shape)
{
    uint64_t n = 1;
    for (unsigned i = 0; i < shape->rank && i < MLS_RANK_MAX; i++) {
        if (shape->dims[i] <= 0 || __builtin_mul_overflow(n, (uint64_t)shape->dims[i], &n))
            return 0;
    }
    return n;
}

static bool largest_shape_decides(struct rule_case *rule_case)
{
    enum { TIMES = 4 };
    for (size_t i = 0; i < rule_case->interface->n_inputs; i++) {
        const struct mls_feature *input = &rule_case->interface->inputs[i];
        uint64_t smallest = UINT64_MAX;
        uint64_t largest = 0;
        for (size_t k = 0; k < input->n_enumerated; k++) {
            uint64_t n = shape_elems(&input->enumerated[k]);
            smallest = n > 0 && n < smallest ? n : smallest;
            largest = n > largest ? n : largest;
        }
        if (largest == 0 || largest / TIMES < smallest)
            continue;
        rule_evidence(rule_case,
                      "input \"%s\": the largest of %zu shapes has %.1f times the elements of the smallest",
                      input->name, input->n_enumerated, (double)largest / (double)smallest);
    }
    return rule_case->finding.n_evidence > 0;
}

static bool peak_while_loading(struct rule_case *rule_case)
{
    const struct mls_measurement *measured = rule_case->facts->measurement;
    uint64_t weights = mls_plan_memory(rule_case->facts->plan).weights_bytes;
    if (measured->load_rss_bytes == 0 || measured->load_peak_rss_bytes <= measured->load_rss_bytes)
        return false;
    uint64_t transient = measured->load_peak_rss_bytes - measured->load_rss_bytes;
    /* of a model with few weights it is the inputs that were made, which is the caller's business */
    if (weights < 64 * MIB || transient < 64 * MIB || transient < weights / 2)
        return false;
    rule_evidence(
        rule_case,
        "%.1f MB resident at the highest point of the load, %.1f MB once it was done; weights %.1f MB",
        rule_megabytes(measured->load_peak_rss_bytes), rule_megabytes(measured->load_rss_bytes),
        rule_megabytes(weights));
    return true;
}

static bool each_concurrent_one_costs(struct rule_case *rule_case)
{
    struct mls_memory memory = mls_plan_memory(rule_case->facts->plan);
    uint64_t each = memory.arena_bytes + memory.scratch_bytes + memory.states_bytes;
    if (each < 64 * MIB)
        return false;
    rule_evidence(rule_case,
                  "each prediction at the same time takes %.1f MB: %.1f of intermediate values, %.1f of "
                  "scratch, %.1f of "
                  "states",
                  rule_megabytes(each), rule_megabytes(memory.arena_bytes),
                  rule_megabytes(memory.scratch_bytes), rule_megabytes(memory.states_bytes));
    return true;
}

static bool taken_anew(struct rule_case *rule_case)
{
    uint64_t bytes = rule_case->facts->measurement->dynamic_bytes;
    if (bytes < 4 * MIB)
        return false;
    rule_evidence(rule_case, "%.1f MB of values whose size is known only while they are computed",
                  rule_megabytes(bytes));
    return true;
}

struct stored {
    const struct mls_constant *constant;
    const char *name;
};

static int compare_stored(const void *a, const void *b)
{
    const struct stored *left = a;
    const struct stored *right = b;
    if (left->constant->size_bytes != right->constant->size_bytes)
        return left->constant->size_bytes > right->constant->size_bytes ? -1 : 1;
    if (left->constant->data == right->constant->data)
        return 0;
    return memcmp(left->constant->data, right->constant->data, left->constant->size_bytes);
}

/* Weights with the same bytes at different places of the package. */
static bool stored_twice(struct rule_case *rule_case)
{
    enum { WEIGHT_BYTES_MIN = 4096 };
    const struct mls_program *program = &rule_case->facts->model->program;
    struct stored *list = MLS_STORE_ARRAY(rule_case->store, program->n_values, struct stored);
    size_t n = 0;
    uint64_t all = 0;
    uint64_t twice = 0;
    for (uint32_t i = 0; list != NULL && i < program->n_values; i++) {
        const struct mls_constant *constant = program->values[i].constant;
        if (constant == NULL || constant->blob_path == NULL || constant->data == NULL ||
            constant->size_bytes < WEIGHT_BYTES_MIN)
            continue;
        list[n++] = (struct stored){.constant = constant, .name = program->values[i].name};
    }
    if (n > 0)
        qsort(list, n, sizeof(*list), compare_stored);
    for (size_t i = 0; i < n; i++) {
        bool shared = i > 0 && list[i].constant->data == list[i - 1].constant->data;
        all += shared ? 0 : list[i].constant->size_bytes;
        if (i == 0 || shared || compare_stored(&list[i], &list[i - 1]) != 0)
            continue;
        twice += list[i].constant->size_bytes;
        rule_evidence(rule_case, "\"%s\" holds the same %zu bytes as \"%s\"", list[i].name,
                      list[i].constant->size_bytes, list[i - 1].name);
    }
    if (twice < MIB || twice < all / 20)
        return false;
    rule_conclude(rule_case, "%.1f of %.1f MB of weights are stored more than once", rule_megabytes(twice),
                  rule_megabytes(all));
    return true;
}

/* A weight of two or more dimensions in fp16 or fp32, which compression would make smaller. */
static bool is_dense_weight(const struct mls_value *value)
{
    return value->constant != NULL && value->constant->blob_path != NULL &&
           (value->type.dtype == MLS_FP16 || value->type.dtype == MLS_FP32) && value->type.rank >= 2 &&
           value->type.rank <= MLS_RANK_MAX;
}

static bool weights_could_be_smaller(struct rule_case *rule_case)
{
    const uint64_t worth_it = 20 * MIB;
    const struct mls_program *program = &rule_case->facts->model->program;
    const struct mls_value *largest = NULL;
    uint64_t bytes = 0;
    uint64_t elems = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < program->n_values; i++) {
        const struct mls_value *value = &program->values[i];
        if (!is_dense_weight(value))
            continue;
        n++;
        bytes += value->constant->size_bytes;
        elems += value->constant->size_bytes * 8 / mls_dtype_bits(value->type.dtype);
        if (largest == NULL || value->constant->size_bytes > largest->constant->size_bytes)
            largest = value;
    }
    if (bytes < worth_it)
        return false;
    rule_evidence(rule_case,
                  "%" PRIu32
                  " weights take %.1f MB; with 8 bits they would take %.1f MB, with 4 bits %.1f MB",
                  n, rule_megabytes(bytes), rule_megabytes(elems), rule_megabytes(elems / 2));
    rule_evidence(rule_case, "the largest is \"%s\" with %.1f MB", largest->name,
                  rule_megabytes(largest->constant->size_bytes));
    return true;
}

static bool owners_of_memory(struct rule_case *rule_case)
{
    struct mls_memory memory = mls_plan_memory(rule_case->facts->plan);
    uint64_t all = memory.weights_bytes + memory.packed_bytes + memory.arena_bytes + memory.scratch_bytes +
                   memory.states_bytes;
    if (all < 128 * MIB)
        return false;
    rule_evidence(rule_case,
                  "%.1f MB: weights as stored %.1f, copies of them for the kernels %.1f, intermediate values "
                  "%.1f, scratch "
                  "%.1f, states %.1f",
                  rule_megabytes(all), rule_megabytes(memory.weights_bytes),
                  rule_megabytes(memory.packed_bytes), rule_megabytes(memory.arena_bytes),
                  rule_megabytes(memory.scratch_bytes), rule_megabytes(memory.states_bytes));
    return true;
}

static const struct mls_rule ROWS[] = {
    {.id = "MEM001",
     .title = "memory grows from prediction to prediction",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = grows_here,
     .why = "mlscope itself keeps nothing between predictions but what the plan says. In applications "
            "outputs are "
            "released late in loops without an autorelease pool (24 to 92 MB a call were seen).",
     .fix =
         "Put each call into an autoreleasepool; where it does not grow here, the caller keeps the outputs.",
     .source = "coremltools#1312, #421; onnxruntime PR 14738; pytorch PR 95384; whisper.cpp#797, #1202"},
    {.id = "MEM002",
     .title = "the largest allowed shape decides what memory is taken",
     .layer = MLS_LAYER_PLAN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MODEL,
     .assess = largest_shape_decides,
     .why = "Core ML is reported to allocate for the largest enumerated shape, whichever is used.",
     .fix = "List fewer or smaller shapes, or ship a function for each.",
     .source = "coremltools#1249"},
    {.id = "MEM004",
     .title = "loading takes much more memory for a moment than the model does",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_PLAN | RULE_NEEDS_MEASUREMENT,
     .assess = peak_while_loading,
     .why = "A staging copy of the weights lives until they are in place.",
     .fix = "Give a folder, which is mapped, instead of a file that has to be unpacked; load models one "
            "after the other.",
     .source = "parakeet.cpp#59; KataGo PR 27, PR 1202"},
    {.id = "MEM006",
     .title = "each concurrent prediction takes memory of its own",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_PLAN,
     .assess = each_concurrent_one_costs,
     .why = "Intermediate values, scratch and states exist once for each prediction in flight; weights are "
            "shared.",
     .fix = "Run two or three at a time, and give the outputs backings of your own.",
     .source = "ax-coreml guide; coreml guide"},
    {.id = "MEM009",
     .title = "the same weights are stored more than once",
     .layer = MLS_LAYER_PACKAGE,
     .severity = MLS_SEVERITY_WARNING,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MODEL,
     .assess = stored_twice,
     .why = "Exports of several functions or adapters bring the base weights again and again.",
     .fix = "Make one multi-function model: coremltools.utils.save_multifunction stores equal weights once.",
     .source = "ax-coreml guide; coreml guide"},
    {.id = "MEM010",
     .title = "every prediction takes memory anew",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = taken_anew,
     .why = "Values without a planned size are allocated while they are computed, and so are outputs without "
            "backings.",
     .fix = "Fix the shapes, and use outputBackings for the outputs.",
     .source = "coreml-optimizer guide"},
    {.id = "MEM011",
     .title = "compression would make the weights smaller",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MODEL,
     .assess = weights_could_be_smaller,
     .why = "They are stored in 16 or 32 bits an element; file, download and memory follow the bits.",
     .fix = "`mlscope sweep MODEL` shows size, speed and accuracy of each setting, `mlscope compress MODEL "
            "-o OUT` makes one.",
     .source = "coremltools guide, optimization"},
    {.id = "MEM012",
     .title = "what owns the memory",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_PLAN,
     .assess = owners_of_memory,
     .why = "Weights are there once; intermediate values, scratch and states for each prediction at the same "
            "time.",
     .fix = "Begin with the largest: compress weights, use a smaller input, run fewer predictions at a time.",
     .source = "the plan of this model"},
};

RULE_FAMILY(mem_run);
