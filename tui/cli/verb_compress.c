#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/open.h"
#include "cli/recipe.h"
#include "profiler/calibrate.h"
#include "profiler/json.h"
#include "profiler/mixed.h"
#include "profiler/text.h"

enum { WEIGHTS_SHOWN = 20, PERCENT = 100 };

struct work {
    const struct arguments *arguments;
    struct console *console;
    struct opened opened;
    struct recipe recipe;
    struct mls_compress_options options;
    struct mls_samples *samples;
    struct mls_calibration *calibration;
    struct mls_mixed_options budget; /* a size or a quality was asked for */
    bool mixes;
    struct mls_mixed mixed;
    struct mls_compressed *compressed; /* that of `mixed`, or owned */
    unsigned percent_shown;
};

static enum mls_status read_budget(struct work *work, struct mls_error *reterr)
{
    bool size = arguments_has(work->arguments, OPTION_TARGET_SIZE);
    work->mixes = size || arguments_has(work->arguments, OPTION_MIN_OUTPUT_SNR);
    if (size && arguments_has(work->arguments, OPTION_MIN_OUTPUT_SNR))
        return mls_fail(reterr, MLS_ERR_USAGE, "--target-size and --min-output-snr exclude each other");
    enum mls_status status = arguments_size(work->arguments, OPTION_TARGET_SIZE, &work->budget.target_bytes, reterr);
    return status ? status : arguments_number(work->arguments, OPTION_MIN_OUTPUT_SNR, &work->budget.min_outputs_snr_db, reterr);
}

static enum mls_status read_options(struct work *work, struct mls_error *reterr)
{
    const struct arguments *arguments = work->arguments;
    const char *out = arguments_text(arguments, OPTION_OUTPUT);
    if (!out) {
        mls_fail(reterr, MLS_ERR_USAGE, "no package to write was given");
        mls_error_hint(reterr, "usage: mlscope compress MODEL -o OUT --palettize 4");
        return MLS_ERR_USAGE;
    }
    enum mls_status status = recipe_read(arguments, &work->recipe, reterr);
    if (!status)
        status = recipe_target(arguments, &work->options.opset, reterr);
    uint64_t threads = 0;
    if (!status)
        status = arguments_count(arguments, OPTION_THREADS, 1, 1024, &threads, reterr);
    if (status)
        return status;
    status = read_budget(work, reterr);
    if (status)
        return status;
    work->options.threads = (uint32_t)threads;
    work->options.opset_fixed = arguments_has(arguments, OPTION_TARGET);
    work->options.quantize_activations = arguments_has(arguments, OPTION_ACTIVATIONS);
    work->options.joint = arguments_has(arguments, OPTION_JOINT);
    work->options.decompress = arguments_has(arguments, OPTION_DECOMPRESS);
    work->options.passes = work->recipe.passes;
    work->options.n_passes = work->recipe.n_passes;
    if ((work->recipe.n_passes != 0) + work->options.decompress + work->mixes != 1) {
        mls_fail(reterr, MLS_ERR_USAGE,
                 work->options.decompress ? "--decompress and methods exclude each other"
                                          : "no method was given");
        mls_error_hint(
            reterr,
            "one of --palettize BITS, --quantize TYPE, --prune SHARE, --config FILE, --target-size SIZE, "
            "--decompress");
        return MLS_ERR_USAGE;
    }
    return MLS_OK;
}

/* Progress on standard error, for people who wait. */
static bool show_progress(void *user, uint64_t done, uint64_t total)
{
    struct work *work = user;
    unsigned percent = total ? (unsigned)((double)done / (double)total * PERCENT) : PERCENT;
    if (work->console->columns && !work->console->quiet && percent != work->percent_shown) {
        fprintf(stderr, percent < PERCENT ? "\rcompressing: %u %%" : "\r\033[K", percent);
        work->percent_shown = percent;
    }
    return !atomic_load(interrupt_flag());
}

static enum mls_status write_out(struct work *work, struct mls_error *reterr)
{
    const char *out = arguments_text(work->arguments, OPTION_OUTPUT);
    struct mls_package *package = work->compressed->package;
    if (!mls_package_info(package)->sealed)
        return mls_package_write(package, out, arguments_has(work->arguments, OPTION_FORCE), reterr);
    if (!access(out, F_OK) && !arguments_has(work->arguments, OPTION_FORCE)) {
        mls_fail(reterr, MLS_ERR_USAGE, "cannot write %s: it exists", out);
        mls_error_hint(reterr, "give another name, or --force to overwrite it");
        return MLS_ERR_USAGE;
    }
    return mls_package_seal(package, work->opened.key, out, reterr);
}

/* ---- Reports --------------------------------------------------------------------------------- */

