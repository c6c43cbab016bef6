#include "profiler/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/element.h"

/* Products of channels are kept up to this; beyond, only squares. */
#define MOMENTS_BYTES_MAX ((size_t)768 << 20)
enum { CHANNELS_MAX = 4096 };

/* A value that goes into operations with weights. */
struct watched {
    const char *name;
    size_t n; /* channels */
    size_t n_rows;
    double *squares; /* sums */
    float *moments;  /* upper triangle while it is summed up; NULL: not kept */
    double low, high;
};

/* A weight and the value that meets it. */
struct use {
    const char *weight;
    size_t watched;
};

struct calibrating {
    const struct mls_loaded *loaded;
    struct mls_session *session;
    const struct mls_plan *plan;
    struct mls_run *run;
    struct watched *watched;
    size_t n_watched;
    struct use *uses;
    size_t n_uses;
    const struct mls_tensor *mask; /* an input, or NULL */
    double *row;                   /* of the most channels */
    double *values;
    size_t n_values;
    bool failed;
};

static enum mls_status no_memory(struct mls_error *reterr)
{
    return mls_fail(reterr, MLS_ERR_MEMORY, "cannot calibrate: out of memory");
}

/* ---- Which values ------------------------------------------------------------------------------ */

static const struct mls_step_operand *find_operand(const struct mls_step *step, const char *parameter)
{
    for (uint32_t i = 0; i < step->n_inputs; i++)
        if (!strcmp(step->inputs[i].parameter, parameter))
            return &step->inputs[i];
    return NULL;
}

static bool add_watched(struct calibrating *work, const char *name, size_t channels, bool matrix,
                        size_t *ret_index, size_t *moments_bytes)
{
    for (size_t i = 0; i < work->n_watched; i++) {
        if (!strcmp(work->watched[i].name, name) && work->watched[i].n == channels) {
            *ret_index = i;
            return true;
        }
    }
    struct watched *watched = &work->watched[work->n_watched];
    size_t bytes = channels * channels * sizeof(float);
    *watched =
        (struct watched){.name = name, .n = channels, .low = (double)INFINITY, .high = -(double)INFINITY};
    watched->squares = calloc(channels, sizeof *watched->squares);
    if (matrix && channels <= CHANNELS_MAX && *moments_bytes + bytes <= MOMENTS_BYTES_MAX) {
        *moments_bytes += bytes;
        watched->moments = calloc(channels * channels, sizeof *watched->moments);
    }
    *ret_index = work->n_watched++;
    return watched->squares != NULL;
}

/* 1x1 convolutions of one group are matrices, too. */
static bool is_matrix(const struct mls_step *step, const struct mls_type *weight)
{
    if (!strcmp(step->type, "linear"))
        return true;
    for (unsigned i = 2; i < weight->rank; i++)
        if (weight->dims[i] != 1)
            return false;
    return true;
}

static bool choose_values(struct calibrating *work)
{
    size_t n_steps = mls_plan_step_count(work->plan), most = 1, moments_bytes = 0;
    work->watched = calloc(n_steps + 1, sizeof *work->watched);
    work->uses = calloc(n_steps + 1, sizeof *work->uses);
    if (!work->watched || !work->uses)
        return false;
    for (size_t i = 0; i < n_steps; i++) {
        const struct mls_step *step = mls_plan_step(work->plan, i);
        bool linear = !strcmp(step->type, "linear");
        if (!linear && strcmp(step->type, "conv"))
            continue;
        const struct mls_step_operand *x = find_operand(step, "x"), *weight = find_operand(step, "weight");
        if (!x || !weight || !weight->constant || x->constant || x->type.rank < 2 ||
            x->type.rank > MLS_RANK_MAX)
            continue;
        int64_t channels = x->type.dims[linear ? x->type.rank - 1 : 1];
        if (channels < 1 || weight->type.rank < 2 || channels != weight->type.dims[1])
            continue; /* convolutions in groups */
        struct use *use = &work->uses[work->n_uses];
        use->weight = weight->name;
        if (!add_watched(work, x->name, (size_t)channels, is_matrix(step, &weight->type), &use->watched,
                         &moments_bytes))
            return false;
        work->n_uses++;
        most = (size_t)channels > most ? (size_t)channels : most;
    }
    work->row = calloc(most, sizeof *work->row);
    return work->row != NULL;
}

/* ---- Summing up --------------------------------------------------------------------------------- */

