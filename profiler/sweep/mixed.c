#include "profiler/mixed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Errors of palettes and of integers differ in kind: how much they count is measured with one choice of each.
 */
enum family { PALETTES, INTEGERS, N_FAMILIES };

/* What a weight may become; the first is the weight as it is, then come those that sensitivity is measured
 * with. */
static const struct choice {
    unsigned nbits;       /* of palettes; 0: none */
    int64_t size;         /* channels of a palette, elements of a block; 0: per tensor, or per channel */
    enum mls_dtype dtype; /* of integers, where there are no palettes */
} choices[] = {{.dtype = MLS_NONE},
               {.nbits = 4},
               {.dtype = MLS_INT4, .size = 32},
               {.nbits = 8},
               {.dtype = MLS_INT8},
               {.nbits = 6, .size = 16},
               {.nbits = 6},
               {.dtype = MLS_INT4, .size = 16},
               {.nbits = 4, .size = 8},
               {.nbits = 4, .size = 16},
               {.nbits = 3, .size = 16},
               {.nbits = 3},
               {.nbits = 2, .size = 16},
               {.nbits = 2}};

enum {
    N_CHOICES = sizeof choices / sizeof *choices,
    PROBE = 1, /* of the first family */
    PROBED_DEFAULT = 48, /* weights that are measured; smaller ones are taken to be as sensitive as the median */
    PROBE_SAMPLES = 2,
    ROUNDS_MAX = 12
};

struct option_of_weight {
    uint64_t bytes;
    double noise; /* of the elements, squares */
    bool possible;
};

struct candidate {
    const struct mls_compressed_weight *weight; /* of the first trial */
    struct option_of_weight options[N_CHOICES];
    double sensitivity[N_FAMILIES]; /* noise of the outputs for each unit of noise of the elements */
    unsigned chosen;
};

struct mixing {
    const struct mls_loaded *loaded;
    const struct mls_trial *trial;
    const struct mls_mixed_options *options;
    struct mls_compressed *compressed[N_CHOICES];
    bool borrowed[N_CHOICES]; /* it was known before */
    uint64_t made_bytes[N_CHOICES]; /* of the packages */
    struct candidate *candidates;
    size_t n;
    size_t *by_size;
    uint64_t steps_done;
    uint64_t steps;
    uint64_t other_bytes; /* of the package, whatever is chosen */
};

static enum family family_of(unsigned choice)
{
    return choices[choice].nbits ? PALETTES : INTEGERS;
}

static struct mls_compress_setting setting_of(unsigned choice)
{
    const struct choice *chosen = &choices[choice];
    bool palettes = chosen->nbits != 0;
    struct mls_compress_setting setting =
        mls_compress_default(palettes ? MLS_COMPRESS_PALETTIZE : MLS_COMPRESS_QUANTIZE);
    setting.nbits = chosen->nbits;
    setting.dtype = chosen->dtype;
    setting.fall_back = chosen->size != 0;
    if (chosen->size) {
        setting.granularity = palettes ? MLS_PER_GROUPED_CHANNEL : MLS_PER_BLOCK;
        setting.group_size = setting.block_size = chosen->size;
    }
    return setting;
}

static enum mls_status no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot mix settings: out of memory");
}

static enum mls_status step(struct mixing *mixing, struct mls_error *reterr)
{
    const struct mls_compress_progress *progress = mixing->options->progress;
    if (progress && progress->at && !progress->at(progress->user, ++mixing->steps_done, mixing->steps))
        return mls_fail(reterr, MLS_ERR_CANCELLED, "the choice of settings was cancelled");
    return MLS_OK;
}

static enum mls_status compress(const struct mixing *mixing, const struct mls_compress_rule *rules,
                                size_t n_rules, struct mls_compressed **ret_compressed,
                                struct mls_error *reterr)
{
    const struct mls_compress_pass pass = {rules, n_rules};
    const struct mls_compress_options options = {.passes = &pass,
                                                 .n_passes = 1,
                                                 .calibration = mixing->options->calibration,
                                                 .opset = mixing->options->opset,
                                                 .opset_fixed = mixing->options->opset_fixed,
                                                 .threads = mixing->options->threads};
    return mls_compress(mixing->loaded->model, &options, ret_compressed, reterr);
}

static uint64_t package_bytes(const struct mls_compressed *compressed)
{
    return mls_package_info(compressed->package)->file_bytes;
}

/* ---- What there is to choose from ------------------------------------------------------------- */

