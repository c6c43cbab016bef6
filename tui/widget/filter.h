/*
 * filter.h: which rows to show. Terms side by side mean `and`:
 *     time>1ms type=conv unit!=ane name~bias (share>=5% or runs=0) !norm "two words"
 * A term is COLUMN OPERATOR VALUE (= != ~ !~ < <= > >=) or a text that any cell may hold. Units: ns us ms s,
 * B KiB MiB GiB, k M G, %. `~` looks for a part; `=` compares whole texts; neither minds the case.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "widget/datum.h"

enum { MLS_FILTER_TEXT_BYTES = 256, MLS_FILTER_NODES_MAX = 48 };

enum mls_filter_operator {
    MLS_FILTER_ANY_CELL,
    MLS_FILTER_EQUAL,
    MLS_FILTER_NOT_EQUAL,
    MLS_FILTER_HAS,
    MLS_FILTER_HAS_NOT,
    MLS_FILTER_LESS,
    MLS_FILTER_LESS_EQUAL,
    MLS_FILTER_GREATER,
    MLS_FILTER_GREATER_EQUAL,
    MLS_FILTER_AND,
    MLS_FILTER_OR,
    MLS_FILTER_NOT
};

/* A compiled filter, in postfix order. Plain data without pointers: it can be copied. */
struct mls_filter {
    struct mls_filter_node {
        enum mls_filter_operator operation;
        unsigned column;
        double number;
        size_t text; /* offset of the value in `texts` */
    } nodes[MLS_FILTER_NODES_MAX];
    size_t n_nodes; /* 0: everything matches */
    char texts[MLS_FILTER_TEXT_BYTES * 2];
    size_t texts_bytes;
};

struct mls_filter_error {
    size_t position;    /* byte in the expression */
    const char *reason; /* static */
};

/* mls_filter_parse: compiles an expression for these columns. On failure *ret_filter is as before. */
bool mls_filter_parse(const char *expression, const struct mls_column *columns, unsigned n_columns,
                      struct mls_filter *ret_filter, struct mls_filter_error *reterr);

bool mls_filter_matches(const struct mls_filter *filter, const struct mls_rows *rows, size_t row);

/* mls_text_holds: whether `part` is in `text`; lower case in `part` matches both cases. */
bool mls_text_holds(const char *text, const char *part);
