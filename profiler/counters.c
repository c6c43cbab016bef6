#include "profiler/counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *heading;
    uint32_t type;
    uint64_t config;
} rows[MLS_COUNTER_COUNT] = {
#define X(id, name_, heading_, type_, config_) \
    [MLS_COUNTER_##id] = {                     \
        .name = name_, .heading = heading_, .type = PERF_TYPE_##type_, .config = PERF_COUNT_##config_},
    MLS_COUNTER_LIST(X)
#undef X
};

struct mls_counters {
    int files[MLS_COUNTER_COUNT]; /* -1: not there */
    int why[MLS_COUNTER_COUNT];   /* errno */
    uint64_t last[MLS_COUNTER_COUNT];
    uint64_t (*sums)[MLS_COUNTER_COUNT]; /* by step */
    size_t n_steps;
};

const char *mls_counter_name(enum mls_counter counter)
{
    return rows[counter].name;
}

const char *mls_counter_heading(enum mls_counter counter)
{
    return rows[counter].heading;
}

struct mls_counters *mls_counters_open(void)
{
    struct mls_counters *counters = calloc(1, sizeof *counters);
    if (!counters)
        return NULL;
    for (int i = 0; i < MLS_COUNTER_COUNT; i++) {
        struct perf_event_attr attributes = {.type = rows[i].type,
                                             .size = sizeof attributes,
                                             .config = rows[i].config,
                                             .inherit = 1,
                                             .exclude_kernel = 1,
                                             .exclude_hv = 1};
        counters->files[i] = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
        counters->why[i] = counters->files[i] < 0 ? errno : 0;
    }
    return counters;
}

void mls_counters_close(struct mls_counters *counters)
{
    if (!counters)
        return;
    for (int i = 0; i < MLS_COUNTER_COUNT; i++)
        if (counters->files[i] >= 0)
            close(counters->files[i]);
    free(counters->sums);
    free(counters);
}

const char *mls_counters_missing(const struct mls_counters *counters, enum mls_counter counter)
{
    int why = counters->why[counter];
    if (!why)
        return NULL;
    if (why == ENOENT || why == EOPNOTSUPP || why == ENODEV)
        return "this processor, or the virtual machine around it, does not have the counter";
    if (why == EACCES || why == EPERM)
        return "not permitted: see /proc/sys/kernel/perf_event_paranoid";
    return strerror(why);
}

bool mls_counters_reserve(struct mls_counters *counters, size_t n_steps)
{
    free(counters->sums);
    counters->sums = calloc(n_steps ? n_steps : 1, sizeof *counters->sums);
    counters->n_steps = counters->sums ? n_steps : 0;
    return counters->sums != NULL;
}

static void read_all(struct mls_counters *counters, uint64_t *ret_values)
{
    for (int i = 0; i < MLS_COUNTER_COUNT; i++) {
        uint64_t value;
        bool there =
            counters->files[i] >= 0 && read(counters->files[i], &value, sizeof value) == sizeof value;
        ret_values[i] = there ? value : counters->last[i];
    }
}

void mls_counters_begin(struct mls_counters *counters)
{
    read_all(counters, counters->last);
}

void mls_counters_step(struct mls_counters *counters, uint32_t step)
{
    uint64_t now[MLS_COUNTER_COUNT];
    read_all(counters, now);
    for (int i = 0; i < MLS_COUNTER_COUNT; i++) {
        if (step < counters->n_steps)
            counters->sums[step][i] += now[i] - counters->last[i];
        counters->last[i] = now[i];
    }
}

uint64_t mls_counters_sum(const struct mls_counters *counters, uint32_t step, enum mls_counter counter)
{
    return step < counters->n_steps ? counters->sums[step][counter] : 0;
}
