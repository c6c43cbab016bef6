#include "profiler/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/feature.h"
#include "profiler/element.h"

enum { DRAWN_SAMPLES = 4, CHUNK = 512 };
#define REFERENCE_BYTES_MAX ((size_t)1 << 30)

struct mls_trial {
    const struct mls_loaded *loaded;
    struct mls_trial_options options;
    size_t n;
    float **outputs; /* by sample and output: elements as fp32, owned; NULL where they are no numbers */
    size_t *n_elems; /* the same */
    double accuracy;
};

/* ---- Values ----------------------------------------------------------------------------------- */

static size_t n_elems_of(const struct mls_tensor *tensor)
{
    return tensor->type.dtype == MLS_TEXT ? 0 : mls_element_count(tensor);
}

static float *copy_output(const struct mls_tensor *tensor, size_t n)
{
    float *copy = malloc((n ? n : 1) * sizeof *copy);
    double values[CHUNK];
    for (size_t first = 0; copy && first < n; first += CHUNK) {
        size_t part = n - first < CHUNK ? n - first : CHUNK;
        mls_elements_load(tensor, first, part, values);
        for (size_t i = 0; i < part; i++)
            copy[first + i] = (float)values[i];
    }
    return copy;
}

/* ---- Accuracy --------------------------------------------------------------------------------- */

/* The output that an expectation is about. */
static size_t find_output(const struct mls_run *run, size_t n_outputs, const struct mls_expected *expected)
{
    if (expected->output != SIZE_MAX)
        return expected->output;
    size_t best = SIZE_MAX, most = 0;
    for (size_t i = 0; i < n_outputs; i++) {
        size_t n = n_elems_of(mls_run_output(run, i));
        bool fits = expected->is_class ? n > (size_t)expected->class_index && n > most : n == expected->n;
        if (fits) {
            best = i;
            most = n;
        }
    }
    return best;
}

/* 1 or 0 for a class, the cosine for a vector; NAN when it cannot be said. */
static double rate(const struct mls_trial *trial, const struct mls_run *run, size_t sample)
{
    struct mls_expected expected;
    if (!trial->options.samples || !mls_samples_expected(trial->options.samples, sample, &expected))
        return (double)NAN;
    size_t output = find_output(run, trial->loaded->interface->n_outputs, &expected);
    const struct mls_tensor *tensor = output == SIZE_MAX ? NULL : mls_run_output(run, output);
    size_t n = tensor ? n_elems_of(tensor) : 0;
    if (!n || (!expected.is_class && n != expected.n))
        return (double)NAN;
    size_t largest = 0;
    double dot = 0, own = 0, theirs = 0;
    for (size_t i = 0; i < n; i++) {
        double value = mls_element_value(tensor, i);
        largest = value > mls_element_value(tensor, largest) ? i : largest;
        if (expected.is_class)
            continue;
        dot += value * (double)expected.vector[i];
        own += value * value;
        theirs += (double)expected.vector[i] * (double)expected.vector[i];
    }
    if (expected.is_class)
        return (int64_t)largest == expected.class_index;
    return own > 0 && theirs > 0 ? dot / sqrt(own * theirs) : (double)NAN;
}

/* ---- Samples ---------------------------------------------------------------------------------- */

enum mls_status mls_trial_fill(const struct mls_trial *trial, size_t sample, struct mls_run *run,
                               struct mls_error *reterr)
{
    uint64_t seed = trial->options.random_seed + sample;
    if (trial->options.samples)
        return mls_samples_fill(trial->options.samples, sample, seed, run, reterr);
    enum mls_status status = MLS_OK;
    for (size_t i = 0; !status && i < trial->loaded->interface->n_inputs; i++)
        if (mls_run_input(run, i))
            status = mls_feature_random(run, i, seed, reterr);
    return status;
}

