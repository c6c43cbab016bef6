/* stack.c: in the signal handler, the interrupted thread's stack into its ring. Nothing here allocates or
 * locks. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdatomic.h>
#include <ucontext.h>

#include "core/clock.h"
#include "sampler/target.h"

enum { HANDLER_FRAMES_MAX = 8 }; /* frames of the handler itself that libunwind reports first */

#if defined(__x86_64__)
#define CONTEXT_ADDRESS(context) ((uintptr_t)(context)->uc_mcontext.gregs[REG_RIP])
#define CONTEXT_FRAME(context) ((uintptr_t)(context)->uc_mcontext.gregs[REG_RBP])
#elif defined(__aarch64__)
#define CONTEXT_ADDRESS(context) ((uintptr_t)(context)->uc_mcontext.pc)
#define CONTEXT_FRAME(context) ((uintptr_t)(context)->uc_mcontext.regs[29])
#endif

/* Whether an address lies in our own code, which keeps frame pointers throughout. */
static bool is_ours(const struct target *target, uintptr_t address)
{
    return address >= target->text_begin && address < target->text_end;
}

/*
 * Frames by frame pointers, a few nanoseconds each. The chain is followed only out of our own functions:
 * there the register holds a frame record, [caller's frame, return address]; what others keep in it nobody
 * knows.
 */
static uint32_t by_frame_pointers(const struct target *target, uintptr_t interrupted, uintptr_t frame,
                                  uintptr_t *ret_addresses)
{
    uint32_t depth = 0;
    ret_addresses[depth++] = interrupted;
    while (depth < MLS_SAMPLE_DEPTH_MAX && is_ours(target, ret_addresses[depth - 1]) && frame &&
           !(frame % sizeof frame)) {
        const uintptr_t *record = (const uintptr_t *)frame;
        ret_addresses[depth++] = record[1];
        if (record[0] <= frame)
            break;
        frame = record[0];
    }
    return depth;
}

/* Frames by unwind tables: from functions of libraries, which keep no frame pointer. 0: none found. */
static uint32_t by_tables(uintptr_t interrupted, uintptr_t *ret_addresses)
{
    void *frames[MLS_SAMPLE_DEPTH_MAX + HANDLER_FRAMES_MAX];
    int n = unw_backtrace(frames, MLS_SAMPLE_DEPTH_MAX + HANDLER_FRAMES_MAX);
    int first = 0;
    while (first < n && (uintptr_t)frames[first] != interrupted)
        first++;
    uint32_t depth = 0;
    for (int i = first; i < n && depth < MLS_SAMPLE_DEPTH_MAX; i++)
        ret_addresses[depth++] = (uintptr_t)frames[i];
    return depth;
}

static uint32_t unwind(const struct target *target, const ucontext_t *context, uintptr_t *ret_addresses)
{
    uintptr_t interrupted = CONTEXT_ADDRESS(context);
    uint32_t depth = is_ours(target, interrupted) ? 0 : by_tables(interrupted, ret_addresses);
    return depth ? depth : by_frame_pointers(target, interrupted, CONTEXT_FRAME(context), ret_addresses);
}

static void put(struct target *target, size_t *at, uint64_t word)
{
    target->words[(*at)++ & (TARGET_WORDS - 1)] = word;
}

void target_record(struct target *target, const void *context, uint64_t periods)
{
    uint64_t ticks = mls_clock_ticks();
    uintptr_t addresses[MLS_SAMPLE_DEPTH_MAX];
    uint32_t depth = unwind(target, context, addresses);
    size_t at = atomic_load_explicit(&target->written, memory_order_relaxed);
    size_t taken = atomic_load_explicit(&target->taken, memory_order_acquire);
    if (at + TARGET_HEADER_WORDS + depth - taken > TARGET_WORDS) {
        atomic_fetch_add_explicit(&target->lost, 1, memory_order_relaxed);
    } else {
        put(target, &at, ticks);
        put(target, &at, periods);
        put(target, &at, depth);
        for (uint32_t i = 0; i < depth; i++)
            put(target, &at, addresses[i]);
        atomic_store_explicit(&target->written, at, memory_order_release);
    }
    atomic_fetch_add_explicit(&target->own_ticks, mls_clock_ticks() - ticks, memory_order_relaxed);
}
