#include "profiler/hot.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "sampler/join.h"
#include "sampler/symbols.h"

enum {
    WAITING_MAX = 1 << 16,
    STACKS_MAX = 1 << 18,
    WAIT_NS = 2000000000 /* a prediction that took a sample is collected within this time, or never */
};

struct waiting {
    uint64_t ns;
    uint64_t cpu_ns;
    uint32_t thread;
    bool compute;
    bool claimed;
    uint32_t depth;
    uintptr_t addresses[MLS_SAMPLE_DEPTH_MAX];
};

struct stack {
    uint32_t step;
    uint32_t depth;
    uint64_t samples;
    uint64_t cpu_ns;
    uintptr_t *addresses; /* innermost first; owned */
};

struct mls_hot {
    struct mls_sampler *sampler;
    struct symbols *symbols;
    struct waiting *waiting; /* [first_waiting, n_waiting), by time once sorted */
    size_t first_waiting, n_waiting, waiting_capacity;
    bool unsorted;
    struct stack *stacks;
    size_t n_stacks, stacks_capacity;
    uint32_t *index; /* hash over stacks: 1 + number, 0 free; a power of two */
    size_t n_index;
    struct mls_hot_totals totals;
};

struct mls_hot *mls_hot_create(struct mls_sampler *sampler)
{
    struct mls_hot *hot = calloc(1, sizeof *hot);
    if (!hot)
        return NULL;
    hot->sampler = sampler;
    hot->symbols = symbols_create();
    hot->n_index = 1024;
    hot->index = calloc(hot->n_index, sizeof *hot->index);
    if (hot->symbols && hot->index)
        return hot;
    mls_hot_free(hot);
    return NULL;
}

void mls_hot_clear(struct mls_hot *hot)
{
    for (size_t i = 0; i < hot->n_stacks; i++)
        free(hot->stacks[i].addresses);
    hot->n_stacks = hot->first_waiting = hot->n_waiting = 0;
    memset(hot->index, 0, hot->n_index * sizeof *hot->index);
    hot->totals = (struct mls_hot_totals){0};
}

void mls_hot_free(struct mls_hot *hot)
{
    if (!hot)
        return;
    for (size_t i = 0; i < hot->n_stacks; i++)
        free(hot->stacks[i].addresses);
    free(hot->stacks);
    free(hot->index);
    free(hot->waiting);
    symbols_free(hot->symbols);
    free(hot);
}

/* Room for one more sample, or NULL: it is lost. */
static struct waiting *add_waiting(struct mls_hot *hot)
{
    if (hot->n_waiting == hot->waiting_capacity && hot->first_waiting) {
        hot->n_waiting -= hot->first_waiting;
        memmove(hot->waiting, hot->waiting + hot->first_waiting, hot->n_waiting * sizeof *hot->waiting);
        hot->first_waiting = 0;
    }
    if (hot->n_waiting == hot->waiting_capacity) {
        size_t capacity = hot->waiting_capacity ? 2 * hot->waiting_capacity : 256;
        struct waiting *grown =
            capacity <= WAITING_MAX ? reallocarray(hot->waiting, capacity, sizeof *grown) : NULL;
        if (!grown) {
            hot->totals.lost++;
            return NULL;
        }
        hot->waiting = grown;
        hot->waiting_capacity = capacity;
    }
    hot->unsorted = true;
    return &hot->waiting[hot->n_waiting++];
}

void mls_hot_add(struct mls_hot *hot, const struct mls_sample *sample, uint64_t ns)
{
    struct waiting *waiting = add_waiting(hot);
    if (!waiting)
        return;
    *waiting = (struct waiting){.ns = ns,
                                .cpu_ns = sample->cpu_ns,
                                .thread = sample->thread,
                                .compute = sample->compute,
                                .depth = sample->depth};
    /* a return address stands behind the call, which may be the caller's last instruction */
    for (uint32_t i = 0; i < sample->depth; i++)
        waiting->addresses[i] = sample->addresses[i] - (i > 0);
}

bool hot_add_named(struct mls_hot *hot, const struct mls_sample *sample, const char *const *names,
                   uint64_t ns)
{
    struct waiting *waiting = add_waiting(hot);
    if (!waiting)
        return true;
    *waiting = (struct waiting){.ns = ns,
                                .cpu_ns = sample->cpu_ns,
                                .thread = sample->thread,
                                .compute = sample->compute,
                                .depth = sample->depth};
    bool ok = true;
    for (uint32_t i = 0; ok && i < sample->depth; i++)
        ok = symbols_add(hot->symbols, names[i], &waiting->addresses[i]);
    hot->n_waiting -= !ok;
    return ok;
}

