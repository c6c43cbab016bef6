/* Stacks: taken from a busy thread, named, and given to the step in which they were taken. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "profiler/hot.h"
#include "sampler/join.h"
#include "sampler/symbols.h"

static atomic_bool stop;
static atomic_uint busy_thread;
static volatile double sink;

/* Not static: its name has to be in the file's symbol table. */
void burn_for_the_sampler(void);
__attribute__((noinline)) void burn_for_the_sampler(void)
{
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        sink = sink * 0.5 + 1;
}

static void *busy(void *user)
{
    (void)user;
    atomic_store(&busy_thread, (unsigned)gettid());
    burn_for_the_sampler();
    return NULL;
}

struct seen {
    struct symbols *symbols;
    uint64_t cpu_ns;
    unsigned n, in_burn;
};

static void look(void *user, const struct mls_sample *sample)
{
    struct seen *seen = user;
    if (sample->thread != atomic_load(&busy_thread))
        return;
    seen->n++;
    seen->cpu_ns += sample->cpu_ns;
    for (uint32_t i = 0; i < sample->depth; i++) {
        const char *name = symbols_name(seen->symbols, sample->addresses[i] - (i > 0));
        if (name && !strcmp(name, "burn_for_the_sampler")) {
            seen->in_burn++;
            return;
        }
    }
}

static void a_busy_thread_is_seen_where_it_is_busy(void **state)
{
    (void)state;
    pthread_t thread;
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, busy, NULL), 0);
    while (!atomic_load(&busy_thread))
        usleep(100);
    struct mls_sampler *sampler;
    struct mls_error error;
    if (mls_sampler_start(MLS_SAMPLER_RATE_HZ, &sampler, &error)) {
        atomic_store(&stop, true);
        pthread_join(thread, NULL);
        skip();
    }
    clockid_t clock;
    struct timespec before, after;
    pthread_getcpuclockid(thread, &clock);
    clock_gettime(clock, &before);
    struct seen seen = {.symbols = symbols_create()};
    for (uint64_t begin = mls_clock_ns(); seen.n < 20 && mls_clock_ns() - begin < 20000000000u;) {
        usleep(20000);
        mls_sampler_drain(sampler, look, &seen);
    }
    mls_sampler_stop(sampler);
    clock_gettime(clock, &after);
    mls_sampler_drain(sampler, look, &seen);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    mls_sampler_free(sampler);
    symbols_free(seen.symbols);
    assert_true(seen.n >= 20);
    assert_true(seen.in_burn * 10 >= seen.n * 9);
    double cpu_ns = (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);
    assert_true((double)seen.cpu_ns <= 1.2 * cpu_ns + 5e6);
}

static void a_rate_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct mls_sampler *sampler;
    struct mls_error error;
    assert_int_equal(mls_sampler_start(0, &sampler, &error), MLS_ERR_USAGE);
    assert_int_equal(mls_sampler_start(1e9, &sampler, &error), MLS_ERR_USAGE);
}

enum { PREDICTING = 7, COMPUTING = 8, DRAWING = 9 };

static void add(struct mls_hot *hot, uint64_t ns, uint32_t thread)
{
    const uintptr_t addresses[] = {(uintptr_t)burn_for_the_sampler + 4};
    const struct mls_sample sample = {
        .cpu_ns = 1, .thread = thread, .compute = thread == COMPUTING, .depth = 1, .addresses = addresses};
    mls_hot_add(hot, &sample, ns);
}

/* Steps 0 [100, 200), 2 [220, 300) inside the control step 1 [210, 400). */
static const struct hot_span spans[] = {{0, 100, 200}, {2, 220, 300}, {1, 210, 400}};
static const struct hot_prediction prediction = {.thread = PREDICTING,
                                                 .timed = true,
                                                 .alone = true,
                                                 .begin_ns = 90,
                                                 .end_ns = 500,
                                                 .spans = spans,
                                                 .n_spans = 3};

static uint64_t samples_of(struct mls_hot *hot, uint32_t step)
{
    struct mls_hot_function function = {0};
    mls_hot_functions(hot, step, &function, 1);
    return function.samples;
}

