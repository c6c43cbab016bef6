#include "profiler/recorder.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"

enum {
    CACHE_LINE_BYTES = 64,
    EVENTS_DEFAULT = 1 << 16,
    EVENTS_MAX = 1 << 22, /* 96 MiB: a ring grows no further for one prediction of many steps */
    THREAD_EVENTS = 1 << 16, /* a power of two */
    PREDICTIONS = 1 << 14
};

/*
 * Two rings with one producer and one consumer. Positions only grow; the slot is the position modulo the
 * size. Events become visible when the prediction that they belong to is published (release on `published`),
 * room comes back when the consumer is done with a prediction (release on `events_taken` and `taken`).
 */
struct mls_recorder {
    /* the predicting thread's own */
    alignas(CACHE_LINE_BYTES) struct mls_event *events;
    size_t n_events; /* a power of two */
    size_t written;
    size_t limit;   /* `written` must not pass it in this prediction */
    size_t skipped; /* events of this prediction that found no room */
    size_t largest; /* events of the largest prediction so far */
    uint32_t number;
    struct mls_counters *counters; /* or NULL */
    bool counting;                 /* in this prediction */
    uint32_t thread;               /* visible to the other thread with the first prediction */
    struct ring_prediction *predictions;
    struct mls_thread_event *threads; /* of this prediction: those of the ring while somebody watches, or NULL */
    size_t threads_written;
    size_t threads_limit;
    bool threads_skipped; /* some of this prediction found no room */

    /* written by the predicting thread, read by the other */
    alignas(CACHE_LINE_BYTES) atomic_size_t published;
    _Atomic uint64_t lost;

    /* written by the other thread, read by the predicting one */
    alignas(CACHE_LINE_BYTES) atomic_size_t taken;
    atomic_size_t events_taken;
    atomic_size_t threads_taken;
    _Atomic(struct mls_thread_event *) threads_watched; /* where to write, or NULL */
    struct mls_thread_event *threads_ring;              /* made when it is first wanted */
};

struct mls_recorder *mls_recorder_create(size_t n_events)
{
    size_t size = 1;
    while (size < (n_events ? n_events : EVENTS_DEFAULT) && size < EVENTS_MAX)
        size *= 2;
    struct mls_recorder *recorder = aligned_alloc(CACHE_LINE_BYTES, sizeof *recorder);
    if (!recorder)
        return NULL;
    *recorder = (struct mls_recorder){
        .events = reallocarray(NULL, size, sizeof *recorder->events),
        .n_events = size,
        .predictions = calloc(PREDICTIONS, sizeof *recorder->predictions),
    };
    if (!recorder->events || !recorder->predictions) {
        mls_recorder_free(recorder);
        return NULL;
    }
    memset(recorder->events, 0,
           size * sizeof *recorder->events); /* page by page now, not between two operations */
    return recorder;
}

void mls_recorder_free(struct mls_recorder *recorder)
{
    if (!recorder)
        return;
    free(recorder->events);
    free(recorder->predictions);
    free(recorder->threads_ring);
    free(recorder);
}

/* The observer's callback: the only code that runs between two operations. */
static void record_step(void *user, uint32_t step, uint64_t begin_ticks, uint64_t end_ticks)
{
    struct mls_recorder *recorder = user;
    if (recorder->counting)
        mls_counters_step(recorder->counters, step);
    if (recorder->written == recorder->limit) {
        recorder->skipped++;
        return;
    }
    recorder->events[recorder->written++ & (recorder->n_events - 1)] = (struct mls_event){
        .prediction = recorder->number, .step = step, .begin_ticks = begin_ticks, .end_ticks = end_ticks};
}

/* After the last step: all that one thread did. */
static void record_thread(void *user, uint32_t thread, const struct mls_thread_part *parts, size_t n)
{
    struct mls_recorder *recorder = user;
    recorder->threads_skipped = recorder->threads_skipped || n > recorder->threads_limit - recorder->threads_written;
    for (size_t i = 0; i < n && !recorder->threads_skipped; i++)
        recorder->threads[recorder->threads_written++ % THREAD_EVENTS] =
            (struct mls_thread_event){.thread = thread, .part = parts[i]};
}

/* A ring that is too small for one whole prediction is exchanged while it is empty: nobody looks into it
 * then. */
static void grow(struct mls_recorder *recorder)
{
    size_t size = recorder->n_events;
    while (size < recorder->largest && size < EVENTS_MAX)
        size *= 2;
    struct mls_event *events = size > recorder->n_events ? calloc(size, sizeof *events) : NULL;
    if (!events)
        return;
    free(recorder->events);
    recorder->events = events;
    recorder->n_events = size;
}