static bool allowed(const struct mixing *mixing, unsigned choice)
{
    struct mls_compress_setting setting = setting_of(choice);
    if (mixing->options->palettes_only && family_of(choice) == INTEGERS)
        return false;
    return !mixing->options->opset_fixed || mls_compress_opset(&setting, false) <= mixing->options->opset;
}

static size_t n_probed_of(const struct mixing *mixing)
{
    size_t wanted = mixing->options->n_probed ? mixing->options->n_probed : PROBED_DEFAULT;
    return mixing->n < wanted ? mixing->n : wanted;
}

static bool same_setting(const struct mls_compress_setting *a, const struct mls_compress_setting *b)
{
    bool groups = a->granularity == MLS_PER_GROUPED_CHANNEL, blocks = a->granularity == MLS_PER_BLOCK;
    return a->compressor == b->compressor && a->mode == b->mode && a->nbits == b->nbits && a->dtype == b->dtype &&
           a->granularity == b->granularity && (!groups || a->group_size == b->group_size) &&
           (!blocks || a->block_size == b->block_size) && a->cluster_dim == b->cluster_dim &&
           a->per_channel_scale == b->per_channel_scale && a->weight_threshold == b->weight_threshold;
}

static const struct mls_mixed_known *find_known(const struct mixing *mixing, unsigned choice)
{
    struct mls_compress_setting setting = setting_of(choice);
    for (size_t i = 0; i < mixing->options->n_known; i++)
        if (same_setting(&setting, mixing->options->known[i].setting))
            return &mixing->options->known[i];
    return NULL;
}

static enum mls_status compress_choice(struct mixing *mixing, unsigned c, struct mls_error *reterr)
{
    const struct mls_mixed_known *known = find_known(mixing, c);
    const struct mls_compress_rule rule = {.scope = MLS_SCOPE_GLOBAL, .setting = setting_of(c)};
    if (known) {
        mixing->compressed[c] = known->compressed;
        mixing->borrowed[c] = true;
        mixing->made_bytes[c] = known->package_bytes;
        return MLS_OK;
    }
    enum mls_status status = compress(mixing, &rule, 1, &mixing->compressed[c], reterr);
    if (!status) { /* only the figures are needed */
        mixing->made_bytes[c] = package_bytes(mixing->compressed[c]);
        mls_package_release(mixing->compressed[c]->package);
        mixing->compressed[c]->package = NULL;
    }
    return status;
}

static enum mls_status compress_all(struct mixing *mixing, struct mls_error *reterr)
{
    for (unsigned c = 1; c < N_CHOICES; c++) {
        if (!allowed(mixing, c))
            continue;
        enum mls_status status = compress_choice(mixing, c, reterr);
        if (!status)
            status = step(mixing, reterr);
        if (status)
            return status;
    }
    return MLS_OK;
}

static enum mls_status collect(struct mixing *mixing, struct mls_error *reterr)
{
    const struct mls_compressed *first = mixing->compressed[PROBE];
    mixing->candidates = calloc(first->n_weights + 1, sizeof *mixing->candidates);
    mixing->by_size = calloc(first->n_weights + 1, sizeof *mixing->by_size);
    if (!mixing->candidates || !mixing->by_size)
        return no_memory(reterr);
    for (size_t i = 0; i < first->n_weights; i++) {
        const struct mls_compressed_weight *weight = &first->weights[i];
        if (weight->skipped_because || weight->shared)
            continue;
        struct candidate *candidate = &mixing->candidates[mixing->n];
        candidate->weight = weight;
        candidate->options[0] = (struct option_of_weight){weight->from_bytes, 0, true};
        for (unsigned c = 1; c < N_CHOICES; c++) {
            if (!mixing->compressed[c])
                continue;
            const struct mls_compressed_weight *other = &mixing->compressed[c]->weights[i];
            candidate->options[c] =
                (struct option_of_weight){other->to_bytes, other->noise, !other->skipped_because};
        }
        mixing->by_size[mixing->n] = mixing->n;
        mixing->n++;
    }
    return mixing->n ? MLS_OK
                     : mls_fail(reterr, MLS_ERR_USAGE, "cannot mix settings: no weight can be compressed");
}

/* ---- Sensitivity ------------------------------------------------------------------------------ */

static int larger_first(const void *a, const void *b, void *candidates)
{
    const struct candidate *x = &((const struct candidate *)candidates)[*(const size_t *)a],
                           *y = &((const struct candidate *)candidates)[*(const size_t *)b];
    return x->options[0].bytes != y->options[0].bytes ? (x->options[0].bytes > y->options[0].bytes ? -1 : 1)
                                                      : (x > y) - (x < y);
}