static void take(void *user, const struct mls_sample *sample)
{
    mls_hot_add(user, sample, mls_clock_to_ns(mls_clock_get(), sample->ticks));
}

static uint64_t hash_of(uint32_t step, const uintptr_t *addresses, uint32_t depth)
{
    uint64_t hash = step;
    for (uint32_t i = 0; i < depth; i++)
        hash = (hash ^ addresses[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint32_t *index_of(struct mls_hot *hot, uint32_t step, const uintptr_t *addresses, uint32_t depth)
{
    size_t i = (size_t)hash_of(step, addresses, depth) & (hot->n_index - 1);
    for (; hot->index[i]; i = (i + 1) & (hot->n_index - 1)) {
        const struct stack *stack = &hot->stacks[hot->index[i] - 1];
        if (stack->step == step && stack->depth == depth &&
            !memcmp(stack->addresses, addresses, depth * sizeof *addresses))
            break;
    }
    return &hot->index[i];
}

static bool grow_stacks(struct mls_hot *hot)
{
    if (hot->n_stacks == hot->stacks_capacity) {
        size_t capacity = hot->stacks_capacity ? 2 * hot->stacks_capacity : 256;
        struct stack *stacks =
            capacity <= STACKS_MAX ? reallocarray(hot->stacks, capacity, sizeof *stacks) : NULL;
        if (!stacks)
            return false;
        hot->stacks = stacks;
        hot->stacks_capacity = capacity;
    }
    if (hot->n_stacks * 2 < hot->n_index)
        return true;
    uint32_t *index = calloc(hot->n_index * 2, sizeof *index);
    if (!index)
        return false;
    free(hot->index);
    hot->index = index;
    hot->n_index *= 2;
    for (size_t i = 0; i < hot->n_stacks; i++) {
        const struct stack *stack = &hot->stacks[i];
        *index_of(hot, stack->step, stack->addresses, stack->depth) = (uint32_t)i + 1;
    }
    return true;
}

/* Counts a sample for a step. False when there is no room for a stack that is new. */
static bool count(struct mls_hot *hot, uint32_t step, const struct waiting *sample)
{
    uint32_t *index = index_of(hot, step, sample->addresses, sample->depth);
    if (!*index) {
        if (!grow_stacks(hot))
            return false;
        size_t bytes = sample->depth * sizeof *sample->addresses;
        uintptr_t *addresses = malloc(bytes ? bytes : 1);
        if (!addresses)
            return false;
        memcpy(addresses, sample->addresses, bytes);
        hot->stacks[hot->n_stacks++] =
            (struct stack){.step = step, .depth = sample->depth, .addresses = addresses};
        index = index_of(hot, step, sample->addresses, sample->depth);
        *index = (uint32_t)hot->n_stacks;
    }
    struct stack *stack = &hot->stacks[*index - 1];
    stack->samples++;
    stack->cpu_ns += sample->cpu_ns;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* The first waiting sample that was not taken before `ns`. */
static size_t first_at(const struct mls_hot *hot, uint64_t ns)
{
    size_t low = hot->first_waiting, high = hot->n_waiting;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hot->waiting[middle].ns < ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void claim_span(struct mls_hot *hot, const struct hot_prediction *prediction,
                       const struct hot_span *span)
{
    for (size_t i = first_at(hot, span->begin_ns); i < hot->n_waiting && hot->waiting[i].ns < span->end_ns;
         i++) {
        struct waiting *sample = &hot->waiting[i];
        bool ours = sample->thread == prediction->thread || (sample->compute && prediction->alone);
        if (sample->claimed || !ours)
            continue;
        sample->claimed = true;
        if (!prediction->timed)
            hot->totals.elsewhere_ns += sample->cpu_ns;
        else if (count(hot, span->step, sample))
            hot->totals.in_steps_ns += sample->cpu_ns;
        else
            hot->totals.lost++;
        hot->totals.samples++;
    }
}

/* What the steps left over, as far as the prediction reaches: between them, nobody's, or still waiting. */
static void settle(struct mls_hot *hot, const struct hot_prediction *prediction)
{
    size_t end = first_at(hot, prediction->end_ns), kept = end;
    for (size_t i = end; i-- > hot->first_waiting;) {
        const struct waiting *sample = &hot->waiting[i];
        bool own = sample->ns >= prediction->begin_ns && sample->thread == prediction->thread;
        if (sample->claimed)
            continue;
        if (!own && !prediction->alone && prediction->end_ns - sample->ns < WAIT_NS) {
            hot->waiting[--kept] = *sample;
            continue;
        }
        bool ambiguous = sample->compute && !prediction->alone;
        *(own && prediction->timed ? &hot->totals.between_ns
          : ambiguous              ? &hot->totals.ambiguous_ns
                                   : &hot->totals.elsewhere_ns) += sample->cpu_ns;
        hot->totals.samples++;
    }
    hot->first_waiting = kept;
}

void hot_join(struct mls_hot *hot, const struct hot_prediction *prediction)
{
    if (hot->sampler)
        mls_sampler_drain(hot->sampler, take, hot);
    if (hot->unsorted)
        qsort(hot->waiting + hot->first_waiting, hot->n_waiting - hot->first_waiting, sizeof *hot->waiting,
              by_time);
    hot->unsorted = false;
    for (size_t i = 0; i < prediction->n_spans; i++)
        claim_span(hot, prediction, &prediction->spans[i]);
    settle(hot, prediction);
}

struct mls_hot_totals mls_hot_totals(const struct mls_hot *hot)
{
    struct mls_hot_totals totals = hot->totals;
    totals.source = hot->sampler ? mls_sampler_source(hot->sampler) : "perf";
    if (hot->sampler) {
        totals.lost += mls_sampler_lost(hot->sampler);
        totals.own_ns = mls_sampler_own_ns(hot->sampler);
    }
    return totals;
}

/* Frames of the executor: what stands further out says nothing about the operation. */
static bool is_executor(const char *name)
{
    static const char *const names[] = {"mls_run_predict", "run_steps", "run_step",   "worker_main",
                                        "mls_pool_for",    "work",      "work_off",   "run_control"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

size_t mls_hot_stack_count(const struct mls_hot *hot)
{
    return hot->n_stacks;
}

bool mls_hot_stack_at(struct mls_hot *hot, size_t index, struct mls_hot_stack *ret_stack)
{
    const struct stack *stack = &hot->stacks[index];
    *ret_stack =
        (struct mls_hot_stack){.step = stack->step, .samples = stack->samples, .cpu_ns = stack->cpu_ns};
    const char *inner[MLS_SAMPLE_DEPTH_MAX];
    uint32_t depth = 0;
    for (uint32_t i = 0; i < stack->depth; i++) {
        const char *name = symbols_name(hot->symbols, stack->addresses[i]);
        if (!name)
            return false;
        if (is_executor(name))
            break;
        inner[depth++] = name;
    }
    if (!depth)
        inner[depth++] =
            "(thread pool)"; /* nothing but frames of the executor: handing out work, or waiting for it */
    for (uint32_t i = 0; i < depth; i++)
        ret_stack->names[i] = inner[depth - 1 - i];
    ret_stack->depth = depth;
    return true;
}

/* Adds a stack's time to its functions; one that calls itself counts once. */
static size_t add_functions(struct mls_hot_function *functions, size_t n, const struct mls_hot_stack *stack)
{
    for (uint32_t i = stack->depth; i-- > 0;) {
        const char *name = stack->names[i];
        bool seen = false;
        for (uint32_t k = i + 1; k < stack->depth && !seen; k++)
            seen = stack->names[k] == name;
        size_t j = 0;
        while (j < n && functions[j].name != name)
            j++;
        if (j == n)
            functions[n++] = (struct mls_hot_function){.name = name};
        functions[j].total_ns += seen ? 0 : stack->cpu_ns;
        if (i + 1 == stack->depth) {
            functions[j].self_ns += stack->cpu_ns;
            functions[j].samples += stack->samples;
        }
    }
    return n;
}

static int most_self_first(const void *a, const void *b)
{
    const struct mls_hot_function *x = a, *y = b;
    if (x->self_ns != y->self_ns)
        return x->self_ns > y->self_ns ? -1 : 1;
    if (x->total_ns != y->total_ns)
        return x->total_ns > y->total_ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

size_t mls_hot_functions(struct mls_hot *hot, uint32_t step, struct mls_hot_function *ret, size_t max)
{
    size_t n = 0, capacity = 0;
    struct mls_hot_function *functions = NULL;
    for (size_t i = 0; i < hot->n_stacks; i++) {
        struct mls_hot_stack stack;
        if (step != MLS_HOT_ALL_STEPS && hot->stacks[i].step != step)
            continue;
        if (n + MLS_SAMPLE_DEPTH_MAX > capacity) {
            capacity = 2 * capacity + MLS_SAMPLE_DEPTH_MAX;
            struct mls_hot_function *grown = reallocarray(functions, capacity, sizeof *grown);
            if (!grown)
                goto out_of_memory;
            functions = grown;
        }
        if (!mls_hot_stack_at(hot, i, &stack))
            goto out_of_memory;
        n = add_functions(functions, n, &stack);
    }
    if (n)
        qsort(functions, n, sizeof *functions, most_self_first);
    for (size_t i = 0; i < n && i < max; i++)
        ret[i] = functions[i];
    free(functions);
    return n;

out_of_memory:
    free(functions);
    return 0;
}
