/* progress.h: stages of a load, reported while they happen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The stages in the order in which a load passes through them: id, name in `profile --json`. */
#define MLS_STAGE_LIST(X)       \
    X(OPEN, "open")             \
    X(DECRYPT, "decrypt")       \
    X(UNPACK, "unpack")         \
    X(PARSE, "parse")           \
    X(COMPRESS, "compress")     \
    X(WEIGHTS, "weights")       \
    X(SHAPES, "shapes")         \
    X(PASSES, "passes")         \
    X(PLAN, "plan")             \
    X(PREPARE, "prepare")       \
    X(FIRST_RUN, "first_run")

enum mls_stage {
#define X(id, name) MLS_STAGE_##id,
    MLS_STAGE_LIST(X)
#undef X
        MLS_STAGE_COUNT
};

/*
 * A listener to a load. `at` is called on the loading thread when a stage begins (done 0), as it goes on, and when it
 * ends (done == total); units are bytes for OPEN, DECRYPT and UNPACK and counts otherwise. A stage may begin again
 * later: its times add up. Returning false cancels the load with MLS_ERR_CANCELLED. `at` must not block.
 */
struct mls_progress {
    void *user;
    bool (*at)(void *user, enum mls_stage stage, uint64_t done, uint64_t total);
};

/* mls_stage_name: the stage's name; static. */
const char *mls_stage_name(enum mls_stage stage);

/* mls_progress_at: reports to `progress`; true when there is no listener. */
bool mls_progress_at(const struct mls_progress *progress, enum mls_stage stage, uint64_t done, uint64_t total);
