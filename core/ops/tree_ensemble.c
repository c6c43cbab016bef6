/*
 * tree_ensemble.c: sums of decision trees. Nodes lie in one array; children are indices into it. A node has
 * one parent at most and a root has none, so that no path can come back to where it was.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_family.h"
#include "ops/vectors.h"

enum {
    X,
    ROOTS,
    BEHAVIOR,
    FEATURE,
    THRESHOLD,
    TRUE_CHILD,
    FALSE_CHILD,
    MISSING_IS_TRUE,
    LEAF_START,
    LEAF_INDEX,
    LEAF_VALUE,
    BASE,
    TRANSFORM,
    LABELS
};

/* What a node does, by the numbers of the format. */
enum { LESS_EQUAL, LESS, GREATER_EQUAL, GREATER, EQUAL, NOT_EQUAL, LEAF };
enum { NO_TRANSFORM, SOFTMAX, LOGISTIC, SOFTMAX_ZERO_REFERENCE };

/* A node as it is walked over. */
struct node {
    double threshold;
    int32_t feature;
    int32_t children[2]; /* when false, when true; of a leaf: its values [first, end) */
    uint8_t behavior;
    uint8_t missing_is_true;
};

struct trees {
    struct node *nodes;
    size_t n_roots;
    const int32_t *roots;
    const int32_t *leaf_index;
    const double *leaf_value;
};

/* ---- Checks ------------------------------------------------------------------------------------------- */

static enum mls_status broken(const struct mls_op_call *call, struct mls_error *reterr, const char *reason)
{
    return mls_op_fail(call, reterr, MLS_ERR_PROGRAM_INVALID, "%s", reason);
}

static enum mls_status check_leaf(const struct mls_op_call *call, int64_t i, struct mls_error *reterr)
{
    const int32_t *start = constant_ints(call, LEAF_START), *index = constant_ints(call, LEAF_INDEX);
    if (start[i] < 0 || start[i + 1] < start[i] || start[i + 1] > constant_length(call, LEAF_VALUE))
        return broken(call, reterr, "a leaf's values are not there");
    for (int32_t k = start[i]; k < start[i + 1]; k++)
        if (index[k] < 0 || index[k] >= constant_length(call, BASE))
            return broken(call, reterr, "a leaf adds to a dimension that there is not");
    return MLS_OK;
}

/* Counts a child's parents; false when it is no node or has one already. */
static bool claim(uint8_t *has_parent, int64_t n, int32_t child)
{
    if (child < 0 || child >= n || has_parent[child])
        return false;
    has_parent[child] = 1;
    return true;
}

static enum mls_status check_nodes(const struct mls_op_call *call, uint8_t *has_parent,
                                   struct mls_error *reterr)
{
    int64_t n = constant_length(call, BEHAVIOR), n_features = vector_length(call, X);
    const uint8_t *behavior = constant_bytes(call, BEHAVIOR);
    const int32_t *feature = constant_ints(call, FEATURE);
    for (int64_t i = 0; i < n; i++) {
        if (behavior[i] > LEAF)
            return broken(call, reterr, "a node is of no known kind");
        if (behavior[i] == LEAF) {
            enum mls_status status = check_leaf(call, i, reterr);
            if (status)
                return status;
            continue;
        }
        if (feature[i] < 0 || (n_features >= 0 && feature[i] >= n_features))
            return mls_op_fail(call, reterr, MLS_ERR_OP_SHAPE, "a node looks at feature %d, there are %lld",
                               feature[i], (long long)n_features);
        if (!claim(has_parent, n, constant_ints(call, TRUE_CHILD)[i]) ||
            !claim(has_parent, n, constant_ints(call, FALSE_CHILD)[i]))
            return broken(call, reterr, "a node's child is not there, or has another parent");
    }
    for (int64_t i = 0; i < constant_length(call, ROOTS); i++) {
        int32_t root = constant_ints(call, ROOTS)[i];
        if (root < 0 || root >= n || has_parent[root])
            return broken(call, reterr, "a tree's root is not there, or has a parent");
    }
    return MLS_OK;
}

