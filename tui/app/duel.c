#include "app/duel.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "app/load_options.h"
#include "core/clock.h"
#include "term/signals.h"

enum { LABEL_BYTES = 256, WARMUP = 2 };
static const double STRETCH_SECONDS = 1, ALL_SECONDS = 12;

struct side {
    struct load_options load;
    struct load_options plain; /* the same without fusion: values inside of a fused step do not exist */
    char label[LABEL_BYTES];
    struct mls_loader *loader;
    struct mls_loader *plain_loader;
    struct mls_profile *profile;
};

/* One state of the comparison, with all that it borrows but names of operations. */
struct result {
    struct mls_side *a, *b;
    struct mls_comparison *comparison;
    double *snr_db;
};

struct mls_duel {
    struct side sides[2];
    pthread_t thread;
    atomic_bool stop;
    struct result shown; /* the looking thread's */
    pthread_mutex_t lock; /* over what follows */
    struct result fresh;  /* not looked at yet */
    struct mls_walk *walk;
    uint64_t n_rounds;
    double share;
    bool busy;
    struct mls_error error, walk_error;
};

static void result_free(struct result *result)
{
    mls_comparison_free(result->comparison);
    mls_side_free(result->a);
    mls_side_free(result->b);
    free(result->snr_db);
    *result = (struct result){.a = NULL};
}

/* ---- The duel's thread
 * ----------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct mls_walk_op *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static double snr_of(const struct mls_walk_op *const *sorted, size_t n, const char *name)
{
    const struct mls_walk_op key = {.name = name}, *wanted = &key;
    const struct mls_walk_op *const *found = n ? bsearch(&wanted, sorted, n, sizeof *sorted, by_name) : NULL;
    return found && (*found)->compared ? (*found)->snr_db : (double)NAN;
}

/* The SNR of each operation of the comparison, by its name on side B; NULL when out of memory. */
static double *find_snrs(const struct mls_comparison *comparison, const struct mls_walk *walk)
{
    const struct mls_walk_op **sorted = calloc(walk->n_ops + 1, sizeof *sorted);
    double *snr_db = calloc(comparison->n_ops + 1, sizeof *snr_db);
    for (size_t i = 0; sorted && i < walk->n_ops; i++)
        sorted[i] = &walk->ops[i];
    if (sorted && snr_db) {
        qsort(sorted, walk->n_ops, sizeof *sorted, by_name);
        for (size_t i = 0; i < comparison->n_ops; i++) {
            uint32_t b = comparison->ops[i].b;
            snr_db[i] = b == MLS_NO_INDEX || comparison->ops[i].a == MLS_NO_INDEX
                            ? (double)NAN
                            : snr_of(sorted, walk->n_ops, comparison->b->ops[b].name);
        }
    }
    free(sorted);
    return snr_db;
}

static enum mls_status make_side(const struct side *side, struct mls_side **ret_side, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = mls_loader_result(side->loader);
    struct mls_memory_use memory = mls_memory_read(loaded->plan, loaded->run);
    memory.peak_rss_bytes = 0; /* of the process, which holds more than this model */
    enum mls_status status = mls_side_from_profile(loaded, side->profile, &memory, ret_side, reterr);
    if (status)
        return status;
    (*ret_side)->label = side->label;
    (*ret_side)->rounds = side->profile;
    return MLS_OK;
}

/* Makes what is known by now ready to be looked at. */
static enum mls_status publish(struct mls_duel *duel, struct mls_error *reterr)
{
    struct result result = {.a = NULL};
    enum mls_status status = make_side(&duel->sides[0], &result.a, reterr);
    if (!status)
        status = make_side(&duel->sides[1], &result.b, reterr);
    if (!status)
        status = mls_compare(result.a, result.b, &result.comparison, reterr);
    if (!status && duel->walk)
        result.snr_db = find_snrs(result.comparison, duel->walk);
    pthread_mutex_lock(&duel->lock);
    if (!status) {
        struct result old = duel->fresh;
        duel->fresh = result;
        result = old;
        duel->n_rounds = duel->fresh.a->runs;
    }
    pthread_mutex_unlock(&duel->lock);
    result_free(&result);
    return status;
}

/* Values are an addition: where they cannot be compared, the times still stand. */
static void walk(struct mls_duel *duel)
{
    struct mls_walk *found = NULL;
    struct mls_error error = {.text = ""};
    enum mls_status status = MLS_OK;
    for (unsigned i = 0; !status && i < 2; i++)
        status = mls_loader_run(duel->sides[i].plain_loader, &error);
    const struct mls_walk_options options = {.stop = &duel->stop};
    if (!status)
        status = mls_walk(mls_loader_result(duel->sides[0].plain_loader),
                          mls_loader_result(duel->sides[1].plain_loader), &options, &found, &error);
    pthread_mutex_lock(&duel->lock);
    duel->walk = found;
    if (status && status != MLS_ERR_CANCELLED)
        duel->walk_error = error;
    pthread_mutex_unlock(&duel->lock);
}

