#include "profiler/roofline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/clock.h"
#include "multiply_add.h"

enum { THREADS_MAX = 256, PASSES = 3, WORDS_PER_ROUND = 8 };
static const size_t MEMORY_BYTES = (size_t)64 << 20;
static const uint64_t COMPUTE_NS = 4000000;
static const uint64_t ROUNDS = 20000;

struct worker {
    pthread_t thread;
    bool started;
    float (*multiply_add)(uint64_t rounds);
    unsigned lanes;
    const uint64_t *words;
    size_t n_words;
    double gflops;
    double gbytes_per_s;
    volatile uint64_t sink; /* keeps the compiler from dropping the work */
};

static uint64_t sum_words(const uint64_t *words, size_t n_words)
{
    uint64_t sums[WORDS_PER_ROUND] = {0};
    for (size_t i = 0; i + WORDS_PER_ROUND <= n_words; i += WORDS_PER_ROUND)
        for (size_t j = 0; j < WORDS_PER_ROUND; j++)
            sums[j] += words[i + j];
    uint64_t sum = 0;
    for (size_t j = 0; j < WORDS_PER_ROUND; j++)
        sum += sums[j];
    return sum;
}

/* Both limits are bests: what disturbs the measurement only makes it slower. */
static void *work(void *user)
{
    struct worker *worker = user;
    uint64_t begin = mls_clock_ns(), last = begin;
    double flops = (double)ROUNDS * MULTIPLY_ADD_CHAINS * worker->lanes * 2;
    while (last - begin < COMPUTE_NS) {
        worker->sink += (uint64_t)worker->multiply_add(ROUNDS);
        uint64_t now = mls_clock_ns();
        double gflops = now > last ? flops / (double)(now - last) : 0;
        worker->gflops = gflops > worker->gflops ? gflops : worker->gflops;
        last = now;
    }
    for (int pass = 0; pass < PASSES; pass++) {
        last = mls_clock_ns();
        worker->sink += sum_words(worker->words, worker->n_words);
        uint64_t now = mls_clock_ns();
        double rate = now > last ? (double)(worker->n_words * sizeof(uint64_t)) / (double)(now - last) : 0;
        worker->gbytes_per_s = rate > worker->gbytes_per_s ? rate : worker->gbytes_per_s;
    }
    return NULL;
}

static void choose_kernel(enum mls_isa isa, struct worker *worker)
{
    worker->multiply_add = multiply_add_f32__generic;
    worker->lanes = MULTIPLY_ADD_LANES_GENERIC;
#if defined(__x86_64__)
    if (isa >= MLS_ISA_AVX512) {
        worker->multiply_add = multiply_add_f32__avx512;
        worker->lanes = MULTIPLY_ADD_LANES_AVX512;
    } else if (isa >= MLS_ISA_AVX2) {
        worker->multiply_add = multiply_add_f32__avx2;
        worker->lanes = MULTIPLY_ADD_LANES_AVX2;
    }
#else
    (void)isa;
#endif
}

struct mls_roofline mls_roofline_measure(enum mls_isa isa, uint32_t n_threads)
{
    struct mls_roofline roofline = {0};
    uint32_t n = n_threads < 1 ? 1 : n_threads > THREADS_MAX ? THREADS_MAX : n_threads;
    struct worker *workers = calloc(n, sizeof *workers);
    void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!workers || memory == MAP_FAILED)
        goto done;
    madvise(memory, MEMORY_BYTES, MADV_HUGEPAGE);
    size_t n_words = MEMORY_BYTES / sizeof(uint64_t);
    for (size_t i = 0; i < n_words; i += 512) /* pages that were never written all read as one */
        ((uint64_t *)memory)[i] = i;
    for (uint32_t i = 0; i < n; i++) {
        choose_kernel(isa, &workers[i]);
        workers[i].words = (const uint64_t *)memory + n_words / n * i;
        workers[i].n_words = n_words / n;
        workers[i].started = !pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    bool all = true;
    for (uint32_t i = 0; i < n; i++) {
        all = all && workers[i].started;
        if (!workers[i].started)
            continue;
        pthread_join(workers[i].thread, NULL);
        roofline.gflops += workers[i].gflops;
        roofline.gbytes_per_s += workers[i].gbytes_per_s;
    }
    if (!all)
        roofline = (struct mls_roofline){0};
done:
    if (memory != MAP_FAILED)
        munmap(memory, MEMORY_BYTES);
    free(workers);
    return roofline;
}
