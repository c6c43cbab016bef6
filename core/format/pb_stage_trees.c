/* Tree ensembles: nodes, which the format names by tree and number, become columns whose children are rows.
 */
#include <stdlib.h>
#include <string.h>

#include "format/pb_stage.h"

enum { LEAF = 6 };

/* A node's name, and its row. */
struct named {
    uint64_t tree;
    uint64_t node;
    int32_t row;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *left = a, *right = b;
    if (left->tree != right->tree)
        return left->tree < right->tree ? -1 : 1;
    return left->node < right->node ? -1 : left->node > right->node;
}

/* Columns under way, by row; from the arena. */
struct columns {
    const Pb__TreeEnsembleParameters *source;
    struct named *names; /* sorted */
    uint8_t *behavior, *missing, *has_parent;
    int32_t *feature, *true_child, *false_child, *leaf_start, *leaf_index, *roots;
    double *threshold, *leaf_value;
    size_t n_leaf_values, n_roots;
};

static bool take_columns(struct stage *stage, struct columns *columns)
{
    size_t n = columns->source->n_nodes, n_leaf = 0;
    for (size_t i = 0; i < n; i++)
        n_leaf += columns->source->nodes[i]->n_leaf;
    if (!stage_check(stage, n <= INT32_MAX - 1 && n_leaf <= INT32_MAX, "it has too many nodes"))
        return false;
    struct mls_arena *arena = stage->stages->memory->scratch;
    columns->names = MLS_NEW_ARRAY(arena, n, struct named);
    columns->behavior = MLS_NEW_ARRAY(arena, n, uint8_t);
    columns->missing = MLS_NEW_ARRAY(arena, n, uint8_t);
    columns->has_parent = MLS_NEW_ARRAY(arena, n, uint8_t);
    columns->feature = MLS_NEW_ARRAY(arena, n, int32_t);
    columns->true_child = MLS_NEW_ARRAY(arena, n, int32_t);
    columns->false_child = MLS_NEW_ARRAY(arena, n, int32_t);
    columns->leaf_start = MLS_NEW_ARRAY(arena, n + 1, int32_t);
    columns->leaf_index = MLS_NEW_ARRAY(arena, n_leaf, int32_t);
    columns->roots = MLS_NEW_ARRAY(arena, n, int32_t);
    columns->threshold = MLS_NEW_ARRAY(arena, n, double);
    columns->leaf_value = MLS_NEW_ARRAY(arena, n_leaf, double);
    if (columns->names && columns->behavior && columns->missing && columns->has_parent && columns->feature &&
        columns->true_child && columns->false_child && columns->leaf_start && columns->leaf_index &&
        columns->roots && columns->threshold && columns->leaf_value)
        return true;
    stage_fail(stage, MLS_ERR_MEMORY, "out of memory");
    return false;
}

static bool name_nodes(struct stage *stage, struct columns *columns)
{
    size_t n = columns->source->n_nodes;
    for (size_t i = 0; i < n; i++)
        columns->names[i] = (struct named){columns->source->nodes[i]->tree_id,
                                           columns->source->nodes[i]->node_id, (int32_t)i};
    if (n)
        qsort(columns->names, n, sizeof *columns->names, compare_named);
    for (size_t i = 1; i < n; i++)
        if (!compare_named(&columns->names[i - 1], &columns->names[i])) {
            stage_fail(stage, MLS_ERR_PROGRAM_INVALID, "two nodes of a tree have the same number");
            return false;
        }
    return true;
}

/* The row of a node's child; -1 when there is none. */
static int32_t child_row(struct columns *columns, uint64_t tree, uint64_t node)
{
    struct named wanted = {.tree = tree, .node = node};
    const struct named *found =
        columns->source->n_nodes
            ? bsearch(&wanted, columns->names, columns->source->n_nodes, sizeof wanted, compare_named)
            : NULL;
    if (found)
        columns->has_parent[found->row] = 1;
    return found ? found->row : -1;
}