static enum mls_status score_package(const struct mixing *mixing, struct mls_package *package,
                                     size_t n_samples, struct mls_trial_score *ret_score,
                                     struct mls_error *reterr)
{
    struct mls_tried tried;
    enum mls_status status = mls_trial_open(mixing->trial, package, &tried, reterr);
    if (status)
        return status;
    status = mls_trial_score(mixing->trial, tried.run, n_samples, ret_score, reterr);
    mls_tried_close(&tried);
    return status;
}

static enum mls_status probe(struct mixing *mixing, struct candidate *candidate, enum family family,
                             struct mls_error *reterr)
{
    unsigned choice = PROBE + family;
    const struct mls_compress_rule rule = {
        .scope = MLS_SCOPE_OP_NAME, .key = candidate->weight->name, .setting = setting_of(choice)};
    struct mls_compressed *compressed = NULL;
    struct mls_trial_score score = {0};
    enum mls_status status = compress(mixing, &rule, 1, &compressed, reterr);
    if (!status)
        status = score_package(mixing, compressed->package, PROBE_SAMPLES, &score, reterr);
    mls_compressed_free(compressed);
    double noise = candidate->options[choice].noise;
    candidate->sensitivity[family] = noise > 0 ? score.noise / noise : 0;
    return status ? status : step(mixing, reterr);
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Weights that were not measured: their relative noise counts as much as the median's. */
static enum mls_status fill_sensitivity(struct mixing *mixing, size_t n_probed, enum family family,
                                        struct mls_error *reterr)
{
    double *relative = calloc(n_probed + 1, sizeof *relative);
    if (!relative)
        return no_memory(reterr);
    for (size_t i = 0; i < n_probed; i++) {
        const struct candidate *candidate = &mixing->candidates[mixing->by_size[i]];
        relative[i] = candidate->sensitivity[family] * candidate->weight->signal;
    }
    qsort(relative, n_probed, sizeof *relative, compare_numbers);
    double median = relative[n_probed / 2];
    free(relative);
    for (size_t i = n_probed; i < mixing->n; i++) {
        struct candidate *candidate = &mixing->candidates[mixing->by_size[i]];
        candidate->sensitivity[family] =
            candidate->weight->signal > 0 ? median / candidate->weight->signal : 0;
    }
    return MLS_OK;
}

static enum mls_status measure(struct mixing *mixing, struct mls_error *reterr)
{
    qsort_r(mixing->by_size, mixing->n, sizeof *mixing->by_size, larger_first, mixing->candidates);
    size_t n_probed = n_probed_of(mixing);
    mixing->steps = N_CHOICES - 1 + n_probed * N_FAMILIES + 1;
    enum mls_status status = MLS_OK;
    for (enum family family = 0; !status && family < N_FAMILIES; family++) {
        if (!mixing->compressed[PROBE +
                                family]) { /* no such integers: int8 counts as palettes do */
            for (size_t i = 0; i < mixing->n; i++)
                mixing->candidates[i].sensitivity[family] = mixing->candidates[i].sensitivity[PALETTES];
            continue;
        }
        for (size_t i = 0; !status && i < n_probed; i++)
            status = probe(mixing, &mixing->candidates[mixing->by_size[i]], family, reterr);
        if (!status)
            status = fill_sensitivity(mixing, n_probed, family, reterr);
    }
    return status;
}

/* ---- Choosing --------------------------------------------------------------------------------- */

static double noise_of(const struct candidate *candidate, unsigned choice)
{
    return candidate->sensitivity[family_of(choice)] * candidate->options[choice].noise;
}

static void total(const struct mixing *mixing, uint64_t *ret_bytes, double *ret_noise)
{
    *ret_bytes = mixing->other_bytes;
    *ret_noise = 0;
    for (size_t i = 0; i < mixing->n; i++) {
        *ret_bytes += mixing->candidates[i].options[mixing->candidates[i].chosen].bytes;
        *ret_noise += noise_of(&mixing->candidates[i], mixing->candidates[i].chosen);
    }
}

/* For a price of a byte, every weight by itself: the least noise plus price. A higher price makes a smaller
 * model (Everett's multipliers). */
static void choose_at(struct mixing *mixing, double price)
{
    for (size_t i = 0; i < mixing->n; i++) {
        struct candidate *candidate = &mixing->candidates[i];
        double least = (double)INFINITY;
        for (unsigned c = 0; c < N_CHOICES; c++) {
            double cost = noise_of(candidate, c) + price * (double)candidate->options[c].bytes;
            if (candidate->options[c].possible && cost < least) {
                least = cost;
                candidate->chosen = c;
            }
        }
    }
}

/* What is left of the budget goes where it helps most. */
static void spend_rest(struct mixing *mixing, uint64_t target_bytes)
{
    for (;;) {
        uint64_t bytes;
        double noise, most = 0;
        struct candidate *best = NULL;
        unsigned best_choice = 0;
        total(mixing, &bytes, &noise);
        for (size_t i = 0; i < mixing->n; i++) {
            struct candidate *candidate = &mixing->candidates[i];
            const struct option_of_weight *now = &candidate->options[candidate->chosen];
            for (unsigned c = 0; c < N_CHOICES; c++) {
                const struct option_of_weight *option = &candidate->options[c];
                double gain = noise_of(candidate, candidate->chosen) - noise_of(candidate, c);
                if (!option->possible || option->bytes + bytes > target_bytes + now->bytes || gain <= 0)
                    continue;
                double extra = option->bytes > now->bytes ? (double)(option->bytes - now->bytes) : 0.5;
                if (gain / extra > most) {
                    most = gain / extra;
                    best = candidate;
                    best_choice = c;
                }
            }
        }
        if (!best)
            return;
        best->chosen = best_choice;
    }
}

/* Halves the interval of prices until the size or the noise is the wanted one, on its good side. */
static bool search(struct mixing *mixing, uint64_t target_bytes, double noise_limit)
{
    double low = 1e-30, high = 1e6; /* price; geometric */
    bool found = false;
    for (int i = 0; i < 200; i++) {
        double price = sqrt(low * high);
        uint64_t bytes;
        double noise;
        choose_at(mixing, price);
        total(mixing, &bytes, &noise);
        bool good = target_bytes ? bytes <= target_bytes : noise <= noise_limit;
        found |= good;
        if (good == (target_bytes != 0))
            high = price;
        else
            low = price;
    }
    choose_at(mixing, target_bytes ? high : low);
    if (target_bytes && found)
        spend_rest(mixing, target_bytes);
    return found || (!target_bytes && noise_limit >= 0);
}

static enum mls_status apply(struct mixing *mixing, struct mls_mixed *mixed, struct mls_error *reterr)
{
    mls_compressed_free(mixed->compressed);
    mixed->compressed = NULL;
    free(mixed->rules);
    mixed->n_rules = 0;
    mixed->rules = calloc(mixing->n + 1, sizeof *mixed->rules);
    if (!mixed->rules)
        return no_memory(reterr);
    for (size_t i = 0; i < mixing->n; i++) {
        const struct candidate *candidate = &mixing->candidates[i];
        mixed->rules[mixed->n_rules++] = (struct mls_compress_rule){.scope = MLS_SCOPE_OP_NAME,
                                                                    .key = candidate->weight->name,
                                                                    .leave = candidate->chosen == 0,
                                                                    .setting = setting_of(candidate->chosen)};
    }
    enum mls_status status = compress(mixing, mixed->rules, mixed->n_rules, &mixed->compressed, reterr);
    if (!status)
        status = score_package(mixing, mixed->compressed->package, 0, &mixed->score, reterr);
    return status;
}

static int most_sensitive_first(const void *a, const void *b)
{
    double x = ((const struct mls_sensitivity *)a)->outputs_snr_db,
           y = ((const struct mls_sensitivity *)b)->outputs_snr_db;
    return (x > y) - (x < y);
}

static enum mls_status tell_sensitivities(const struct mixing *mixing, struct mls_mixed *mixed,
                                          struct mls_error *reterr)
{
    mixed->sensitivities = calloc(mixing->n + 1, sizeof *mixed->sensitivities);
    if (!mixed->sensitivities)
        return no_memory(reterr);
    for (size_t i = 0; i < mixing->n; i++) {
        const struct candidate *candidate = &mixing->candidates[mixing->by_size[i]];
        double noise = noise_of(candidate, PROBE);
        mixed->sensitivities[mixed->n_sensitivities++] =
            (struct mls_sensitivity){.name = candidate->weight->op_name,
                                     .type = candidate->weight->op_type,
                                     .from_bytes = candidate->options[0].bytes,
                                     .outputs_snr_db = noise > 0 ? -10 * log10(noise) : (double)INFINITY,
                                     .measured = i < n_probed_of(mixing),
                                     .nbits = candidate->chosen ? setting_of(candidate->chosen).nbits : 0};
    }
    qsort(mixed->sensitivities, mixed->n_sensitivities, sizeof *mixed->sensitivities, most_sensitive_first);
    return MLS_OK;
}

/* The specification and the records' heads change with the choice: what was missed is taken off the budget.
 */
static uint64_t smallest_bytes(const struct mixing *mixing)
{
    uint64_t sum = mixing->other_bytes;
    for (size_t i = 0; i < mixing->n; i++) {
        uint64_t least = UINT64_MAX;
        for (unsigned c = 0; c < N_CHOICES; c++)
            if (mixing->candidates[i].options[c].possible && mixing->candidates[i].options[c].bytes < least)
                least = mixing->candidates[i].options[c].bytes;
        sum += least;
    }
    return sum;
}

static enum mls_status fit_size(struct mixing *mixing, struct mls_mixed *mixed, struct mls_error *reterr)
{
    uint64_t target = mixing->options->target_bytes, budget = target;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (!search(mixing, budget, 0))
            break;
        enum mls_status status = apply(mixing, mixed, reterr);
        if (status)
            return status;
        uint64_t made = package_bytes(mixed->compressed);
        if (made <= target)
            return MLS_OK;
        budget -= made - target < budget ? made - target : budget;
    }
    return mls_fail(reterr, MLS_ERR_LIMIT,
                    "cannot compress the model to %.3g MB: the smallest choice has %.3g MB",
                    (double)target / 1e6, (double)smallest_bytes(mixing) / 1e6);
}

