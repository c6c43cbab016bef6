#include "profiler/compare.h"

#include <math.h>
#include <stdlib.h>

#include "compare/rounds.h"
#include "profiler/match.h"

/*
 * The noise of a difference of medians. The spread of a series is taken from the median and the 90th
 * percentile, so that a few disturbed predictions do not hide what is there: (p90 - p50) / 1.2816 is the
 * deviation of a normal series. The error of a median of n is sqrt(pi / 2) of it, divided by sqrt(n).
 */
#define P90_DEVIATIONS 1.2816
#define MEDIAN_ERROR 1.2533
#define ERRORS_THAT_MATTER 3.0     /* 99.7 % of differences of equal normal series are smaller */
#define RATIO_THAT_MATTERS 0.01    /* what alignment and frequency change from one process to the next */
static const double CLOCK_NS = 50; /* reading the clock twice around an operation */

static double median_error_ns(uint64_t p50_ns, uint64_t p90_ns, uint64_t runs)
{
    double spread_ns = p90_ns > p50_ns ? (double)(p90_ns - p50_ns) / P90_DEVIATIONS : 0;
    return runs ? MEDIAN_ERROR * spread_ns / sqrt((double)runs) : (double)INFINITY;
}

static struct mls_change change(const char *name, double a, double b, double noise)
{
    struct mls_change change = {.name = name, .a = a, .b = b, .noise = noise};
    change.ratio = a > 0 ? b / a : (double)NAN;
    change.significant = fabs(b - a) > noise;
    return change;
}

static struct mls_change time_change(const char *name, uint64_t a_ns, uint64_t b_ns, double error_a_ns,
                                     double error_b_ns)
{
    double noise = ERRORS_THAT_MATTER * sqrt(error_a_ns * error_a_ns + error_b_ns * error_b_ns);
    double least = RATIO_THAT_MATTERS * (double)(a_ns < b_ns ? a_ns : b_ns);
    noise = noise > least ? noise : least;
    return change(name, (double)a_ns, (double)b_ns, noise > CLOCK_NS ? noise : CLOCK_NS);
}

/* Rounds tell more than two medians: what both share is no noise. */
static void compare_rounds(const uint64_t *a_ns, size_t n_a, const uint64_t *b_ns, size_t n_b, struct mls_change *time,
                           double *difference_ns)
{
    double error_ns;
    if (n_a != n_b || !rounds_difference(a_ns, b_ns, n_a, difference_ns, &error_ns))
        return;
    double noise = ERRORS_THAT_MATTER * error_ns;
    double least = RATIO_THAT_MATTERS * (time->a < time->b ? time->a : time->b);
    noise = noise > least ? noise : least;
    time->noise = noise > CLOCK_NS ? noise : CLOCK_NS;
    time->significant = fabs(*difference_ns) > time->noise;
}

/* Zero means not known, so that a recording that lacks a figure shows no difference. */
static struct mls_change exact_change(const char *name, uint64_t a, uint64_t b)
{
    return change(name, a ? (double)a : (double)NAN, b ? (double)b : (double)NAN, 0);
}

enum { TOTALS_MAX = 14 };

static size_t compare_totals(const struct mls_side *a, const struct mls_side *b, struct mls_change *totals)
{
    double error_a_ns = median_error_ns(a->p50_ns, a->p90_ns, a->runs);
    double error_b_ns = median_error_ns(b->p50_ns, b->p90_ns, b->runs);
    size_t n = 0;
    totals[n] = time_change("p50_ns", a->p50_ns, b->p50_ns, error_a_ns, error_b_ns);
    if (a->rounds && b->rounds) {
        size_t n_a, n_b;
        double difference_ns;
        const uint64_t *a_ns = mls_profile_samples(a->rounds, &n_a), *b_ns = mls_profile_samples(b->rounds, &n_b);
        compare_rounds(a_ns, n_a, b_ns, n_b, &totals[n], &difference_ns);
    }
    n++;
    /* tails and loads are single events: known to some tens of percent at best */
    double tail_ns = (double)(a->p99_ns < b->p99_ns ? a->p99_ns : b->p99_ns) / 4;
    totals[n++] = change("p99_ns", (double)a->p99_ns, (double)b->p99_ns, tail_ns);
    double load_ns = (double)(a->load_ns < b->load_ns ? a->load_ns : b->load_ns) / 4;
    totals[n++] = change("load_ns", (double)a->load_ns, (double)b->load_ns, load_ns);
    totals[n++] = exact_change("file_bytes", a->file_bytes, b->file_bytes);
    totals[n++] = exact_change("weights_bytes", a->weights_bytes, b->weights_bytes);
    totals[n++] = exact_change("arena_bytes", a->arena_bytes, b->arena_bytes);
    totals[n++] = exact_change("planned_peak_bytes", a->planned_peak_bytes, b->planned_peak_bytes);
    struct mls_change peak = exact_change("peak_rss_bytes", a->peak_rss_bytes, b->peak_rss_bytes);
    peak.noise = 1 << 20; /* libraries and buffers of the process */
    peak.significant = fabs(peak.b - peak.a) > peak.noise;
    totals[n++] = peak;
    totals[n++] = exact_change("ops", a->n_ops, b->n_ops);
    totals[n++] = exact_change("flops", a->flops, b->flops);
    totals[n++] = exact_change("spec_version", (uint64_t)a->spec_version, (uint64_t)b->spec_version);
    totals[n++] = exact_change("opset", a->opset, b->opset);
    return n;
}