/* Predictions do not follow one another: every one starts from zero states. */
static void clear_states(const struct mls_trial *trial, struct mls_run *run)
{
    for (size_t i = 0; i < trial->loaded->interface->n_states; i++) {
        struct mls_tensor *state = mls_run_state(run, i);
        size_t bytes = state && state->data ? mls_type_bytes(&state->type) : SIZE_MAX;
        if (bytes != SIZE_MAX)
            memset(state->data, 0, bytes);
    }
}

static enum mls_status predict(const struct mls_trial *trial, size_t sample, struct mls_run *run,
                               struct mls_error *reterr)
{
    if (trial->options.stop && atomic_load(trial->options.stop))
        return mls_fail(reterr, MLS_ERR_CANCELLED, "the comparison was cancelled");
    clear_states(trial, run);
    enum mls_status status = mls_trial_fill(trial, sample, run, reterr);
    return status ? status : mls_run_predict(run, NULL, NULL, reterr);
}

static enum mls_status keep_reference(struct mls_trial *trial, size_t sample, size_t *used_bytes,
                                      struct mls_error *reterr)
{
    const struct mls_loaded *loaded = trial->loaded;
    size_t n_outputs = loaded->interface->n_outputs;
    for (size_t i = 0; i < n_outputs; i++) {
        const struct mls_tensor *tensor = mls_run_output(loaded->run, i);
        size_t n = n_elems_of(tensor);
        *used_bytes += n * sizeof(float);
        if (*used_bytes > REFERENCE_BYTES_MAX)
            return mls_fail(reterr, MLS_ERR_LIMIT,
                            "cannot compare: the outputs of %zu samples are more than 1 GiB", trial->n);
        trial->n_elems[sample * n_outputs + i] = n;
        trial->outputs[sample * n_outputs + i] = copy_output(tensor, n);
        if (!trial->outputs[sample * n_outputs + i])
            return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    }
    return MLS_OK;
}

static enum mls_status run_reference(struct mls_trial *trial, struct mls_error *reterr)
{
    double sum = 0;
    size_t used_bytes = 0;
    for (size_t i = 0; i < trial->n; i++) {
        enum mls_status status = predict(trial, i, trial->loaded->run, reterr);
        if (!status)
            status = keep_reference(trial, i, &used_bytes, reterr);
        if (status)
            return status;
        sum += rate(trial, trial->loaded->run, i);
    }
    trial->accuracy = sum / (double)trial->n;
    return MLS_OK;
}

enum mls_status mls_trial_create(const struct mls_loaded *loaded, const struct mls_trial_options *options,
                                 struct mls_trial **ret_trial, struct mls_error *reterr)
{
    struct mls_trial *trial = calloc(1, sizeof *trial);
    if (!trial)
        return mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    *trial = (struct mls_trial){.loaded = loaded, .options = *options};
    size_t most = options->samples ? mls_samples_count(options->samples) : DRAWN_SAMPLES;
    trial->n = options->n_samples && options->n_samples < most ? options->n_samples : most;
    size_t n = trial->n * loaded->interface->n_outputs + 1;
    trial->outputs = calloc(n, sizeof *trial->outputs);
    trial->n_elems = calloc(n, sizeof *trial->n_elems);
    enum mls_status status = trial->outputs && trial->n_elems
                                 ? run_reference(trial, reterr)
                                 : mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    if (status)
        mls_trial_free(trial);
    else
        *ret_trial = trial;
    return status;
}

void mls_trial_free(struct mls_trial *trial)
{
    if (!trial)
        return;
    for (size_t i = 0; trial->outputs && i < trial->n * trial->loaded->interface->n_outputs; i++)
        free(trial->outputs[i]);
    free(trial->outputs);
    free(trial->n_elems);
    free(trial);
}

double mls_trial_reference(const struct mls_trial *trial)
{
    return trial->accuracy;
}

size_t mls_trial_count(const struct mls_trial *trial)
{
    return trial->n;
}

/* ---- Trying ----------------------------------------------------------------------------------- */

