/*
 * steady: two ways of running a model, side by side: predictions alternate between them, so that noise is
 * shared.
 *
 *     steady folder MODEL SEALED KEYFILE [ROUNDS]   a package against the same package sealed
 *     steady hooks MODEL [ROUNDS]                   observed by the profiler's recorder against not observed
 *     steady threads MODEL [ROUNDS]                 observed, and which thread did what recorded or not
 *
 * Prints the median latency of both and the ratio of the medians, with the quartiles of the ratio of
 * neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "profiler/loader.h"
#include "profiler/profile.h"
#include "profiler/recorder.h"

enum { WARMUP = 20, ROUNDS = 2000 };

struct side {
    struct mls_run *run;
    struct mls_recorder *recorder; /* NULL: not observed */
    struct mls_profile *profile;
    double *ms;
};

static struct mls_loader *load(const char *path, const struct mls_key *key, uint32_t threads)
{
    struct mls_loader_options options = {.path = path, .key = key, .threads = threads};
    struct mls_loader *loader = mls_loader_create(&options);
    struct mls_error error;
    if (!loader || mls_loader_run(loader, &error)) {
        fprintf(stderr, "%s\n", loader ? error.text : "out of memory");
        exit(1);
    }
    return loader;
}

/* Wall time of one prediction, as the caller sees it. */
static double predict_ms(struct side *side)
{
    uint64_t begin = mls_clock_ns();
    if (side->recorder)
        mls_recorder_predict(side->recorder, side->run, true, NULL, NULL);
    else
        mls_run_predict(side->run, NULL, NULL, NULL);
    uint64_t end = mls_clock_ns();
    if (side->recorder)
        mls_profile_collect(side->profile, side->recorder);
    return (double)(end - begin) * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void alternate(struct side *a, struct side *b, const char *name_a, const char *name_b, size_t rounds)
{
    double *ratios = calloc(rounds, sizeof *ratios);
    a->ms = calloc(rounds, sizeof *a->ms);
    b->ms = calloc(rounds, sizeof *b->ms);
    for (size_t i = 0; i < WARMUP + rounds; i++) {
        size_t at = i < WARMUP ? 0 : i - WARMUP;
        struct side *first = i % 2 ? b : a, *second = i % 2 ? a : b;
        first->ms[at] = predict_ms(first);
        second->ms[at] = predict_ms(second);
        ratios[at] = b->ms[at] / a->ms[at];
    }
    qsort(a->ms, rounds, sizeof *a->ms, ascending);
    qsort(b->ms, rounds, sizeof *b->ms, ascending);
    qsort(ratios, rounds, sizeof *ratios, ascending);
    printf("%s %.4f ms, %s %.4f ms, ratio of medians %.4f; of neighbours: quartiles %.4f %.4f %.4f; %zu "
           "rounds\n",
           name_a, a->ms[rounds / 2], name_b, b->ms[rounds / 2], b->ms[rounds / 2] / a->ms[rounds / 2],
           ratios[rounds / 4], ratios[rounds / 2], ratios[rounds / 4 * 3], rounds);
    free(ratios);
    free(a->ms);
    free(b->ms);
}

static int compare_folder(char **arguments, size_t rounds)
{
    struct mls_key *key = NULL;
    if (mls_key_from_file(arguments[2], &key, NULL))
        return 1;
    struct mls_loader *plain = load(arguments[0], NULL, 1), *sealed = load(arguments[1], key, 1);
    struct side a = {.run = mls_loader_result(plain)->run}, b = {.run = mls_loader_result(sealed)->run};
    alternate(&a, &b, "folder", "sealed", rounds);
    mls_loader_free(sealed);
    mls_loader_free(plain);
    mls_key_free(key);
    return 0;
}

static int compare_hooks(char **arguments, size_t rounds)
{
    struct mls_loader *loader = load(arguments[0], NULL, 1);
    const struct mls_loaded *loaded = mls_loader_result(loader);
    struct side a = {.run = loaded->run}, b = {.run = loaded->run, .recorder = mls_recorder_create(0)};
    struct mls_profile_options options = {.live = true};
    if (!b.recorder || mls_profile_create(loaded->plan, &options, &b.profile, NULL))
        return 1;
    printf("%zu steps; ", mls_plan_step_count(loaded->plan));
    alternate(&a, &b, "plain", "observed", rounds);
    mls_profile_free(b.profile);
    mls_recorder_free(b.recorder);
    mls_loader_free(loader);
    return 0;
}

static int compare_threads(char **arguments, size_t rounds)
{
    struct mls_loader *loader = load(arguments[0], NULL, 0);
    const struct mls_loaded *loaded = mls_loader_result(loader);
    struct side sides[2];
    struct mls_profile_options options = {.live = true};
    for (size_t i = 0; i < 2; i++) {
        sides[i] = (struct side){.run = loaded->run, .recorder = mls_recorder_create(0)};
        if (!sides[i].recorder || !mls_recorder_watch_threads(sides[i].recorder, i) ||
            mls_profile_create(loaded->plan, &options, &sides[i].profile, NULL))
            return 1;
    }
    printf("%zu steps, %u threads; ", mls_plan_step_count(loaded->plan), mls_session_threads(loaded->session));
    alternate(&sides[0], &sides[1], "observed", "with threads", rounds);
    for (size_t i = 0; i < 2; i++) {
        mls_profile_free(sides[i].profile);
        mls_recorder_free(sides[i].recorder);
    }
    mls_loader_free(loader);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5 && !strcmp(argv[1], "folder"))
        return compare_folder(argv + 2, argc > 5 ? strtoul(argv[5], NULL, 10) : ROUNDS);
    if (argc >= 3 && !strcmp(argv[1], "hooks"))
        return compare_hooks(argv + 2, argc > 3 ? strtoul(argv[3], NULL, 10) : ROUNDS);
    if (argc >= 3 && !strcmp(argv[1], "threads"))
        return compare_threads(argv + 2, argc > 3 ? strtoul(argv[3], NULL, 10) : ROUNDS);
    fprintf(stderr,
            "usage: steady folder MODEL SEALED KEYFILE [ROUNDS]\n       steady hooks|threads MODEL [ROUNDS]\n");
    return 2;
}
