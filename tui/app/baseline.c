#include "app/baseline.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static const uint64_t compare_every_ns = 1000000000u;

static enum mls_status adopt(struct mls_baseline *baseline, struct mls_side *side, const char *label,
                             struct mls_error *reterr)
{
    char *copy = strdup(label);
    if (!copy) {
        mls_side_free(side);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    }
    mls_baseline_done(baseline);
    side->label = copy;
    baseline->label = copy;
    baseline->side = side;
    return MLS_OK;
}

enum mls_status mls_baseline_take(struct mls_baseline *baseline, const struct mls_snapshot *snapshot,
                                  const char *label, struct mls_error *reterr)
{
    struct mls_side *side;
    struct mls_record record = mls_snapshot_record(snapshot);
    enum mls_status status = mls_side_from_record(&record, label, &side, reterr);
    return status ? status : adopt(baseline, side, label, reterr);
}

enum mls_status mls_baseline_open(struct mls_baseline *baseline, const char *path, struct mls_error *reterr)
{
    struct mls_side *side;
    enum mls_status status = mls_side_from_file(path, &side, reterr);
    return status ? status : adopt(baseline, side, path, reterr);
}

void mls_baseline_compare(struct mls_baseline *baseline, struct mls_snapshot *snapshot)
{
    uint64_t now_ns = mls_clock_ns();
    bool due = !baseline->comparison || baseline->generation != snapshot->generation ||
               (now_ns - baseline->at_ns > compare_every_ns && !snapshot->recording && !snapshot->synthetic);
    if (baseline->side && due && snapshot->n_steps) {
        struct mls_record record = mls_snapshot_record(snapshot);
        struct mls_side *now;
        struct mls_comparison *comparison;
        if (mls_side_from_record(&record, snapshot->path, &now, NULL) != MLS_OK)
            return;
        if (mls_compare(baseline->side, now, &comparison, NULL) != MLS_OK) {
            mls_side_free(now);
            return;
        }
        mls_comparison_free(baseline->comparison);
        mls_side_free(baseline->now);
        baseline->now = now;
        baseline->comparison = comparison;
        baseline->at_ns = now_ns;
        baseline->generation = snapshot->generation;
    }
    snapshot->comparison = baseline->comparison;
}

void mls_baseline_done(struct mls_baseline *baseline)
{
    mls_comparison_free(baseline->comparison);
    mls_side_free(baseline->side);
    mls_side_free(baseline->now);
    free(baseline->label);
    *baseline = (struct mls_baseline){0};
}
