/* PERF: where the time of a measured prediction goes. Gains are what mending would save on this machine. */
#include "rule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

#define NS_PER_MS 1e6
enum { GAIN_MIN_NS = 10000 }; /* below it nobody changes a model */

/* Time of a step in one prediction; 0 for control steps, whose time is that of others. */
static uint64_t step_ns(const struct rule_case *rule_case, size_t index)
{
    const struct mls_measurement *measured = rule_case->facts->measurement;
    const struct mls_step *step = mls_plan_step(rule_case->facts->plan, index);
    return measured->step_ns != NULL && index < measured->n_steps && !step->control
               ? measured->step_ns[index]
               : 0;
}

/* The step that executes an operation; the count of steps when none does. */
static size_t step_of(const struct rule_case *rule_case, mls_op_id op)
{
    size_t n = mls_plan_step_count(rule_case->facts->plan);
    for (size_t i = 0; i < n; i++) {
        const struct mls_step *step = mls_plan_step(rule_case->facts->plan, i);
        for (uint32_t k = 0; k < step->n_fused; k++) {
            if (step->fused[k].i == op.i)
                return i;
        }
    }
    return n;
}

/* Time of the steps that consist of these operations alone: what goes when they go. */
static uint64_t time_of_ops(const struct rule_case *rule_case, const bool *wanted)
{
    uint64_t ns = 0;
    for (size_t i = 0; i < mls_plan_step_count(rule_case->facts->plan); i++) {
        const struct mls_step *step = mls_plan_step(rule_case->facts->plan, i);
        bool all = step->n_fused > 0;
        for (uint32_t k = 0; k < step->n_fused; k++)
            all = all && wanted[step->fused[k].i];
        ns += all ? step_ns(rule_case, i) : 0;
    }
    return ns;
}

/* ---- The series of predictions
 * --------------------------------------------------------------------------------- */

