#include "app/sweeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "diagnostics/sweep_advice.h"
#include "profiler/mixed.h"
#include "term/signals.h"

struct mls_sweeper {
    struct mls_loader_options options;
    char function[MLS_SETTINGS_NAME_BYTES];
    char *path;
    enum mls_compute_units compute_units;
    struct mls_sweep_setting settings[MLS_SWEEP_DEFAULTS];
    const struct mls_sweep_result *current; /* of the setting at hand; the sweep's thread only */
    struct mls_loader *loader;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* over the view */
    struct mls_sweep_view view;
};

/* ---- The sweep's thread
 * ----------------------------------------------------------------------------------------- */

static void examine(void *user, const struct mls_tried *tried, struct mls_sweep_result *result)
{
    struct mls_sweeper *sweeper = user;
    struct mls_placement *placement = NULL;
    sweeper->current = result;
    if (mls_placement_create(tried->model, tried->function, tried->plan, mls_placement_profile_at(0),
                             sweeper->compute_units, &placement, NULL) != MLS_OK)
        return;
    result->predicted_us = placement->total_us;
    result->predicted_ane_share = placement->totals[MLS_UNIT_ANE].cost_share;
    result->suits = mls_sweep_suits(result->setting);
    mls_placement_free(placement);
}

static void sensitive(void *user, const struct mls_sensitivity *sensitivities, size_t n)
{
    struct mls_sweeper *sweeper = user;
    pthread_mutex_lock(&sweeper->lock);
    struct mls_sweep_view *view = &sweeper->view;
    view->n_weights = n < MLS_SWEPT_WEIGHTS ? n : MLS_SWEPT_WEIGHTS;
    for (size_t i = 0; i < view->n_weights; i++) {
        const struct mls_sensitivity *from = &sensitivities[i];
        struct mls_swept_weight *weight = &view->weights[i];
        *weight = (struct mls_swept_weight){.bytes = from->from_bytes,
                                            .outputs_snr_db = from->outputs_snr_db,
                                            .measured = from->measured,
                                            .nbits = from->nbits};
        snprintf(weight->name, sizeof weight->name, "%s", from->name ? from->name : "");
        snprintf(weight->type, sizeof weight->type, "%s", from->type ? from->type : "");
    }
    pthread_mutex_unlock(&sweeper->lock);
}

static bool at(void *user, size_t index, size_t n, double share, uint64_t left_ns)
{
    struct mls_sweeper *sweeper = user;
    (void)n;
    pthread_mutex_lock(&sweeper->lock);
    struct mls_sweep_view *view = &sweeper->view;
    view->at = index;
    view->share = share;
    view->left_ns = left_ns;
    if (index < view->n) {
        view->settings[index].running = share < 1;
        if (share >= 1 && sweeper->current)
            view->settings[index].result = *sweeper->current;
    }
    pthread_mutex_unlock(&sweeper->lock);
    if (share >= 1)
        sweeper->current = NULL;
    return !atomic_load(&sweeper->stop);
}

/* The final figures: which settings are on the front is known only now. */
static void take_results(struct mls_sweeper *sweeper, const struct mls_sweep *sweep)
{
    pthread_mutex_lock(&sweeper->lock);
    for (size_t i = 0; i < sweep->n && i < sweeper->view.n; i++) {
        sweeper->view.settings[i].result = sweep->results[i];
        sweeper->view.settings[i].running = false;
    }
    pthread_mutex_unlock(&sweeper->lock);
}

static void *run_sweep(void *argument)
{
    struct mls_sweeper *sweeper = argument;
    struct mls_error error = {.text = ""};
    struct mls_sweep *sweep = NULL;
    mls_signals_block_thread();
    enum mls_status status = mls_loader_run(sweeper->loader, &error);
    const struct mls_sweep_listener listener = {
        .user = sweeper, .at = at, .examine = examine, .sensitive = sensitive};
    const struct mls_sweep_options options = {
        .settings = sweeper->settings,
        .n_settings = MLS_SWEEP_DEFAULTS,
        .trial = {.random_seed = sweeper->options.random_seed, .stop = &sweeper->stop},
        .listener = &listener};
    if (!status)
        status = mls_sweep_run(mls_loader_result(sweeper->loader), &options, &sweep, &error);
    if (!status)
        take_results(sweeper, sweep);
    mls_sweep_free(sweep);
    pthread_mutex_lock(&sweeper->lock);
    sweeper->view.busy = false;
    if (status)
        snprintf(sweeper->view.error, sizeof sweeper->view.error, "%s", error.text);
    pthread_mutex_unlock(&sweeper->lock);
    return NULL;
}

/* ---- Seen from the screen
 * --------------------------------------------------------------------------------------- */

static bool prepare(struct mls_sweeper *sweeper, const struct mls_settings *settings)
{
    struct mls_loader_options *options = &sweeper->options;
    sweeper->path = options->path ? strdup(options->path) : NULL;
    if (options->path && !sweeper->path)
        return false;
    options->path = sweeper->path;
    snprintf(sweeper->function, sizeof sweeper->function, "%s", settings->function);
    options->function = sweeper->function[0] ? sweeper->function : NULL;
    options->threads = settings->threads;
    options->cpu_capped = settings->cpu_capped;
    options->cpu = settings->cpu;
    options->precision = settings->precision;
    options->random_seed = settings->random_seed;
    mls_sweep_defaults(sweeper->settings);
    sweeper->view.n = MLS_SWEEP_DEFAULTS;
    sweeper->view.busy = true;
    for (size_t i = 0; i < MLS_SWEEP_DEFAULTS; i++)
        snprintf(sweeper->view.settings[i].label, sizeof sweeper->view.settings[i].label, "%s",
                 sweeper->settings[i].label);
    sweeper->loader = mls_loader_create(options);
    return sweeper->loader != NULL;
}

struct mls_sweeper *mls_sweeper_start(const struct mls_loader_options *loader,
                                      const struct mls_settings *settings,
                                      enum mls_compute_units compute_units)
{
    struct mls_sweeper *sweeper = calloc(1, sizeof *sweeper);
    if (!sweeper)
        return NULL;
    sweeper->options = *loader;
    sweeper->compute_units = compute_units;
    pthread_mutex_init(&sweeper->lock, NULL);
    if (prepare(sweeper, settings) && pthread_create(&sweeper->thread, NULL, run_sweep, sweeper) == 0)
        return sweeper;
    mls_loader_free(sweeper->loader);
    free(sweeper->path);
    free(sweeper);
    return NULL;
}

void mls_sweeper_copy(struct mls_sweeper *sweeper, struct mls_sweep_view *ret_view)
{
    pthread_mutex_lock(&sweeper->lock);
    *ret_view = sweeper->view;
    pthread_mutex_unlock(&sweeper->lock);
}

void mls_sweeper_cancel(struct mls_sweeper *sweeper)
{
    atomic_store(&sweeper->stop, true);
    mls_loader_cancel(sweeper->loader);
}

void mls_sweeper_free(struct mls_sweeper *sweeper)
{
    if (!sweeper)
        return;
    mls_sweeper_cancel(sweeper);
    pthread_join(sweeper->thread, NULL);
    pthread_mutex_destroy(&sweeper->lock);
    mls_loader_free(sweeper->loader);
    free(sweeper->path);
    free(sweeper);
}
