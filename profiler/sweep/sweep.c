#include "profiler/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "profiler/mixed.h"

enum { WARMUP_TURNS = 2, RUNS_MIN = 10, RUNS_MAX = 1000, DEFAULT_GROUP = 16, PROBED = 24 };
#define MAX_SECONDS_DEFAULT 1.25

struct sweeping {
    const struct mls_loaded *loaded;
    const struct mls_sweep_options *options;
    struct mls_trial *trial;
    struct mls_sweep *sweep;
    struct mls_mixed_known *known; /* figures of settings of one pass, for mixing; compressed is owned */
    size_t n_known;
    uint64_t begin_ns;
    uint64_t mixing_ns; /* when the mixed setting was begun */
};

/* ---- The default settings --------------------------------------------------------------------- */

static struct mls_sweep_setting one(const char *label, struct mls_compress_setting pass)
{
    struct mls_sweep_setting setting = {.passes = {pass}, .n_passes = 1};
    snprintf(setting.label, sizeof setting.label, "%s", label);
    return setting;
}

static struct mls_compress_setting palettes(unsigned nbits, int64_t group_size)
{
    struct mls_compress_setting setting = mls_compress_default(MLS_COMPRESS_PALETTIZE);
    setting.nbits = nbits;
    setting.granularity = group_size ? MLS_PER_GROUPED_CHANNEL : MLS_PER_TENSOR;
    setting.group_size = group_size;
    setting.fall_back = true;
    return setting;
}

static struct mls_compress_setting integers(enum mls_dtype dtype, enum mls_granularity granularity)
{
    struct mls_compress_setting setting = mls_compress_default(MLS_COMPRESS_QUANTIZE);
    setting.dtype = dtype;
    setting.granularity = granularity;
    setting.fall_back = true;
    return setting;
}

static struct mls_compress_setting half_pruned(void)
{
    struct mls_compress_setting setting = mls_compress_default(MLS_COMPRESS_MAGNITUDE);
    setting.target_sparsity = 0.5;
    return setting;
}

void mls_sweep_defaults(struct mls_sweep_setting ret_settings[MLS_SWEEP_DEFAULTS])
{
    struct mls_sweep_setting joint = one("pruned 50 %, 4-bit", half_pruned());
    joint.passes[joint.n_passes++] = palettes(4, 0);
    struct mls_sweep_setting plain = {.label = "as it is"};
    struct mls_sweep_setting mixed = {.label = "mixed", .mixed = true, .as_small_as = "4-bit grouped"};
    const struct mls_sweep_setting settings[MLS_SWEEP_DEFAULTS] = {
        plain,
        one("8-bit", palettes(8, 0)),
        one("6-bit", palettes(6, 0)),
        one("4-bit", palettes(4, 0)),
        one("4-bit grouped", palettes(4, DEFAULT_GROUP)),
        one("int8 per channel", integers(MLS_INT8, MLS_PER_CHANNEL)),
        one("int4 per block", integers(MLS_INT4, MLS_PER_BLOCK)),
        one("pruned 50 %", half_pruned()),
        joint,
        mixed,
    };
    memcpy(ret_settings, settings, sizeof settings);
}

char *mls_sweep_method(const struct mls_sweep_setting *setting, char *text, size_t size)
{
    if (setting->mixed || !setting->n_passes) {
        snprintf(text, size, "%s", setting->mixed ? "palettes by measured sensitivity" : "none");
        return text;
    }
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < setting->n_passes && used < size; i++) {
        char label[96];
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " + " : "",
                                 mls_compress_label(&setting->passes[i], label, sizeof label));
    }
    return text;
}

/* ---- Memory of the process -------------------------------------------------------------------- */

static uint64_t status_bytes(const char *key)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kilobytes = 0;
    size_t length = strlen(key);
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, length) && line[length] == ':')
            sscanf(line + length + 1, "%llu", &kilobytes);
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

/* Makes the high-water mark start again; false where the system does not allow it. */
static bool reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (!file)
        return false;
    bool written = fputs("5", file) >= 0;
    return !fclose(file) && written;
}

/* ---- Turns ------------------------------------------------------------------------------------ */

static int compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t quantile(const uint64_t *sorted, uint64_t n, double share)
{
    uint64_t index = (uint64_t)ceil(share * (double)n);
    return sorted[index ? index - 1 : 0];
}

static enum mls_status timed(struct mls_run *run, uint64_t *ret_ns, struct mls_error *reterr)
{
    uint64_t begin = mls_clock_ns();
    enum mls_status status = mls_run_predict(run, NULL, NULL, reterr);
    *ret_ns = mls_clock_ns() - begin;
    return status;
}