static const char *decibels(double snr_db, char *text, size_t size)
{
    if (isinf(snr_db))
        return "exact";
    snprintf(text, size, "%.2f dB", snr_db);
    return text;
}

static int largest_first(const void *a, const void *b)
{
    const struct mls_compressed_weight *x = *(const struct mls_compressed_weight *const *)a,
                                       *y = *(const struct mls_compressed_weight *const *)b;
    return x->from_bytes != y->from_bytes ? (x->from_bytes > y->from_bytes ? -1 : 1) : (x > y) - (x < y);
}

static void add_weight(struct mls_table *table, const struct mls_compressed_weight *weight)
{
    char type[96], from[MLS_TEXT_BYTES], to[MLS_TEXT_BYTES], snr[32];
    mls_table_cell(table, "%s", weight->name);
    mls_table_cell(table, "%s", mls_type_format(&weight->type, type, sizeof type));
    mls_table_cell(table, "%s", mls_text_size(weight->from_bytes, from));
    mls_table_cell(table, "%s", mls_text_size(weight->to_bytes, to));
    mls_table_cell(table, "%s", weight->skipped_because ? "" : decibels(weight->snr_db, snr, sizeof snr));
    mls_table_cell(table, "%s", weight->skipped_because ? weight->skipped_because : weight->method);
}

static bool write_weights(struct work *work)
{
    static const struct mls_column columns[] = {
        {.title = "weight", .max_width = 48}, {.title = "type"},
        {.title = "before", .right = true},   {.title = "after", .right = true},
        {.title = "SNR", .right = true},      {.title = "method"}};
    const struct mls_compressed *compressed = work->compressed;
    struct console *console = work->console;
    struct mls_table *table = mls_table_create(columns, sizeof columns / sizeof columns[0], console->ascii);
    const struct mls_compressed_weight **order = calloc(compressed->n_weights + 1, sizeof *order);
    bool ok = table && order;
    size_t shown = console->verbose ? compressed->n_weights : WEIGHTS_SHOWN;
    for (size_t i = 0; ok && i < compressed->n_weights; i++)
        order[i] = &compressed->weights[i];
    if (ok)
        qsort(order, compressed->n_weights, sizeof *order, largest_first);
    for (size_t i = 0; ok && i < compressed->n_weights && i < shown; i++)
        add_weight(table, order[i]);
    ok = ok && mls_table_write(table, console->columns, console->color, &console->out);
    if (ok && compressed->n_weights > shown)
        console_printf(console, "%s %zu more (--verbose shows all)\n", console->ascii ? "..." : "…",
                       compressed->n_weights - shown);
    free(order);
    mls_table_free(table);
    return ok;
}

static bool write_text(struct work *work)
{
    const struct mls_compressed *compressed = work->compressed;
    struct console *console = work->console;
    char from[MLS_TEXT_BYTES], to[MLS_TEXT_BYTES], snr[32], time[MLS_TEXT_BYTES];
    if (console->quiet)
        return true;
    if (!write_weights(work))
        return false;
    console_printf(
        console, "\nweights %s to %s (%.3g %%), SNR %s, in %s\n", mls_text_size(compressed->from_bytes, from),
        mls_text_size(compressed->to_bytes, to),
        compressed->from_bytes ? (double)compressed->to_bytes / (double)compressed->from_bytes * PERCENT : 0,
        decibels(compressed->snr_db, snr, sizeof snr),
        mls_text_duration(compressed->elapsed_ns, console->ascii, time));
    if (compressed->to_opset > compressed->from_opset)
        console_printf(console, "raised from %s to %s\n", mls_system_for_opset(compressed->from_opset),
                       mls_system_for_opset(compressed->to_opset));
    console_printf(console, "wrote %s\n", arguments_text(work->arguments, OPTION_OUTPUT));
    return true;
}

static json_t *weight_json(const struct mls_compressed_weight *weight)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "name",
                     mls_json_text(weight->name), "function", mls_json_text(weight->function), "op_type",
                     mls_json_text(weight->op_type), "op_name", mls_json_text(weight->op_name), "dtype",
                     mls_dtype_name(weight->type.dtype), "shape", mls_json_shape(&weight->type), "from_bytes",
                     (json_int_t)weight->from_bytes, "to_bytes", (json_int_t)weight->to_bytes, "snr_db",
                     mls_json_number(weight->snr_db), "sparsity", mls_json_number(weight->sparsity), "method",
                     weight->skipped_because ? json_null() : mls_json_text(weight->method), "skipped_because",
                     mls_json_text(weight->skipped_because), "shared", (int)weight->shared);
}