/* Noises of weights do not simply add up: the limit is corrected by what a choice really gives. */
static enum mls_status fit_quality(struct mixing *mixing, struct mls_mixed *mixed, struct mls_error *reterr)
{
    double wanted = pow(10, -mixing->options->min_outputs_snr_db / 10), limit = wanted;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        search(mixing, 0, limit);
        enum mls_status status = apply(mixing, mixed, reterr);
        if (status)
            return status;
        bool good = mixed->score.noise <= wanted;
        if (good && (round || mixed->score.noise > wanted / 1.12))
            return MLS_OK;
        double next = good ? sqrt(wanted / mixed->score.noise) : 0.9 * wanted / mixed->score.noise;
        limit *=
            !good && next > 0.5 ? 0.5 : next; /* where noises add up badly, small steps would not arrive */
        if (!isfinite(limit))
            return MLS_OK;
    }
    return mls_fail(reterr, MLS_ERR_LIMIT,
                    "cannot compress the model: its outputs fall below %.4g dB at any choice",
                    mixing->options->min_outputs_snr_db);
}

static void find_other_bytes(struct mixing *mixing)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < mixing->n; i++)
        bytes += mixing->candidates[i].options[PROBE].bytes;
    uint64_t made = mixing->made_bytes[PROBE];
    mixing->other_bytes = made > bytes ? made - bytes : 0;
}

