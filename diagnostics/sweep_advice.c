#include "diagnostics/sweep_advice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Below this the outputs are another model's: 1 % of the energy is noise. */
#define GOOD_OUTPUTS_DB 20.0
/* A gain that is worth another setting. */
#define WORTH_DB 0.5

static const struct mls_sweep_result *find(const struct mls_sweep *sweep, const char *label)
{
    for (size_t i = 0; i < sweep->n; i++)
        if (sweep->results[i].done && !sweep->results[i].status &&
            !strcmp(sweep->results[i].setting->label, label))
            return &sweep->results[i];
    return NULL;
}

static bool groups_help(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    const struct mls_sweep_result *whole = find(sweep, "4-bit"), *grouped = find(sweep, "4-bit grouped");
    if (!whole || !grouped || !(grouped->outputs_snr_db > whole->outputs_snr_db + WORTH_DB))
        return false;
    snprintf(evidence, size,
             "4 bits per tensor is 16 clusters for the whole matrix: outputs keep %.1f dB; palettes for "
             "groups of channels "
             "keep %.1f dB for %.1f %% more bytes",
             whole->outputs_snr_db, grouped->outputs_snr_db,
             100 * ((double)grouped->package_bytes / (double)whole->package_bytes - 1));
    return true;
}

static bool mixing_helps(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    const struct mls_sweep_result *mixed = find(sweep, "mixed"), *grouped = find(sweep, "4-bit grouped");
    if (!mixed || !grouped || !(mixed->outputs_snr_db > grouped->outputs_snr_db + WORTH_DB))
        return false;
    snprintf(evidence, size,
             "at the size of 4-bit grouped, bits by sensitivity keep %.1f dB of the outputs, the same bits "
             "for all %.1f",
             mixed->outputs_snr_db, grouped->outputs_snr_db);
    return true;
}

static bool some_lose_most(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    size_t used = (size_t)snprintf(evidence, size, "with 4 bits in it alone, the outputs keep");
    for (size_t i = 0; i < sweep->n_worst && used < size; i++)
        used += (size_t)snprintf(evidence + used, size - used, "%s %.1f dB (%s, %.60s)", i ? "," : "",
                                 sweep->worst[i].outputs_snr_db, sweep->worst[i].type, sweep->worst[i].name);
    return sweep->n_worst > 0;
}

static bool integers_lose(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    const struct mls_sweep_result *int4 = find(sweep, "int4 per block"),
                                  *grouped = find(sweep, "4-bit grouped");
    if (!int4 || !grouped || !(int4->outputs_snr_db < GOOD_OUTPUTS_DB))
        return false;
    snprintf(evidence, size, "int4 in blocks keeps %.1f dB of the outputs, 4-bit palettes by groups %.1f",
             int4->outputs_snr_db, grouped->outputs_snr_db);
    return true;
}

static bool pruning_loses(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    const struct mls_sweep_result *pruned = find(sweep, "pruned 50 %");
    if (!pruned || !(pruned->outputs_snr_db < GOOD_OUTPUTS_DB))
        return false;
    snprintf(evidence, size,
             "with half of the weights 0, the outputs keep %.1f dB, for %.2f times the bytes of 8 bits",
             pruned->outputs_snr_db,
             find(sweep, "8-bit")
                 ? (double)pruned->package_bytes / (double)find(sweep, "8-bit")->package_bytes
                 : 0);
    return true;
}

static bool smallest_good(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    const struct mls_sweep_result *best = NULL;
    for (size_t i = 0; i < sweep->n; i++) {
        const struct mls_sweep_result *result = &sweep->results[i];
        if (result->done && !result->status && result->outputs_snr_db >= GOOD_OUTPUTS_DB &&
            (!best || result->package_bytes < best->package_bytes))
            best = result;
    }
    if (!best || !best->weights_bytes)
        return false;
    snprintf(evidence, size,
             "'%s' is the smallest whose outputs keep 20 dB: %.2f MB, %.1f dB, %.2f times the plain model's "
             "time here",
             best->setting->label, (double)best->package_bytes / 1e6, best->outputs_snr_db,
             best->plain_p50_ns ? (double)best->p50_ns / (double)best->plain_p50_ns : 0);
    return true;
}

static bool always(const struct mls_sweep *sweep, char *evidence, size_t size)
{
    snprintf(evidence, size,
             "palettes suit the Neural Engine, weights of 4 bits in blocks the GPU of a Mac, pruned ones the Neural Engine and "
             "the CPU; quantized activations the Neural Engine of A17 Pro and M4");
    return sweep->n_done > 1;
}

/* One piece of advice is one row. */
static const struct {
    const char *id;
    const char *title;
    const char *fix;
    bool (*holds)(const struct mls_sweep *sweep, char *evidence, size_t size);
} rows[] = {
    {"COMP010", "the smallest setting that keeps the outputs",
     "begin with it, and check accuracy on data of your own", smallest_good},
    {"COMP007", "one palette for a whole weight loses accuracy",
     "--palettize 4 --granularity per_grouped_channel --group-size 16 (iOS 18), then more bits, then "
     "calibration",
     groups_help},
    {"COMP007", "weights are not equally sensitive", "--target-size, which chooses bits for each weight",
     mixing_helps},
    {"COMP007", "some operations lose most", "leave them in fp16 (--skip NAME), or give them more bits", some_lose_most},
    {"COMP008", "integers of 4 bits lose accuracy", "smaller blocks, calibration data, int8, or palettes",
     integers_lose},
    {"COMP009", "pruning without training loses accuracy", "less sparsity, or training-time pruning",
     pruning_loses},
    {"COMP003", "the technique depends on the hardware",
     "palettize for the Neural Engine, quantize for the GPU; --quantize-activations where most is on the Neural Engine; measure "
     "on the target",
     always},
};

const char *mls_sweep_suits(const struct mls_sweep_setting *setting)
{
    if (!setting->n_passes)
        return setting->mixed ? "ANE" : "all"; /* mixed: of palettes */
    switch (setting->passes[setting->n_passes - 1].compressor) {
    case MLS_COMPRESS_PALETTIZE:
        return "ANE";
    case MLS_COMPRESS_QUANTIZE:
        return "GPU";
    default: /* pruned */
        return "ANE+CPU";
    }
}

size_t mls_sweep_advise(const struct mls_sweep *sweep,
                        struct mls_sweep_advice ret_advice[MLS_SWEEP_ADVICE_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && n < MLS_SWEEP_ADVICE_MAX; i++) {
        struct mls_sweep_advice *advice = &ret_advice[n];
        *advice = (struct mls_sweep_advice){.id = rows[i].id, .title = rows[i].title, .fix = rows[i].fix};
        n += rows[i].holds(sweep, advice->evidence, sizeof advice->evidence);
    }
    return n;
}
