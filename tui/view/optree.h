/*
 * optree.h: the steps of a plan arranged for the operations view: in run order, under their types, or under
 * the modules that their names tell.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/snapshot.h"

/* How operations are arranged: id, words for the title line. */
#define MLS_OPTREE_LIST(X) \
    X(FLAT, "")            \
    X(TYPE, "by type")     \
    X(MODULE, "by module")

enum mls_optree_kind {
#define X(id, words) MLS_OPTREE_##id,
    MLS_OPTREE_LIST(X)
#undef X
        MLS_OPTREE_COUNT
};

const char *mls_optree_words(enum mls_optree_kind kind);

#define MLS_NO_STEP SIZE_MAX

/* A row: a step, or a group of the rows under it. Parents stand before what is under them. */
struct mls_optree_node {
    size_t parent; /* or MLS_NO_ROW */
    size_t step;   /* or MLS_NO_STEP: a group */
    size_t name;   /* offset in `texts`: of a group, or of a step that stands for a group of one; else 0 */
    size_t n_steps;
};

struct mls_optree {
    struct mls_optree_node *nodes;
    size_t n_nodes;
    size_t *of_step; /* row of each step */
    size_t n_steps;
    char *texts;
};

/* mls_optree_build: arranges the snapshot's steps; false when out of memory. Free with mls_optree_done. */
bool mls_optree_build(const struct mls_snapshot *snapshot, enum mls_optree_kind kind,
                      struct mls_optree *ret_tree);
void mls_optree_done(struct mls_optree *tree);

/*
 * mls_optree_module: the module that a step's weights tell ("blocks.0/up" of "blocks_0_up_weight_to_fp16"),
 * parts with '/' between, into text[size]; "" when no name tells one.
 */
void mls_optree_module(const struct mls_step *step, char *text, size_t size);