static enum mls_status check_trees(const struct mls_op_call *call, struct mls_error *reterr)
{
    int64_t n = constant_length(call, BEHAVIOR);
    static const unsigned columns[] = {FEATURE, THRESHOLD, TRUE_CHILD, FALSE_CHILD, MISSING_IS_TRUE};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (constant_length(call, columns[i]) != n)
            return broken(call, reterr, "its columns have different lengths");
    if (constant_length(call, LEAF_START) != n + 1 ||
        constant_length(call, LEAF_INDEX) != constant_length(call, LEAF_VALUE) ||
        constant_length(call, BASE) < 1 || constant_length(call, TRANSFORM) != 1 || n > INT32_MAX)
        return broken(call, reterr, "its columns have different lengths");
    uint8_t *has_parent = calloc((size_t)n + 1, 1);
    if (!has_parent)
        return mls_op_fail(call, reterr, MLS_ERR_MEMORY, "out of memory");
    enum mls_status status = check_nodes(call, has_parent, reterr);
    free(has_parent);
    return status;
}

static enum mls_status infer_regressor(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_trees(call, reterr);
    int64_t transform = mls_op_int(call, TRANSFORM, 0);
    if (!status && transform != NO_TRANSFORM && transform != LOGISTIC)
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "a regressor with transform %lld is not supported", (long long)transform);
    return status ? status : vector_infer_numbers(call, constant_length(call, BASE), reterr);
}

/* Dimensions that a transform needs for n labels; several kinds may take one. */
static bool transform_fits(int64_t transform, int64_t n_dims, int64_t n_labels)
{
    bool binary = n_dims == 1 && n_labels == 2;
    if (transform == SOFTMAX_ZERO_REFERENCE)
        return n_dims == n_labels - 1;
    return n_dims == n_labels || (transform != SOFTMAX && binary);
}

static enum mls_status infer_classifier(const struct mls_op_call *call, struct mls_error *reterr)
{
    enum mls_status status = check_trees(call, reterr);
    int64_t transform = mls_op_int(call, TRANSFORM, 0), n_dims = constant_length(call, BASE);
    int64_t n_labels = constant_length(call, LABELS);
    if (!status && (transform < NO_TRANSFORM || transform > SOFTMAX_ZERO_REFERENCE ||
                    !transform_fits(transform, n_dims, n_labels)))
        return mls_op_fail(call, reterr, MLS_ERR_OP_UNSUPPORTED,
                           "transform %lld of %lld dimensions to %lld labels is not supported",
                           (long long)transform, (long long)n_dims, (long long)n_labels);
    return status ? status : labels_infer(call, LABELS, reterr);
}

/* ---- Running ------------------------------------------------------------------------------------------ */

static enum mls_status pack_trees(const struct mls_op_call *call, struct mls_op_env *env,
                                  struct mls_arena *arena, const void **ret_packed, size_t *ret_packed_bytes)
{
    size_t n = (size_t)constant_length(call, BEHAVIOR);
    struct trees *trees = MLS_NEW(arena, struct trees);
    struct node *nodes = MLS_NEW_ARRAY(arena, n, struct node);
    if (!trees || !nodes)
        return mls_op_fail(call, env->error, MLS_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        bool leaf = constant_bytes(call, BEHAVIOR)[i] == LEAF;
        const int32_t *start = constant_ints(call, LEAF_START);
        nodes[i] = (struct node){
            .threshold = constant_doubles(call, THRESHOLD)[i],
            .feature = constant_ints(call, FEATURE)[i],
            .children = {leaf ? start[i] : constant_ints(call, FALSE_CHILD)[i],
                         leaf ? start[i + 1] : constant_ints(call, TRUE_CHILD)[i]},
            .behavior = constant_bytes(call, BEHAVIOR)[i],
            .missing_is_true = constant_bytes(call, MISSING_IS_TRUE)[i] != 0,
        };
    }
    *trees = (struct trees){.nodes = nodes,
                            .n_roots = (size_t)constant_length(call, ROOTS),
                            .roots = constant_ints(call, ROOTS),
                            .leaf_index = constant_ints(call, LEAF_INDEX),
                            .leaf_value = constant_doubles(call, LEAF_VALUE)};
    *ret_packed = trees;
    *ret_packed_bytes = n * sizeof *nodes;
    return MLS_OK;
}

static bool holds(const struct node *node, double value)
{
    if (isnan(value))
        return node->missing_is_true;
    switch (node->behavior) {
    case LESS_EQUAL:
        return value <= node->threshold;
    case LESS:
        return value < node->threshold;
    case GREATER_EQUAL:
        return value >= node->threshold;
    case GREATER:
        return value > node->threshold;
    case EQUAL:
        return value == node->threshold;
    default:
        return value != node->threshold;
    }
}

