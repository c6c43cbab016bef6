#include "view/optree.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "widget/datum.h"

enum { MODULE_BYTES = 256 };

const char *mls_optree_words(enum mls_optree_kind kind)
{
    static const char *const words[] = {
#define X(id, words) [MLS_OPTREE_##id] = words,
        MLS_OPTREE_LIST(X)
#undef X
    };
    return words[kind];
}

/* ---- Modules from names
 * ----------------------------------------------------------------------------------------- */

static bool is_one_of(const char *token, size_t length, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == length && strncasecmp(token, *words, length) == 0)
            return true;
    return false;
}

static bool is_number(const char *token, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)token[i]))
            return false;
    return length > 0;
}

/* Tokens of a name end at '_', '.' or '/'; a number belongs to the token before it: "layers.0". */
void mls_optree_module(const struct mls_step *step, char *text, size_t size)
{
    static const char *const last[] = {"weight",  "weights", "bias",     "kernel",    "gamma", "beta",
                                       "running", "mean",    "variance", "embedding", NULL};
    static const char *const nobody[] = {"op", "const", "var", "x", "input", "cast", NULL};
    const char *name = NULL;
    for (uint32_t i = 0; i < step->n_inputs && !name; i++)
        if (step->inputs[i].constant && step->inputs[i].name && step->inputs[i].parameter &&
            strstr("weight bias gamma beta mean weight_ih weight_hh", step->inputs[i].parameter))
            name = step->inputs[i].name;
    size_t used = 0;
    text[0] = '\0';
    for (const char *at = name; at && *at && used + 2 < size;) {
        size_t length = strcspn(at, "_./");
        if (is_one_of(at, length, last) || (used == 0 && is_one_of(at, length, nobody)))
            return;
        bool joined = used > 0 && is_number(at, length);
        int n = snprintf(text + used, size - used, "%s%.*s",
                         !used    ? ""
                         : joined ? "."
                                  : "/",
                         (int)length, at);
        used += length && n > 0 ? (size_t)n : 0;
        at += length;
        at += *at != '\0';
    }
    text[0] = '\0'; /* it names no weight: what looks like a module may be anything */
}

/* The parts that two modules begin with together, into `text`. */
static void common_module(const char *before, const char *after, char *text)
{
    size_t whole = 0, i = 0;
    while (before[i] && before[i] == after[i]) {
        i++;
        if ((before[i] == '/' || !before[i]) && (after[i] == '/' || !after[i]))
            whole = i;
    }
    memcpy(text, before, whole);
    text[whole] = '\0';
}

