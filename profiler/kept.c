#include "kept.h"

#include <stdlib.h>

enum { EVENTS_AT_ONCE = 2048 };

bool kept_create(struct kept *kept, size_t n_latest)
{
    kept->latest = n_latest ? calloc(n_latest, sizeof *kept->latest) : NULL;
    kept->n_latest = kept->latest ? n_latest : 0;
    return kept->n_latest == n_latest;
}

static void slot_free(struct kept_slot *slot)
{
    free(slot->events);
    free(slot->threads);
}

void kept_free(struct kept *kept)
{
    for (size_t i = 0; i < kept->n_latest; i++)
        slot_free(&kept->latest[i]);
    slot_free(&kept->slowest);
    free(kept->latest);
    *kept = (struct kept){0};
}

void kept_clear(struct kept *kept)
{
    kept->slowest.prediction.n_events = 0;
    kept->n_added = 0;
}

static bool fill_threads(struct kept_slot *slot, const struct mls_clock *clock, const struct mls_recorder *recorder,
                         const struct ring_prediction *prediction)
{
    size_t n = prediction->end_thread_event - prediction->first_thread_event;
    if (n > slot->threads_capacity) {
        struct mls_kept_thread *grown = realloc(slot->threads, n * sizeof *grown);
        if (!grown)
            return false;
        slot->threads = grown;
        slot->threads_capacity = n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct mls_thread_event *event = ring_thread_event(recorder, prediction->first_thread_event + i);
        const struct mls_thread_part *part = &event->part;
        slot->threads[i] = (struct mls_kept_thread){
            .step = part->step,
            .thread = event->thread,
            .begin_ns = mls_clock_span_ns(clock, part->begin_ticks - prediction->time.begin_ticks),
            .ns = mls_clock_span_ns(clock, part->end_ticks - part->begin_ticks)};
    }
    slot->prediction.n_threads = n;
    return true;
}

static bool fill(struct kept_slot *slot, const struct mls_clock *clock, const struct mls_recorder *recorder,
                 uint32_t index, const struct ring_prediction *prediction, uint64_t ns)
{
    size_t n = prediction->end_event - prediction->first_event;
    if (n > slot->capacity) {
        struct mls_kept_event *grown = realloc(slot->events, n * sizeof *grown);
        if (!grown)
            return false;
        slot->events = grown;
        slot->capacity = n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct mls_event *event = ring_event(recorder, prediction->first_event + i);
        slot->events[i] = (struct mls_kept_event){
            .step = event->step,
            .begin_ns = mls_clock_span_ns(clock, event->begin_ticks - prediction->time.begin_ticks),
            .ns = mls_clock_span_ns(clock, event->end_ticks - event->begin_ticks)};
    }
    slot->prediction = (struct mls_kept_prediction){
        .recorder = index, .number = prediction->number, .ns = ns, .n_events = n};
    return fill_threads(slot, clock, recorder, prediction);
}

bool kept_add(struct kept *kept, const struct mls_clock *clock, const struct mls_recorder *recorder,
              uint32_t index, const struct ring_prediction *prediction, size_t n_later)
{
    if (!kept->n_latest || !prediction->timed || !prediction->complete)
        return true;
    uint64_t ns = mls_clock_span_ns(clock, prediction->time.end_ticks - prediction->time.begin_ticks);
    bool ok = true;
    size_t n_events = prediction->end_event - prediction->first_event;
    if (n_later < kept->n_latest && n_later * n_events < EVENTS_AT_ONCE) {
        struct kept_slot *slot = &kept->latest[kept->n_added % kept->n_latest];
        ok = fill(slot, clock, recorder, index, prediction, ns);
        kept->n_added += ok;
    }
    if (ok && (!kept->slowest.prediction.n_events || ns > kept->slowest.prediction.ns))
        ok = fill(&kept->slowest, clock, recorder, index, prediction, ns);
    return ok;
}

static struct mls_kept_prediction shown(const struct kept_slot *slot)
{
    struct mls_kept_prediction prediction = slot->prediction;
    prediction.events = slot->events;
    prediction.threads = slot->threads;
    return prediction;
}

size_t kept_list(const struct kept *kept, struct mls_kept_prediction *ret_kept, size_t max)
{
    size_t n = 0;
    if (max && kept->slowest.prediction.n_events)
        ret_kept[n++] = shown(&kept->slowest);
    for (size_t i = 0; i < kept->n_latest && i < kept->n_added && n < max; i++)
        ret_kept[n++] = shown(&kept->latest[(kept->n_added - 1 - i) % kept->n_latest]);
    return n;
}