enum mls_status mls_mixed_choose(const struct mls_loaded *loaded, const struct mls_trial *trial,
                                 const struct mls_mixed_options *options, struct mls_mixed *ret_mixed,
                                 struct mls_error *reterr)
{
    struct mixing mixing = {
        .loaded = loaded, .trial = trial, .options = options, .steps = N_CHOICES + PROBED_DEFAULT * N_FAMILIES};
    struct mls_mixed mixed = {0};
    enum mls_status status = compress_all(&mixing, reterr);
    if (!status)
        status = collect(&mixing, reterr);
    if (!status)
        status = measure(&mixing, reterr);
    if (!status) {
        find_other_bytes(&mixing);
        status =
            options->target_bytes ? fit_size(&mixing, &mixed, reterr) : fit_quality(&mixing, &mixed, reterr);
    }
    if (!status)
        status = tell_sensitivities(&mixing, &mixed, reterr);
    for (unsigned c = 0; c < N_CHOICES; c++)
        mls_compressed_free(mixing.borrowed[c] ? NULL : mixing.compressed[c]);
    free(mixing.candidates);
    free(mixing.by_size);
    if (status)
        mls_mixed_done(&mixed);
    else
        *ret_mixed = mixed;
    return status;
}

void mls_mixed_done(struct mls_mixed *mixed)
{
    mls_compressed_free(mixed->compressed);
    free(mixed->rules);
    free(mixed->sensitivities);
    *mixed = (struct mls_mixed){0};
}