static bool stopped(const struct sweeping *sweeping)
{
    return sweeping->options->trial.stop && atomic_load(sweeping->options->trial.stop);
}

/* The plain model and the tried one predict in turns, so that both meet the same machine. */
static enum mls_status take_turns(const struct sweeping *sweeping, struct mls_run *run, uint64_t *times,
                                  uint64_t *plain_times, uint64_t *ret_n, struct mls_error *reterr)
{
    const struct mls_sweep_options *options = sweeping->options;
    double seconds = options->max_seconds > 0 ? options->max_seconds : MAX_SECONDS_DEFAULT;
    uint64_t most = options->runs ? options->runs : RUNS_MAX,
             least = options->runs ? options->runs : RUNS_MIN;
    uint64_t begin = 0, n = 0, ignored;
    enum mls_status status = mls_trial_fill(sweeping->trial, 0, run, reterr);
    if (!status)
        status = mls_trial_fill(sweeping->trial, 0, sweeping->loaded->run, reterr);
    for (int i = 0; !status && i < WARMUP_TURNS; i++) {
        status = timed(sweeping->loaded->run, &ignored, reterr);
        if (!status)
            status = timed(run, &ignored, reterr);
    }
    begin = mls_clock_ns();
    while (!status && n < most && (n < least || (double)(mls_clock_ns() - begin) < seconds * 1e9)) {
        if (stopped(sweeping))
            return mls_fail(reterr, MLS_ERR_CANCELLED, "the sweep was cancelled");
        bool plain_first = n % 2 == 0; /* who comes second finds other caches */
        status = plain_first ? timed(sweeping->loaded->run, &plain_times[n], reterr)
                             : timed(run, &times[n], reterr);
        if (!status)
            status = plain_first ? timed(run, &times[n], reterr)
                                 : timed(sweeping->loaded->run, &plain_times[n], reterr);
        n++;
    }
    *ret_n = n;
    return status;
}

static enum mls_status measure_time(const struct sweeping *sweeping, struct mls_run *run,
                                    struct mls_sweep_result *result, struct mls_error *reterr)
{
    uint64_t n = sweeping->options->runs ? sweeping->options->runs : RUNS_MAX;
    uint64_t *times = calloc(n, sizeof *times), *plain_times = calloc(n, sizeof *plain_times);
    enum mls_status status = times && plain_times
                                 ? take_turns(sweeping, run, times, plain_times, &n, reterr)
                                 : mls_fail(reterr, MLS_ERR_MEMORY, "cannot measure: out of memory");
    if (!status) {
        qsort(times, n, sizeof *times, compare_times);
        qsort(plain_times, n, sizeof *plain_times, compare_times);
        result->runs = n;
        result->p50_ns = quantile(times, n, 0.5);
        result->p99_ns = quantile(times, n, 0.99);
        result->plain_p50_ns = quantile(plain_times, n, 0.5);
    }
    free(times);
    free(plain_times);
    return status;
}

/* ---- One setting ------------------------------------------------------------------------------ */

static void note_figures(const struct mls_compressed *compressed, struct mls_sweep_result *result)
{
    uint64_t elems = 0;
    for (size_t i = 0; i < compressed->n_weights; i++)
        if (!compressed->weights[i].shared)
            elems += (uint64_t)mls_type_elems(&compressed->weights[i].type);
    result->package_bytes = mls_package_info(compressed->package)->file_bytes;
    result->weights_bytes = compressed->to_bytes;
    result->weights_snr_db = compressed->snr_db;
    result->bits_per_weight = elems ? (double)compressed->to_bytes * 8 / (double)elems : 0;
}

static enum mls_status try_package(struct sweeping *sweeping, struct mls_package *package,
                                   struct mls_sweep_result *result, struct mls_error *reterr)
{
    const struct mls_sweep_listener *listener = sweeping->options->listener;
    struct mls_tried tried;
    bool watched = reset_peak();
    uint64_t before = status_bytes("VmRSS");
    enum mls_status status = mls_trial_open(sweeping->trial, package, &tried, reterr);
    if (status)
        return status;
    struct mls_trial_score score = {0};
    status = mls_trial_score(sweeping->trial, tried.run, 0, &score, reterr);
    if (!status) {
        uint64_t peak = status_bytes("VmHWM");
        result->peak_rss_bytes = watched && peak > before ? peak - before + result->package_bytes : 0;
        result->outputs_snr_db = score.outputs_snr_db;
        result->accuracy = score.accuracy;
        struct mls_memory memory = mls_plan_memory(tried.plan);
        result->memory_bytes = memory.weights_bytes + memory.packed_bytes + memory.arena_bytes;
        if (listener && listener->examine)
            listener->examine(listener->user, &tried, result);
        status = measure_time(sweeping, tried.run, result, reterr);
    }
    mls_tried_close(&tried);
    return status;
}

