/*
 * walk.h: two models on the same inputs, operation by operation: where their values part, what makes them
 * part, and which operations should stay in fp32. Both are run as often as the memory for kept values
 * demands.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/loader.h"

struct mls_walk_options {
    size_t memory_bytes;     /* for values of A that wait for B; 0: 256 MiB. One value may be larger. */
    double limit_db;         /* below this SNR two values have parted; 0: 40 dB */
    const atomic_bool *stop; /* set from elsewhere: ends the walk with CANCELLED; or NULL */
};

/* How the values of one operation differ: A is the reference. Over all of its outputs and executions. */
struct mls_walk_op {
    uint32_t a, b; /* steps */
    const char *type;
    const char *name;
    enum mls_dtype dtype_a, dtype_b; /* of the first output */
    bool compared;                   /* false: not the same number of elements, or no numbers */
    uint64_t n_elems;
    double snr_db;         /* INFINITY: equal; within -200 … 300 otherwise */
    double relative_error; /* noise / signal, as amplitudes */
    double added_error;    /* relative_error beyond that of its worst operand, 0 or more */
    double max_a, max_b;   /* largest finite absolute values */
    double max_error;
    uint64_t n_not_finite_a, n_not_finite_b;
    uint64_t n_lost; /* elements that are not zero in A and zero in B */
};

/* An output of the models. */
struct mls_walk_output {
    const char *name;
    bool compared;
    double snr_db;
    double cosine; /* NaN where one side is all zero */
    double max_error;
    uint64_t n_elems, n_not_finite_a, n_not_finite_b;
};

/* Why an operation should stay in fp32: id, words. */
#define MLS_WALK_LOSS_LIST(X)                                         \
    X(OVERFLOW, "its values are above 65504, the largest of fp16")    \
    X(UNDERFLOW, "most of its values are below the smallest of fp16") \
    X(PRECISION, "it adds most of the error")

enum mls_walk_loss {
#define X(id, words) MLS_WALK_##id,
    MLS_WALK_LOSS_LIST(X)
#undef X
        MLS_WALK_LOSS_COUNT
};

/* mls_walk_loss_text: the words; static. */
const char *mls_walk_loss_text(enum mls_walk_loss loss);

struct mls_walk_keep {
    uint32_t op; /* index into ops */
    enum mls_walk_loss loss;
};

struct mls_walk {
    const struct mls_walk_op *ops; /* matched operations in A's run order */
    size_t n_ops;
    size_t n_compared;
    size_t n_only_a, n_only_b; /* operations without a counterpart */
    double limit_db;
    uint32_t first;        /* index into ops: the first one below the limit, or MLS_NO_INDEX */
    const uint32_t *worst; /* indices into ops: those that add most error first; only those that add any */
    size_t n_worst;
    const struct mls_walk_keep *keep; /* operations of B in fp16 that should stay in fp32, in run order */
    size_t n_keep;
    const struct mls_walk_output *outputs;
    size_t n_outputs;
    char *texts; /* names and types: a walk outlives the models */
};

/*
 * mls_walk: both must be loaded completely, with the same inputs and without fusion (values inside a fused
 * step do not exist). Borrows both. USAGE when their inputs are not the same; the caller frees.
 */
enum mls_status mls_walk(const struct mls_loaded *a, const struct mls_loaded *b,
                         const struct mls_walk_options *options, struct mls_walk **ret_walk,
                         struct mls_error *reterr);
void mls_walk_free(struct mls_walk *walk);
