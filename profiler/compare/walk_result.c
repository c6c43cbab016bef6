#include "compare/walk_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double FP16_MAX = 65504;
static const double ERROR_THAT_MATTERS = 0.01; /* 40 dB */
static const double SHARE_LOST_THAT_MATTERS = 0.5;

static const char *const LOSSES[MLS_WALK_LOSS_COUNT] = {
#define X(id, words) [MLS_WALK_##id] = (words),
    MLS_WALK_LOSS_LIST(X)
#undef X
};

const char *mls_walk_loss_text(enum mls_walk_loss loss)
{
    return (unsigned)loss < MLS_WALK_LOSS_COUNT ? LOSSES[loss] : "";
}

/* Who makes a value, sorted by its name. */
struct maker {
    const char *name;
    uint32_t step;
};

static int compare_makers(const void *a, const void *b)
{
    const struct maker *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : left->step < right->step ? -1 : left->step > right->step;
}

static struct maker *list_makers(const struct mls_plan *plan, size_t *ret_n)
{
    size_t n = 0, n_steps = mls_plan_step_count(plan);
    for (size_t i = 0; i < n_steps; i++)
        n += mls_plan_step(plan, i)->n_outputs;
    struct maker *makers = calloc(n + 1, sizeof *makers);
    for (size_t i = 0, at = 0; makers && i < n_steps; i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        for (uint32_t k = 0; k < step->n_outputs; k++)
            makers[at++] = (struct maker){.name = step->outputs[k].name, .step = (uint32_t)i};
    }
    if (makers)
        qsort(makers, n, sizeof *makers, compare_makers);
    *ret_n = n;
    return makers;
}

/* The latest step before `before` that makes the value, or MLS_NO_INDEX (inputs, constants). */
static uint32_t find_maker(const struct maker *makers, size_t n, const char *name, uint32_t before)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(makers[middle].name, name);
        if (order < 0 || (order == 0 && makers[middle].step < before))
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && !strcmp(makers[low - 1].name, name) ? makers[low - 1].step : MLS_NO_INDEX;
}

/* Error that a step begins with: the largest of its operands'. Steps that were not compared hand theirs on.
 */
static bool carried_errors(const struct walk_sums *sums, double *ret_carried, double *ret_errors)
{
    size_t n;
    const struct mls_plan *plan = sums->a->plan;
    struct maker *makers = list_makers(plan, &n);
    for (uint32_t i = 0; makers && i < mls_plan_step_count(plan); i++) {
        const struct mls_step *step = mls_plan_step(plan, i);
        ret_carried[i] = 0;
        for (uint32_t k = 0; k < step->n_inputs; k++) {
            uint32_t maker =
                step->inputs[k].constant ? MLS_NO_INDEX : find_maker(makers, n, step->inputs[k].name, i);
            if (maker != MLS_NO_INDEX && ret_errors[maker] > ret_carried[i])
                ret_carried[i] = ret_errors[maker];
        }
        ret_errors[i] = sums->sums[i].n_elems ? difference_relative(&sums->sums[i]) : ret_carried[i];
    }
    free(makers);
    return makers != NULL;
}

/* Operations whose elements are some of their operands' as they are: what differs, differed before. */
static bool hands_on(const char *type)
{
    static const char *const types[] = {
        "relu",          "relu6",          "clip",    "abs",     "maximum",     "minimum",        "max_pool",
        "reduce_max",    "reduce_min",     "concat",  "stack",   "split",       "slice_by_index", "slice_by_size",
        "reshape",       "transpose",      "squeeze", "tile",    "expand_dims", "pad",            "reverse",
        "space_to_depth", "depth_to_space", "select",  "identity", "upsample_nearest_neighbor"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i], type))
            return true;
    return false;
}