static void publish(struct mls_recorder *recorder, size_t begin, size_t begin_threads, bool timed,
                    const struct mls_run_time *time)
{
    size_t n = recorder->written - begin + recorder->skipped;
    if (n > recorder->largest)
        recorder->largest = n;
    bool complete = !recorder->skipped;
    size_t position = atomic_load_explicit(&recorder->published, memory_order_relaxed);
    bool room = position - atomic_load_explicit(&recorder->taken, memory_order_acquire) < PREDICTIONS;
    if (!complete || !room) {
        recorder->written = begin;
        atomic_fetch_add_explicit(&recorder->lost, n, memory_order_relaxed);
    }
    if (!room || !complete || recorder->threads_skipped)
        recorder->threads_written = begin_threads;
    if (!room)
        return;
    recorder->predictions[position % PREDICTIONS] = (struct ring_prediction){.number = recorder->number,
                                                                             .timed = timed,
                                                                             .complete = complete,
                                                                             .first_event = begin,
                                                                             .end_event = recorder->written,
                                                                             .first_thread_event = begin_threads,
                                                                             .end_thread_event =
                                                                                 recorder->threads_written,
                                                                             .time = *time};
    atomic_store_explicit(&recorder->published, position + 1, memory_order_release);
}

enum mls_status mls_recorder_predict(struct mls_recorder *recorder, struct mls_run *run, bool timed,
                                     struct mls_run_time *ret_time, struct mls_error *reterr)
{
    size_t taken = atomic_load_explicit(&recorder->events_taken, memory_order_acquire);
    if (recorder->largest > recorder->n_events && taken == recorder->written)
        grow(recorder);
    if (!recorder->thread)
        recorder->thread = (uint32_t)gettid();
    size_t begin = recorder->written, begin_threads = recorder->threads_written;
    recorder->threads = atomic_load_explicit(&recorder->threads_watched, memory_order_acquire);
    recorder->threads_limit =
        atomic_load_explicit(&recorder->threads_taken, memory_order_acquire) + THREAD_EVENTS;
    recorder->threads_skipped = false;
    recorder->limit = taken + recorder->n_events;
    recorder->skipped = 0;
    recorder->counting = recorder->counters && timed;
    if (recorder->counting)
        mls_counters_begin(recorder->counters);
    const struct mls_observer observer = {
        .user = recorder, .step = record_step, .thread = recorder->threads ? record_thread : NULL};
    struct mls_run_time time;
    enum mls_status status = mls_run_predict(run, &observer, &time, reterr);
    if (status) {
        recorder->written = begin;
        recorder->threads_written = begin_threads;
        return status;
    }
    publish(recorder, begin, begin_threads, timed, &time);
    recorder->number++;
    if (ret_time)
        *ret_time = time;
    return MLS_OK;
}

void mls_recorder_set_counters(struct mls_recorder *recorder, struct mls_counters *counters)
{
    recorder->counters = counters;
}

bool mls_recorder_watch_threads(struct mls_recorder *recorder, bool on)
{
    if (on && !recorder->threads_ring)
        recorder->threads_ring = calloc(THREAD_EVENTS, sizeof *recorder->threads_ring);
    atomic_store_explicit(&recorder->threads_watched, on ? recorder->threads_ring : NULL, memory_order_release);
    return !on || recorder->threads_ring;
}

uint32_t mls_recorder_thread(const struct mls_recorder *recorder)
{
    return recorder->thread;
}

uint64_t mls_recorder_lost(const struct mls_recorder *recorder)
{
    return atomic_load_explicit(&recorder->lost, memory_order_relaxed);
}

size_t ring_waiting(const struct mls_recorder *recorder, size_t max)
{
    size_t taken = atomic_load_explicit(&recorder->taken, memory_order_relaxed);
    size_t n = atomic_load_explicit(&recorder->published, memory_order_acquire) - taken;
    return n < max ? n : max;
}

const struct ring_prediction *ring_next(const struct mls_recorder *recorder, size_t number)
{
    size_t taken = atomic_load_explicit(&recorder->taken, memory_order_relaxed);
    return number < ring_waiting(recorder, number + 1)
               ? &recorder->predictions[(taken + number) % PREDICTIONS]
               : NULL;
}

const struct mls_event *ring_event(const struct mls_recorder *recorder, size_t index)
{
    return &recorder->events[index & (recorder->n_events - 1)];
}

const struct mls_thread_event *ring_thread_event(const struct mls_recorder *recorder, size_t index)
{
    return &recorder->threads_ring[index % THREAD_EVENTS];
}

void ring_release(struct mls_recorder *recorder)
{
    size_t taken = atomic_load_explicit(&recorder->taken, memory_order_relaxed);
    size_t events_taken = recorder->predictions[taken % PREDICTIONS].end_event;
    size_t threads_taken = recorder->predictions[taken % PREDICTIONS].end_thread_event;
    atomic_store_explicit(&recorder->threads_taken, threads_taken, memory_order_release);
    atomic_store_explicit(&recorder->events_taken, events_taken, memory_order_release);
    atomic_store_explicit(&recorder->taken, taken + 1, memory_order_release);
}