static bool load_values(struct calibrating *work, const struct mls_tensor *tensor, size_t n)
{
    if (n > work->n_values) {
        free(work->values);
        work->values = malloc(n * sizeof *work->values);
        work->n_values = work->values ? n : 0;
        if (!work->values)
            return false;
    }
    mls_elements_load(tensor, 0, n, work->values);
    return true;
}

/* Whether a row of a sequence is only filled up: where the mask has as many elements as there are rows. */
static bool is_padding(const struct calibrating *work, size_t row, size_t n_rows)
{
    return work->mask && mls_element_count(work->mask) == n_rows && mls_element_value(work->mask, row) == 0;
}

static void add_row(struct watched *watched, const double *row)
{
    watched->n_rows++;
    for (size_t i = 0; i < watched->n; i++) {
        watched->squares[i] += row[i] * row[i];
        watched->low = row[i] < watched->low ? row[i] : watched->low;
        watched->high = row[i] > watched->high ? row[i] : watched->high;
    }
    for (size_t i = 0; watched->moments && i < watched->n; i++) {
        float value = (float)row[i], *sums = watched->moments + i * watched->n;
        if (value != 0)
            for (size_t j = i; j < watched->n; j++)
                sums[j] += value * (float)row[j];
    }
}

/* Channels lie last (linear), or second with the places after them (conv). */
static void add_tensor(struct calibrating *work, struct watched *watched, const struct mls_tensor *tensor)
{
    size_t n = mls_element_count(tensor), rank = tensor->type.rank;
    bool last = rank >= 1 && tensor->type.dims[rank - 1] == (int64_t)watched->n;
    bool second = !last && rank >= 3 && tensor->type.dims[1] == (int64_t)watched->n;
    if (!n || (!last && !second) || !load_values(work, tensor, n)) {
        work->failed |= n && (last || second);
        return;
    }
    size_t inner = 1, n_rows = n / watched->n;
    for (size_t i = 2; second && i < rank; i++)
        inner *= (size_t)tensor->type.dims[i];
    for (size_t r = 0; r < n_rows; r++) {
        if (is_padding(work, r, n_rows))
            continue;
        const double *from = work->values + r / inner * inner * watched->n + r % inner;
        for (size_t c = 0; c < watched->n; c++)
            work->row[c] = from[c * inner];
        add_row(watched, work->row);
    }
}

static void see_value(struct calibrating *work, const char *name, const struct mls_tensor *tensor)
{
    for (size_t i = 0; i < work->n_watched; i++)
        if (!strcmp(work->watched[i].name, name))
            add_tensor(work, &work->watched[i], tensor);
}

static void see_step(void *user, uint32_t index, struct mls_tensor *const *outputs, uint32_t n_outputs)
{
    struct calibrating *work = user;
    const struct mls_step *step = mls_plan_step(work->plan, index);
    for (uint32_t i = 0; i < n_outputs && i < step->n_outputs; i++)
        see_value(work, step->outputs[i].name, outputs[i]);
}

/* ---- The run ------------------------------------------------------------------------------------ */

static enum mls_status open_run(struct calibrating *work, struct mls_error *reterr)
{
    const struct mls_loaded *loaded = work->loaded;
    const struct mls_session_options options = {.function = loaded->interface->function,
                                                .threads = mls_session_threads(loaded->session),
                                                .no_fusion = true};
    struct mls_shape *shapes = calloc(loaded->interface->n_inputs + 1, sizeof *shapes);
    if (!shapes)
        return no_memory(reterr);
    for (size_t i = 0; i < loaded->interface->n_inputs; i++) {
        const struct mls_tensor *input = mls_run_input(loaded->run, i);
        if (input) {
            shapes[i].rank = input->type.rank;
            memcpy(shapes[i].dims, input->type.dims, sizeof shapes[i].dims);
        }
    }
    enum mls_status status = mls_session_create(loaded->model, &options, &work->session, reterr);
    if (!status)
        status = mls_session_plan(work->session, shapes, &work->plan, reterr);
    if (!status)
        status = mls_run_create(work->session, work->plan, &work->run, reterr);
    free(shapes);
    for (size_t i = 0; !status && i < loaded->interface->n_inputs; i++)
        if (strstr(loaded->interface->inputs[i].name, "mask"))
            work->mask = mls_run_input(work->run, i);
    return status;
}