static struct mls_walk_op conclude_op(const struct walk_sums *sums, uint32_t a, double carried)
{
    const struct difference *sum = &sums->sums[a];
    uint32_t b = sums->b_of_a[a];
    const struct mls_step *step = mls_plan_step(sums->a->plan, a), *other = mls_plan_step(sums->b->plan, b);
    struct mls_walk_op op = {.a = a,
                             .b = b,
                             .type = step->type,
                             .name = step->name,
                             .dtype_a = step->n_outputs ? step->outputs[0].type.dtype : MLS_NONE,
                             .dtype_b = other->n_outputs ? other->outputs[0].type.dtype : MLS_NONE,
                             .compared = sum->n_elems > 0 && !sums->not_compared[a],
                             .n_elems = sum->n_elems,
                             .max_a = sum->max_a,
                             .max_b = sum->max_b,
                             .max_error = sum->max_error,
                             .n_not_finite_a = sum->n_not_finite_a,
                             .n_not_finite_b = sum->n_not_finite_b,
                             .n_lost = sum->n_lost};
    op.snr_db = difference_snr_db(sum);
    op.relative_error = difference_relative(sum);
    bool adds = op.relative_error > carried && !(hands_on(op.type) && step->n_fused < 2 && other->n_fused < 2);
    op.added_error = adds ? op.relative_error - carried : 0;
    return op;
}

/* Operations that choose among values: a rounding that turns the choice is not theirs to mend. */
static bool chooses(const char *type)
{
    static const char *const types[] = {"topk",      "argsort",           "gather",
                                        "gather_nd", "gather_along_axis", "non_maximum_suppression"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i], type))
            return true;
    return false;
}

/* Whether this operation of B, in fp16, loses what A in fp32 has. */
static bool find_loss(const struct mls_walk_op *op, enum mls_walk_loss *ret_loss)
{
    if (!op->compared || op->dtype_b != MLS_FP16 || op->dtype_a != MLS_FP32 || chooses(op->type))
        return false;
    if (op->n_not_finite_b > op->n_not_finite_a && op->max_a > FP16_MAX)
        *ret_loss = MLS_WALK_OVERFLOW;
    else if (op->added_error > ERROR_THAT_MATTERS &&
             (double)op->n_lost > SHARE_LOST_THAT_MATTERS * (double)op->n_elems && op->max_a < 1)
        *ret_loss = MLS_WALK_UNDERFLOW;
    else if (op->added_error > ERROR_THAT_MATTERS)
        *ret_loss = MLS_WALK_PRECISION;
    else
        return false;
    return true;
}

struct ranked {
    uint32_t op;
    double added_error;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    if (left->added_error != right->added_error)
        return left->added_error > right->added_error ? -1 : 1;
    return left->op < right->op ? -1 : left->op > right->op;
}

static bool rank_worst(const struct mls_walk *walk, uint32_t *ret_worst, size_t *ret_n)
{
    struct ranked *ranked = calloc(walk->n_ops + 1, sizeof *ranked);
    size_t n = 0;
    for (size_t i = 0; ranked && i < walk->n_ops; i++)
        if (walk->ops[i].compared && walk->ops[i].added_error > 0)
            ranked[n++] = (struct ranked){.op = (uint32_t)i, .added_error = walk->ops[i].added_error};
    if (ranked)
        qsort(ranked, n, sizeof *ranked, compare_ranked);
    for (size_t i = 0; ranked && i < n; i++)
        ret_worst[i] = ranked[i].op;
    *ret_n = n;
    free(ranked);
    return ranked != NULL;
}

static bool conclude_ops(const struct walk_sums *sums, struct mls_walk *walk, struct mls_walk_op *ops,
                         struct mls_walk_keep *keep)
{
    size_t n_a = mls_plan_step_count(sums->a->plan);
    double *carried = calloc(n_a + 1, sizeof *carried), *errors = calloc(n_a + 1, sizeof *errors);
    bool ok = carried && errors && carried_errors(sums, carried, errors);
    walk->first = MLS_NO_INDEX;
    for (uint32_t i = 0; ok && i < n_a; i++) {
        if (sums->b_of_a[i] == MLS_NO_INDEX) {
            walk->n_only_a++;
            continue;
        }
        uint32_t at = (uint32_t)walk->n_ops++;
        ops[at] = conclude_op(sums, i, carried[i]);
        walk->n_compared += ops[at].compared;
        if (walk->first == MLS_NO_INDEX && ops[at].compared && ops[at].snr_db < walk->limit_db)
            walk->first = at;
        enum mls_walk_loss loss;
        if (find_loss(&ops[at], &loss))
            keep[walk->n_keep++] = (struct mls_walk_keep){.op = at, .loss = loss};
    }
    walk->n_only_b = mls_plan_step_count(sums->b->plan) - walk->n_ops;
    free(carried);
    free(errors);
    return ok;
}

