/*
 * place.c: where each value lies in the arena. Values whose lives overlap must not overlap in memory; offline
 * this is dynamic storage allocation, which is NP-hard, and greedy orders come close (Pisarchyk and Lee,
 * "Efficient memory management for deep neural net inference", 2020). Several orders are tried and the
 * smallest result is kept; while it is above the lower bound, what stands highest is placed earlier.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum { ARENA_ALIGN = 64 };

/* Comparisons that looking for a smaller layout may take: some tens of milliseconds. */
enum { ROUNDS_MAX = 256, COMPARISONS_MAX = 1 << 24 };

struct record {
    uint32_t slot;
    uint32_t first;
    uint32_t last;
    uint64_t size;
    uint64_t offset;
};

static int by_size(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->first != y->first ? (x->first < y->first ? -1 : 1)
                                : (x->slot < y->slot ? -1 : x->slot > y->slot);
}

static int by_first(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return by_size(a, b);
}

static int by_area(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    uint64_t area_x = x->size * (x->last - x->first + 1), area_y = y->size * (y->last - y->first + 1);
    return area_x != area_y ? (area_x > area_y ? -1 : 1) : by_size(a, b);
}

/* Inserts `record` into the records placed so far, which are sorted by offset, at the tightest gap that holds
 * it. */
static uint64_t tightest_gap(struct record *const *placed, size_t n, const struct record *record)
{
    uint64_t best_offset = UINT64_MAX, best_gap = UINT64_MAX, end = 0;
    for (size_t i = 0; i < n; i++) {
        const struct record *other = placed[i];
        if (other->last < record->first || record->last < other->first)
            continue;
        if (other->offset > end && other->offset - end >= record->size && other->offset - end < best_gap) {
            best_gap = other->offset - end;
            best_offset = end;
        }
        if (other->offset + other->size > end)
            end = other->offset + other->size;
    }
    return best_offset == UINT64_MAX ? end : best_offset;
}

static uint64_t place_in_order(struct record *records, size_t n, struct record **placed)
{
    uint64_t peak = 0;
    for (size_t i = 0; i < n; i++) {
        struct record *record = &records[i];
        record->offset = tightest_gap(placed, i, record);
        size_t at = i;
        for (; at && placed[at - 1]->offset > record->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = record;
        if (record->offset + record->size > peak)
            peak = record->offset + record->size;
    }
    return peak;
}

/* Puts the record that ends highest first in the order. */
static void promote_highest(struct record *records, size_t n)
{
    size_t highest = 0;
    for (size_t i = 1; i < n; i++)
        if (records[i].offset + records[i].size > records[highest].offset + records[highest].size)
            highest = i;
    struct record record = records[highest];
    memmove(&records[1], &records[0], highest * sizeof *records);
    records[0] = record;
}

static bool collect(const struct mls_plan *plan, struct record *records, size_t *ret_n)
{
    *ret_n = 0;
    uint32_t end = plan->n_steps ? plan->n_steps - 1 : 0;
    for (uint32_t i = 0; i < plan->n_slots; i++) {
        const struct plan_slot *slot = &plan->slots[i];
        if (slot->storage != PLAN_ARENA)
            continue;
        size_t size;
        if (!mls_align_up(mls_type_bytes(&slot->tensor.type), ARENA_ALIGN, &size) || size > (size_t)1 << 48)
            return false;
        records[(*ret_n)++] = (struct record){.slot = i,
                                              .first = slot->first_step,
                                              .last = slot->last_step < end ? slot->last_step : end,
                                              .size = size};
    }
    return true;
}

static bool publish(struct mls_plan *plan, const struct record *records, size_t n)
{
    plan->buffers = MLS_NEW_ARRAY(plan->arena, n, struct mls_buffer);
    if (!plan->buffers)
        return false;
    plan->n_buffers = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct plan_slot *slot = &plan->slots[records[i].slot];
        slot->offset_bytes = records[i].offset;
        plan->buffers[i] = (struct mls_buffer){.name = slot->name,
                                               .offset_bytes = records[i].offset,
                                               .size_bytes = records[i].size,
                                               .first_step = records[i].first,
                                               .last_step = records[i].last};
    }
    return true;
}

/* Live bytes during and after each step, and their greatest value: the lower bound of any layout. */
static void count_live(struct mls_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        uint64_t during = 0, after = 0;
        for (uint32_t j = 0; j < plan->n_buffers; j++) {
            const struct mls_buffer *buffer = &plan->buffers[j];
            if (buffer->first_step <= i && i <= buffer->last_step)
                during += buffer->size_bytes;
            if (buffer->first_step <= i && i < buffer->last_step)
                after += buffer->size_bytes;
        }
        plan->infos[i].live_bytes_after = after;
        if (during > plan->memory.lower_bound_bytes)
            plan->memory.lower_bound_bytes = during;
        if (plan->steps[i].scratch_bytes > plan->memory.scratch_bytes)
            plan->memory.scratch_bytes = plan->steps[i].scratch_bytes;
    }
}

static bool place_kept(struct mls_plan *plan)
{
    size_t at = 0;
    for (uint32_t i = 0; i < plan->n_slots; i++) {
        struct plan_slot *slot = &plan->slots[i];
        if (slot->storage != PLAN_INPUT && slot->storage != PLAN_STATE)
            continue;
        bool open = slot->storage == PLAN_INPUT && !mls_type_is_static(&slot->tensor.type);
        size_t bytes = open ? 0 : mls_type_bytes(&slot->tensor.type);
        slot->offset_bytes = at;
        if (!mls_add_size(at, bytes, &at) || !mls_align_up(at, ARENA_ALIGN, &at))
            return false;
        if (slot->storage == PLAN_STATE)
            plan->memory.states_bytes += bytes;
    }
    plan->kept_bytes = at;
    return true;
}

/* Places records in their order and keeps the result when it is the smallest so far; false when out of memory. */
static bool try_order(struct mls_plan *plan, struct record *records, size_t n, struct record **placed)
{
    uint64_t peak = place_in_order(records, n, placed);
    if (peak >= plan->memory.planned_peak_bytes)
        return true;
    plan->memory.planned_peak_bytes = peak;
    return publish(plan, records, n);
}

bool plan_place(struct mls_plan *plan, bool quick)
{
    static int (*const orders[])(const void *, const void *) = {by_size, by_area, by_first};
    size_t n = 0, n_orders = quick ? 1 : sizeof orders / sizeof orders[0];
    struct record *records = calloc(plan->n_slots ? plan->n_slots : 1, sizeof *records);
    struct record **placed = calloc(plan->n_slots ? plan->n_slots : 1, sizeof(struct record *));
    bool ok = records && placed && collect(plan, records, &n);
    plan->memory.planned_peak_bytes = UINT64_MAX;
    for (size_t i = 0; ok && i < n_orders; i++) {
        qsort(records, n, sizeof *records, orders[i]);
        ok = try_order(plan, records, n, placed);
    }
    if (ok)
        count_live(plan);
    size_t rounds = quick || !n ? 0 : COMPARISONS_MAX / (n * n);
    for (size_t i = 0; ok && i < rounds && i < ROUNDS_MAX; i++) {
        if (plan->memory.planned_peak_bytes <= plan->memory.lower_bound_bytes)
            break;
        promote_highest(records, n);
        ok = try_order(plan, records, n, placed);
    }
    free(records);
    free(placed);
    if (!ok || !place_kept(plan))
        return false;
    plan->memory.arena_bytes = plan->memory.planned_peak_bytes;
    return true;
}