static void fill_row(struct stage *stage, struct columns *columns, size_t i)
{
    const Pb__TreeNode *node = columns->source->nodes[i];
    stage_check(stage, node->behavior >= 0 && node->behavior <= LEAF, "a node is of no known kind");
    stage_check(stage, node->feature <= INT32_MAX, "a node looks at a feature that there is not");
    columns->behavior[i] = (uint8_t)node->behavior;
    columns->missing[i] = node->missing_is_true != 0;
    columns->feature[i] = (int32_t)node->feature;
    columns->threshold[i] = node->threshold;
    columns->leaf_start[i] = (int32_t)columns->n_leaf_values;
    bool leaf = node->behavior == LEAF;
    columns->true_child[i] = leaf ? -1 : child_row(columns, node->tree_id, node->true_child);
    columns->false_child[i] = leaf ? -1 : child_row(columns, node->tree_id, node->false_child);
    for (size_t k = 0; leaf && k < node->n_leaf; k++) {
        stage_check(stage, node->leaf[k]->index < INT32_MAX, "a leaf adds to a dimension that there is not");
        columns->leaf_index[columns->n_leaf_values] = (int32_t)node->leaf[k]->index;
        columns->leaf_value[columns->n_leaf_values++] = node->leaf[k]->value;
    }
}

static void put_columns(struct stage *stage, const struct columns *columns)
{
    size_t n = columns->source->n_nodes;
    struct mls_type bytes = mls_type_tensor(MLS_UINT8, 1, (const int64_t[]){(int64_t)n});
    struct mls_type bools = mls_type_tensor(MLS_BOOL, 1, (const int64_t[]){(int64_t)n});
    stage_constant(stage, "behavior", &bytes, columns->behavior);
    stage_constant(stage, "missing_is_true", &bools, columns->missing);
    stage_ints(stage, "feature", columns->feature, n);
    stage_doubles(stage, "threshold", columns->threshold, n);
    stage_ints(stage, "true_child", columns->true_child, n);
    stage_ints(stage, "false_child", columns->false_child, n);
    stage_ints(stage, "leaf_start", columns->leaf_start, n + 1);
    stage_ints(stage, "leaf_index", columns->leaf_index, columns->n_leaf_values);
    stage_doubles(stage, "leaf_value", columns->leaf_value, columns->n_leaf_values);
    stage_ints(stage, "roots", columns->roots, columns->n_roots);
}

static void read_trees(struct stage *stage, const Pb__TreeEnsemble *message)
{
    struct columns columns = {.source = message->parameters};
    stage_all_inputs(stage);
    if (!stage_check(stage, message->parameters != NULL, "it has no trees") ||
        !take_columns(stage, &columns) || !name_nodes(stage, &columns))
        return;
    size_t n = columns.source->n_nodes, n_dims = (size_t)columns.source->dimensions;
    for (size_t i = 0; i < n && !stage->status; i++)
        fill_row(stage, &columns, i);
    columns.leaf_start[n] = (int32_t)columns.n_leaf_values;
    for (size_t i = 0; i < n; i++)
        if (!columns.has_parent[i])
            columns.roots[columns.n_roots++] = (int32_t)i;
    put_columns(stage, &columns);
    stage_int(stage, "transform", message->transform);
    /* without a base, sums begin at 0 */
    double *zeros =
        columns.source->n_base_values ? NULL : MLS_NEW_ARRAY(stage->stages->memory->scratch, n_dims, double);
    if (stage_check(stage,
                    columns.source->n_base_values ? columns.source->n_base_values == n_dims : n_dims && zeros,
                    "its base has another number of dimensions"))
        stage_doubles(stage, "base", zeros ? zeros : columns.source->base_values, n_dims);
}

void stage_read_tree_regressor(struct stage *stage, const ProtobufCMessage *message)
{
    read_trees(stage, (const Pb__TreeEnsemble *)message);
    stage_number_output(stage);
    stage->type = "tree_ensemble_regressor";
}

void stage_read_tree_classifier(struct stage *stage, const ProtobufCMessage *message)
{
    const Pb__TreeEnsemble *trees = (const Pb__TreeEnsemble *)message;
    bool texts = trees->labels_case == PB__TREE_ENSEMBLE__LABELS_TEXT_LABELS;
    bool ints = trees->labels_case == PB__TREE_ENSEMBLE__LABELS_INT_LABELS;
    read_trees(stage, trees);
    stage_labels(stage, "labels", texts ? trees->text_labels : NULL, ints ? trees->int_labels : NULL);
    stage_class_outputs(stage, "labels");
    stage->type = "tree_ensemble_classifier";
}
