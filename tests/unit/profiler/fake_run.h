/*
 * fake_run.h: stands in for the executor: a plan of four steps, of which step 1 is a loop around 2 and 3, and
 * a prediction that reports what the test wrote down. Included once, by the test that needs it.
 */
#pragma once

#include <string.h>

#include "core/clock.h"
#include "core/session.h"

enum { FAKE_STEPS = 4, FAKE_SCRIPT_MAX = 4096, FAKE_THREADS = 2 };

struct fake_event {
    uint32_t step;
    uint64_t begin, end; /* ticks after the begin of the prediction */
    uint32_t n_threads;  /* that shared it, each for a shorter time; 0: one did it alone */
};

struct mls_run {
    struct fake_event script[FAKE_SCRIPT_MAX];
    size_t n_script;
    struct mls_run_time time; /* begin and end relative to `now` */
    uint64_t now;
    bool fails;
};

static struct mls_step_operand fake_operand = {
    .name = "x", .parameter = "", .type = {.dtype = MLS_FP16, .rank = 2, .dims = {2, 3}}};

static const mls_op_id fake_fused[] = {{0}, {1}};

static struct mls_step fake_steps[FAKE_STEPS] = {
    {.index = 0,
     .function = "main",
     .path = "main/a,\"b\"",
     .type = "conv",
     .name = "a,\"b\"",
     .fused = fake_fused,
     .n_fused = 2,
     .cost = {.flops = 1000, .bytes_read = 500, .bytes_written = 500},
     .inputs = &fake_operand,
     .n_inputs = 1,
     .outputs = &fake_operand,
     .n_outputs = 1,
     .live_bytes_after = 64},
    {.index = 1,
     .function = "main",
     .path = "main/loop",
     .type = "while_loop",
     .name = "loop",
     .control = true,
     .fused = fake_fused,
     .n_fused = 1},
    {.index = 2,
     .function = "main",
     .path = "main/loop.body/add",
     .type = "add",
     .name = "add",
     .depth = 1,
     .fused = fake_fused,
     .n_fused = 1},
    {.index = 3,
     .function = "main",
     .path = "main/loop.body/x;y<z>",
     .type = "mul",
     .name = "x;y<z>",
     .depth = 1,
     .fused = fake_fused,
     .n_fused = 1},
};

size_t mls_plan_step_count(const struct mls_plan *plan)
{
    (void)plan;
    return FAKE_STEPS;
}

const struct mls_step *mls_plan_step(const struct mls_plan *plan, size_t index)
{
    (void)plan;
    return &fake_steps[index];
}

struct mls_memory mls_plan_memory(const struct mls_plan *plan)
{
    (void)plan;
    return (struct mls_memory){.weights_bytes = 10};
}

enum mls_status mls_run_predict(struct mls_run *run, const struct mls_observer *observer,
                                struct mls_run_time *ret_time, struct mls_error *reterr)
{
    for (size_t i = 0; i < run->n_script; i++) {
        const struct fake_event *event = &run->script[i];
        uint64_t begin = run->now + event->begin, end = run->now + event->end;
        observer->step(observer->user, event->step, begin, end);
    }
    for (uint32_t thread = 0; observer->thread && thread < FAKE_THREADS; thread++) {
        struct mls_thread_part parts[FAKE_SCRIPT_MAX];
        size_t n = 0;
        for (size_t i = 0; i < run->n_script; i++)
            if (thread < run->script[i].n_threads)
                parts[n++] = (struct mls_thread_part){
                    .step = run->script[i].step,
                    .begin_ticks = run->now + run->script[i].begin,
                    .end_ticks = run->now + run->script[i].begin +
                                 (run->script[i].end - run->script[i].begin) / (thread + 1)};
        observer->thread(observer->user, thread, parts, n);
    }
    if (run->fails)
        return mls_fail(reterr, MLS_ERR_CANCELLED, "cancelled");
    *ret_time = run->time;
    ret_time->begin_ticks += run->now;
    ret_time->end_ticks += run->now;
    run->now += run->time.end_ticks + 100;
    return MLS_OK;
}

/* Ticks that are nanoseconds, up to the rounding of the clock. */
static uint64_t fake_ticks(uint64_t ns)
{
    const struct mls_clock *clock = mls_clock_get();
    return (uint64_t)((double)ns * 4294967296.0 / (double)clock->multiplier);
}

static __attribute__((unused)) void fake_add(struct mls_run *run, uint32_t step, uint64_t begin_ns, uint64_t end_ns)
{
    run->script[run->n_script++] =
        (struct fake_event){.step = step, .begin = fake_ticks(begin_ns), .end = fake_ticks(end_ns)};
}