/* Adds what all trees say of the features to sums[], which begin with the base. */
static void evaluate(const struct mls_op_call *call, double *sums)
{
    const struct trees *trees = call->packed;
    const double *features = call->scratch;
    memcpy(sums, constant_doubles(call, BASE), (size_t)constant_length(call, BASE) * sizeof *sums);
    for (size_t i = 0; i < trees->n_roots; i++) {
        const struct node *node = &trees->nodes[trees->roots[i]];
        while (node->behavior != LEAF)
            node = &trees->nodes[node->children[holds(node, features[node->feature])]];
        for (int32_t k = node->children[0]; k < node->children[1]; k++)
            sums[trees->leaf_index[k]] += trees->leaf_value[k];
    }
}

static size_t scratch_bytes(const struct mls_op_call *call, const struct mls_op_env *env)
{
    /* the features, then sums and scores, one more than dimensions where a reference class is added */
    size_t n_more = (size_t)constant_length(call, BASE) + (size_t)constant_length(call, LABELS) + 1;
    return vector_scratch(call, env) + n_more * sizeof(double);
}

static double logistic(double value)
{
    return 1 / (1 + exp(-value));
}

static enum mls_status run_regressor(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    double *sums = mls_op_out(call, 0)->data;
    vector_read(call, X, call->scratch);
    evaluate(call, sums);
    for (int64_t i = 0; mls_op_int(call, TRANSFORM, 0) == LOGISTIC && i < constant_length(call, BASE); i++)
        sums[i] = logistic(sums[i]);
    return MLS_OK;
}

static enum mls_status run_classifier(struct mls_op_call *call, struct mls_op_env *env)
{
    (void)env;
    size_t n_dims = (size_t)constant_length(call, BASE), n_labels = (size_t)constant_length(call, LABELS);
    int64_t transform = mls_op_int(call, TRANSFORM, 0);
    double *sums = (double *)call->scratch + vector_length(call, X), *scores = sums + n_dims;
    vector_read(call, X, call->scratch);
    evaluate(call, sums);
    bool from_second = n_dims < n_labels; /* the first label's score follows from the others */
    scores[0] = 0;
    for (size_t i = 0; i < n_dims; i++)
        scores[i + from_second] = transform == LOGISTIC ? logistic(sums[i]) : sums[i];
    if (transform == SOFTMAX || transform == SOFTMAX_ZERO_REFERENCE)
        vector_softmax(scores, n_labels);
    else if (from_second)
        scores[0] = 1 - scores[1];
    labels_put(call, LABELS, labels_best(scores, n_labels), scores);
    return MLS_OK;
}

static uint64_t flops_trees(const struct mls_op_call *call)
{
    return (uint64_t)constant_length(call, ROOTS);
}

#define COLUMN(name, type)                            \
    {                                                 \
        name, MLS_DTYPE_BIT(type), MLS_PARAM_CONST, 0 \
    }
#define COLUMNS                                                                                              \
    [X] = {"x", MLS_T_FEATURE, MLS_PARAM_VARIADIC, 0}, [ROOTS] = COLUMN("roots", MLS_INT32),                 \
    [BEHAVIOR] = COLUMN("behavior", MLS_UINT8), [FEATURE] = COLUMN("feature", MLS_INT32),                    \
    [THRESHOLD] = COLUMN("threshold", MLS_FP64), [TRUE_CHILD] = COLUMN("true_child", MLS_INT32),             \
    [FALSE_CHILD] = COLUMN("false_child", MLS_INT32),                                                        \
    [MISSING_IS_TRUE] = COLUMN("missing_is_true", MLS_BOOL), [LEAF_START] = COLUMN("leaf_start", MLS_INT32), \
    [LEAF_INDEX] = COLUMN("leaf_index", MLS_INT32), [LEAF_VALUE] = COLUMN("leaf_value", MLS_FP64),           \
    [BASE] = COLUMN("base", MLS_FP64), [TRANSFORM] = COLUMN("transform", MLS_INT32)

static const struct mls_op_row rows[] = {
    {.name = "tree_ensemble_regressor",
     .since = 5,
     .params = {COLUMNS},
     .infer = infer_regressor,
     .flops = flops_trees,
     .scratch_bytes = scratch_bytes,
     .pack = pack_trees,
     .run = run_regressor},
    {.name = "tree_ensemble_classifier",
     .since = 5,
     .flags = MLS_OP_OUTPUTS,
     .params = {COLUMNS, [LABELS] = {"labels", MLS_T_LABEL, MLS_PARAM_CONST, 0}},
     .infer = infer_classifier,
     .flops = flops_trees,
     .scratch_bytes = scratch_bytes,
     .pack = pack_trees,
     .run = run_classifier},
};

MLS_OP_FAMILY_DEFINE(tree_ensemble, rows);