static void a_sample_belongs_to_the_innermost_step(void **state)
{
    (void)state;
    struct mls_hot *hot = mls_hot_create(NULL);
    add(hot, 150, PREDICTING);
    add(hot, 250, COMPUTING);
    add(hot, 250, PREDICTING);
    add(hot, 350, PREDICTING);
    add(hot, 450, PREDICTING); /* between steps */
    add(hot, 150, DRAWING);
    hot_join(hot, &prediction);
    assert_int_equal(samples_of(hot, 0), 1);
    assert_int_equal(samples_of(hot, 1), 1);
    assert_int_equal(samples_of(hot, 2), 2);
    assert_int_equal(samples_of(hot, MLS_HOT_ALL_STEPS), 4);
    struct mls_hot_totals totals = mls_hot_totals(hot);
    assert_int_equal(totals.in_steps_ns, 4);
    assert_int_equal(totals.between_ns, 1);
    assert_int_equal(totals.elsewhere_ns, 1);
    mls_hot_free(hot);
}

static void warm_up_counts_for_no_step(void **state)
{
    (void)state;
    struct mls_hot *hot = mls_hot_create(NULL);
    struct hot_prediction warm_up = prediction;
    warm_up.timed = false;
    add(hot, 150, PREDICTING);
    hot_join(hot, &warm_up);
    assert_int_equal(mls_hot_stack_count(hot), 0);
    assert_int_equal(mls_hot_totals(hot).elsewhere_ns, 1);
    mls_hot_free(hot);
}

static void shared_threads_are_nobodys_while_several_predict(void **state)
{
    (void)state;
    struct mls_hot *hot = mls_hot_create(NULL);
    struct hot_prediction together = prediction;
    together.alone = false;
    add(hot, 150, COMPUTING);
    add(hot, 150, PREDICTING);
    hot_join(hot, &together);
    together.begin_ns += 3000000000u;
    together.end_ns += 3000000000u;
    together.n_spans = 0;
    hot_join(hot, &together);
    assert_int_equal(samples_of(hot, 0), 1);
    assert_int_equal(mls_hot_totals(hot).ambiguous_ns, 1);
    mls_hot_free(hot);
}

static void a_sample_waits_for_its_prediction(void **state)
{
    (void)state;
    struct mls_hot *hot = mls_hot_create(NULL);
    add(hot, 750, PREDICTING);
    hot_join(hot, &prediction);
    assert_int_equal(mls_hot_totals(hot).samples, 0);
    const struct hot_span span = {0, 700, 800};
    struct hot_prediction next = prediction;
    next.begin_ns = 600;
    next.end_ns = 900;
    next.spans = &span;
    next.n_spans = 1;
    hot_join(hot, &next);
    assert_int_equal(samples_of(hot, 0), 1);
    mls_hot_free(hot);
}

static void many_stacks_are_all_kept(void **state)
{
    (void)state;
    struct mls_hot *hot = mls_hot_create(NULL);
    for (uintptr_t i = 0; i < 5000; i++) {
        const uintptr_t addresses[] = {0x1000 + i % 2500, 0x9000};
        const struct mls_sample sample = {
            .cpu_ns = 1, .thread = PREDICTING, .depth = 2, .addresses = addresses};
        mls_hot_add(hot, &sample, 150);
    }
    hot_join(hot, &prediction);
    assert_int_equal(mls_hot_stack_count(hot), 2500);
    assert_int_equal(mls_hot_totals(hot).in_steps_ns, 5000);
    mls_hot_clear(hot);
    assert_int_equal(mls_hot_stack_count(hot), 0);
    mls_hot_free(hot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_thread_is_seen_where_it_is_busy),
        cmocka_unit_test(a_rate_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_sample_belongs_to_the_innermost_step),
        cmocka_unit_test(warm_up_counts_for_no_step),
        cmocka_unit_test(shared_threads_are_nobodys_while_several_predict),
        cmocka_unit_test(a_sample_waits_for_its_prediction),
        cmocka_unit_test(many_stacks_are_all_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