static char (*modules_of(const struct mls_snapshot *snapshot))[MODULE_BYTES]
{
    size_t n = snapshot->n_steps;
    char(*modules)[MODULE_BYTES] = calloc(n ? n : 1, MODULE_BYTES);
    char(*named)[MODULE_BYTES] = calloc(n ? n : 1, MODULE_BYTES);
    if (!modules || !named) {
        free(modules);
        free(named);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        mls_optree_module(mls_snapshot_step(snapshot, i), named[i], MODULE_BYTES);
    /* Who has no weights belongs to what the ones before and after have in common. */
    size_t before = n, after = 0;
    for (size_t i = 0; i < n; i++) {
        if (named[i][0]) {
            memcpy(modules[i], named[i], MODULE_BYTES);
            before = i;
            continue;
        }
        for (after = after > i ? after : i; after < n && !named[after][0]; after++)
            continue;
        if (before < n && after < n)
            common_module(named[before], named[after], modules[i]);
    }
    free(named);
    return modules;
}

/* ---- The tree
 * --------------------------------------------------------------------------------------------------- */

#define NONE SIZE_MAX

/* A node while the tree grows: children in order of their first appearance. */
struct growing {
    size_t parent, first, last, next;
    size_t step;
    size_t name, name_bytes;
    size_t n_children, n_steps;
    size_t row;
};

struct builder {
    struct growing *nodes;
    size_t n_nodes, capacity;
    char *texts;
    size_t texts_bytes, texts_capacity;
};

static size_t add_text(struct builder *builder, const char *text, size_t bytes)
{
    if (builder->texts_bytes + bytes + 1 > builder->texts_capacity) {
        size_t capacity = (builder->texts_bytes + bytes + 1) * 2;
        char *grown = realloc(builder->texts, capacity);
        if (!grown)
            return NONE;
        builder->texts = grown;
        builder->texts_capacity = capacity;
    }
    size_t at = builder->texts_bytes;
    memcpy(builder->texts + at, text, bytes);
    builder->texts[at + bytes] = '\0';
    builder->texts_bytes += bytes + 1;
    return at;
}

static size_t add_node(struct builder *builder, size_t parent, size_t step)
{
    if (builder->n_nodes == builder->capacity) {
        size_t capacity = builder->capacity ? builder->capacity * 2 : 256;
        struct growing *grown = realloc(builder->nodes, capacity * sizeof *grown);
        if (!grown)
            return NONE;
        builder->nodes = grown;
        builder->capacity = capacity;
    }
    size_t at = builder->n_nodes++;
    builder->nodes[at] = (struct growing){
        .parent = parent, .first = NONE, .last = NONE, .next = NONE, .step = step, .n_steps = step != NONE};
    if (parent == NONE)
        return at;
    struct growing *above = &builder->nodes[parent];
    if (above->last != NONE)
        builder->nodes[above->last].next = at;
    else
        above->first = at;
    above->last = at;
    above->n_children++;
    return at;
}

static size_t find_group(struct builder *builder, size_t parent, const char *name, size_t bytes)
{
    for (size_t at = builder->nodes[parent].first; at != NONE; at = builder->nodes[at].next) {
        const struct growing *node = &builder->nodes[at];
        if (node->step == NONE && node->name_bytes == bytes &&
            memcmp(builder->texts + node->name, name, bytes) == 0)
            return at;
    }
    size_t text = add_text(builder, name, bytes);
    size_t at = text == NONE ? NONE : add_node(builder, parent, NONE);
    if (at != NONE) {
        builder->nodes[at].name = text;
        builder->nodes[at].name_bytes = bytes;
    }
    return at;
}

static bool add_step(struct builder *builder, size_t step, const char *path)
{
    size_t parent = 0;
    while (*path) {
        size_t bytes = strcspn(path, "/");
        parent = bytes ? find_group(builder, parent, path, bytes) : parent;
        if (parent == NONE)
            return false;
        path += bytes;
        path += *path != '\0';
    }
    if (add_node(builder, parent, step) == NONE)
        return false;
    for (; parent != NONE; parent = builder->nodes[parent].parent)
        builder->nodes[parent].n_steps++;
    return true;
}

/* The names of groups that hold nothing but one node, down to that node: "attention/query". */
static struct growing *skip_single(struct builder *builder, struct growing *node, size_t row, char *name,
                                   size_t size)
{
    size_t used = 0;
    name[0] = '\0';
    while (node->step == NONE && node->n_children == 1) {
        int n = snprintf(name + used, size - used, "%s%.100s", used ? "/" : "", builder->texts + node->name);
        used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
        node = &builder->nodes[node->first];
        node->row = row;
    }
    if (node->step == NONE)
        snprintf(name + used, size - used, "%s%.100s (%zu)", used ? "/" : "", builder->texts + node->name,
                 node->n_steps);
    return node;
}

/* Gives rows to the nodes in the order of the tree. A group of one lends it its name. */
static bool emit(struct builder *builder, struct mls_optree *tree, const struct mls_snapshot *snapshot)
{
    size_t at = builder->nodes[0].first;
    while (at != NONE) {
        char name[MODULE_BYTES * 2];
        struct growing *node = &builder->nodes[at];
        struct growing *above = &builder->nodes[node->parent];
        size_t parent = above == builder->nodes ? MLS_NO_ROW : above->row;
        node->row = tree->n_nodes;
        node = skip_single(builder, node, tree->n_nodes, name, sizeof name);
        size_t used = strlen(name);
        if (node->step != NONE && used) /* the step's own name stands behind that of its module */
            snprintf(name + used, sizeof name - used, " · %.100s",
                     mls_snapshot_step(snapshot, node->step)->name);
        size_t text = used ? add_text(builder, name, strlen(name)) : 0;
        if (text == NONE)
            return false;
        if (node->step != NONE)
            tree->of_step[node->step] = tree->n_nodes;
        tree->nodes[tree->n_nodes++] = (struct mls_optree_node){
            .parent = parent, .step = node->step, .name = text, .n_steps = node->n_steps};
        at = (size_t)(node - builder->nodes);
        if (node->first != NONE) {
            at = node->first;
            continue;
        }
        while (at != NONE && builder->nodes[at].next == NONE)
            at = builder->nodes[at].parent;
        at = at == NONE ? NONE : builder->nodes[at].next;
    }
    return true;
}

static bool add_steps(struct builder *builder, const struct mls_snapshot *snapshot, enum mls_optree_kind kind)
{
    char(*modules)[MODULE_BYTES] = kind == MLS_OPTREE_MODULE ? modules_of(snapshot) : NULL;
    bool ok = add_text(builder, "", 0) == 0 && add_node(builder, NONE, NONE) != NONE &&
              (kind != MLS_OPTREE_MODULE || modules);
    for (size_t i = 0; ok && i < snapshot->n_steps; i++) {
        const struct mls_step *step = mls_snapshot_step(snapshot, i);
        char path[MODULE_BYTES * 3] = "";
        if (kind == MLS_OPTREE_TYPE)
            snprintf(path, sizeof path, "%.255s", step->type);
        const char *inner = step->path ? strchr(step->path, '/') : NULL;
        const char *end = step->path ? strrchr(step->path, '/') : NULL;
        if (kind == MLS_OPTREE_MODULE)
            snprintf(path, sizeof path, "%.*s%s%s", inner && end > inner ? (int)(end - inner - 1) : 0,
                     inner && end > inner ? inner + 1 : "", inner && end > inner ? "/" : "", modules[i]);
        ok = add_step(builder, i, path);
    }
    free(modules);
    return ok;
}

bool mls_optree_build(const struct mls_snapshot *snapshot, enum mls_optree_kind kind,
                      struct mls_optree *ret_tree)
{
    struct builder builder = {.n_nodes = 0};
    struct mls_optree tree = {.n_steps = snapshot->n_steps};
    bool ok = add_steps(&builder, snapshot, kind);
    tree.nodes = ok ? calloc(builder.n_nodes, sizeof *tree.nodes) : NULL;
    tree.of_step = calloc(snapshot->n_steps ? snapshot->n_steps : 1, sizeof *tree.of_step);
    ok = ok && tree.nodes && tree.of_step && emit(&builder, &tree, snapshot);
    tree.texts = builder.texts;
    free(builder.nodes);
    if (ok)
        *ret_tree = tree;
    else
        mls_optree_done(&tree);
    return ok;
}

void mls_optree_done(struct mls_optree *tree)
{
    free(tree->nodes);
    free(tree->of_step);
    free(tree->texts);
    *tree = (struct mls_optree){0};
}
