#include "profiler/roofline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/clock.h"
#include "multiply_add.h"

enum { THREADS_MAX = 256, PASSES = 3, WORDS_PER_ROUND = 8 };
static const size_t MEMORY_BYTES = (size_t)64 << 20; /* more than caches hold */
static const size_t WINDOW_BYTES = (size_t)2 << 20;  /* resident at once, so that a calibration is no memory peak */
static const uint64_t COMPUTE_NS = 4000000;
static const uint64_t ROUNDS = 20000;

struct worker {
    pthread_t thread;
    bool started;
    float (*multiply_add)(uint64_t rounds);
    unsigned lanes;
    int file; /* memory that is mapped a window at a time */
    size_t first_window, n_windows;
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

/* Reads the worker's part of the memory; the time spent reading it, mapping not counted; 0 when that fails. */
static uint64_t read_windows(struct worker *worker)
{
    uint64_t ns = 0;
    for (size_t i = 0; i < worker->n_windows; i++) {
        off_t at = (off_t)((worker->first_window + i) * WINDOW_BYTES);
        void *window = mmap(NULL, WINDOW_BYTES, PROT_READ, MAP_SHARED | MAP_POPULATE, worker->file, at);
        if (window == MAP_FAILED)
            return 0;
        uint64_t begin = mls_clock_ns();
        worker->sink += sum_words(window, WINDOW_BYTES / sizeof(uint64_t));
        ns += mls_clock_ns() - begin;
        munmap(window, WINDOW_BYTES);
    }
    return ns;
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
        uint64_t ns = read_windows(worker);
        double rate = ns ? (double)(worker->n_windows * WINDOW_BYTES) / (double)ns : 0;
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

/* Memory that is no process's: a file without a name whose pages have all been written. -1: there is none. */
static int make_memory(void)
{
    int file = memfd_create("roofline", MFD_CLOEXEC);
    bool ok = file >= 0 && !ftruncate(file, (off_t)MEMORY_BYTES);
    for (size_t at = 0; ok && at < MEMORY_BYTES; at += WINDOW_BYTES) {
        void *window = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)at);
        ok = window != MAP_FAILED;
        if (!ok)
            break;
        memset(window, 1, WINDOW_BYTES);
        munmap(window, WINDOW_BYTES);
    }
    if (!ok && file >= 0)
        close(file);
    return ok ? file : -1;
}

struct mls_roofline mls_roofline_measure(enum mls_isa isa, uint32_t n_threads)
{
    struct mls_roofline roofline = {0};
    uint32_t n = n_threads < 1 ? 1 : n_threads > THREADS_MAX ? THREADS_MAX : n_threads;
    struct worker *workers = calloc(n, sizeof *workers);
    int file = make_memory();
    if (!workers || file < 0)
        goto done;
    size_t n_windows = MEMORY_BYTES / WINDOW_BYTES;
    for (uint32_t i = 0; i < n; i++) {
        choose_kernel(isa, &workers[i]);
        workers[i].file = file;
        workers[i].first_window = n_windows * i / n;
        workers[i].n_windows = n_windows * (i + 1) / n - workers[i].first_window;
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
    if (file >= 0)
        close(file);
    free(workers);
    return roofline;
}
