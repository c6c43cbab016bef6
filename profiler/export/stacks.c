/* stacks.c: what the formats of stacks share: every operation, or every sampled stack below one, as a list of
 * frames. */
#include <stdlib.h>
#include <string.h>

#include "export.h"

enum { FRAMES_MAX = 64 + MLS_SAMPLE_DEPTH_MAX }; /* blocks do not nest deeper than limits.h allows */

struct frames {
    const char *names[FRAMES_MAX];
    char *owned[FRAMES_MAX]; /* parts of the path */
    size_t n_owned;
    size_t n;
};

static void clear(struct frames *frames)
{
    for (size_t i = 0; i < frames->n_owned; i++)
        free(frames->owned[i]);
    frames->n = frames->n_owned = 0;
}

/* The parts of the path before "/name": function and blocks. What does not fit is left out in the middle. */
static bool add_blocks(struct frames *frames, const struct mls_step *step)
{
    size_t length = strlen(step->path), name = strlen(step->name);
    if (length > name && !strcmp(step->path + length - name, step->name))
        length -= name + 1;
    const char *at = step->path, *end = step->path + length;
    while (at < end && frames->n < FRAMES_MAX - MLS_SAMPLE_DEPTH_MAX - 2) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t part = (size_t)((slash ? slash : end) - at);
        if (part) {
            char *copy = strndup(at, part);
            if (!copy)
                return false;
            frames->owned[frames->n_owned++] = copy;
            frames->names[frames->n++] = copy;
        }
        at += part + 1;
    }
    return true;
}

static bool add_step(struct frames *frames, const struct mls_step *step)
{
    clear(frames);
    if (!add_blocks(frames, step))
        return false;
    frames->names[frames->n++] = step->type;
    frames->names[frames->n++] = step->name;
    return true;
}

static bool give(const struct frames *frames, const struct mls_step *step, uint64_t count, uint64_t ns,
                 export_take_stack *take, void *user)
{
    const struct export_stack stack = {
        .frames = frames->names, .depth = frames->n, .step = step, .count = count, .ns = ns};
    return take(user, &stack);
}

static bool sampled(const struct mls_document *document, export_take_stack *take, void *user)
{
    struct frames frames = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < mls_hot_stack_count(document->hot); i++) {
        struct mls_hot_stack stack;
        ok = mls_hot_stack_at(document->hot, i, &stack);
        if (!ok)
            break;
        const struct mls_step *step = mls_plan_step(mls_profile_plan(document->profile), stack.step);
        ok = add_step(&frames, step);
        for (uint32_t j = 0; ok && j < stack.depth; j++)
            frames.names[frames.n++] = stack.names[j];
        ok = ok && give(&frames, step, stack.samples, stack.cpu_ns, take, user);
    }
    clear(&frames);
    return ok;
}

static bool measured(const struct mls_document *document, export_take_stack *take, void *user)
{
    struct export_rows rows;
    if (!export_walk(document, EXPORT_RUN_ORDER, &rows))
        return false;
    struct frames frames = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < rows.n_rows; i++) {
        const struct mls_series_stats *time = &rows.rows[i].stats.time;
        uint64_t total_ns = time->mean_ns * time->runs;
        if (total_ns)
            ok = add_step(&frames, rows.rows[i].step) &&
                 give(&frames, rows.rows[i].step, time->runs, total_ns, take, user);
    }
    clear(&frames);
    free(rows.rows);
    return ok;
}

bool export_stacks(const struct mls_document *document, export_take_stack *take, void *user)
{
    return document->hot ? sampled(document, take, user) : measured(document, take, user);
}
