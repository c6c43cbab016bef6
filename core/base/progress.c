#include "core/progress.h"

#include <stddef.h>

static const char *const stage_names[MLS_STAGE_COUNT] = {
#define X(id, name) [MLS_STAGE_##id] = name,
    MLS_STAGE_LIST(X)
#undef X
};

const char *mls_stage_name(enum mls_stage stage)
{
    return (unsigned)stage < MLS_STAGE_COUNT ? stage_names[stage] : "unknown";
}

bool mls_progress_at(const struct mls_progress *progress, enum mls_stage stage, uint64_t done, uint64_t total)
{
    return !progress || !progress->at || progress->at(progress->user, stage, done, total);
}
