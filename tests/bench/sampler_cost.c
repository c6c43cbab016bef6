/*
 * sampler_cost: what sampling costs a thread that computes, apart from what else goes on on the machine.
 *     sampler_cost [RATE_HZ [ROUNDS]]
 * The same arithmetic, which touches no memory, with and without the sampler, in turns; prints the medians of
 * the thread's processor time and of the time that passed, as ratios, and the part that taking the stacks
 * had.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "profiler/sampler.h"

enum { ROUNDS_MAX = 1000, WORK = 40000000, RATE_HZ = 997, ROUNDS = 60 };

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void work(double *ret_cpu, double *ret_wall)
{
    volatile uint32_t sink;
    uint32_t random = 1;
    uint64_t cpu = cpu_ns(), wall = mls_clock_ns();
    for (unsigned i = 0; i < WORK; i++)
        random = random * 1664525u + 1013904223u;
    sink = random;
    (void)sink;
    *ret_cpu = (double)(cpu_ns() - cpu);
    *ret_wall = (double)(mls_clock_ns() - wall);
}

static void ignore(void *user, const struct mls_sample *sample)
{
    (void)sample;
    ++*(uint64_t *)user;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, by_size);
    return values[n / 2];
}

int main(int argc, char **argv)
{
    static double cpu[2][ROUNDS_MAX], wall[2][ROUNDS_MAX];
    double rate_hz = argc > 1 ? atof(argv[1]) : RATE_HZ, sampled_ns = 0;
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : ROUNDS;
    uint64_t n_samples = 0, own_ns = 0;
    const char *source = "";
    for (unsigned i = 0; i < rounds && i < ROUNDS_MAX; i++) {
        struct mls_sampler *sampler;
        struct mls_error error;
        work(&cpu[0][i], &wall[0][i]);
        if (mls_sampler_start(rate_hz, &sampler, &error) != MLS_OK) {
            fprintf(stderr, "%s\n", error.text);
            return 2;
        }
        work(&cpu[1][i], &wall[1][i]);
        mls_sampler_stop(sampler);
        mls_sampler_drain(sampler, ignore, &n_samples);
        own_ns += mls_sampler_own_ns(sampler);
        source = mls_sampler_source(sampler);
        sampled_ns += cpu[1][i];
        mls_sampler_free(sampler);
    }
    printf("%s, %.0f samples a second: processor time %.2f %%, wall time %.2f %% more; stacks %.2f %%\n",
           source, (double)n_samples * 1e9 / sampled_ns,
           100 * (median(cpu[1], rounds) / median(cpu[0], rounds) - 1),
           100 * (median(wall[1], rounds) / median(wall[0], rounds) - 1), 100 * (double)own_ns / sampled_ns);
    return 0;
}