static bool write_json(struct work *work)
{
    const struct mls_compressed *compressed = work->compressed;
    struct mls_environment environment = mls_environment_read(cli_version(), cli_commit());
    json_t *weights = json_array(), *methods = json_array();
    for (size_t i = 0; i < compressed->n_weights; i++)
        json_array_append_new(weights, weight_json(&compressed->weights[i]));
    for (size_t i = 0; i < work->recipe.n_passes; i++)
        for (size_t j = 0; j < work->recipe.passes[i].n_rules; j++) {
            char label[128];
            const struct mls_compress_rule *rule = &work->recipe.passes[i].rules[j];
            if (!rule->leave)
                json_array_append_new(methods,
                                      mls_json_text(mls_compress_label(&rule->setting, label, sizeof label)));
        }
    if (work->mixes)
        json_array_append_new(methods, json_string("bits by measured sensitivity"));
    if (work->options.decompress)
        json_array_append_new(methods, json_string("decompress"));
    json_t *totals = json_pack(
        "{s:I, s:I, s:o, s:I, s:I}", "from_bytes", (json_int_t)compressed->from_bytes, "to_bytes",
        (json_int_t)compressed->to_bytes, "snr_db", mls_json_number(compressed->snr_db), "from_opset",
        (json_int_t)compressed->from_opset, "to_opset", (json_int_t)compressed->to_opset);
    json_t *root =
        json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "mlscope.compress", "version", 1,
                  "environment", mls_document_environment(&environment, work->opened.loaded, NULL), "model",
                  mls_document_model(work->opened.loaded), "method", methods, "output",
                  mls_json_text(arguments_text(work->arguments, OPTION_OUTPUT)), "weights", weights, "totals",
                  totals, "seconds", mls_json_number((double)compressed->elapsed_ns / 1e9));
    bool written = mls_json_write(root, &work->console->out);
    json_decref(root);
    return written;
}

static enum mls_status calibrate(struct work *work, struct mls_error *reterr)
{
    const char *path = arguments_text(work->arguments, OPTION_CALIBRATION);
    const struct mls_loaded *loaded = work->opened.loaded;
    if (!path)
        return MLS_OK;
    enum mls_status status = mls_samples_open(loaded->interface, path, &work->samples, reterr);
    if (!status)
        status = mls_calibrate(loaded, work->samples, interrupt_flag(), &work->calibration, reterr);
    work->options.calibration = work->budget.calibration = work->calibration;
    return status;
}

static enum mls_status choose_bits(struct work *work, struct mls_error *reterr)
{
    const struct mls_trial_options options = {.samples = work->samples, .stop = interrupt_flag()};
    struct mls_trial *trial;
    enum mls_status status = mls_trial_create(work->opened.loaded, &options, &trial, reterr);
    if (status)
        return status;
    work->budget.opset = work->options.opset;
    work->budget.opset_fixed = work->options.opset_fixed;
    work->budget.threads = work->options.threads;
    work->budget.progress = work->options.progress;
    status = mls_mixed_choose(work->opened.loaded, trial, &work->budget, &work->mixed, reterr);
    work->compressed = work->mixed.compressed;
    mls_trial_free(trial);
    if (!status)
        console_note(work->console, "outputs keep %.2f dB", work->mixed.score.outputs_snr_db);
    return status;
}

static enum mls_status compress(struct work *work, struct mls_error *reterr)
{
    enum mls_status status = read_options(work, reterr);
    if (!status)
        status = open_options(work->arguments, &work->opened, reterr);
    work->opened.keeps_key = true;
    bool runs = work->mixes || arguments_has(work->arguments, OPTION_CALIBRATION);
    if (!status)
        status = open_model(&work->opened, runs ? MLS_LOAD_ALL : MLS_LOAD_MODEL, reterr);
    if (!status)
        status = calibrate(work, reterr);
    if (status)
        return status;
    const struct mls_compress_progress progress = {.user = work, .at = show_progress};
    work->options.progress = &progress;
    status = work->mixes
                 ? choose_bits(work, reterr)
                 : mls_compress(work->opened.loaded->model, &work->options, &work->compressed, reterr);
    if (!status)
        status = write_out(work, reterr);
    if (status)
        return status;
    bool ok = work->console->json ? write_json(work) : write_text(work);
    return ok || work->console->write_errno
               ? MLS_OK
               : mls_fail(reterr, MLS_ERR_MEMORY, "cannot write the report: out of memory");
}

int verb_compress(const struct arguments *arguments, struct console *console)
{
    struct work work = {.arguments = arguments, .console = console, .percent_shown = PERCENT};
    struct mls_error error;
    enum mls_status status = compress(&work, &error);
    if (!work.mixes)
        mls_compressed_free(work.compressed);
    mls_mixed_done(&work.mixed);
    mls_calibration_free(work.calibration);
    mls_samples_free(work.samples);
    recipe_free(&work.recipe);
    open_close(&work.opened);
    return status ? console_error(&error) : 0;
}