static int compare_ns(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* The first and the last third of the predictions. Quartiles say how far the two lie apart. */
struct thirds {
    uint64_t first_median_ns;
    uint64_t first_upper_ns; /* the third quartile */
    uint64_t last_median_ns;
    uint64_t last_lower_ns; /* the first quartile */
    double seconds;         /* of all predictions */
};

static bool sort_third(struct rule_case *rule_case, const uint64_t *samples, size_t n, uint64_t **ret_sorted)
{
    *ret_sorted = MLS_STORE_ARRAY(rule_case->store, n, uint64_t);
    if (*ret_sorted == NULL)
        return false;
    memcpy(*ret_sorted, samples, n * sizeof(**ret_sorted));
    qsort(*ret_sorted, n, sizeof(**ret_sorted), compare_ns);
    return true;
}

/* False with too few predictions, and where other programs took the processors: then the series is about them. */
static bool thirds(struct rule_case *rule_case, struct thirds *ret)
{
    enum { SAMPLES_MIN = 30 };
    const struct mls_measurement *measured = rule_case->facts->measurement;
    size_t n = measured->n_samples;
    size_t third = n / 3;
    uint64_t *first;
    uint64_t *last;
    if (measured->samples_ns == NULL || n < SAMPLES_MIN || rule_was_disturbed(measured) ||
        !sort_third(rule_case, measured->samples_ns, third, &first) ||
        !sort_third(rule_case, measured->samples_ns + (n - third), third, &last))
        return false;
    double ns = 0;
    for (size_t i = 0; i < n; i++)
        ns += (double)measured->samples_ns[i];
    *ret = (struct thirds){.first_median_ns = first[third / 2],
                           .first_upper_ns = first[third * 3 / 4],
                           .last_median_ns = last[third / 2],
                           .last_lower_ns = last[third / 4],
                           .seconds = ns / 1e9};
    return ret->first_median_ns > 0;
}

/* Half slower, and so for most predictions of each third: no burst of slow ones in one of them. */
static bool latency_jumps(struct rule_case *rule_case)
{
    struct thirds of;
    if (!thirds(rule_case, &of) || of.last_lower_ns < of.first_upper_ns + of.first_upper_ns / 2)
        return false;
    rule_evidence(
        rule_case,
        "median of the first third of %zu predictions %.3f ms, of the last third %.3f ms, over %.1f s",
        rule_case->facts->measurement->n_samples, (double)of.first_median_ns / NS_PER_MS,
        (double)of.last_median_ns / NS_PER_MS, of.seconds);
    return true;
}

static bool slower_when_sustained(struct rule_case *rule_case)
{
    const double seconds_of_heat = 10;
    struct thirds of;
    if (!thirds(rule_case, &of) || of.seconds < seconds_of_heat ||
        of.last_median_ns < of.first_median_ns + of.first_median_ns / 10 || of.last_lower_ns < of.first_upper_ns)
        return false;
    rule_evidence(rule_case, "after %.0f s of predictions the median went from %.3f to %.3f ms", of.seconds,
                  (double)of.first_median_ns / NS_PER_MS, (double)of.last_median_ns / NS_PER_MS);
    return true;
}

/* ---- Around and between operations
 * ----------------------------------------------------------------------------- */

static uint64_t wall_ns(const struct mls_wall *wall)
{
    return wall->ops_ns + wall->dispatch_ns + wall->hooks_ns + wall->other_ns;
}

static bool around_the_operations(struct rule_case *rule_case)
{
    enum { PART = 5 };
    const struct mls_wall *wall = &rule_case->facts->measurement->wall;
    if (wall->other_ns < 200000 || wall->other_ns < wall_ns(wall) / PART ||
        rule_was_disturbed(rule_case->facts->measurement))
        return false;
    rule_evidence(rule_case,
                  "%.3f of %.3f ms of a prediction pass before the first and after the last operation",
                  (double)wall->other_ns / NS_PER_MS, (double)wall_ns(wall) / NS_PER_MS);
    rule_gain(rule_case, wall->other_ns, wall_ns(wall));
    return true;
}

/* Steps so short that calling them is a good part of what they cost. */
static bool dispatch_dominates(struct rule_case *rule_case)
{
    enum { SHORT_NS = 2000, PART = 10 };
    const struct mls_wall *wall = &rule_case->facts->measurement->wall;
    size_t n = mls_plan_step_count(rule_case->facts->plan);
    size_t n_short = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t ns = step_ns(rule_case, i);
        n_short += ns > 0 && ns < SHORT_NS;
    }
    if (n_short < 16 || wall->dispatch_ns < wall_ns(wall) / PART ||
        rule_was_disturbed(rule_case->facts->measurement))
        return false;
    rule_evidence(rule_case, "%zu of %zu steps take less than %d us; %.1f of %.1f us pass between steps",
                  n_short, n, SHORT_NS / 1000, (double)wall->dispatch_ns / 1e3, (double)wall_ns(wall) / 1e3);
    rule_gain(rule_case, wall->dispatch_ns, wall_ns(wall));
    return true;
}

static bool threads_wait(struct rule_case *rule_case)
{
    const struct mls_measurement *measured = rule_case->facts->measurement;
    const struct mls_growth *growth = &measured->growth;
    if (measured->threads < 2 || growth->n_predictions < 10 || growth->wall_ns < 100000000 ||
        growth->cpu_ns == 0)
        return false;
    double busy = (double)growth->cpu_ns / (double)growth->wall_ns;
    /* one thread works all the time whatever happens */
    double share = (busy - 1) / (measured->threads - 1);
    /* below one processor the machine was taken by others, which says nothing of the model */
    if (share > 0.25 || busy < 0.8 || rule_was_disturbed(measured))
        return false;
    rule_evidence(rule_case, "%" PRIu32 " threads, but only %.2f processors were busy on average",
                  measured->threads, busy);
    return true;
}

/* ---- Operations that need not be there
 * -------------------------------------------------------------------------- */

/* The needless ones are marked and told; what they take is the gain. */
static bool conclude_needless(struct rule_case *rule_case, const bool *needless, uint32_t n)
{
    if (n == 0)
        return false;
    uint64_t ns = time_of_ops(rule_case, needless);
    uint64_t p50_ns = rule_case->facts->measurement->p50_ns;
    rule_gain(rule_case, ns, p50_ns);
    rule_conclude(rule_case, "%" PRIu32 " of them take %.1f of %.1f us", n, (double)ns / 1e3,
                  (double)p50_ns / 1e3);
    /* what costs nothing here is no reason to change a model */
    return ns >= GAIN_MIN_NS && ns >= p50_ns / 100;
}

