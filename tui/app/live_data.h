/* live_data.h: the memory that a snapshot points to: filled from a loaded model or from a recording. */
#pragma once

#include "app/settings.h"
#include "app/snapshot.h"

struct live_data {
    const struct mls_step **steps;
    const struct mls_buffer **buffers;
    struct mls_op_label *ops;
    struct mls_step_stats *stats;
    struct mls_trend *trends;
    struct mls_kept_event *kept_events[MLS_KEPT_MAX]; /* copies */
    size_t kept_capacity[MLS_KEPT_MAX];
    struct mls_kept_thread *kept_threads[MLS_KEPT_MAX];
    size_t threads_capacity[MLS_KEPT_MAX];
};

/* live_data_describe: the facts about a load as far as it came. Borrows from it. */
void live_data_describe(const struct mls_loaded *loaded, const struct mls_settings *settings,
                        struct mls_snapshot *snapshot);

/* live_data_fill: steps, buffers and labels of a plan; false when out of memory. */
bool live_data_fill(struct live_data *data, const struct mls_loaded *loaded, struct mls_snapshot *snapshot);

/* live_data_replay: everything of a recording. */
bool live_data_replay(struct live_data *data, const struct mls_recording *recording, const char *path,
                      struct mls_snapshot *snapshot);

/* live_data_keep_predictions: copies the predictions that the snapshot borrows from the profile, which will
 * change while it collects and the snapshot stays. */
void live_data_keep_predictions(struct live_data *data, struct mls_snapshot *snapshot);

/* live_data_synthesize_predictions: in place of kept ones, made from the snapshot's fixed statistics. */
void live_data_synthesize_predictions(struct live_data *data, struct mls_snapshot *snapshot);

/* live_data_save: the snapshot as a recording. */
enum mls_status live_data_save(const struct mls_snapshot *snapshot, const char *path, bool redact,
                               struct mls_error *reterr);

void live_data_clear(struct live_data *data);
void live_data_done(struct live_data *data);