static const struct mls_sweep_result *find_result(const struct sweeping *sweeping, const char *label)
{
    for (size_t i = 0; i < sweeping->sweep->n; i++) {
        const struct mls_sweep_result *result = &sweeping->sweep->results[i];
        if (result->done && !result->status && !strcmp(result->setting->label, label))
            return result;
    }
    return NULL;
}

static bool watch_mixing(void *user, uint64_t done, uint64_t total)
{
    const struct sweeping *sweeping = user;
    const struct mls_sweep_listener *listener = sweeping->options->listener;
    size_t index = sweeping->sweep->n_done;
    double share = total ? 0.9 * (double)done / (double)total : 0; /* the rest: its predictions */
    double elapsed_ns = (double)(mls_clock_ns() - sweeping->mixing_ns);
    uint64_t left_ns = share > 0 ? (uint64_t)(elapsed_ns * (1 - share) / share) : 0;
    bool go_on = !listener || !listener->at || listener->at(listener->user, index, sweeping->sweep->n, share, left_ns);
    return go_on && !stopped(sweeping);
}

static void note_worst(const struct mls_mixed *mixed, struct mls_sweep *sweep)
{
    for (size_t i = 0; i < mixed->n_sensitivities && sweep->n_worst < MLS_SWEEP_WORST; i++) {
        const struct mls_sensitivity *from = &mixed->sensitivities[i];
        if (from->measured && isfinite(from->outputs_snr_db))
            sweep->worst[sweep->n_worst++] = (struct mls_sweep_worst){from->name, from->type, from->outputs_snr_db};
    }
}

static enum mls_status try_mixed(struct sweeping *sweeping, struct mls_sweep_result *result,
                                 struct mls_error *reterr)
{
    const struct mls_sweep_result *model = find_result(sweeping, result->setting->as_small_as);
    if (!model)
        return mls_fail(reterr, MLS_ERR_USAGE, "the size of '%s' is not known", result->setting->as_small_as);
    const struct mls_compress_progress progress = {sweeping, watch_mixing};
    const struct mls_mixed_options options = {.target_bytes = model->package_bytes,
                                              .palettes_only = true,
                                              .opset = sweeping->options->opset,
                                              .opset_fixed = sweeping->options->opset_fixed,
                                              .threads = mls_session_threads(sweeping->loaded->session),
                                              .n_probed = PROBED,
                                              .known = sweeping->known,
                                              .n_known = sweeping->n_known,
                                              .progress = &progress};
    struct mls_mixed mixed = {0};
    uint64_t begin = sweeping->mixing_ns = mls_clock_ns();
    enum mls_status status = mls_mixed_choose(sweeping->loaded, sweeping->trial, &options, &mixed, reterr);
    result->compress_ns = mls_clock_ns() - begin;
    const struct mls_sweep_listener *listener = sweeping->options->listener;
    if (!status && listener && listener->sensitive)
        listener->sensitive(listener->user, mixed.sensitivities, mixed.n_sensitivities);
    if (!status) {
        note_worst(&mixed, sweeping->sweep);
        note_figures(mixed.compressed, result);
        status = try_package(sweeping, mixed.compressed->package, result, reterr);
    }
    mls_mixed_done(&mixed);
    return status;
}

static enum mls_status try_setting(struct sweeping *sweeping, struct mls_sweep_result *result,
                                   struct mls_error *reterr)
{
    const struct mls_sweep_setting *setting = result->setting;
    if (setting->mixed)
        return try_mixed(sweeping, result, reterr);
    struct mls_compress_rule rules[MLS_SWEEP_PASSES_MAX];
    struct mls_compress_pass passes[MLS_SWEEP_PASSES_MAX];
    for (size_t i = 0; i < setting->n_passes; i++) {
        rules[i] = (struct mls_compress_rule){.scope = MLS_SCOPE_GLOBAL, .setting = setting->passes[i]};
        passes[i] = (struct mls_compress_pass){&rules[i], 1};
    }
    const struct mls_compress_options options = {.passes = passes,
                                                 .n_passes = setting->n_passes,
                                                 .opset = sweeping->options->opset,
                                                 .opset_fixed = sweeping->options->opset_fixed,
                                                 .threads = mls_session_threads(sweeping->loaded->session)};
    struct mls_compressed *compressed = NULL;
    enum mls_status status = mls_compress(sweeping->loaded->model, &options, &compressed, reterr);
    if (status)
        return status;
    result->compress_ns = compressed->elapsed_ns;
    note_figures(compressed, result);
    status = try_package(sweeping, compressed->package, result, reterr);
    if (setting->n_passes != 1) {
        mls_compressed_free(compressed);
        return status;
    }
    mls_package_release(compressed->package);
    compressed->package = NULL;
    sweeping->known[sweeping->n_known++] =
        (struct mls_mixed_known){&setting->passes[0], compressed, result->package_bytes};
    return status;
}

