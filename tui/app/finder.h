/* finder.h: the models and recordings below a folder, looked at by a thread of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MLS_FOUND_MAX = 4096, MLS_FOUND_PATH_BYTES = 1024, MLS_FOUND_TEXT_BYTES = 200 };

/* What is known of one so far: id, word. */
#define MLS_FOUND_STATE_LIST(X) \
    X(UNSEEN, "")               \
    X(READS, "reads")           \
    X(SEALED, "sealed")         \
    X(REFUSED, "refused")

enum mls_found_state {
#define X(id, word) MLS_FOUND_##id,
    MLS_FOUND_STATE_LIST(X)
#undef X
        MLS_FOUND_STATE_COUNT
};

const char *mls_found_state_name(enum mls_found_state state);

struct mls_found {
    char path[MLS_FOUND_PATH_BYTES]; /* from the folder on */
    const char *form;                /* static; "" while it is not known */
    char kind[48];                   /* "mlProgram" */
    uint64_t size_bytes;
    int32_t spec_version;
    enum mls_found_state state;
    char reason[MLS_FOUND_TEXT_BYTES]; /* of a refusal */
};

struct mls_finder;

/* mls_finder_start: looks below `root`, which is copied, eight folders deep. NULL when out of memory or
 * threads. */
struct mls_finder *mls_finder_start(const char *root);

/* mls_finder_copy: what was found so far into *found, an array that grows as needed (free it); returns how
 * many. *ret_busy: whether it is still looking. */
size_t mls_finder_copy(struct mls_finder *finder, struct mls_found **found, size_t *capacity, bool *ret_busy);

const char *mls_finder_root(const struct mls_finder *finder);

/* mls_finder_free: ends the thread at its next file; NULL is fine. */
void mls_finder_free(struct mls_finder *finder);

/* mls_is_folder_of_models: whether a path is a folder that is no model itself. */
bool mls_is_folder_of_models(const char *path);