static size_t find_output(const struct mls_interface *interface, const char *name)
{
    size_t i = 0;
    while (i < interface->n_outputs && strcmp(interface->outputs[i].name, name) != 0)
        i++;
    return i;
}

static size_t conclude_outputs(const struct walk_sums *sums, struct mls_walk_output *outputs)
{
    const struct mls_interface *a = sums->a->interface, *b = sums->b->interface;
    for (size_t i = 0; i < a->n_outputs; i++) {
        struct mls_walk_output *output = &outputs[i];
        *output = (struct mls_walk_output){.name = a->outputs[i].name, .cosine = (double)NAN};
        size_t other = find_output(b, output->name);
        if (other == b->n_outputs && a->n_outputs == b->n_outputs)
            other = i; /* renamed */
        struct difference sum = {0};
        if (other == b->n_outputs ||
            !difference_add(&sum, mls_run_output(sums->a->run, i), mls_run_output(sums->b->run, other)))
            continue;
        output->compared = true;
        output->snr_db = difference_snr_db(&sum);
        output->cosine = difference_cosine(&sum);
        output->max_error = sum.max_error;
        output->n_elems = sum.n_elems;
        output->n_not_finite_a = sum.n_not_finite_a;
        output->n_not_finite_b = sum.n_not_finite_b;
    }
    return a->n_outputs;
}

static const char *copy_text(char **at, const char *text)
{
    char *copy = *at;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

/* Names and types become the walk's own; false when out of memory. */
static bool keep_texts(struct mls_walk *walk, struct mls_walk_op *ops, struct mls_walk_output *outputs)
{
    size_t bytes = 1;
    for (size_t i = 0; i < walk->n_ops; i++)
        bytes += strlen(ops[i].type) + strlen(ops[i].name) + 2;
    for (size_t i = 0; i < walk->n_outputs; i++)
        bytes += strlen(outputs[i].name) + 1;
    char *at = walk->texts = malloc(bytes);
    for (size_t i = 0; at && i < walk->n_ops; i++) {
        ops[i].type = copy_text(&at, ops[i].type);
        ops[i].name = copy_text(&at, ops[i].name);
    }
    for (size_t i = 0; at && i < walk->n_outputs; i++)
        outputs[i].name = copy_text(&at, outputs[i].name);
    return walk->texts != NULL;
}

struct mls_walk *walk_conclude(const struct walk_sums *sums)
{
    size_t n_a = mls_plan_step_count(sums->a->plan);
    struct mls_walk *walk = calloc(1, sizeof *walk);
    struct mls_walk_op *ops = calloc(n_a + 1, sizeof *ops);
    struct mls_walk_keep *keep = calloc(n_a + 1, sizeof *keep);
    uint32_t *worst = calloc(n_a + 1, sizeof *worst);
    struct mls_walk_output *outputs = calloc(sums->a->interface->n_outputs + 1, sizeof *outputs);
    if (walk)
        *walk = (struct mls_walk){
            .ops = ops, .keep = keep, .worst = worst, .outputs = outputs, .limit_db = sums->limit_db};
    if (!walk || !ops || !keep || !worst || !outputs || !conclude_ops(sums, walk, ops, keep) ||
        !rank_worst(walk, worst, &walk->n_worst)) {
        free(walk);
        free(ops);
        free(keep);
        free(worst);
        free(outputs);
        return NULL;
    }
    walk->n_outputs = conclude_outputs(sums, outputs);
    if (!keep_texts(walk, ops, outputs)) {
        mls_walk_free(walk);
        return NULL;
    }
    return walk;
}

void mls_walk_free(struct mls_walk *walk)
{
    if (!walk)
        return;
    /* const for readers only */
    free((void *)(uintptr_t)walk->ops);
    free((void *)(uintptr_t)walk->keep);
    free((void *)(uintptr_t)walk->worst);
    free((void *)(uintptr_t)walk->outputs);
    free(walk->texts);
    free(walk);
}