/* ---- All of them ------------------------------------------------------------------------------ */

static double quality(const struct mls_sweep_result *result)
{
    return isnan(result->accuracy) ? result->outputs_snr_db : result->accuracy;
}

/* A result is on the front unless another one is no larger and no worse, and better in one of the two. */
static void mark_front(struct mls_sweep *sweep)
{
    for (size_t i = 0; i < sweep->n; i++) {
        struct mls_sweep_result *result = &sweep->results[i];
        result->pareto = result->done && !result->status;
        for (size_t j = 0; result->pareto && j < sweep->n; j++) {
            const struct mls_sweep_result *other = &sweep->results[j];
            if (!other->done || other->status)
                continue;
            bool no_worse =
                other->package_bytes <= result->package_bytes && quality(other) >= quality(result);
            bool better = other->package_bytes < result->package_bytes || quality(other) > quality(result);
            result->pareto = !(no_worse && better);
        }
    }
}

static bool tell(const struct sweeping *sweeping, size_t index, double share)
{
    const struct mls_sweep_listener *listener = sweeping->options->listener;
    size_t n = sweeping->sweep->n, done = sweeping->sweep->n_done;
    uint64_t elapsed = mls_clock_ns() - sweeping->begin_ns;
    uint64_t left = done ? elapsed / done * (n - done) : 0;
    return !listener || !listener->at || listener->at(listener->user, index, n, share, left);
}

static void run_settings(struct sweeping *sweeping)
{
    struct mls_sweep *sweep = sweeping->sweep;
    for (size_t i = 0; i < sweep->n && !sweep->cancelled; i++) {
        struct mls_sweep_result *result = &sweep->results[i];
        struct mls_error error = {0};
        sweep->cancelled = !tell(sweeping, i, 0) || stopped(sweeping);
        if (sweep->cancelled)
            break;
        result->status = try_setting(sweeping, result, &error);
        if (result->status == MLS_ERR_CANCELLED) {
            sweep->cancelled = true;
            break;
        }
        if (result->status)
            memcpy(result->reason, error.text, sizeof result->reason);
        result->done = true;
        sweep->n_done++;
        sweep->cancelled = !tell(sweeping, i, 1);
    }
}

enum mls_status mls_sweep_run(const struct mls_loaded *loaded, const struct mls_sweep_options *options,
                              struct mls_sweep **ret_sweep, struct mls_error *reterr)
{
    struct mls_sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep)
        sweep->results = calloc(options->n_settings + 1, sizeof *sweep->results);
    if (!sweep || !sweep->results) {
        mls_sweep_free(sweep);
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare settings: out of memory");
    }
    struct sweeping sweeping = {
        .loaded = loaded, .options = options, .sweep = sweep, .begin_ns = mls_clock_ns()};
    sweeping.known = calloc(options->n_settings + 1, sizeof *sweeping.known);
    enum mls_status status = sweeping.known ? mls_trial_create(loaded, &options->trial, &sweeping.trial, reterr)
                                            : mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare settings: out of memory");
    if (status) {
        free(sweeping.known);
        mls_sweep_free(sweep);
        return status;
    }
    sweep->n = options->n_settings;
    sweep->n_samples = mls_trial_count(sweeping.trial);
    sweep->accuracy = mls_trial_reference(sweeping.trial);
    for (size_t i = 0; i < sweep->n; i++)
        sweep->results[i] = (struct mls_sweep_result){
            .setting = &options->settings[i], .accuracy = (double)NAN, .predicted_us = -1};
    run_settings(&sweeping);
    mark_front(sweep);
    sweep->elapsed_ns = mls_clock_ns() - sweeping.begin_ns;
    mls_trial_free(sweeping.trial);
    for (size_t i = 0; i < sweeping.n_known; i++)
        mls_compressed_free(sweeping.known[i].compressed);
    free(sweeping.known);
    *ret_sweep = sweep;
    return MLS_OK;
}

void mls_sweep_free(struct mls_sweep *sweep)
{
    if (!sweep)
        return;
    free(sweep->results);
    free(sweep);
}
