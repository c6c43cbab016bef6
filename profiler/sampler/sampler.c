#include "profiler/sampler.h"

#include <dirent.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "sampler/target.h"

enum { TARGETS_MAX = 512, LOOK_AGAIN_NS = 50 * 1000 * 1000 };

struct mls_sampler {
    const struct sampler_source *source;
    uint64_t period_ns;
    uintptr_t text_begin, text_end; /* the code of the file that this function is in: all of it is ours */
    struct target *targets[TARGETS_MAX];
    unsigned n_targets;
    uint64_t looked_ns; /* when the threads were last listed */
    uint64_t unwatched; /* threads that could not be watched */
    bool stopped;
};

bool sampler_is_compute(uint32_t thread)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%u/comm", thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read = fgets(name, sizeof name, file);
    fclose(file);
    return read && !strncmp(name, "mls-compute", 11);
}

/* For dl_iterate_phdr: the executable segment that holds mls_sampler_start. */
static int find_text(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    struct mls_sampler *sampler = user;
    uintptr_t here = (uintptr_t)mls_sampler_start;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type != PT_LOAD || here < begin || here >= end)
            continue;
        sampler->text_begin = begin;
        sampler->text_end = end;
        return 1;
    }
    return 0;
}

static void target_free(struct target *target)
{
    if (!target)
        return;
    sampler_disarm(target);
    free(target->words);
    free(target);
}

static struct target *target_create(const struct mls_sampler *sampler, uint32_t thread)
{
    struct target *target = aligned_alloc(64, (sizeof *target + 63) / 64 * 64);
    if (!target)
        return NULL;
    *target = (struct target){.thread = thread,
                              .compute = sampler_is_compute(thread),
                              .period_ns = sampler->period_ns,
                              .text_begin = sampler->text_begin,
                              .text_end = sampler->text_end,
                              .event = -1,
                              .words = malloc(TARGET_WORDS * sizeof *target->words)};
    if (!target->words) {
        free(target);
        return NULL;
    }
    return target;
}

static bool is_watched(const struct mls_sampler *sampler, uint32_t thread)
{
    for (unsigned i = 0; i < sampler->n_targets; i++)
        if (sampler->targets[i]->thread == thread)
            return true;
    return false;
}

static bool watch(struct mls_sampler *sampler, uint32_t thread)
{
    if (sampler->n_targets == TARGETS_MAX)
        return false;
    struct target *target = target_create(sampler, thread);
    if (!target)
        return false;
    if (!sampler->source->arm(target)) {
        int why = errno;
        target_free(target);
        errno = why;
        return false;
    }
    sampler->targets[sampler->n_targets++] = target;
    return true;
}

/* Watches all threads that are not watched yet. False when the first of them cannot be. */
static bool watch_all(struct mls_sampler *sampler)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return false;
    sampler->unwatched = 0;
    for (const struct dirent *entry; (entry = readdir(tasks));) {
        uint32_t thread = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (thread && !is_watched(sampler, thread))
            sampler->unwatched += !watch(sampler, thread);
    }
    int why = errno;
    closedir(tasks);
    errno = why;
    sampler->looked_ns = mls_clock_ns();
    return sampler->n_targets > 0;
}

enum mls_status mls_sampler_start(double rate_hz, struct mls_sampler **ret_sampler, struct mls_error *reterr)
{
    if (!(rate_hz >= 1 && rate_hz <= MLS_SAMPLER_RATE_MAX_HZ))
        return mls_fail(reterr, MLS_ERR_USAGE, "cannot sample at that rate: it has to be 1 to %d a second",
                        MLS_SAMPLER_RATE_MAX_HZ);
    struct mls_sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot sample: out of memory");
    sampler->period_ns = (uint64_t)(1e9 / rate_hz);
    mls_clock_get();
    dl_iterate_phdr(find_text, sampler);
    for (unsigned i = 0; i < n_sampler_sources; i++) {
        sampler->source = &sampler_sources[i];
        if (sampler_install(sampler->source) && watch_all(sampler)) {
            *ret_sampler = sampler;
            return MLS_OK;
        }
    }
    int why = errno;
    mls_sampler_free(sampler);
    return mls_fail(reterr, MLS_ERR_OP_UNSUPPORTED, "cannot sample stacks on this system: %s", strerror(why));
}

void mls_sampler_stop(struct mls_sampler *sampler)
{
    for (unsigned i = 0; i < sampler->n_targets; i++)
        sampler_disarm(sampler->targets[i]);
    sampler->stopped = true;
}

void mls_sampler_free(struct mls_sampler *sampler)
{
    if (!sampler)
        return;
    for (unsigned i = 0; i < sampler->n_targets; i++)
        target_free(sampler->targets[i]);
    free(sampler);
}

static uint64_t word(const struct target *target, size_t at)
{
    return target->words[at & (TARGET_WORDS - 1)];
}

static void drain_target(struct target *target, void (*take)(void *, const struct mls_sample *), void *user)
{
    size_t at = atomic_load_explicit(&target->taken, memory_order_relaxed);
    size_t end = atomic_load_explicit(&target->written, memory_order_acquire);
    while (at < end) {
        uintptr_t addresses[MLS_SAMPLE_DEPTH_MAX];
        struct mls_sample sample = {.ticks = word(target, at),
                                    .cpu_ns = word(target, at + 1) * target->period_ns,
                                    .thread = target->thread,
                                    .compute = target->compute,
                                    .depth = (uint32_t)word(target, at + 2),
                                    .addresses = addresses};
        at += TARGET_HEADER_WORDS;
        for (uint32_t i = 0; i < sample.depth; i++)
            addresses[i] = (uintptr_t)word(target, at++);
        take(user, &sample);
    }
    atomic_store_explicit(&target->taken, at, memory_order_release);
}

void mls_sampler_drain(struct mls_sampler *sampler, void (*take)(void *user, const struct mls_sample *sample),
                       void *user)
{
    for (unsigned i = 0; i < sampler->n_targets; i++)
        drain_target(sampler->targets[i], take, user);
    if (!sampler->stopped && mls_clock_ns() - sampler->looked_ns >= LOOK_AGAIN_NS)
        watch_all(sampler);
}

const char *mls_sampler_source(const struct mls_sampler *sampler)
{
    return sampler->source->name;
}

uint64_t mls_sampler_lost(const struct mls_sampler *sampler)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < sampler->n_targets; i++)
        lost += atomic_load_explicit(&sampler->targets[i]->lost, memory_order_relaxed);
    return lost;
}

uint64_t mls_sampler_own_ns(const struct mls_sampler *sampler)
{
    uint64_t ticks = 0;
    for (unsigned i = 0; i < sampler->n_targets; i++)
        ticks += atomic_load_explicit(&sampler->targets[i]->own_ticks, memory_order_relaxed);
    return mls_clock_span_ns(mls_clock_get(), ticks);
}