static enum mls_status prepare(struct mls_duel *duel, struct mls_error *reterr)
{
    enum mls_status status = MLS_OK;
    for (unsigned i = 0; !status && i < 2; i++) {
        struct side *side = &duel->sides[i];
        status = mls_loader_run(side->loader, reterr);
        if (!status)
            status = mls_profile_create(mls_loader_result(side->loader)->plan, NULL, &side->profile, reterr);
    }
    return status;
}

static enum mls_status run_stretches(struct mls_duel *duel, struct mls_error *reterr)
{
    const struct mls_measure_options options = {
        .warmup = WARMUP, .min_seconds = STRETCH_SECONDS, .max_seconds = 2 * STRETCH_SECONDS, .stop = &duel->stop};
    enum mls_status status = MLS_OK;
    double seconds = 0;
    while (!status && seconds < ALL_SECONDS && !atomic_load(&duel->stop)) {
        uint64_t begin_ns = mls_clock_ns();
        status = mls_measure_pair(duel->sides[0].loader, duel->sides[1].loader, &options, duel->sides[0].profile,
                                  duel->sides[1].profile, reterr);
        if (seconds <= 0 && !status)
            walk(duel);
        if (!status || status == MLS_ERR_CANCELLED)
            status = publish(duel, reterr);
        seconds += (double)(mls_clock_ns() - begin_ns) * 1e-9;
        pthread_mutex_lock(&duel->lock);
        duel->share = seconds < ALL_SECONDS ? seconds / ALL_SECONDS : 1;
        pthread_mutex_unlock(&duel->lock);
    }
    return status;
}

static void *run(void *argument)
{
    struct mls_duel *duel = argument;
    struct mls_error error = {.text = ""};
    mls_signals_block_thread();
    enum mls_status status = prepare(duel, &error);
    if (!status)
        status = run_stretches(duel, &error);
    pthread_mutex_lock(&duel->lock);
    duel->busy = false;
    if (status && status != MLS_ERR_CANCELLED)
        duel->error = error;
    pthread_mutex_unlock(&duel->lock);
    return NULL;
}

/* ---- Seen from the screen
 * --------------------------------------------------------------------------------------- */

static bool make_loaders(struct side *side, const struct mls_duel_side *from)
{
    snprintf(side->label, sizeof side->label, "%s", from->label);
    if (!load_options_make(&side->load, from->loader, from->settings) ||
        !load_options_make(&side->plain, from->loader, from->settings))
        return false;
    side->plain.options.no_fusion = true;
    side->loader = mls_loader_create(&side->load.options);
    side->plain_loader = mls_loader_create(&side->plain.options);
    return side->loader && side->plain_loader;
}

static void side_done(struct side *side)
{
    mls_profile_free(side->profile);
    mls_loader_free(side->loader);
    mls_loader_free(side->plain_loader);
    load_options_done(&side->load);
    load_options_done(&side->plain);
}

struct mls_duel *mls_duel_start(const struct mls_duel_side *a, const struct mls_duel_side *b)
{
    struct mls_duel *duel = calloc(1, sizeof *duel);
    if (!duel)
        return NULL;
    pthread_mutex_init(&duel->lock, NULL);
    duel->busy = true;
    if (make_loaders(&duel->sides[0], a) && make_loaders(&duel->sides[1], b) &&
        pthread_create(&duel->thread, NULL, run, duel) == 0)
        return duel;
    for (unsigned i = 0; i < 2; i++)
        side_done(&duel->sides[i]);
    pthread_mutex_destroy(&duel->lock);
    free(duel);
    return NULL;
}

void mls_duel_look(struct mls_duel *duel, struct mls_duel_view *ret_view)
{
    pthread_mutex_lock(&duel->lock);
    if (duel->fresh.comparison) {
        struct result old = duel->shown;
        duel->shown = duel->fresh;
        duel->fresh = (struct result){.a = NULL};
        result_free(&old);
    }
    *ret_view = (struct mls_duel_view){.comparison = duel->shown.comparison,
                                       .snr_db = duel->shown.snr_db,
                                       .walk = duel->walk,
                                       .n_rounds = duel->n_rounds,
                                       .share = duel->share,
                                       .busy = duel->busy};
    snprintf(ret_view->error, sizeof ret_view->error, "%s", duel->error.text);
    snprintf(ret_view->walk_error, sizeof ret_view->walk_error, "%s", duel->walk_error.text);
    pthread_mutex_unlock(&duel->lock);
}

void mls_duel_cancel(struct mls_duel *duel)
{
    atomic_store(&duel->stop, true);
    for (unsigned i = 0; i < 2; i++) {
        mls_loader_cancel(duel->sides[i].loader);
        mls_loader_cancel(duel->sides[i].plain_loader);
    }
}

void mls_duel_free(struct mls_duel *duel)
{
    if (!duel)
        return;
    mls_duel_cancel(duel);
    pthread_join(duel->thread, NULL);
    result_free(&duel->shown);
    result_free(&duel->fresh);
    mls_walk_free(duel->walk);
    for (unsigned i = 0; i < 2; i++)
        side_done(&duel->sides[i]);
    pthread_mutex_destroy(&duel->lock);
    free(duel);
}