static enum mls_status run_samples(struct calibrating *work, const struct mls_samples *samples,
                                   const atomic_bool *stop, struct mls_error *reterr)
{
    const struct mls_observer observer = {.user = work, .values = see_step};
    enum mls_status status = MLS_OK;
    for (size_t s = 0; !status && s < mls_samples_count(samples); s++) {
        if (stop && atomic_load(stop))
            return mls_fail(reterr, MLS_ERR_CANCELLED, "the calibration was cancelled");
        status = mls_samples_fill(samples, s, s, work->run, reterr);
        for (size_t i = 0; !status && i < work->loaded->interface->n_inputs; i++)
            if (mls_run_input(work->run, i))
                see_value(work, work->loaded->interface->inputs[i].name, mls_run_input(work->run, i));
        if (!status)
            status = mls_run_predict(work->run, &observer, NULL, reterr);
    }
    return status || !work->failed ? status : no_memory(reterr);
}

/* ---- The result --------------------------------------------------------------------------------- */

/* What is owned: the lists of the public struct, and the sums, which uses share. */
struct kept {
    struct mls_calibration calibration; /* first: what callers see */
    struct mls_input_statistics *inputs;
    struct watched *watched;
    size_t n_watched;
};

static void finish_watched(struct watched *watched)
{
    double mean = 0, rows = watched->n_rows ? (double)watched->n_rows : 1;
    for (size_t i = 0; i < watched->n; i++)
        mean += watched->squares[i] / rows / (double)watched->n;
    for (size_t i = 0; i < watched->n; i++) /* a channel that was never used still counts a little */
        watched->squares[i] = watched->squares[i] / rows + 1e-4 * mean + 1e-30;
    for (size_t i = 0; watched->moments && i < watched->n; i++)
        for (size_t j = 0; j < i; j++)
            watched->moments[i * watched->n + j] = watched->moments[j * watched->n + i];
}

static enum mls_status keep_result(struct calibrating *work, struct mls_calibration **ret_calibration,
                                   struct mls_error *reterr)
{
    struct kept *kept = calloc(1, sizeof *kept);
    if (kept)
        kept->inputs = calloc(work->n_uses + 1, sizeof *kept->inputs);
    if (!kept || !kept->inputs) {
        free(kept);
        return no_memory(reterr);
    }
    for (size_t i = 0; i < work->n_watched; i++)
        finish_watched(&work->watched[i]);
    size_t n = 0;
    for (size_t i = 0; i < work->n_uses; i++) {
        const struct watched *watched = &work->watched[work->uses[i].watched];
        if (watched->n_rows)
            kept->inputs[n++] = (struct mls_input_statistics){.weight = work->uses[i].weight,
                                                              .n = watched->n,
                                                              .n_rows = watched->n_rows,
                                                              .squares = watched->squares,
                                                              .moments = watched->moments,
                                                              .low = watched->low,
                                                              .high = watched->high};
    }
    kept->watched = work->watched;
    kept->n_watched = work->n_watched;
    work->watched = NULL;
    work->n_watched = 0;
    kept->calibration = (struct mls_calibration){kept->inputs, n};
    *ret_calibration = &kept->calibration;
    return MLS_OK;
}

static void free_watched(struct watched *watched, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(watched[i].squares);
        free(watched[i].moments);
    }
    free(watched);
}

/* Names of weights are those of the plan: they are replaced by the model's, which outlives it. */
static void name_by_model(const struct mls_model *model, struct calibrating *work)
{
    for (size_t i = 0; i < work->n_uses; i++)
        for (uint32_t v = 0; v < model->program.n_values; v++)
            if (model->program.values[v].name &&
                !strcmp(model->program.values[v].name, work->uses[i].weight)) {
                work->uses[i].weight = model->program.values[v].name;
                break;
            }
}

enum mls_status mls_calibrate(const struct mls_loaded *loaded, const struct mls_samples *samples,
                              const atomic_bool *stop, struct mls_calibration **ret_calibration,
                              struct mls_error *reterr)
{
    struct calibrating work = {.loaded = loaded};
    enum mls_status status = open_run(&work, reterr);
    if (!status && !choose_values(&work))
        status = no_memory(reterr);
    if (!status)
        status = run_samples(&work, samples, stop, reterr);
    if (!status) {
        name_by_model(loaded->model, &work);
        status = keep_result(&work, ret_calibration, reterr);
    }
    free_watched(work.watched, work.n_watched);
    free(work.uses);
    free(work.row);
    free(work.values);
    mls_run_free(work.run);
    mls_session_free(work.session);
    return status;
}

void mls_calibration_free(struct mls_calibration *calibration)
{
    struct kept *kept = (struct kept *)calibration;
    if (!kept)
        return;
    free_watched(kept->watched, kept->n_watched);
    free(kept->inputs);
    free(kept);
}