static struct mls_change op_time(const struct mls_side_op *a, const struct mls_side_op *b)
{
    if (!a || !b) {
        struct mls_change time = change("p50_ns", a ? (double)a->p50_ns : (double)NAN,
                                        b ? (double)b->p50_ns : (double)NAN, CLOCK_NS);
        time.significant = (double)(a ? a : b)->p50_ns > CLOCK_NS;
        return time;
    }
    return time_change("p50_ns", a->p50_ns, b->p50_ns, median_error_ns(a->p50_ns, a->p90_ns, a->runs),
                       median_error_ns(b->p50_ns, b->p90_ns, b->runs));
}

static struct mls_op_change op_change(const struct mls_comparison *comparison, uint32_t a, uint32_t b)
{
    const struct mls_side_op *of_a = a == MLS_NO_INDEX ? NULL : &comparison->a->ops[a];
    const struct mls_side_op *of_b = b == MLS_NO_INDEX ? NULL : &comparison->b->ops[b];
    const struct mls_profile *rounds_a = comparison->a->rounds, *rounds_b = comparison->b->rounds;
    struct mls_op_change change = {.a = a, .b = b, .time = op_time(of_a, of_b)};
    change.difference_ns = (of_b ? change.time.b : 0) - (of_a ? change.time.a : 0);
    if (of_a && of_b && rounds_a && rounds_b) {
        size_t n_a, n_b;
        const uint64_t *a_ns = mls_profile_step_samples(rounds_a, a, &n_a);
        const uint64_t *b_ns = mls_profile_step_samples(rounds_b, b, &n_b);
        compare_rounds(a_ns, n_a, b_ns, n_b, &change.time, &change.difference_ns);
    }
    return change;
}

/* What the difference does to the whole prediction, in ns. */
static double effect_ns(const struct mls_op_change *op)
{
    return fabs(op->difference_ns);
}

static int compare_effects(const void *a, const void *b)
{
    const struct mls_op_change *left = a, *right = b;
    if (left->time.significant != right->time.significant)
        return left->time.significant ? -1 : 1;
    double l = effect_ns(left), r = effect_ns(right);
    if (l != r)
        return l > r ? -1 : 1;
    return left->a != right->a ? left->a < right->a ? -1 : 1 : left->b < right->b ? -1 : left->b > right->b;
}

static struct mls_match_item *items_of(const struct mls_side *side)
{
    struct mls_match_item *items = calloc(side->n_ops + 1, sizeof *items);
    for (size_t i = 0; items && i < side->n_ops; i++)
        items[i] = (struct mls_match_item){.name = side->ops[i].name, .type = side->ops[i].type};
    return items;
}

static void list_ops(struct mls_comparison *comparison, struct mls_op_change *ops, const uint32_t *b_of_a,
                     bool *used_b)
{
    const struct mls_side *a = comparison->a, *b = comparison->b;
    for (size_t i = 0; i < a->n_ops; i++) {
        bool matched = b_of_a[i] != MLS_NO_INDEX;
        ops[comparison->n_ops++] = op_change(comparison, (uint32_t)i, b_of_a[i]);
        if (matched)
            used_b[b_of_a[i]] = true;
        comparison->n_matched += matched;
        comparison->n_only_a += !matched;
    }
    for (size_t i = 0; i < b->n_ops; i++) {
        if (used_b[i])
            continue;
        ops[comparison->n_ops++] = op_change(comparison, MLS_NO_INDEX, (uint32_t)i);
        comparison->n_only_b++;
    }
    qsort(ops, comparison->n_ops, sizeof *ops, compare_effects);
}

enum mls_status mls_compare(const struct mls_side *a, const struct mls_side *b,
                            struct mls_comparison **ret_comparison, struct mls_error *reterr)
{
    struct mls_comparison *comparison = calloc(1, sizeof *comparison);
    struct mls_change *totals = calloc(TOTALS_MAX, sizeof *totals);
    struct mls_op_change *ops = calloc(a->n_ops + b->n_ops + 1, sizeof *ops);
    struct mls_match_item *items_a = items_of(a), *items_b = items_of(b);
    uint32_t *b_of_a = calloc(a->n_ops + 1, sizeof *b_of_a);
    bool *used_b = calloc(b->n_ops + 1, sizeof *used_b);
    bool ok = comparison && totals && ops && items_a && items_b && b_of_a && used_b &&
              mls_match(items_a, a->n_ops, items_b, b->n_ops, b_of_a);
    if (ok) {
        *comparison = (struct mls_comparison){.a = a, .b = b, .totals = totals, .ops = ops};
        comparison->n_totals = compare_totals(a, b, totals);
        list_ops(comparison, ops, b_of_a, used_b);
        *ret_comparison = comparison;
    } else {
        free(comparison);
        free(totals);
        free(ops);
    }
    free(items_a);
    free(items_b);
    free(b_of_a);
    free(used_b);
    return ok ? MLS_OK : mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
}

void mls_comparison_free(struct mls_comparison *comparison)
{
    if (!comparison)
        return;
    free((void *)(uintptr_t)comparison->totals); /* const for readers only */
    free((void *)(uintptr_t)comparison->ops);
    free(comparison);
}