/* A cast to a type and back, or to the type that the value has. */
static bool needless_casts(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    bool *needless = MLS_STORE_ARRAY(rule_case->store, program->n_ops, bool);
    uint32_t n = 0;
    for (uint32_t i = 0; needless != NULL && i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        const struct mls_value *x = graph_operand(program, op, "x");
        if (strcmp(op->type, "cast") != 0 || x == NULL || op->n_outputs == 0)
            continue;
        enum mls_dtype to = program->values[op->outputs[0].i].type.dtype;
        const struct mls_op *before = graph_producer(program, x);
        const struct mls_value *origin =
            before != NULL && strcmp(before->type, "cast") == 0 ? graph_operand(program, before, "x") : NULL;
        /* narrower in between means that the casts round */
        bool back =
            origin != NULL && origin->type.dtype == to && mls_dtype_bits(x->type.dtype) >= mls_dtype_bits(to);
        if (x->type.dtype != to && !back)
            continue;
        needless[i] = true;
        n++;
        rule_affects(rule_case, (mls_op_id){i});
        rule_evidence(rule_case, "cast \"%s\": %s to %s%s", op->name, mls_dtype_name(x->type.dtype),
                      mls_dtype_name(to), back ? " and back" : ", which it is");
    }
    return conclude_needless(rule_case, needless, n);
}

/* Whether the permutations of two transposes in a row undo each other. */
static bool undo_each_other(const struct mls_value *first, const struct mls_value *second)
{
    if (first == NULL || second == NULL || first->constant == NULL || second->constant == NULL ||
        first->type.dtype != MLS_INT32 || second->type.dtype != MLS_INT32 || first->constant->data == NULL ||
        second->constant->data == NULL)
        return false;
    int64_t n = mls_type_elems(&first->type);
    if (n < 1 || n > MLS_RANK_MAX || n != mls_type_elems(&second->type))
        return false;
    const int32_t *p = first->constant->data;
    const int32_t *q = second->constant->data;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = q[i] < 0 ? q[i] + n : q[i];
        if (at < 0 || at >= n)
            return false;
        int64_t from = p[at] < 0 ? p[at] + n : p[at];
        if (from != i)
            return false;
    }
    return true;
}

static bool needless_transposes(struct rule_case *rule_case)
{
    const struct mls_program *program = &rule_case->facts->model->program;
    bool *needless = MLS_STORE_ARRAY(rule_case->store, program->n_ops, bool);
    uint32_t n = 0;
    for (uint32_t i = 0; needless != NULL && i < program->n_ops; i++) {
        const struct mls_op *op = &program->ops[i];
        if (strcmp(op->type, "transpose") != 0)
            continue;
        /* through operations on single elements, which do not care for the order */
        const struct mls_op *before = graph_source(
            program, graph_operand(program, op, "x"), "transpose",
            "cast relu gelu silu sigmoid tanh clip exp abs sqrt square relu6 identity leaky_relu elu", 4);
        if (before == NULL ||
            !undo_each_other(graph_operand(program, before, "perm"), graph_operand(program, op, "perm")))
            continue;
        needless[i] = true;
        n++;
        rule_affects(rule_case, (mls_op_id){i});
        rule_evidence(rule_case, "transpose \"%s\" undoes transpose \"%s\"", op->name, before->name);
    }
    return conclude_needless(rule_case, needless, n);
}

/* ---- The roofline
 * ------------------------------------------------------------------------------------------------ */

/* Least time that the machine's limits allow a step. */
static double least_ns(const struct mls_roofline *roofline, const struct mls_cost *cost, bool *ret_memory)
{
    double compute_ns = (double)cost->flops / roofline->gflops;
    double memory_ns = ((double)cost->bytes_read + (double)cost->bytes_written) / roofline->gbytes_per_s;
    *ret_memory = memory_ns > compute_ns;
    return *ret_memory ? memory_ns : compute_ns;
}