enum mls_status mls_trial_open(const struct mls_trial *trial, struct mls_package *package,
                               struct mls_tried *ret_tried, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = trial->loaded;
    const struct mls_session_options options = {.function = loaded->interface->function,
                                                .threads = mls_session_threads(loaded->session),
                                                .cpu_capped = true,
                                                .cpu = mls_session_isa(loaded->session)};
    struct mls_tried tried = {0};
    struct mls_shape *shapes = calloc(loaded->interface->n_inputs + 1, sizeof *shapes);
    enum mls_status status = shapes ? mls_model_load(package, NULL, &tried.model, reterr)
                                    : mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    for (size_t i = 0; !status && i < loaded->interface->n_inputs; i++) {
        const struct mls_tensor *input = mls_run_input(loaded->run, i);
        if (input) {
            shapes[i].rank = input->type.rank;
            memcpy(shapes[i].dims, input->type.dims, sizeof shapes[i].dims);
        }
    }
    if (!status)
        status = mls_model_function(tried.model, options.function, &tried.function, &tried.interface, reterr);
    if (!status)
        status = mls_session_create(tried.model, &options, &tried.session, reterr);
    if (!status)
        status = mls_session_plan(tried.session, shapes, &tried.plan, reterr);
    if (!status)
        status = mls_run_create(tried.session, tried.plan, &tried.run, reterr);
    free(shapes);
    if (status)
        mls_tried_close(&tried);
    else
        *ret_tried = tried;
    return status;
}

void mls_tried_close(struct mls_tried *tried)
{
    mls_run_free(tried->run);
    mls_session_free(tried->session);
    mls_model_free(tried->model);
    *tried = (struct mls_tried){0};
}

/* Adds one prediction's squares to signal and noise, by output. */
static void add_squares(const struct mls_trial *trial, size_t sample, const struct mls_run *run,
                        double *signal, double *noise)
{
    size_t n_outputs = trial->loaded->interface->n_outputs;
    double values[CHUNK];
    for (size_t i = 0; i < n_outputs; i++) {
        const float *before = trial->outputs[sample * n_outputs + i];
        const struct mls_tensor *tensor = mls_run_output(run, i);
        size_t n = trial->n_elems[sample * n_outputs + i];
        if (n_elems_of(tensor) != n) {
            noise[i] = (double)INFINITY;
            continue;
        }
        for (size_t first = 0; first < n; first += CHUNK) {
            size_t part = n - first < CHUNK ? n - first : CHUNK;
            mls_elements_load(tensor, first, part, values);
            for (size_t j = 0; j < part; j++) {
                double value = (double)before[first + j], difference = value - values[j];
                if (!isfinite(value)) /* masks of -inf and the like: equal or not, no energy */
                    continue;
                signal[i] += value * value;
                noise[i] += difference * difference;
            }
        }
    }
}

enum mls_status mls_trial_score(const struct mls_trial *trial, struct mls_run *run, size_t n_samples,
                                struct mls_trial_score *ret_score, struct mls_error *reterr)
{
    size_t n_outputs = trial->loaded->interface->n_outputs,
           n = n_samples && n_samples < trial->n ? n_samples : trial->n;
    double *squares = calloc(2 * n_outputs + 1, sizeof *squares), accuracy = 0;
    enum mls_status status =
        squares ? MLS_OK : mls_fail(reterr, MLS_ERR_MEMORY, "cannot compare: out of memory");
    for (size_t i = 0; !status && i < n; i++) {
        status = predict(trial, i, run, reterr);
        if (status)
            break;
        add_squares(trial, i, run, squares, squares + n_outputs);
        accuracy += rate(trial, run, i);
    }
    struct mls_trial_score score = {.accuracy = accuracy / (double)n};
    size_t counted = 0;
    for (size_t i = 0; !status && i < n_outputs; i++) {
        if (!(squares[i] > 0))
            continue;
        score.noise += squares[n_outputs + i] / squares[i];
        counted++;
    }
    free(squares);
    if (status)
        return status;
    score.noise /= counted ? (double)counted : 1;
    score.outputs_snr_db = score.noise > 0 ? -10 * log10(score.noise) : (double)INFINITY;
    *ret_score = score;
    return MLS_OK;
}
