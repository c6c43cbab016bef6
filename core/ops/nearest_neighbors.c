/*
 * nearest_neighbors.c: the classes of the k nearest samples vote, alike or with 1 / distance; the distance is
 * the squared Euclidean one, which is the only one that the format has. Of equal sums the label that comes
 * first wins.
 */
#include <math.h>
#include <string.h>

#include "ops/op_family.h"
#include "ops/vectors.h"

enum { X, SAMPLES, CLASS_OF_SAMPLE, NEIGHBORS, INVERSE_DISTANCE, DEFAULT_CLASS, LABELS };

static enum mls_status infer_neighbors(const struct mls_op_call *call, struct mls_error *reterr)
{
    const struct mls_type *samples = &mls_op_in(call, SAMPLES)->type;
    int64_t n = vector_length(call, X), n_labels = constant_length(call, LABELS);
    int64_t otherwise = mls_op_int(call, DEFAULT_CLASS, -1);
    if (samples->rank != 2 || constant_length(call, CLASS_OF_SAMPLE) != samples->dims[0] ||
        mls_op_int(call, NEIGHBORS, 0) < 1 || otherwise < 0 || otherwise >= n_labels)
        return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID,
                           "its samples, labels and neighbours do not go together");
    for (int64_t i = 0; i < samples->dims[0]; i++) {
        int32_t class = constant_ints(call, CLASS_OF_SAMPLE)[i];
        if (class < 0 || class >= n_labels)
            return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "a sample has no label");
    }
    if (n >= 0 && n != samples->dims[1])
        return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "%lld features for samples of %lld", (long long)n,
                           (long long)samples->dims[1]);
    return labels_infer(call, LABELS, reterr);
}

/* A sample among the nearest ones, which are in order of distance. */
struct neighbor {
    double distance;
    int64_t sample;
};

static int64_t neighbor_count(const struct mls_op_call *call)
{
    int64_t wanted = mls_op_int(call, NEIGHBORS, 1), n = mls_op_in(call, SAMPLES)->type.dims[0];
    return wanted < n ? wanted : n;
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    return vector_scratch(call, env) + (size_t)constant_length(call, LABELS) * sizeof(double) +
           (size_t)neighbor_count(call) * sizeof(struct neighbor);
}

static double distance_to(const struct mls_op_call *call, int64_t sample)
{
    int64_t n = mls_op_in(call, SAMPLES)->type.dims[1];
    const float *values = (const float *)mls_op_in(call, SAMPLES)->data + sample * n;
    const double *x = call->scratch;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (x[i] - (double)values[i]) * (x[i] - (double)values[i]);
    return sum;
}

/* The nearest samples, the earlier one of equals first. */
static void find_nearest(const struct mls_op_call *call, struct neighbor *nearest, int64_t k)
{
    int64_t found = 0;
    for (int64_t sample = 0; sample < mls_op_in(call, SAMPLES)->type.dims[0]; sample++) {
        double distance = distance_to(call, sample);
        int64_t at = found;
        while (at > 0 && distance < nearest[at - 1].distance)
            at--;
        if (at == k)
            continue;
        int64_t n_moved = (found < k ? found : k - 1) - at;
        memmove(&nearest[at + 1], &nearest[at], (size_t)n_moved * sizeof *nearest);
        nearest[at] = (struct neighbor){distance, sample};
        found += found < k;
    }
}

static enum mls_status run_neighbors(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    size_t n_labels = (size_t)constant_length(call, LABELS);
    int64_t k = neighbor_count(call);
    double *scores = (double *)call->scratch + vector_length(call, X), sum = 0;
    struct neighbor *nearest = (struct neighbor *)(void *)(scores + n_labels);
    bool inverse = mls_op_bool(call, INVERSE_DISTANCE, false);
    vector_read(call, X, call->scratch);
    find_nearest(call, nearest, k);
    /* a sample that is met exactly leaves the others no weight */
    bool exact = inverse && k && nearest[0].distance == 0;
    memset(scores, 0, n_labels * sizeof *scores);
    for (int64_t i = 0; i < k; i++) {
        double weight = exact ? nearest[i].distance == 0 : inverse ? 1 / nearest[i].distance : 1;
        scores[constant_ints(call, CLASS_OF_SAMPLE)[nearest[i].sample]] += weight;
        sum += weight;
    }
    for (size_t i = 0; i < n_labels && sum > 0; i++)
        scores[i] /= sum;
    labels_put(call, LABELS, k ? labels_best(scores, n_labels) : (size_t)mls_op_int(call, DEFAULT_CLASS, 0),
               scores);
    return MLS_OK;
}

static uint64_t flops_neighbors(const struct mls_op_call *call)
{
    return 3 * (uint64_t)constant_length(call, SAMPLES);
}

static const struct mls_op_row rows[] = {
    {.name = "nearest_neighbors_classifier",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {[X] = {"x", MLS_T_FEATURE, MLS_PARAM_VARIADIC, 0},
                [SAMPLES] = {"samples", MLS_DTYPE_BIT(MLS_FP32), MLS_PARAM_CONST, 0},
                [CLASS_OF_SAMPLE] = {"class_of_sample", MLS_T_I32, MLS_PARAM_CONST, 0},
                [NEIGHBORS] = {"neighbors", MLS_T_I32, MLS_PARAM_CONST, 0},
                [INVERSE_DISTANCE] = {"inverse_distance", MLS_T_BOOL, MLS_PARAM_CONST, 0},
                [DEFAULT_CLASS] = {"default_class", MLS_T_I32, MLS_PARAM_CONST, 0},
                [LABELS] = {"labels", MLS_T_LABEL, MLS_PARAM_CONST, 0}},
     .infer = infer_neighbors,
     .flops = flops_neighbors,
     .scratch_bytes = scratch_bytes,
     .run = run_neighbors},
};

MLS_OP_FAMILY_DEFINE(nearest_neighbors, rows);