struct hot_step {
    size_t index;
    uint64_t ns;
};

static int compare_hot(const void *a, const void *b)
{
    const struct hot_step *left = a;
    const struct hot_step *right = b;
    return left->ns > right->ns ? -1 : left->ns < right->ns;
}

/* A few operations that take most of the time: which, what limits them, and how near they are to the limit.
 */
static bool few_take_most(struct rule_case *rule_case)
{
    enum { TOLD = 5 };
    const double share_of_one = 0.25;
    const struct mls_measurement *measured = rule_case->facts->measurement;
    const struct mls_roofline *roofline = &measured->roofline;
    size_t n = mls_plan_step_count(rule_case->facts->plan);
    struct hot_step *hot = MLS_STORE_ARRAY(rule_case->store, n, struct hot_step);
    if (hot == NULL || roofline->gflops <= 0 || roofline->gbytes_per_s <= 0 || measured->p50_ns < 1000000)
        return false;
    for (size_t i = 0; i < n; i++)
        hot[i] = (struct hot_step){.index = i, .ns = step_ns(rule_case, i)};
    qsort(hot, n, sizeof(*hot), compare_hot);
    if (n < 2 || (double)hot[0].ns < share_of_one * (double)measured->p50_ns)
        return false;
    double gain_ns = 0;
    for (size_t i = 0; i < n && i < TOLD && hot[i].ns > measured->p50_ns / 20; i++) {
        const struct mls_step *step = mls_plan_step(rule_case->facts->plan, hot[i].index);
        bool memory;
        double limit_ns = least_ns(roofline, &step->cost, &memory);
        rule_affects(rule_case, step->op);
        rule_evidence(rule_case,
                      "%s \"%s\": %.3f ms, %.0f %%; bound by %s, %.0f %% of the %.4g %s that %s on this machine",
                      step->type, step->name, (double)hot[i].ns / NS_PER_MS,
                      100.0 * (double)hot[i].ns / (double)measured->p50_ns, memory ? "memory" : "compute",
                      hot[i].ns > 0 ? 100 * limit_ns / (double)hot[i].ns : 0.0,
                      memory ? roofline->gbytes_per_s : roofline->gflops, memory ? "GB/s" : "GFLOP/s",
                      memory ? "memory gives" : "fp32 reaches");
        gain_ns += limit_ns < (double)hot[i].ns ? (double)hot[i].ns - limit_ns : 0;
    }
    rule_case->finding.gain_ns = (uint64_t)gain_ns;
    return true;
}

/* Convolutions with channels that fill no vector, where they cost time here. */
static bool odd_channels_here(struct rule_case *rule_case)
{
    enum { MULTIPLE = 8, CHANNELS_MIN = 9 };
    const struct mls_program *program = &rule_case->facts->model->program;
    uint64_t ns = 0;
    for (uint32_t i = 0; i < program->n_ops; i++) {
        const struct mls_value *weight = graph_operand(program, &program->ops[i], "weight");
        if (!graph_has_word("conv linear", program->ops[i].type) || weight == NULL || weight->type.rank < 2 ||
            weight->type.rank > MLS_RANK_MAX || weight->type.dims[0] < CHANNELS_MIN ||
            weight->type.dims[0] % MULTIPLE == 0)
            continue;
        size_t step = step_of(rule_case, (mls_op_id){i});
        uint64_t here_ns = step < mls_plan_step_count(rule_case->facts->plan) ? step_ns(rule_case, step) : 0;
        if (here_ns < rule_case->facts->measurement->p50_ns / 50)
            continue;
        int64_t channels = weight->type.dims[0];
        int64_t padded = (channels + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
        /* what is computed for nothing in the last group */
        ns += (uint64_t)((double)here_ns * (double)(padded - channels) / (double)padded);
        rule_affects(rule_case, (mls_op_id){i});
        rule_evidence(rule_case, "%s \"%s\" makes %" PRId64 " channels, no multiple of %d, in %.1f us",
                      program->ops[i].type, program->ops[i].name, channels, MULTIPLE, (double)here_ns / 1e3);
    }
    if (rule_case->finding.n_evidence == 0)
        return false;
    /* kernels that pad no channels waste nothing: never more than a note */
    rule_case->finding.gain_ns = ns;
    return ns >= GAIN_MIN_NS && ns >= rule_case->facts->measurement->p50_ns / 100;
}

enum {
    MEASURED_PLAN = RULE_NEEDS_PLAN | RULE_NEEDS_MEASUREMENT,
    MEASURED_MODEL = RULE_NEEDS_MODEL | MEASURED_PLAN
};

static const struct mls_rule ROWS[] = {
    {.id = "PERF005",
     .title = "predictions became slower while they were measured",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = latency_jumps,
     .why = "Scheduling, frequency and quality of service, not the model: on devices latency has doubled "
            "after some "
            "tens of predictions.",
     .fix = "Look at the series, not only at a mean; measure longer, on an idle machine.",
     .source = "mobile_app_open#472"},
    {.id = "PERF017",
     .title = "predictions are slower under sustained load",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = slower_when_sustained,
     .why = "Heat: the machine lowers its frequency.",
     .fix = "Test sustained on the device, and leave room in the time budget.",
     .source = "coreml-optimizer guide"},
    {.id = "PERF012",
     .title = "much of a prediction passes outside the operations",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = around_the_operations,
     .why = "Inputs and outputs are copied and converted; in an application resizing and tokenizing come on "
            "top.",
     .fix = "Put preprocessing into the model (image input with scale and bias), return less, and profile "
            "the whole "
            "pipeline.",
     .source = "coreml-optimizer guide"},
    {.id = "PERF020",
     .title = "a few operations take most of the time",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = MEASURED_PLAN,
     .assess = few_take_most,
     .why = "What an operation needs at least is set by this machine's arithmetic or by its memory, "
            "whichever is "
            "slower; the gain is the distance to that limit.",
     .fix = "Bound by memory: compress the weights, or work on smaller values. Bound by compute: fewer "
            "channels, a "
            "smaller input, or grouped convolutions.",
     .source = "roofline model; limits measured on this machine"},
    {.id = "PERF021",
     .title = "casts that change nothing",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = MEASURED_MODEL,
     .assess = needless_casts,
     .why = "A value is cast to another type and back, or to the type that it has.",
     .fix = "Convert the whole model in one precision, or leave the casts out of the source model.",
     .source = "measured on this machine"},
    {.id = "PERF022",
     .title = "transposes that undo each other",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = MEASURED_MODEL,
     .assess = needless_transposes,
     .why = "A layout is changed and changed back with nothing in between that needs it.",
     .fix = "Keep one layout through the model; PyTorch's channels-last habit or a TensorFlow source often "
            "leaves these.",
     .source = "measured on this machine"},
    {.id = "PERF023",
     .title = "many operations are too small for what it costs to call them",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_HIGH,
     .needs = MEASURED_PLAN,
     .assess = dispatch_dominates,
     .why = "Each operation costs a call, here and on a device.",
     .fix = "Do more in one operation: batch the work, fold constants, and use the composite operations "
            "(layer_norm, "
            "gelu, scaled_dot_product_attention).",
     .source = "measured on this machine"},
    {.id = "PERF024",
     .title = "threads wait",
     .layer = MLS_LAYER_RUN,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = RULE_NEEDS_MEASUREMENT,
     .assess = threads_wait,
     .why = "The operations are too small to be shared, or the processors are taken by others.",
     .fix = "Use fewer threads for one prediction (--threads 1), and more predictions at a time "
            "(--concurrency).",
     .source = "measured on this machine"},
    {.id = "PERF025",
     .title = "channel counts that fill no vector",
     .layer = MLS_LAYER_MIL,
     .severity = MLS_SEVERITY_INFO,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .needs = MEASURED_MODEL,
     .assess = odd_channels_here,
     .why = "Processors and the Neural Engine work in groups of channels; the rest of a group is computed "
            "for nothing.",
     .fix = "Choose channel counts that are multiples of 8.",
     .source = "measured on this machine; coreml-optimizer guide"},
};

RULE_FAMILY(speed);
